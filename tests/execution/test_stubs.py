"""Negative controls: what the stubs of a solution do, and which there are."""

from __future__ import annotations

import asyncio
import sys
import types

import pytest

from tasks.execution.expected_values import expected_values
from tasks.execution.stubs import stub, stubs
from tests.corpus import right_pairs

IMPORT = "from solution import *\n"


def claiming(*claims: str) -> str:
    return IMPORT + "".join(f"def test_{number}():\n    {claim}\n" for number, claim in enumerate(claims))


@pytest.fixture
def load(monkeypatch):
    """The names that a stub defines; the stubs here are of solutions written in this file."""

    def loaded(source):
        module = types.ModuleType("solution")
        monkeypatch.setitem(sys.modules, "solution", module)
        exec(source, module.__dict__)
        return module

    return loaded


def test_the_family_of_a_function(load):
    solution = "def f(x: str, y: int = 0) -> int:\n    return len(x) + y\n"
    made = stubs(solution, claiming("assert f('ab') == 2", "assert f('b', 1) == 2", "assert f('') == 0"))
    assert list(made) == ["raises", "returns 2", "returns None", "returns 0", "returns its argument"]
    assert made["raises"] == stub(solution)
    with pytest.raises(NotImplementedError):
        load(made["raises"]).f("ab")
    found = {name: load(source).f("ab") for name, source in made.items() if name != "raises"}
    assert found == {"returns 2": 2, "returns None": None, "returns 0": 0, "returns its argument": "ab"}


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        ("int", "0"),
        ("float", "0.0"),
        ("bool", "False"),
        ("'str'", "''"),
        ("list[int]", "[]"),
        ("typing.Dict[str, int]", "{}"),
        ("tuple[int, ...]", "()"),
        ("set[str]", "set()"),
        ("Optional[int]", "0"),
        ("None | list[int]", "[]"),
        ("Union[None, str, int]", "''"),
        ("Literal['low', 'high']", "'low'"),
        ("Iterator[int]", "iter(())"),
        ("collections.deque[int]", "collections.deque()"),
    ],
)
def test_an_empty_value_has_the_type_of_the_annotation(annotation, value):
    made = stubs(f"def f(x) -> {annotation}:\n    return x\n", claiming("f(1)"))
    assert f"    return {value}\n" in made[f"returns {value}"]


@pytest.mark.parametrize("annotation", ["", " -> Any", " -> T", " -> 'not ( a type'"])
def test_without_a_known_annotation_the_tests_tell_the_type(annotation):
    made = stubs(f"def f(x){annotation}:\n    return x\n", claiming("assert f(1) == [1]"))
    assert list(made) == ["raises", "returns [1]", "returns None", "returns []", "returns its argument"]


def test_without_any_hint_there_is_no_constant():
    made = stubs("def f(x):\n    return x\n", claiming("assert f(1) > 0"))
    assert list(made) == ["raises", "returns None", "returns its argument"]


@pytest.mark.parametrize(
    ("claim", "literal"),
    [
        ("assert f(1) == [1, 2]", "[1, 2]"),
        ("assert [1, 2] == f(1)", "[1, 2]"),
        ("assert f(1) is None", "None"),
        ("assert f(1)", "True"),
        ("assert not f(1)", "False"),
        ("assert f(1) == -1 and other", "-1"),
        ("assert list(f(1)) == [3]", "[3]"),
        ("assert f(1) == pytest.approx(0.5)", "0.5"),
        ("assert math.isclose(f(1), 0.5)", "0.5"),
        ("assert all(f(x) for x in (1, 2))", "True"),
        ("assert not any(f(x) for x in (1, 2))", "False"),
        ("result = f(1); expected = {1: 2}; assert result == expected", "{1: 2}"),
        ("assert box.f(1) == 'a'", "'a'"),
        ("assert box.f == 'a'", "'a'"),
        ("self.assertEqual(f(1), 4)", "4"),
        ("self.assertTrue(f(1))", "True"),
        ("self.assertIsNone(f(1))", "None"),
    ],
)
def test_what_tests_expect(claim, literal):
    assert expected_values(claiming(claim))["f"] == {literal: 1}


@pytest.mark.parametrize(
    "claim",
    ["assert f(1) != 2", "assert not f(1) == 2", "assert f(1) < 2", "assert f(1) == g", "assert f(1)[0] == 2", "f(1)"],
)
def test_what_says_nothing_of_a_value(claim):
    assert "f" not in expected_values(claiming(claim))


def test_rows_of_tables_are_expected_values():
    test = (
        "import pytest\nfrom solution import f as g\nCASES = [('a', True), ('b', True)]\n"
        "@pytest.mark.parametrize('x,expected', [(1, 2), pytest.param(2, 3, id='two')])\n"
        "def test_parameters(x, expected):\n    assert g(x) == expected\n"
        "class TestIt:\n    def test_loop(self):\n        for x, y in CASES:\n            assert g(x) is y\n"
        "    async def test_await(self):\n        assert await g(1) == 5\n"
    )
    assert expected_values(test) == {"f": {"2": 1, "3": 1, "True": 2, "5": 1}}


def test_tests_that_do_not_parse_expect_nothing():
    assert expected_values("def broken(:") == {}


def test_every_function_returns_what_is_expected_of_it(load):
    solution = "def f(x):\n    return g(x)\n\ndef g(x):\n    return -x\n\nneg = lambda x: -x\n"
    test = claiming("assert f(1) == -1", "assert g(2) == -2", "assert g(2) == -2", "assert neg(3) == -3")
    made = stubs(solution, test)
    assert "returns what is expected most often" in made
    module = load(made["returns what is expected most often"])
    assert (module.f(0), module.g(0), module.neg(0)) == (-1, -2, -3)


def test_tests_that_only_expect_true_are_passed_by_a_stub(load):
    solution = "def is_even(n):\n    return n % 2 == 0\n"
    test = "from solution import is_even\n\ndef test_it():\n    assert is_even(2)\n    assert is_even(4) is True\n"
    load(stubs(solution, test)["returns True"])
    scope: dict[str, object] = {}
    exec(test, scope)
    scope["test_it"]()


def test_functions_without_parameters_may_return_constants():
    solution = "def answer():\n    return 42\n\ndef other(x):\n    return x\n"
    assert list(stubs(solution, "from solution import answer\nassert answer() == 42\n")) == ["raises", "returns None"]
    both = claiming("assert answer() == 42", "assert other(42) == 42")
    assert "returns 42" in stubs(solution, both)


def test_methods(load):
    solution = (
        "class Stack:\n    def __init__(self, items=()):\n        self.items = [*items]\n"
        "    def push(self, item):\n        self.items.append(item)\n        return item\n"
        "    def pop(self) -> int:\n        return self.items.pop()\n"
        "    def __len__(self):\n        return len(self.items)\n    def __repr__(self):\n        return 'Stack'\n"
        "    @staticmethod\n    def of(*items):\n        return Stack(items)\n"
        "    @classmethod\n    def empty(cls):\n        return cls()\n"
    )
    made = stubs(solution, IMPORT + "def test_it():\n    stack = Stack()\n    assert stack.pop() == 3\n")
    usual = load(made["returns 3"]).Stack()
    assert (usual.pop(), usual.push(1), len(usual), repr(usual)) == (3, None, 0, "")
    echo = load(made["returns its argument"]).Stack([1])
    assert (echo.push(5), echo.pop(), echo.of(1, 2), echo.empty()) == (5, None, (1, 2), None)


def test_generators_yield_nothing_and_coroutines_stay(load):
    solution = (
        "def count(n):\n    for i in range(n):\n        yield i\n"
        "def outer(n):\n    def inner():\n        yield n\n    return sum(inner())\n"
        "async def later(n) -> int:\n    return n\n"
    )
    made = stubs(solution, claiming("assert count(1)"))
    module = load(made["returns None"])
    assert list(module.count(3)) == []
    assert module.outer(3) is None
    assert asyncio.run(module.later(3)) is None


def test_all_but_bodies_stays_as_it_is_written():
    solution = (
        "# Top.\r\nLIMIT = 0x10  # é\n\n\n@cache  # é\ndef f( x ):  # first\n    @cache\n    def g(): ...\n"
        "    return g  # last\n\n\ndef h(x): x += 1; return x\n\n\nneg = (lambda x:(-x))\nname = f'{(lambda: 1)()}'\n"
    )
    assert stub(solution) == (
        "# Top.\nLIMIT = 0x10  # é\n\n\n@cache  # é\ndef f( x ):  # first\n    raise NotImplementedError('stub')"
        "  # last\n\n\ndef h(x): raise NotImplementedError('stub')\n\n\n"
        "neg = (lambda x:((_ for _ in ()).throw(NotImplementedError('stub'))))\nname = f'{(lambda: 1)()}'\n"
    )


def test_what_is_deeper_than_the_stack_is_no_trouble():
    deep = f"x = {' + '.join(['1'] * 1500)}\n"
    chain = "".join(f"    elif f({number}) == 0:\n        pass\n" for number in range(500))
    test = IMPORT + f"def test_it():\n    if x:\n        pass\n{chain}    assert f(1) == 1\n{deep}"
    made = stubs(f"def f(x):\n    return x\n\n{deep}", test)
    assert made["returns 1"] == f"def f(x):\n    return 1\n\n{deep}"


def test_stubs_with_the_same_text_are_one():
    made = stubs("def f(x) -> None:\n    print(x)\n", claiming("assert f(1) is None"))
    assert list(made) == ["raises", "returns None", "returns its argument"]


def test_long_values_are_not_spelled_out_in_a_name():
    made = stubs("def f(x):\n    return x\n", claiming(f"assert f(1) == '{'a' * 100}'"))
    assert "returns what is expected most often" in made
    assert max(map(len, made)) < 60


def test_a_solution_that_does_not_parse_is_an_error():
    with pytest.raises(SyntaxError):
        stubs("def broken(:", "")


@pytest.mark.parametrize("pair", [pair for pair in right_pairs() if pair.test], ids=lambda pair: pair.id)
def test_stubs_of_the_corpus(pair):
    made = stubs(pair.solution, pair.test)
    assert next(iter(made)) == "raises"
    assert 1 < len(made) <= 5
    assert len(set(made.values())) == len(made)
    assert pair.solution not in made.values()
    for source in made.values():
        compile(source, "stub", "exec")

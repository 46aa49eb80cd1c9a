"""Which mutants there are of a solution, and what is left alone."""

from __future__ import annotations

import ast
from collections import Counter
from textwrap import dedent

import pytest

from tasks.execution.mutation.mutants import Made, mutants
from tests.corpus import right_pairs, wrong_pairs


def made_of(solution: str) -> list[Made]:
    total, made = mutants(dedent(solution), 10_000, seed=0)
    assert total == len(made)
    return made


def changes_of(solution: str, operator: str | None = None) -> set[tuple[str, str]]:
    found = [one.mutant for one in made_of(solution)]
    return {(one.before, one.after) for one in found if operator in (None, one.operator)}


def lines_of(solution: str, operator: str) -> set[str]:
    """The changed lines, for solutions whose only line of interest is a return."""
    return {after.removeprefix("return ") for _, after in changes_of(solution, operator)}


@pytest.mark.parametrize(
    ("expression", "operator", "instead"),
    [
        ("a + b", "AOR", {"a - b"}),
        ("a * b - c", "AOR", {"(a + b) - c", "a * b + c"}),
        ("a - b * c", "AOR", {"a + b * c", "a - (b + c)"}),
        ("(a - b) * c", "AOR", {"(a + b) * c", "a - b + c"}),
        ("-a ** b", "AOR", {"-(a * b)"}),
        ("a < b", "ROR", {"a <= b", "a >= b"}),
        ("a < b <= c", "ROR", {"a <= b <= c", "a >= b <= c", "a < b < c", "a < b > c"}),
        ("a is not None", "ROR", {"a is None"}),
        ("a not in b", "ROR", {"a in b"}),
        ("a and b or c", "LCR", {"(a or b) or c", "b or c", "a or c", "(a and b) and c", "a and b", "c"}),
        ("a if b else c", "COI", {"a if not b else c"}),
        ("[x for x in a if x]", "SDL", {"[x for x in a if True]"}),
        ("[x for x in a if x]", "COI", {"[x for x in a if not x]"}),
        ("not a", "UOD", {"a"}),
        ("-a", "UOD", {"a"}),
        ("a[b:]", "UOI", {"a[b + 1:]", "a[b - 1:]"}),
        ("range(a)", "UOI", {"range(a + 1)", "range(a - 1)"}),
        ("range(a + 1)", "UOI", set()),
        ("a[b]", "UOI", set()),
        ("5", "CRP", {"6", "4", "0"}),
        ("a[-1]", "CRP", {"a[0]", "a[-2]"}),
        ("a[::-1]", "CRP", {"a[::-2]"}),
        ("a % 2", "CRP", {"a % 3", "a % 1"}),
        ("a < 2", "CRP", {"a < 1", "a < 0"}),
        ("1 <= a", "CRP", {"0 <= a"}),
        ("2.5", "CRP", {"3.5", "0.0"}),
        ("1e-9", "CRP", set()),
        ("True", "CRP", {"False"}),
        ("'ab'", "CRP", {"''", "'a'"}),
        ("''", "CRP", {"'X'"}),
        ("float('inf')", "CRP", set()),
        ("f'{a - 1:>8}!'", "CRP", {"''", "f'{a - 2:>8}!'", "f'{a - 0:>8}!'"}),
        ("f'{a - 1:>8}!'", "AOR", {"f'{a + 1:>8}!'"}),
        ("max(a, b)", "MCR", {"min(a, b)"}),
        ("sorted(set(a))", "MCR", {"set(a)", "sorted(a)"}),
        ("a.strip().lower()", "MCR", {"a.strip()", "a.lower()"}),
        ("a", "RVR", {"None"}),
        ("'<' + a", "AOR", set()),
        ("[0] * a", "AOR", set()),
        ("isinstance(a, int | str)", "AOR", set()),
    ],
)
def test_an_expression_is_changed_into(expression, operator, instead):
    assert lines_of(f"def f(a, b, c):\n    return {expression}\n", operator) == instead


@pytest.mark.parametrize(
    ("statements", "operator", "changed"),
    [
        ("a += b", "AOR", {("a += b", "a -= b")}),
        ("a += b", "SDL", {("a += b", "pass")}),
        ("a += 1", "CRP", {("a += 1", "a += 2")}),
        ("a.sort()", "SDL", {("a.sort()", "pass")}),
        ("a = b", "SDL", {("a = b", "pass")}),
        ("a[0], b[0] = b[0], a[0]", "SDL", {("a[0], b[0] = b[0], a[0]", "pass")}),
        ("new = b", "SDL", set()),
        ("memo[a] = b", "SDL", set()),
        ("del a[b]", "SDL", {("del a[b]", "pass")}),
        ("raise ValueError('no')", "SDL", {("raise ValueError('no')", "pass")}),
        ("raise NotImplementedError", "SDL", set()),
        ("if a: b()", "COI", {("if a: b()", "if not a: b()")}),
        ("for c in a: a[c]", "UOI", set()),
        (
            "for c in range(3): a[c]",
            "UOI",
            {("for c in range(3): a[c]", f"for c in range(3): a[c {x} 1]") for x in "+-"},
        ),
        ("while a: break", "BCR", {("while a: break", "while a: continue")}),
        ("yield a", "RVR", {("yield a", "yield None")}),
    ],
)
def test_a_statement_is_changed_into(statements, operator, changed):
    assert changes_of(f"def f(a, b):\n    {statements}\n", operator) == changed


def test_defaults_of_parameters_are_constants_too():
    changed = changes_of("def f(a, b=2, *, c='x'):\n    return\n")
    assert {after for _, after in changed} == {
        "def f(a, b=3, *, c='x'):",
        "def f(a, b=1, *, c='x'):",
        "def f(a, b=0, *, c='x'):",
        "def f(a, b=2, *, c=''):",
    }


@pytest.mark.parametrize(
    "solution",
    [
        '"""Doc 1."""\n\ndef f():\n    """Doc 2."""\n\nclass A:\n    """Doc 3."""\n    ...\n',
        "import a.b\nfrom c import d as e\n",
        "def f(x: 'int' = None, y: dict[str, Literal[1]] | None = None) -> 'list[1]': ...\n",
        "class A:\n    x: Literal['a', 1]\n    __slots__ = ('x', 'y')\n\n__all__ = ['A']\n",
        "Pair = tuple[int, Literal[1]]\nEither = int | Pair | None\nT = TypeVar('T', bound='A')\n",
        "@lru_cache(maxsize=128)\ndef f(x): ...\n",
        "P = namedtuple('P', 'x y')\nsys.setrecursionlimit(10 ** 6)\n",
        "if __name__ == '__main__':\n    main(1 + 2)\n",
        "if TYPE_CHECKING:\n    x = 1 + 2\n",
        "class P(Protocol):\n    def f(self):\n        return 1\n\n@overload\ndef g(x):\n    return 2\n",
        "class Light(Enum):\n    RED = 1\n    GREEN = 2\n",
        "class Bad(ValueError):\n    def __init__(self, n):\n        super().__init__(f'{n} is bad')\n",
        "def f(x):\n    assert x, 'message'\n",
        "def f(x):\n    logger.info('%s', x + 1)\n    warnings.warn('old')\n    print('x', x + 1, file=sys.stderr)\n"
        "    return\n\ndef g():\n    return None\n\ndef h():\n    yield\n",
    ],
)
def test_declarations_and_what_is_for_readers_stay(solution):
    ast.parse(solution)
    assert made_of(solution) == []


def test_only_the_message_of_an_error_stays():
    changed = changes_of("def f(n):\n    raise Short(n - 1, 'short', f'by {n - 1}')\n")
    assert {after for _, after in changed} == {
        "pass",
        "raise Short(n + 1, 'short', f'by {n - 1}')",
        "raise Short(n - 2, 'short', f'by {n - 1}')",
        "raise Short(n - 0, 'short', f'by {n - 1}')",
    }


def test_what_a_program_prints_is_its_result():
    assert changes_of("def f(x):\n    print(x)\n    return x\n", "SDL") == set()
    assert changes_of("x = int(input())\nprint(x)\n", "SDL") == {("print(x)", "pass")}
    assert changes_of("def greet(name):\n    print(name)\n", "SDL") == {("print(name)", "pass")}


def test_a_mutant_names_the_line_of_the_solution_and_leaves_the_others():
    solution = dedent(
        '''\
        # Top.
        def f(a,
              b):
            x = (a  # left
                 + b)  # right
            return f"""{x}
            {a - 1}"""   # end
        '''
    )
    made = made_of(solution)
    (summed,) = [one for one in made if one.mutant.before == "a + b"]
    assert summed.mutant.line == 4
    assert summed.mutant.after == "a - b"
    assert summed.source == solution.replace("a  # left\n         + b", "a - b")
    (inner,) = [one for one in made if one.mutant.operator == "AOR" and one is not summed]
    assert inner.mutant.line == 6
    assert "{a + 1}" in inner.mutant.after
    assert inner.source.endswith("# end\n")


def test_places_are_bytes_lines_of_any_kind_and_words_that_touch():
    assert changes_of("é = 'ü' if a else b + c\r\n", "AOR") == {
        ("é = 'ü' if a else b + c", "é = 'ü' if a else b - c"),
    }
    assert lines_of("def f(x):\n    return-x if(x)else-1\n", "UOD") == {"x if(x)else-1", "return-x if(x)else 1"}


def test_long_lines_are_cut_around_the_change():
    ((before, after),) = changes_of(f"x = [{', '.join(['a'] * 300)}, b + c, {', '.join(['d'] * 300)}]\n", "AOR")
    assert (before, after) == ("b + c", "b - c")
    names = " + ".join(f"name{number}" for number in range(60))
    for before, after in changes_of(f"x = {names}\n", "AOR"):
        assert before != after
        assert max(len(before), len(after)) <= 200


def test_equivalents_are_left_out():
    # Neither the number that makes a loop endless nor a constant in the dead branch is in the bytecode.
    solution = "def f(x):\n    while 1:\n        if 0:\n            x = 5\n        return x\n"
    assert not [one for one in made_of(solution) if one.mutant.after in ("while 2:", "x = 6")]
    # Both operands are the same: without the one and without the other is one mutant.
    assert changes_of("x = a and a\n", "LCR") == {("x = a and a", "x = a or a"), ("x = a and a", "x = a")}


def test_what_does_not_compile_is_left_out():
    # A `continue` for this `break` compiles; one outside of a loop, which a `match` does not make, never does.
    solution = "def f(x):\n    for y in x:\n        match y:\n            case 1:\n                break\n"
    for one in made_of(solution):
        compile(one.source, "mutant", "exec")
    # Two equal keys of a mapping pattern are a syntax error.
    patterns = "match x:\n    case {'a': y, '': z}:\n        pass\n"
    assert all("{'': y" not in after for _, after in changes_of(patterns))


@pytest.mark.parametrize("solution", ["def broken(:", "\0", "x = '\ud800'", ""])
def test_what_does_not_parse_has_no_mutants(solution):
    assert mutants(solution, 20, seed=0) == (0, [])


LARGE = "\n\n".join(pair.solution for pair in right_pairs()[::3])


def test_a_sample_is_bounded_ordered_and_the_same_for_a_seed():
    total, made = mutants(LARGE, 40, seed=1)
    assert total > 1000
    assert len(made) == 40
    assert [one.mutant.line for one in made] == sorted(one.mutant.line for one in made)
    assert mutants(LARGE, 40, seed=1) == (total, made)
    assert mutants(LARGE, 40, seed=2)[1] != made
    assert mutants(LARGE, 0, seed=1)[1] == []


@pytest.mark.parametrize("seed", range(5))
def test_a_sample_takes_from_every_operator_and_from_everywhere(seed):
    _, made = mutants(LARGE, 44, seed)
    operators = Counter(one.mutant.operator for one in made)
    assert set(operators.values()) <= {3, 4, 5}  # another one stands in for one that is left out
    assert len(operators) == 11
    lines = LARGE.count("\n")
    tenths = {10 * one.mutant.line // lines for one in made}
    assert len(tenths) >= 9


def test_only_as_many_mutants_are_built_as_are_wanted(monkeypatch):
    compiled = []
    real = compile
    monkeypatch.setattr("builtins.compile", lambda *args, **kwargs: compiled.append(args) or real(*args, **kwargs))
    mutants(LARGE, 10, seed=0)
    asked = [source for source, name, *_ in compiled if name == "<mutant>"]
    assert 10 <= len(asked) <= 40
    assert max(map(len, asked)) < len(LARGE) / 10


@pytest.mark.parametrize("operator", ["+", "|"])
def test_what_is_nested_too_deeply_to_be_written_is_left_out(operator):
    deep = f" {operator} ".join(["a"] * 1500)
    assert mutants(f"x = {deep}\n", 5, seed=0)[1] == []
    _, made = mutants(f"def f(a):\n    return ({deep}\n    )\n\ny = 1\n", 20, seed=0)
    found = {(one.mutant.after, one.mutant.before[:5]) for one in made}
    assert found >= {("None", "a " + operator + " a"), ("y = 2", "y = 1"), ("y = 0", "y = 1")}


@pytest.mark.parametrize("pair", [*right_pairs(), *wrong_pairs()], ids=lambda pair: pair.id)
def test_every_mutant_of_the_corpus_is_another_module(pair):
    total, made = mutants(pair.solution, 30, seed=0)
    assert total == len(made) or (total > len(made) == 30)
    trees = {ast.dump(ast.parse(pair.solution)), *(ast.dump(ast.parse(one.source)) for one in made)}
    assert len(trees) == 1 + len(made)
    lines = pair.solution.count("\n") + 1
    for one in made:
        compile(one.source, "mutant", "exec")
        assert 1 <= one.mutant.line <= lines
        assert one.mutant.before != one.mutant.after

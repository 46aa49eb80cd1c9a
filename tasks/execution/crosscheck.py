"""Every solution of a question under the tests of every attempt: the matrix that a consensus is read from."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from tasks.execution.aliases import Fit, fit, under
from tasks.execution.expected import test_functions
from tasks.execution.pool import Look, SandboxPool
from tasks.models import (
    Attempt,
    AttemptVerdict,
    Cell,
    CrossCheck,
    Pair,
    PairVerdict,
    Peer,
    PeerKind,
    Question,
    Solution,
    Verdict,
)
from tasks.syntax import parsed

_LEAST_WALL_S, _TIMES_WALL = 2.0, 10
_ALL_TOLD = frozenset({Verdict.PASSED, Verdict.FAILED, Verdict.SKIPPED, Verdict.FLAKY})
"""What a run that came to its end can be; of any other nothing that it said of its tests counts."""


@dataclass(frozen=True)
class Entrant:
    """A solution that takes part."""

    peer: Peer
    solution: str


@dataclass(frozen=True)
class Entry:
    """A question with its solutions and the attempts whose tests these are put to.

    Attributes:
        verdicts: of attempts, by their id: what a solution made of its own tests is known.
    """

    question_id: str
    entrants: Sequence[Entrant]
    tests: Sequence[Attempt]
    verdicts: Mapping[str, AttemptVerdict]


def entrants_of(question: Question, attempts: Sequence[Attempt], solutions: Sequence[Solution]) -> list[Entrant]:
    """The solutions of a question: of its attempts, of solvers, and those that its seeds bring."""
    found = [(row.attempt_id, PeerKind.ATTEMPT, row.call.model, row.solution) for row in attempts]
    found += [(row.solution_id, PeerKind.SOLVER, row.call.model, row.solution) for row in solutions]
    references = [seed for seed in question.seeds if seed.reference]
    found += [
        (f"{question.question_id}/reference/{number}", PeerKind.REFERENCE, seed.seed_id, seed.reference)
        for number, seed in enumerate(references, 1)
    ]
    return entrants(found)


def entrants(solutions: Sequence[tuple[str, PeerKind, str, str]]) -> list[Entrant]:
    """Entrants from (id, kind, who wrote it, source); what has the code of an earlier one runs in its place."""
    first: dict[tuple[bool, str], str] = {}
    found = []
    for name, kind, model, source in solutions:
        # A reference may run under another name, so it stands in for references only.
        earlier = first.setdefault((kind is PeerKind.REFERENCE, _code(source)), name)
        peer = Peer(id=name, kind=kind, model=model, same_as="" if earlier == name else earlier)
        found.append(Entrant(peer, source))
    return found


def _code(source: str) -> str:
    """A source without comments and layout."""
    tree = parsed(source)
    with suppress(RecursionError):
        return ast.dump(tree) if tree else source
    return source


def matrices(entries: Sequence[Entry], pool: SandboxPool) -> list[CrossCheck]:
    """The matrix of each question.

    Raises:
        SandboxUnavailable: the sandbox failed.
    """
    jobs = [_jobs(entry) for entry in entries]
    walls = [min(pool.settings.wall_s, _patience(entry)) for entry in entries]
    pairs = ((job, Look(wall_s=wall)) for entry, wall in zip(jobs, walls, strict=True) for job in entry.values())
    verdicts = pool.run_each(pairs)
    found = []
    for entry, job, wall in zip(entries, jobs, walls, strict=True):
        ran = {place: next(verdicts) for place in job}
        late = [place for place, one in ran.items() if one.verdict is Verdict.TIMEOUT]
        if late and wall < pool.settings.wall_s:
            ran |= _again({place: job[place] for place in late}, pool)
        found.append(_matrix(entry, ran))
    return found


def _again(late: Mapping[tuple[str, str], Pair], pool: SandboxPool) -> dict[tuple[str, str], PairVerdict]:
    """What came to no end within the shorter limit, within the whole one: a slow solution may be right.

    Each solution is tried once first, so that one that hangs costs one limit and not that of every cell.
    """
    first: dict[str, tuple[str, str]] = {}
    for place in late:
        first.setdefault(place[0], place)
    found = dict(zip(first.values(), pool.run_all([late[place] for place in first.values()]), strict=True))
    slow = {place[0] for place, one in found.items() if one.verdict is not Verdict.TIMEOUT}
    rest = [place for place in late if place not in found and place[0] in slow]
    return found | dict(zip(rest, pool.run_all([late[place] for place in rest]), strict=True))


def _patience(entry: Entry) -> float:
    """How long a solution may take at first under somebody's tests, in seconds: many times what the slowest takes that
    passes its own. One that hangs would else cost the whole limit under the tests of every attempt."""
    own = [entry.verdicts[one.peer.id].pair for one in entry.entrants if one.peer.id in entry.verdicts]
    walls = [pair.wall_s for pair in own if pair.verdict is Verdict.PASSED]
    return max(_LEAST_WALL_S, _TIMES_WALL * max(walls)) if walls else math.inf


def _jobs(entry: Entry) -> dict[tuple[str, str], Pair]:
    """What has to run: one solution of each code, under one test file of each text, unless it is known."""
    found = {}
    for entrant in entry.entrants:
        for attempt in _distinct(entry.tests):
            known = entrant.peer.id == attempt.attempt_id and attempt.attempt_id in entry.verdicts
            if entrant.peer.same_as or known or not test_functions(attempt.test):
                continue
            names = _fit(entrant, attempt.test)
            if not names.missing:
                source = under(entrant.solution, names.alias) if names.alias else entrant.solution
                place = (entrant.peer.id, attempt.attempt_id)
                found[place] = Pair(id=" under ".join(place), solution=source, test=attempt.test)
    return found


def _distinct(tests: Sequence[Attempt]) -> list[Attempt]:
    return list({attempt.test: attempt for attempt in reversed(tests)}.values())[::-1]


def _fit(entrant: Entrant, test: str) -> Fit:
    """A reference was not written for the question, so it may go by another name. All others are judged as written."""
    found = fit(entrant.solution, test)
    if entrant.peer.kind is PeerKind.REFERENCE:
        return Fit(alias=found.alias) if found.alias else found
    return Fit(missing=found.missing)


def _matrix(entry: Entry, ran: Mapping[tuple[str, str], PairVerdict]) -> CrossCheck:
    first = {attempt.test: attempt.attempt_id for attempt in _distinct(entry.tests)}
    cells = []
    for entrant in entry.entrants:
        for attempt in entry.tests:
            own = entry.verdicts.get(attempt.attempt_id) if entrant.peer.id == attempt.attempt_id else None
            place = (entrant.peer.same_as or entrant.peer.id, first[attempt.test])
            found = own.pair if own else ran.get(place) or _own(entry, place)
            cells.append(_cell(entrant, attempt, found))
    return CrossCheck(
        question_id=entry.question_id,
        peers=[entrant.peer for entrant in entry.entrants],
        cells=cells,
        sandbox_s=sum(found.sandbox_s for found in ran.values()),
    )


def _own(entry: Entry, place: tuple[str, str]) -> PairVerdict | None:
    """The verdict of an attempt with the same code and the same tests."""
    solution, tests = place
    found = entry.verdicts.get(tests) if solution == tests else None
    return found.pair if found else None


def _cell(entrant: Entrant, attempt: Attempt, found: PairVerdict | None) -> Cell:
    functions, names = test_functions(attempt.test), _fit(entrant, attempt.test)
    reason = found.reason if found else f"the solution {names.missing}" if names.missing else "the tests define no test"
    failed: list[str] = []
    if found and found.verdict not in _ALL_TOLD:
        failed = functions
    elif found and found.verdict is not Verdict.PASSED:
        outcomes: dict[str, bool] = {}
        for test in found.tests:
            name = test.test_id.partition("[")[0]
            outcomes[name] = outcomes.get(name, True) and test.outcome == "passed"
        failed = [name for name in functions if not outcomes.get(name, False)]
    return Cell(
        solution=entrant.peer.id,
        tests=attempt.attempt_id,
        verdict=found.verdict if found else None,
        failed=failed,
        alias=names.alias,
        reason=reason,
    )

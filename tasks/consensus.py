"""What the solutions of a question say of each other's tests: dual execution agreement.

Source: Chen et al. 2022, "CodeT: Code Generation with Generated Tests", arXiv 2207.10397, section 2: solutions that
pass the same tests form a set, whose score is the number of its solutions times the number of tests they pass. The set
with the largest score is the consensus. Here every attempt brings tests of its own, so that what the consensus rejects
is known by name, and so is a solution that no tests but its own accept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tasks.execution.expected import test_functions
from tasks.models import Attempt, Cell, CrossCheck, PeerKind, Verdict

Test = tuple[str, str]
"""A test function: the attempt that it is from, and its name."""


@dataclass(frozen=True)
class Opinion:
    """What the others say of one attempt. None stands for too little to tell.

    Attributes:
        agreement: share of its test functions that the consensus passes.
        wrong: those that it does not pass.
        support: share of the other attempts whose tests accept its solution. Tests that the consensus rejects are left
            out, and attempts whose tests accept every solution, unless all do.
        reference: share of the references that its tests accept.
        told: what the references failed, in words.
    """

    agreement: float | None = None
    wrong: tuple[str, ...] = ()
    support: float | None = None
    supporters: tuple[int, int] = (0, 0)
    reference: float | None = None
    told: str = ""


@dataclass(frozen=True)
class Consensus:
    """The consensus of one question. ``members`` is empty where there is none: no two solutions that were written
    differently agree, or two sets have the same score."""

    members: frozenset[str] = frozenset()
    opinions: Mapping[str, Opinion] = field(default_factory=dict)

    @property
    def disputed(self) -> set[str]:
        """Ids of the attempts with tests that the consensus rejects."""
        return {name for name, opinion in self.opinions.items() if opinion.wrong}

    def of(self, attempt_id: str) -> Opinion:
        """What is known of an attempt; nothing where it took no part."""
        return self.opinions.get(attempt_id, Opinion())


def consensus(
    check: CrossCheck | None, tests: Mapping[str, Sequence[str]], mends: Mapping[str, str] | None = None
) -> Consensus:
    """Find the consensus of a question.

    Args:
        check: its cross-checks; None where none were run.
        tests: names of the test functions of each attempt, by its id.
        mends: of the attempts whose tests were mended the one that they have their solution from.
    """
    if check is None:
        return Consensus()
    cells = {(cell.solution, cell.tests): cell for cell in check.cells}
    authors = [name for name in tests if any(key[1] == name for key in cells)]
    voters = [peer.id for peer in check.peers]
    passed = {voter: _passed(voter, authors, cells, tests) for voter in voters}
    sets: dict[frozenset[Test], list[str]] = defaultdict(list)
    for voter in voters:
        if passed[voter]:
            sets[passed[voter]].append(voter)
    copies = {peer.id for peer in check.peers if peer.same_as}
    # A solution that nothing agrees with has no say, however many tests came with it.
    scores = {
        signature: len(signature) * len(group) for signature, group in sets.items() if len(set(group) - copies) > 1
    }
    best = max(scores.values(), default=0)
    leading = [signature for signature, score in scores.items() if score == best]
    agreed = leading[0] if len(leading) == 1 else None
    opinions = {}
    for author in authors:
        reference, told = _references(author, check, cells)
        origin = (mends or {}).get(author, author)
        mine = passed.get(origin, frozenset())
        opinion = Opinion(reference=reference, told=told)
        others = {name: own for name, own in tests.items() if name not in (author, origin)}
        if agreed:
            opinion = _judged(opinion, (author, tests[author]), others, mine, agreed, list(passed.values()))
        opinions[author] = opinion
    return Consensus(frozenset(sets[agreed]) if agreed else frozenset(), opinions)


def consensus_of(attempts: Sequence[Attempt], check: CrossCheck | None) -> Consensus:
    """The consensus of a question with these attempts."""
    return consensus(
        check,
        {attempt.attempt_id: test_functions(attempt.test) for attempt in attempts},
        {attempt.attempt_id: attempt.mends for attempt in attempts if attempt.mends},
    )


def merged(checks: Sequence[CrossCheck]) -> dict[str, CrossCheck]:
    """The cross-checks of each question, by its id; those of mended tests come apart from the others."""
    found: dict[str, CrossCheck] = {}
    for one in checks:
        before = found.get(one.question_id)
        cells, seconds = (before.cells, before.sandbox_s) if before else ([], 0.0)
        found[one.question_id] = one.model_copy(
            update={"cells": [*cells, *one.cells], "sandbox_s": seconds + one.sandbox_s}
        )
    return found


def _passed(
    voter: str, authors: Sequence[str], cells: Mapping[tuple[str, str], Cell], tests: Mapping[str, Sequence[str]]
) -> frozenset[Test]:
    """All (attempt, test) that a solution passes."""
    found = set()
    for author in authors:
        cell = cells.get((voter, author))
        if cell is not None and cell.verdict is not None:
            failed = set() if cell.verdict is Verdict.PASSED else set(cell.failed)
            found |= {(author, name) for name in tests[author] if name not in failed}
    return frozenset(found)


def _judged(
    opinion: Opinion,
    author: tuple[str, Sequence[str]],
    others: Mapping[str, Sequence[str]],
    mine: frozenset[Test],
    agreed: frozenset[Test],
    all_passed: Sequence[frozenset[Test]],
) -> Opinion:
    """An opinion with what the consensus says of an attempt.

    Args:
        author: its id and its tests.
        others: tests of the other attempts.
        mine: what its solution passes.
        agreed: what the consensus passes.
        all_passed: what each solution passes.
    """
    name, own = author
    wrong = tuple(test for test in own if (name, test) not in agreed)
    right = [{(other, test) for test in tests if (other, test) in agreed} for other, tests in others.items()]
    judges = [tests for tests in right if tests]
    enough = len(judges) > 1
    # Tests that every solution passes say nothing for or against one, where there are others.
    judges = [tests for tests in judges if not all(tests <= passes for passes in all_passed)] or judges
    accepting = sum(tests <= mine for tests in judges)
    return replace(
        opinion,
        agreement=1 - len(wrong) / len(own) if own else None,
        wrong=wrong,
        support=accepting / len(judges) if enough else None,
        supporters=(accepting, len(judges)),
    )


def _references(author: str, check: CrossCheck, cells: Mapping[tuple[str, str], Cell]) -> tuple[float | None, str]:
    """Share of the references that pass an attempt's tests, and in words how they fail; None without any to compare."""
    found = [
        cell
        for peer in check.peers
        if peer.kind is PeerKind.REFERENCE
        and (cell := cells.get((peer.id, author))) is not None
        and cell.verdict is not None
    ]
    if not found:
        return None, ""
    failing = [cell for cell in found if cell.verdict is not Verdict.PASSED]
    told = "; ".join(f"{cell.solution}{f' (as {cell.alias})' if cell.alias else ''}: {cell.reason}" for cell in failing)
    return 1 - len(failing) / len(found), told

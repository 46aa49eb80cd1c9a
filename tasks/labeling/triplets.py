"""From a question and all that is known of its attempts to a labelled triplet, or a reject with the evidence.

Pure functions over rows: changing a threshold needs no teacher and no sandbox.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tasks.acceptance import difficulty, explanation, rejection
from tasks.consensus import Consensus, Opinion, consensus_of
from tasks.intervals import wilson
from tasks.labeling.quality import measures, rejected_by, value_of
from tasks.models import (
    NOT_ASKED,
    SCHEMA_VERSION,
    Attempt,
    AttemptVerdict,
    Audit,
    CrossCheck,
    Difficulty,
    Lineage,
    Measure,
    Metadata,
    PeerKind,
    Question,
    Reject,
    RejectReason,
    SolverRate,
    Style,
    Trial,
    Triplet,
    Verdict,
)
from tasks.settings import Verification
from tasks.signatures import entry_point_info


@dataclass(frozen=True)
class Try:
    """One attempt with all that is known of it: an unusable reply has neither attempt nor verdict."""

    number: int
    attempt: Attempt | None
    verdict: AttemptVerdict | None
    unusable: Reject | None

    @property
    def unasked(self) -> bool:
        """No teacher answered: it says nothing about the question, and counts neither way."""
        return self.unusable is not None and self.unusable.reason in NOT_ASKED

    @property
    def mended(self) -> bool:
        """Its tests are those of another attempt, mended: it says nothing about how often the author passes."""
        return self.attempt is not None and bool(self.attempt.mends)

    def outcome(self, rules: Verification) -> RejectReason | None:
        """Why the attempt does not count as passed; None if it does."""
        if self.verdict is None:
            return self.unusable.reason if self.unusable else RejectReason.MALFORMED_REPLY
        return rejection(self.verdict, rules)

    def explain(self, rules: Verification) -> str:
        """One sentence on the attempt's outcome."""
        if self.verdict is None:
            return self.unusable.evidence[:300] if self.unusable else ""
        return explanation(self.verdict, rules)


def collect_tries(
    attempts: Sequence[Attempt], verdicts: Sequence[AttemptVerdict], unusable: Mapping[str, Reject]
) -> dict[str, list[Try]]:
    """The tries of each question, by question id, in order of their attempt number."""
    judged = {verdict.attempt_id: verdict for verdict in verdicts}
    tries: dict[str, list[Try]] = {}
    for attempt in attempts:
        found = Try(attempt.attempt, attempt, judged[attempt.attempt_id], None)
        tries.setdefault(attempt.question_id, []).append(found)
    for attempt_id, reject in unusable.items():
        question_id, _, number = attempt_id.rpartition("/")
        tries.setdefault(question_id, []).append(Try(int(number), None, None, reject))
    return {question_id: sorted(group, key=lambda one: one.number) for question_id, group in tries.items()}


def licence_of(question: Question) -> str:
    """SPDX expression over the licences of a question's seeds."""
    found = sorted({seed.source.licence for seed in question.seeds})
    if len(found) == 1:
        return found[0]
    return " AND ".join(f"({one})" if " OR " in one else one for one in found)  # AND binds closer than OR


@dataclass(frozen=True)
class Judged:
    """A try with what the gates make of it. ``quality`` is empty where it did not pass."""

    one: Try
    outcome: RejectReason | None
    quality: list[Measure]
    opinion: Opinion
    why: str

    @property
    def rank(self) -> tuple[float, ...]:
        """The better of two attempts has the greater one: fewer doubts, more support, tests that catch more.

        KodCode takes the best covered; coverage decides here among those that are equal in what tells more.
        """
        verdict = self.one.verdict
        assert verdict is not None
        values = [value_of(self.quality, name) or 0.0 for name in ("support", "agreement", "mutation_score")]
        covered = [value_of(self.quality, name) or 0.0 for name in ("branch_coverage", "statement_coverage")]
        doubts = sum(measure.outcome == "caution" for measure in self.quality)
        return (-doubts, *values, *covered, len(verdict.pair.tests), -self.one.number)


def judge_tries(
    tries: Sequence[Try], check: CrossCheck | None, audits: Mapping[str, Audit], rules: Verification
) -> list[Judged]:
    """Put each try to the gates.

    Args:
        check: cross-checks of the question; None where none were run.
        audits: by attempt id, of the attempts that were audited.
    """
    common = agreed(tries, check)
    verdicts = {one.verdict.attempt_id: one.verdict for one in tries if one.verdict}
    found = []
    for one in tries:
        outcome, quality, why = one.outcome(rules), [], one.explain(rules)
        opinion = common.of(one.attempt.attempt_id) if one.attempt else Opinion()
        if one.attempt and one.verdict and one.verdict.pair.verdict is Verdict.PASSED:
            audit = audits.get(one.attempt.attempt_id)
            quality = measures(one.attempt.test, one.attempt.solution, one.verdict, audit, opinion, rules)
            if outcome is None and (worst := rejected_by(quality)):
                outcome, why = worst
            if outcome is None and (lost := lost_coverage(one.verdict, verdicts.get(one.attempt.mends))):
                outcome, why = RejectReason.LOW_COVERAGE, lost
        found.append(Judged(one, outcome, quality, opinion, why))
    return found


def agreed(tries: Sequence[Try], check: CrossCheck | None) -> Consensus:
    """The consensus on a question."""
    return consensus_of([one.attempt for one in tries if one.attempt], check)


def lost_coverage(mended: AttemptVerdict, before: AttemptVerdict | None) -> str:
    """What mending the tests of an attempt has cost of their coverage, in words; empty where nothing."""
    after, first = mended.pair.coverage, before.pair.coverage if before else None
    if after is None or first is None:
        return ""
    if after.branches_hit >= first.branches_hit and after.statements_hit >= first.statements_hit:
        return ""
    return (
        f"the mended tests run {after.statements_hit} statements and {after.branches_hit} branches, "
        f"those before ran {first.statements_hit} and {first.branches_hit}"
    )


def label(
    question: Question,
    tries: Sequence[Try],
    rules: Verification,
    check: CrossCheck | None = None,
    audits: Mapping[str, Audit] | None = None,
    unsolved: int = 0,
) -> Triplet | Reject:
    """Choose the attempt that proves most, and label the question's difficulty.

    Args:
        check: cross-checks of the question; None where none were run.
        audits: by attempt id, of the attempts that were audited.
        unsolved: replies of solvers that hold no solution.
    """
    unasked = [one for one in tries if one.unasked]
    tries = [one for one in tries if not one.unasked]
    if unasked and not tries:
        last = unasked[-1].unusable
        assert last is not None
        return last.model_copy(update={"id": question.question_id, "response_id": question.call.response_id})
    audits = audits or {}
    judged = judge_tries(tries, check, audits, rules)
    # Where mutants were run, what was not put to them cannot stand in for what was and failed.
    known = {one.one.number for one in judged if one.one.attempt and one.one.attempt.attempt_id in audits}
    standing = [one for one in judged if one.outcome is None and (not known or one.one.number in known)]
    if not standing:
        return _rejected(question, judged)
    best = max(standing, key=lambda one: one.rank)
    attempt, verdict = best.one.attempt, best.one.verdict
    assert attempt is not None and verdict is not None
    pair = verdict.pair
    info = entry_point_info(attempt.solution, verdict.entry_points)
    first = [one for one in tries if not one.mended]
    sequence = [int(one.outcome(rules) is None) for one in first]
    return Triplet(
        version=SCHEMA_VERSION,
        style=Style.INSTRUCT,
        subset=question.subset,
        question_id=question.question_id,
        question=question.question,
        solution=attempt.solution,
        test=attempt.test,
        test_info=info,
        gpt_pass_sequence=sequence,
        gpt_pass_trial_num=sum(sequence),
        gpt_difficulty=difficulty(sum(sequence), len(sequence)) or Difficulty.HARD,
        gpt_pass_percentage=sum(sequence) / len(sequence),
        trials=[_trial(one) for one in judged],
        chosen_trial=judged.index(best) + 1,
        statement_coverage=pair.coverage.statement_share if pair.coverage else None,
        branch_coverage=pair.coverage.branch_share if pair.coverage else None,
        mutation_score=value_of(best.quality, "mutation_score"),
        quality=best.quality,
        solver=solver_rate(check, attempt.attempt_id, unsolved),
        metadata=Metadata(
            original_instruction=question.question,
            prompt_id=question.call.template,
            row_id=question.number,
            seed_ids=[seed.seed_id for seed in question.seeds],
        ),
        licence=licence_of(question),
        lineage=Lineage(
            method=question.method,
            sources=[seed.source for seed in question.seeds],
            libraries=sorted({library for seed in question.seeds for library in seed.libraries}),
            operator=question.operator,
            question_call=question.call,
            contract_call=question.contract_call,
            rating=question.rating,
            solution_call=attempt.call,
            sandbox_backend=pair.backend,
            sandbox_image=pair.image,
            integrity_tier=pair.integrity_tier,
            tests_passed=[test.test_id for test in pair.tests],
        ),
    )


def _rejected(question: Question, judged: Sequence[Judged]) -> Reject:
    """No attempt stands: the reason is that of the passed one that proves most, else the commonest outcome."""
    passed = [one for one in judged if one.quality and one.outcome is not None]
    outcomes = Counter(one.outcome for one in judged if one.outcome is not None)
    best = max(passed, key=lambda one: one.rank, default=None)
    evidence = [
        {
            "attempt": one.one.number,
            "outcome": one.outcome,
            "why": one.why,
            "checks": [measure.model_dump() for measure in one.quality],
        }
        for one in judged
    ]
    return Reject(
        id=question.question_id,
        subset=question.subset,
        reason=(best and best.outcome) or outcomes.most_common(1)[0][0],
        evidence=json.dumps(evidence),
        response_id=question.call.response_id,
    )


def solver_rate(check: CrossCheck | None, attempt_id: str, unsolved: int = 0) -> SolverRate | None:
    """How often solvers passed the tests of an attempt; None where none was asked.

    Args:
        unsolved: replies without a solution, which are tries that failed; so is a solution without the names that the
            question states.
    """
    if check is None:
        return None
    solvers = {peer.id: peer.model for peer in check.peers if peer.kind is PeerKind.SOLVER}
    verdicts = [cell.verdict for cell in check.cells if cell.solution in solvers and cell.tests == attempt_id]
    if not verdicts and not unsolved:
        return None
    passes, tries = sum(verdict is Verdict.PASSED for verdict in verdicts), len(verdicts) + unsolved
    low, high = wilson(passes, tries)
    return SolverRate(
        passes=passes,
        tries=tries,
        rate=passes / tries,
        low=low,
        high=high,
        difficulty=difficulty(passes, tries),
        models=sorted(set(solvers.values())),
    )


def _trial(found: Judged) -> Trial:
    one = found.one
    coverage = one.verdict.pair.coverage if one.verdict else None
    call = one.attempt.call if one.attempt else None
    unusable = one.unusable
    return Trial(
        file_source=one.attempt.attempt_id if one.attempt else unusable.id if unusable else "",
        solution_code=one.attempt.solution if one.attempt else "",
        test_code=one.attempt.test if one.attempt else "",
        test_coverage=coverage.branch_share if coverage else None,
        test_result="passed" if found.outcome is None else found.outcome.value,
        quality=found.quality,
        mends=one.attempt.mends if one.attempt else "",
        response_id=call.response_id if call else unusable.response_id if unusable else "",
        prompt_tokens=call.prompt_tokens if call else 0,
        completion_tokens=call.completion_tokens if call else 0,
    )

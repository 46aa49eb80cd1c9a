"""From a question and the verdicts on its attempts to a labelled triplet, or a reject with the evidence.

Pure functions over rows: changing a threshold needs no teacher and no sandbox.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tasks.acceptance import explanation, rejection
from tasks.labeling.difficulty import difficulty
from tasks.labeling.signatures import entry_point_info, state_entry_points
from tasks.models import (
    NOT_ASKED,
    SCHEMA_VERSION,
    Attempt,
    AttemptVerdict,
    Lineage,
    Metadata,
    Question,
    Reject,
    RejectReason,
    Trial,
    Triplet,
)
from tasks.settings import Verification


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
    return " AND ".join(sorted({seed.source.licence for seed in question.seeds}))


def label(question: Question, tries: Sequence[Try], rules: Verification) -> Triplet | Reject:
    """Choose the attempt with the best coverage (KodCode's rule) and label the question's difficulty.

    Ties go to the attempt with more passing tests, then to the earliest.
    """
    unasked = [one for one in tries if one.unasked]
    tries = [one for one in tries if not one.unasked]
    if unasked and not tries:
        last = unasked[-1].unusable
        assert last is not None
        return last.model_copy(update={"id": question.question_id, "response_id": question.call.response_id})
    outcomes = [one.outcome(rules) for one in tries]
    passing = [one for one, outcome in zip(tries, outcomes, strict=True) if outcome is None]
    if not passing:
        counted = Counter(outcome for outcome in outcomes if outcome is not None)
        evidence = [
            {"attempt": one.number, "outcome": outcome, "why": one.explain(rules)}
            for one, outcome in zip(tries, outcomes, strict=True)
        ]
        return Reject(
            id=question.question_id,
            subset=question.subset,
            reason=counted.most_common(1)[0][0],
            evidence=json.dumps(evidence),
            response_id=question.call.response_id,
        )
    best = max(passing, key=_quality)
    assert best.attempt is not None and best.verdict is not None
    pair = best.verdict.pair
    info = entry_point_info(best.attempt.solution, best.verdict.entry_points)
    return Triplet(
        version=SCHEMA_VERSION,
        style="instruct",
        subset=question.subset,
        question_id=question.question_id,
        question=state_entry_points(question.question, info),
        solution=best.attempt.solution,
        test=best.attempt.test,
        test_info=info,
        gpt_pass_sequence=[int(outcome is None) for outcome in outcomes],
        gpt_pass_trial_num=len(passing),
        gpt_difficulty=difficulty(len(passing), len(tries)),
        gpt_pass_percentage=len(passing) / len(tries),
        trials=[_trial(one, rules) for one in tries],
        chosen_trial=tries.index(best) + 1,
        statement_coverage=pair.coverage.statement_share if pair.coverage else None,
        branch_coverage=pair.coverage.branch_share if pair.coverage else None,
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
            solution_call=best.attempt.call,
            sandbox_backend=pair.backend,
            sandbox_image=pair.image,
            integrity_tier=pair.integrity_tier,
            control=best.verdict.control,
            tests_passed=[test.test_id for test in pair.tests],
        ),
    )


def _quality(one: Try) -> tuple[float, float, int, int]:
    assert one.verdict is not None
    coverage = one.verdict.pair.coverage
    shares = (coverage.branch_share, coverage.statement_share) if coverage else (0.0, 0.0)
    return (*shares, len(one.verdict.pair.tests), -one.number)


def _trial(one: Try, rules: Verification) -> Trial:
    outcome = one.outcome(rules)
    coverage = one.verdict.pair.coverage if one.verdict else None
    attempt_id = one.attempt.attempt_id if one.attempt else one.unusable.id if one.unusable else ""
    response_id = one.attempt.call.response_id if one.attempt else one.unusable.response_id if one.unusable else ""
    return Trial(
        file_source=attempt_id,
        solution_code=one.attempt.solution if one.attempt else "",
        test_code=one.attempt.test if one.attempt else "",
        test_coverage=coverage.branch_share if coverage else None,
        test_result="passed" if outcome is None else outcome.value,
        response_id=response_id,
    )

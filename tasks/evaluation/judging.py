"""Answers to verdicts: each sample is run under the tests of its item, the same code once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tasks.execution.pool import Look, SandboxPool
from tasks.models import EvalAnswer, EvalItem, EvalVerdict, Pair, PairVerdict, Verdict

_LOOK = Look(first_failure=True)
NO_CODE = "the answer holds no code"


def judge(answers: Sequence[EvalAnswer], items: Mapping[str, EvalItem], pool: SandboxPool) -> list[EvalVerdict]:
    """Verdicts in the order of the answers.

    Args:
        items: by id.

    Raises:
        SandboxUnavailable: the sandbox failed.
    """
    pairs: dict[tuple[str, str], Pair] = {}
    for one in answers:
        if one.code:
            pairs.setdefault((one.item_id, one.code), pair(items[one.item_id], one.answer_id, one.code))
    found = dict(zip(pairs, pool.run_all(list(pairs.values()), _LOOK), strict=True))
    return [_verdict(one, found.get((one.item_id, one.code)), pool) for one in answers]


def pair(item: EvalItem, name: str, code: str) -> Pair:
    """A program beside what judges it."""
    return Pair(id=name, solution=code, test=item.test, io=item.io)


def _verdict(answer: EvalAnswer, run: PairVerdict | None, pool: SandboxPool) -> EvalVerdict:
    return EvalVerdict(
        answer_id=answer.answer_id,
        item_id=answer.item_id,
        passed=run is not None and run.verdict is Verdict.PASSED,
        verdict=run.verdict if run else None,
        reason=run.reason if run else NO_CODE,
        integrity_tier=run.integrity_tier if run else None,
        wall_s=run.wall_s if run else 0.0,
        backend=pool.backend.value,
        image=pool.image,
    )

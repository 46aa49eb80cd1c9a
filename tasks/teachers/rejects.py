"""Replies that cannot be used become rejects, with the raw reply as evidence."""

from __future__ import annotations

from tasks.models import Reject, RejectReason
from tasks.teachers.requests import Answer, Refused


def reject(row_id: str, subset: str, reason: RejectReason, answer: Answer, why: str = "") -> Reject:
    """A reject that keeps the raw reply, after one sentence on what is wrong with it."""
    evidence = f"{why}\n\n{answer.text}" if why else answer.text
    return Reject(id=row_id, subset=subset, reason=reason, evidence=evidence, response_id=answer.response_id)


def reject_unfinished(row_id: str, subset: str, answer: Answer | Refused) -> Reject | None:
    """The reject of a request that was refused or whose reply was cut off; None where there is a whole reply."""
    if isinstance(answer, Refused):
        return Reject(id=row_id, subset=subset, reason=RejectReason(answer.why.value), evidence=answer.message)
    if answer.finish_reason == "length":
        return reject(row_id, subset, RejectReason.TRUNCATED_REPLY, answer)
    return None

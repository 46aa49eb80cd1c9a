"""Which styles the rows are told in beside the one they were made in."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from tasks.settings.section import Section


class TargetStyle(StrEnum):
    """`complete`: a stub to be completed. `online_judge`: a program that reads stdin and writes stdout."""

    COMPLETE = "complete"
    ONLINE_JUDGE = "online_judge"


class Styles(Section):
    """The styles that rows are told in once more, beside the one they were made in."""

    into: tuple[TargetStyle, ...] = Field(
        (), description="Each row is told once more in each of these, where it can be, and verified again."
    )
    least_inputs: int = Field(
        5,
        ge=1,
        le=1000,
        description="Different inputs, those of the statement's samples left out, that an `online_judge` row is "
        "judged by at least.",
    )

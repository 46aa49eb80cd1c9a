"""Sets to train and to evaluate with, and how large they are."""

from __future__ import annotations

from pydantic import Field

from tasks.settings.section import Section


class HeldOut(Section):
    share: float = Field(
        0.0, ge=0, lt=1, description="Share of the rows that is held out for evaluation; whole groups of related rows."
    )


class Sets(Section):
    """Which sets a release holds beside the rows themselves."""

    sft: bool = Field(True, description="Conversations of questions and verified solutions.")

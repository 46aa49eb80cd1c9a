"""How often reasoning models are asked, and what counts as a right answer."""

from __future__ import annotations

from pydantic import Field

from tasks.settings.section import Section


class Reasoning(Section):
    """`teachers.reasoners` names the models; without one nothing is asked."""

    tries: int = Field(3, ge=1, le=128, description="Answers of each reasoner to each row.")
    accept_alias: bool = Field(
        False,
        description="Whether an answer whose only function has another name than the question states may pass under "
        "an alias, which is recorded. Otherwise it is judged as written, and the alias recorded beside.",
    )

"""Which styles the rows are told in beside the one they were made in."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tasks.settings.section import Section


class Styles(Section):
    into: tuple[Literal["complete", "online_judge"], ...] = Field(
        (), description="Each row is told once more in each of these, where it can be, and verified again."
    )

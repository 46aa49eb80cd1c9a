"""The mix of rows that a release aims at, and how far it may drift from another one."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from tasks.settings.section import Section

Share = Annotated[float, Field(ge=0, le=1)]


class Axis(StrEnum):
    """What rows are counted by. A row has one value of each, but any number of skills and libraries."""

    SUBSET = "subset"
    STYLE = "style"
    DIFFICULTY = "difficulty"
    TOPIC = "topic"
    SKILL = "skill"
    LIBRARY = "library"
    LANGUAGE = "language"
    LENGTH = "length"

    @property
    def is_multiple(self) -> bool:
        """Whether a row can have several values, so that shares may sum to more than 1."""
        return self in (Axis.SKILL, Axis.LIBRARY)


class Infeasible(StrEnum):
    """What follows where no choice of rows meets the mix."""

    CLOSEST = "closest"
    STOP = "stop"


class Mix(Section):
    """Which train rows a release keeps, by the share of each value. Empty: all of them."""

    targets: dict[Axis, dict[str, Share]] = Field(
        {},
        description="Wanted share of the rows kept, by axis and value, as in `{difficulty: {hard: 0.3}}`. Values that "
        "are not named share what is left.",
    )
    tolerance: float = Field(0.02, ge=0, le=0.5, description="By how much a share may miss its target, absolute.")
    size: int | None = Field(None, ge=1, description="Rows to keep at most. None: as many as the mix allows.")
    min_per_value: int = Field(0, ge=0, description="Rows that each value named in `targets` keeps at least.")
    max_share: dict[Axis, Annotated[float, Field(gt=0, le=1)]] = Field(
        {}, description="The largest share that any one value of an axis may have, as in `{topic: 0.15}`."
    )
    on_infeasible: Infeasible = Field(
        Infeasible.CLOSEST,
        description="Where no choice meets the mix: keep the rows that come `closest` to it and say what is short, or "
        "`stop`.",
    )

    @property
    def selects(self) -> bool:
        """Whether it leaves anything out."""
        return bool(self.axes or self.size)

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The axes that it constrains."""
        return tuple(axis for axis in Axis if self.targets.get(axis) or axis in self.max_share)

    @model_validator(mode="after")
    def _can_be_met(self) -> Mix:
        for axis, shares in self.targets.items():
            total = sum(shares.values())
            if not axis.is_multiple and total > 1 + 1e-9:
                raise ValueError(
                    f"targets.{axis}: the shares sum to {total:g}, more than 1 ({shares}). Lower some of them"
                )
            cap = self.max_share.get(axis, 1.0)
            for value, share in shares.items():
                if share - self.tolerance > cap + 1e-9:
                    raise ValueError(
                        f"targets.{axis}.{value} is {share:g}, and max_share.{axis} allows no value more than {cap:g}. "
                        f"Raise the one or lower the other"
                    )
                if not share and self.min_per_value and not self.tolerance:
                    raise ValueError(
                        f"targets.{axis}.{value} is 0, tolerance is 0, and min_per_value asks for {self.min_per_value} "
                        f"rows of it. Give it a share, or set min_per_value to 0"
                    )
        return self


class Drift(Section):
    """From when on a change between two releases is worth a warning."""

    against: str = Field(
        "",
        description="What to compare with: the name of an earlier run of the same store, or the path of its "
        "`curation.json`. Empty: nothing.",
    )
    warn_above: float = Field(
        0.1, gt=0, le=1, description="Jensen-Shannon distance of two distributions of one axis: 0 equal, 1 disjoint."
    )
    warn_above_psi: float = Field(
        0.2, gt=0, description="Population stability index of one axis; 0.1 is commonly called small and 0.25 large."
    )
    significance: float = Field(
        0.01, gt=0, lt=1, description="Chance of so large a change among equals, above which it is taken for chance."
    )

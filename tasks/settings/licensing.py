"""Under which licences a data set may be published."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tasks.settings.section import Section


class Licensing(Section):
    """What the licences of a release must be like. Names are SPDX ids, or families: public-domain, permissive,
    copyleft, strong-copyleft, non-commercial, no-derivatives, not-open, custom, unknown."""

    release: str = Field(
        "",
        description="SPDX id that the data set is published under. Empty: none, and the licences of its rows are only "
        "checked against one another.",
    )
    allow: list[str] = Field([], description="Names. Empty: all but those of `deny`.")
    deny: list[str] = Field(["no-derivatives"], description="Names; they go before `allow`.")
    unknown_pair: Literal["accept", "violation"] = Field(
        "accept", description="What two licences are of which nobody says whether they go together."
    )
    on_violation: Literal["refuse", "exclude", "caution"] = Field(
        "refuse",
        description="`refuse`: nothing is published. `exclude`: the rows are rejected. `caution`: they go into "
        "`use_with_caution`.",
    )

"""What an evaluation found of a model: written as JSON, read by whoever compares models."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from tasks.models.vocabulary import Asking


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Estimate(_Part):
    """pass@k over some items, with an interval of 95 %."""

    k: int
    items: int = Field(description="Those that have k samples.")
    value: float
    low: float
    high: float
    method: Literal["wilson", "bootstrap"]


class ItemResult(_Part):
    """What became of one item."""

    id: str
    digest: str = Field(description="Of all that is asked and judged: equal digests are the same item.")
    samples: int = Field(description="Those that count: answered, or refused for good.")
    passed: int
    outcomes: dict[str, int] = Field(description="Verdicts, `no_code`, or why there was no answer.")
    difficulty: str
    date: str
    topic: str


class Group(_Part):
    """The items of one kind."""

    by: Literal["difficulty", "month", "topic"]
    name: str
    items: int
    scores: list[Estimate]


class Asked(_Part):
    """How the model was asked, and what judged its answers."""

    model: str
    asking: Asking
    system: str
    templates: list[str]
    sampling: dict[str, float]
    samples: int
    seed: int
    backend: str
    image: str


class Spent(_Part):
    prompt_tokens: int
    completion_tokens: int
    usd: float | None = Field(description="Null where a price is unknown. Answers from disk are counted as well.")


class EvaluationResult(_Part):
    """All that is reported of one model on one benchmark."""

    schema_version: Literal["kodforge-evaluation-1"] = "kodforge-evaluation-1"
    benchmark: str
    asked: Asked
    scores: list[Estimate] = Field(description="pass@k over all items.")
    groups: list[Group]
    outcomes: dict[str, int] = Field(description="Samples by what became of them.")
    cut_off: int = Field(description="Answers that ended at `max_tokens`.")
    shared: int = Field(description="Passes whose tests ran in the solution's own process.")
    not_asked: int = Field(
        description="Samples that no answer stands behind: the budget ended, or the endpoint failed."
    )
    left_out: dict[str, list[str]] = Field(description="Items that were not asked, by reason.")
    spent: Spent
    items: list[ItemResult]

    @property
    def complete(self) -> bool:
        """Whether every sample counts."""
        return not self.not_asked

    def score(self, k: int) -> Estimate:
        """pass@k over all items.

        Raises:
            KeyError: it was not estimated.
        """
        return {one.k: one for one in self.scores}[k]

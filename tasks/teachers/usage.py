"""What a run used of its teachers: tokens and USD by stage and subset, and for each row that was accepted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from tasks.run import Run
from tasks.teachers.cache import Use, open_cache


@dataclass(frozen=True)
class Usage:
    """A sum over calls.

    Attributes:
        calls: paid for by this run; ``cached`` were answered before, by another run on the same file of answers.
        usd: of the calls paid for; None where a price was unknown.
        estimated: calls whose server told no credible token counts.
    """

    stage: str = ""
    subset: str = ""
    calls: int = 0
    cached: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float | None = 0.0
    estimated: int = 0

    def plus(self, use: Use) -> Usage:
        """The sum with one more call."""
        if not use.paid:
            return replace(self, cached=self.cached + 1)
        return replace(
            self,
            calls=self.calls + 1,
            prompt_tokens=self.prompt_tokens + use.prompt_tokens,
            completion_tokens=self.completion_tokens + use.completion_tokens,
            usd=None if use.usd is None or self.usd is None else self.usd + use.usd,
            estimated=self.estimated + use.estimated,
        )

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True)
class RunUsage:
    """All of a run: by stage and subset, and in total."""

    rows: list[Usage] = field(default_factory=list)
    total: Usage = Usage(stage="total")

    def per(self, rows: int) -> tuple[float, float | None] | None:
        """Tokens and USD for each of so many rows; None where there is none."""
        if not rows:
            return None
        return self.total.tokens / rows, None if self.total.usd is None else self.total.usd / rows


def sum_up(uses: Iterable[Use]) -> RunUsage:
    """The sums over a run's calls; a call that served twice in a stage is one."""
    sums: dict[tuple[str, str], Usage] = {}
    total = Usage(stage="total")
    for use in uses:
        place = (use.stage, use.label)
        sums[place] = sums.get(place, Usage(stage=use.stage, subset=use.label)).plus(use)
        total = total.plus(use)
    return RunUsage([sums[place] for place in sorted(sums)], total)


def usage_of(run: Run) -> RunUsage:
    """What a run used, over all its sessions."""
    return sum_up(open_cache(run.cache_path).uses(run.account))


def dollars(usd: float | None) -> str:
    """A cost for people; a price that is not known is said to be unknown."""
    return "unknown" if usd is None else f"${usd:,.4f}" if usd < 1 else f"${usd:,.2f}"

"""The report on diversity: what it holds, and how it reads."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field

from tasks.settings.mix import Axis

_SHOWN = 12
_MARKUP = re.compile(r"[\\`*\[\]|~]|(?<!\w)_|_(?!\w)")
"""What Markdown reads as more than itself; an underscore within a word it does not."""


def entropy(counts: Mapping[str, int]) -> float:
    """Shannon entropy over the largest that as many values can have: 1 where all are equally frequent, 0 for one."""
    total, found = sum(counts.values()), [count for count in counts.values() if count]
    if len(found) < 2:
        return 0.0
    return -sum(count / total * math.log(count / total) for count in found) / math.log(len(found))


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Distribution(_Part):
    """How the rows spread over the values of one axis."""

    rows: int
    counts: dict[str, int] = Field(description="Rows per value; a row counts for each of its skills and libraries.")
    entropy: float = Field(description="Normalised Shannon entropy, 0 to 1.")

    def share(self, value: str) -> float:
        """Share of the rows that have the value."""
        return self.counts.get(value, 0) / self.rows if self.rows else 0.0


class Structures(_Part):
    """How many shapes the solutions' syntax trees have."""

    programs: int = Field(description="Solutions that parse.")
    distinct: int
    entropy: float = Field(description="Over the largest possible, that of as many shapes as programs; 0 to 1.")
    most_common: float = Field(description="Share of the programs that have the commonest shape.")


class Sampled(_Part):
    """What is measured on a sample of the questions, as it depends on how many there are."""

    rows: int
    vendi: float | None = Field(
        description="Vendi score of the embeddings by cosine: how many entirely different questions are as diverse "
        "(Friedman & Dieng 2023, arXiv 2210.02410). None without vectors."
    )
    vectors: int = Field(description="Rows of the sample that have a vector.")
    distinct_n: dict[int, float] = Field(
        description="Share of the word n-grams that are different (Li et al. 2016, arXiv 1510.03055)."
    )
    compression_ratio: float = Field(
        description="Bytes of the questions over their bytes when gzipped: higher is more repetitive "
        "(Shaib et al. 2024, arXiv 2403.00553)."
    )


class DiversityReport(_Part):
    """How diverse a set of rows is. Two reports compare only where they have the same seed and sample size."""

    rows: int
    seed: int
    axes: dict[Axis, Distribution]
    structures: Structures
    sample: Sampled
    difficulty_by_subset: dict[str, dict[str, int]] = Field(description="Rows by level, the same levels in each.")

    def to_markdown(self) -> str:
        """Tables for the card: axes, measures, and difficulty by subset."""
        parts = [self._axes(), self._measures(), self._difficulty()]
        return "\n\n".join(part for part in parts if part) + "\n"

    def _axes(self) -> str:
        lines = ["| axis | values | entropy | most frequent |", "|---|---|---|---|"]
        for axis, found in self.axes.items():
            ranked = sorted(found.counts, key=lambda value: (-found.counts[value], value))
            told = ", ".join(f"{cell(value)} {found.share(value):.1%}" for value in ranked[:_SHOWN])
            rest = f", and {len(ranked) - _SHOWN} more" if len(ranked) > _SHOWN else ""
            lines.append(f"| {axis} | {len(ranked)} | {found.entropy:.2f} | {told}{rest} |")
        return "\n".join(lines)

    def _measures(self) -> str:
        sample, shapes = self.sample, self.structures
        vendi = "not measured (no vectors)" if sample.vendi is None else f"{sample.vendi:.1f} of {sample.vectors}"
        rows = [
            ("Vendi score", vendi),
            *((f"distinct-{size}", f"{share:.3f}") for size, share in sample.distinct_n.items()),
            ("compression ratio", f"{sample.compression_ratio:.2f}"),
            ("shapes of solutions", f"{shapes.distinct:,} of {shapes.programs:,} programs"),
            ("entropy of the shapes", f"{shapes.entropy:.2f}"),
            ("commonest shape", f"{shapes.most_common:.1%} of the programs"),
        ]
        note = f"Vendi score, distinct-n and compression ratio are those of a sample of {sample.rows:,} questions."
        return "\n".join(
            ["| measure | value |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows), "", note]
        )

    def _difficulty(self) -> str:
        if not self.difficulty_by_subset:
            return ""
        levels = list(next(iter(self.difficulty_by_subset.values())))
        lines = [f"| subset | rows | {' | '.join(levels)} |", "|---|---|" + "---|" * len(levels)]
        for subset, counts in self.difficulty_by_subset.items():
            total = sum(counts.values())
            shares = " | ".join(f"{counts.get(level, 0) / total:.1%}" for level in levels)
            lines.append(f"| {cell(subset)} | {total} | {shares} |")
        return "\n".join(lines)


def cell(text: str) -> str:
    """A text as it can stand in a line or a table's cell of Markdown: one line that shows as it is written."""
    plain = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKUP.sub(r"\\\g<0>", plain)

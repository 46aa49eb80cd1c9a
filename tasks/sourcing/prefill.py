"""Method 1: a model completes an open user turn (Magpie, Xu et al. 2024, arXiv 2406.08464)."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.models import Provenance, Seed, Subset
from tasks.settings import SeedOptions

PREFIXES = ("Write a function to", "Write a Python function that", "Create a function that")


def read_seeds(subset: Subset, options: SeedOptions) -> Iterator[Seed]:
    """One seed per prefix. What the model writes belongs to nobody else: the licence is the release's own."""
    for number, prefix in enumerate(PREFIXES):
        yield Seed(
            seed_id=f"{subset}/prefix-{number}",
            subset=subset,
            text=prefix,
            title=prefix,
            libraries=[],
            source=Provenance(origin="kodforge", version="", path=f"prefixes/{number}", licence="Apache-2.0"),
        )

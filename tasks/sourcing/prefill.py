"""Methods 1 and 5: a model completes an open user turn (Magpie, Xu et al. 2024, arXiv 2406.08464), after a prefix or
from nothing. A seed is the prefix."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.models import Provenance, Seed
from tasks.settings import SeedOptions

PREFIXES = ("Write a function to", "Write a Python function that", "Create a function that")


def read_seeds(subset: str, options: SeedOptions) -> Iterator[Seed]:
    """One seed per prefix. What the model writes belongs to nobody else: the licence is the release's own."""
    return _seeds(subset, options.prefixes or PREFIXES)


def read_no_seeds(subset: str, options: SeedOptions) -> Iterator[Seed]:
    """The one seed of questions that start from nothing."""
    return _seeds(subset, options.prefixes or ("",))


def _seeds(subset: str, prefixes: list[str] | tuple[str, ...]) -> Iterator[Seed]:
    for number, prefix in enumerate(prefixes):
        yield Seed(
            seed_id=f"{subset}/prefix-{number}",
            subset=subset,
            text=prefix,
            title=prefix,
            topic=prefix,
            source=Provenance(origin="kodforge", version="", path=f"prefixes/{number}", licence="Apache-2.0"),
        )

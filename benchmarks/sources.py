"""How many seeds each method finds in real sources, how fast, and why others go; no teacher is asked.

``python -m benchmarks.sources --docs FOLDER`` also cuts a folder of documentation into pages, such as the one that
Debian's package python3.11-doc unpacks to.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from tasks.models import Seed, Subset
from tasks.settings import Granularity, SeedOptions
from tasks.sourcing.catalogue import read_seeds
from tasks.sourcing.screening import objection

DOCUMENTED = ("pandas", "numpy", "scikit-learn", "networkx")


def sources(docs: str) -> Iterator[tuple[str, str, SeedOptions]]:
    """(what, subset, options) of everything that is counted."""
    for package, subset in (("algorithms", Subset.DATA_STRUCTURE), ("pygorithm", Subset.ALGORITHM)):
        for granularity in (Granularity.FILES, Granularity.FUNCTIONS):
            options = SeedOptions(packages=[package], granularity=granularity)
            yield f"{package}, {granularity}", subset, options
    for package in DOCUMENTED:
        yield f"{package}, docstrings", Subset.DOCS, SeedOptions(packages=[package])
        yield f"{package}, modules with an API", Subset.PACKAGE, SeedOptions(packages=[package])
    for package in DOCUMENTED:
        options = SeedOptions(packages=[package], granularity=Granularity.FUNCTIONS)
        yield f"{package}, functions as own code", Subset.OWN_CODE, options
    if docs:
        for kind, pattern in (("reStructuredText", "*.rst.txt"), ("HTML", "*.html")):
            options = SeedOptions(path=docs, include=[pattern], licence="PSF-2.0")
            yield f"python documentation, {kind}", Subset.DOCS, options


def main() -> None:
    """Count everything and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--docs", default="", help="Folder of documentation.")
    table = Table()
    for name in ("source", "seeds", "topics", "median characters", "licence", "screened out", "seeds a second"):
        table.add_column(name, justify="left" if name in ("source", "licence") else "right")
    for what, subset, options in sources(parser.parse_args().docs):
        started = time.perf_counter()
        seeds = [seed for seed in read_seeds(subset, options) if isinstance(seed, Seed)]
        took = time.perf_counter() - started
        lengths = sorted(len(seed.text) for seed in seeds)
        screened = "-"
        if subset == Subset.OWN_CODE:
            reasons = Counter(found[0].value for seed in seeds if (found := objection(seed.text)))
            screened = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items())) or "0"
        table.add_row(
            what,
            f"{len(seeds):,}",
            f"{len({seed.topic for seed in seeds}):,}",
            f"{lengths[len(lengths) // 2]:,}",
            ", ".join(sorted({seed.source.licence for seed in seeds})),
            screened,
            f"{len(seeds) / took:,.0f}",
        )
    Console(width=160).print(table)


if __name__ == "__main__":
    main()

"""``kodforge sources``: the catalogue of subsets, for people."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from tasks.sourcing.catalogue import Entry, catalogue


def show_catalogue(console: Console) -> None:
    """Print a row per subset."""
    table = Table(title="Subsets (in full: tasks/sourcing/catalogue.py)", title_justify="left")
    table.add_column("subset", no_wrap=True)  # it is what one types
    for name in ("method", "seeds", "licence", "teacher", "prompt", "filters"):
        table.add_column(name)
    for name in ("per prompt", "target"):
        table.add_column(name, justify="right")
    for name, entry in catalogue().items():
        table.add_row(
            name,
            entry.method.value,
            _seeds(entry),
            entry.licence,
            entry.role.value,
            entry.template,
            str(entry.filters),
            str(entry.seeds_per_prompt),
            f"{entry.target:,}",
        )
    console.print(table)


def _seeds(entry: Entry) -> str:
    if entry.brings_seeds:
        return entry.origin
    return entry.seeds.path or ", ".join(entry.seeds.packages) or "yours (seeds.path)"

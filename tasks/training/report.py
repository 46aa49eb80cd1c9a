"""The report of an experiment in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.models.training import GroupComparison
from tasks.settings.experiment import BASE
from tasks.training.results import ExperimentResult


def experiment_report(result: ExperimentResult) -> str:
    """What was trained, what it scores, what is beyond chance."""
    parts = [f"# Experiment {result.name}", f"Trained on `{result.release}`."]
    if result.failed:
        parts += ["## Missing", "\n".join(f"- {title}: {_line(why)}" for title, why in result.failed.items())]
    parts += _trainings(result)
    if result.scores:
        parts += ["## Scores", _scores(result)]
    if result.comparisons:
        parts += ["## Differences", _told(result), _comparisons(result.comparisons)]
    return "\n\n".join(parts) + "\n"


def _trainings(result: ExperimentResult) -> list[str]:
    if not result.cells:
        return []
    head = ("model", "recipe", "seed", "rows", "left out", "steps", "first loss", "last loss", "minutes", "device")
    rows = [
        (
            *(cell.model, cell.recipe, str(cell.seed), f"{cell.rows:,}", f"{cell.too_long:,}", f"{cell.steps:,}"),
            *(f"{cell.first_loss:.4f}", f"{cell.last_loss:.4f}", f"{cell.seconds / 60:.1f}", cell.device),
        )
        for cell in result.cells
    ]
    versions = ", ".join(f"{name} {version}" for name, version in result.cells[-1].versions.items())
    told = "Losses are means over the first and the last tenth of the steps, in nats per token of the answers."
    return ["## Trainings", _table(head, rows), f"{told} Rows are left out for their length. {versions}."]


def _scores(result: ExperimentResult) -> str:
    head = ("model", "recipe", "evaluation", "score", "value", "interval of 95 %", "seeds", "items")
    rows = [
        (
            *(one.model, one.recipe, one.evaluation, f"pass@{one.k}", f"{one.value:.1%}"),
            *(f"{one.low:.1%} to {one.high:.1%}", str(one.seeds), str(one.items)),
        )
        for one in result.scores
    ]
    return _table(head, rows)


def _told(result: ExperimentResult) -> str:
    found = [one for one in result.comparisons if one.beyond_chance]
    count = len(result.comparisons)
    told = f"{len(found)} of {count} differences are beyond chance (p below 0.05 by Holm's method over all {count})."
    if not found:
        told += " The others are noise at this size: more items, samples or seeds may tell."
    if any(recipe_seeds == 1 for one in result.comparisons for recipe_seeds in _trained(one)):
        told += " Where a recipe has one seed, how far one training differs from the next is in no interval."
    return told


def _trained(one: GroupComparison) -> list[int]:
    return [seeds for name, seeds in zip((one.recipe, one.against), one.seeds, strict=True) if name != BASE]


def _comparisons(comparisons: Sequence[GroupComparison]) -> str:
    head = ("model", "evaluation", "recipe", "against", "difference", "interval of 95 %", "p", "adjusted p", "so")
    rows = [
        (
            *(one.model, f"{one.evaluation} pass@{one.k}", one.recipe, one.against, f"{100 * one.difference:+.1f}"),
            *(f"{100 * one.low:+.1f} to {100 * one.high:+.1f}", f"{one.p:.3f}", f"{one.adjusted_p:.3f}"),
            ("better" if one.difference > 0 else "worse") if one.beyond_chance else "noise",
        )
        for one in comparisons
    ]
    return _table(head, rows) + "\n\nDifferences in percentage points, over the same items."


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_line(cell) for cell in line)} |" for line in lines)


def _line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")

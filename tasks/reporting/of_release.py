"""Sections of a report on what is released."""

from __future__ import annotations

from tasks.reporting.figures import Figures
from tasks.reporting.section import Section, Table, rounded


def released(figures: Figures) -> Section:
    """What is in the release, by subset, style and reasoning model."""
    summary = figures.summary
    splits = [str(name) for name in summary.subsets.columns]
    counts: dict[str, list[int]] = {
        str(subset): [int(count) for count in of.to_numpy()] for subset, of in summary.subsets.iterrows()
    }
    if counts:
        counts["all"] = [sum(column) for column in zip(*counts.values(), strict=True)]
    return Section(
        "released",
        "What is released",
        "Rows of all styles, by where they are: train, use_with_caution for those in doubt, evaluation for those that "
        "are held out. A question that is told in several styles is a row in each.",
        notes=[] if counts else ["No row is released."],
        tables=[
            Table(
                "Released rows by subset",
                ("subset", *splits, "all"),
                [(subset, *of, sum(of)) for subset, of in counts.items()],
                is_open=True,
            ),
            Table(
                "Released rows by style",
                ("style", "rows", "easy", "medium", "hard", "branch coverage, median", "mutation score, median"),
                [
                    (
                        one.style,
                        one.rows,
                        one.easy,
                        one.medium,
                        one.hard,
                        rounded(one.branch_coverage),
                        rounded(one.mutation_score),
                    )
                    for one in summary.styles
                ],
            ),
            Table(
                "Answers of reasoning models",
                ("reasoner", "model", "style", "rows asked", "rows solved", "responses", "passed", "tokens written"),
                [
                    (one.reasoner, one.model, one.style, one.rows, one.solved, one.responses, one.passed, one.tokens)
                    for one in summary.reasoners
                ],
            ),
        ],
    )

"""Sections on what curation found, and on what is released."""

from __future__ import annotations

from tasks.reporting import charts
from tasks.reporting.figures import Figures
from tasks.reporting.questions_map import QuestionsMap
from tasks.reporting.section import Section, Table

_NO_CURATION = "Curation has written no report of this run."


def duplicates(figures: Figures) -> Section:
    found = figures.curation
    kinds = dict.fromkeys(("exact", "near", "semantic"), 0)
    for one in found.duplicates if found else ():
        kinds[one.kind] = kinds.get(one.kind, 0) + one.rows
    total = sum(kinds.values())
    note = f"{found.kept:,} of {found.rows:,} verified questions stay; {total:,} are duplicates." if found else ""
    return Section(
        "duplicates",
        "Duplicates",
        "Questions that are alike word for word, nearly so, or by meaning. Of each cluster the best verified one stays "
        "and names the others. A very large cluster may be a chain of unlike questions: have a look at it.",
        notes=[note or _NO_CURATION],
        charts=[charts.counts_chart("duplicates", "Duplicates by kind", "kind", list(kinds.items()))] if total else [],
        tables=[
            Table(
                "Between subsets",
                ("subset", "of a question in", "alike by", "questions"),
                [(one.subset, one.representative_subset, one.kind, one.rows) for one in found.duplicates],
            ),
            Table(
                "Largest clusters",
                ("stands for them", "questions"),
                [(one.representative, one.rows) for one in found.largest],
            ),
        ]
        if found
        else [],
    )


def contamination(figures: Figures) -> Section:
    found = figures.curation
    overlaps = [(f"{one.what} ({one.outcome})", one.rows) for one in found.overlaps] if found else []
    often = f"{len(overlaps)} ways and outcomes; a question is told under each that found it."
    return Section(
        "contamination",
        "Benchmark overlap and content",
        "Verified questions that share wording, structure, examples or meaning with an item of a benchmark, and texts "
        "with something in them that a reader should know of. Noted has no consequence, caution moves the row to "
        "use_with_caution.",
        notes=[] if overlaps else ["No overlap was found."] if found else [_NO_CURATION],
        charts=[charts.counts_chart("overlaps", "Overlap by benchmark", "overlap", overlaps, often)]
        if overlaps
        else [],
        tables=[
            Table(
                "Benchmark overlap",
                ("benchmark and way", "outcome", "questions"),
                [(one.what, one.outcome, one.rows) for one in found.overlaps],
            ),
            Table(
                "Content",
                ("rule", "outcome", "questions"),
                [(one.what, one.outcome, one.rows) for one in found.content],
            ),
        ]
        if found
        else [],
    )


def questions(found: QuestionsMap) -> Section:
    alike = "by meaning (their embeddings)" if found.way == "meaning" else "by the words that they use (TF-IDF)"
    drawn = (
        f"{len(found.points):,} of {found.questions:,} verified questions are drawn, chosen by a hash of their ids."
        if len(found.points) < found.questions
        else f"All {found.questions:,} verified questions are drawn."
    )
    subsets: dict[str, int] = {}
    for point in found.points:
        subsets[point.subset] = subsets.get(point.subset, 0) + 1
    return Section(
        "map",
        "Map of questions",
        f"Questions that are alike {alike} lie near each other, as far as two dimensions can show it: they hold "
        f"{found.explained:.0%} of the variance (principal components).",
        notes=[drawn],
        charts=[charts.map_chart(found)] if found.points else [],
        tables=[Table("Points by subset", ("subset", "points"), sorted(subsets.items()))],
        colourings=charts.COLOURINGS if found.points else (),
    )


def licences(figures: Figures) -> Section:
    counts = sorted(figures.summary.licences.items(), key=lambda one: (-one[1], one[0]))
    return Section(
        "licences",
        "Licences",
        "Released rows by the licence that follows from their seeds, as an SPDX expression. Whom they come from is "
        "told in ATTRIBUTION.md of the release.",
        charts=[charts.counts_chart("licences", "Rows by licence", "licence", counts)] if counts else [],
        tables=[Table("Rows by licence", ("licence", "rows"), counts)],
    )

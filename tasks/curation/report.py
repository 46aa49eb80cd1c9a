"""What curation found in all, for the card, the dashboard and the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from prefect.logging import get_run_logger
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tasks.arrow import values
from tasks.artifacts import Receipt
from tasks.curation.dedup.signed import vectors_of
from tasks.curation.diversity.drift import DriftReport, drift
from tasks.curation.diversity.measures import Accumulator
from tasks.curation.diversity.report import DiversityReport, cell
from tasks.curation.selection import MIX
from tasks.errors import BadInput
from tasks.models import Labels
from tasks.run import Run, StageName
from tasks.settings import BuildConfig
from tasks.shards import shard_task
from tasks.store import Store

NAME = "curation.json"
_LARGEST = 5


class ClusterCount(BaseModel):
    """Duplicates between two subsets, by how they are alike."""

    model_config = ConfigDict(frozen=True)

    subset: str
    representative_subset: str
    kind: str
    rows: int


class FoundCount(BaseModel):
    """Rows with something in them: a benchmark overlap by one way, or content by one rule."""

    model_config = ConfigDict(frozen=True)

    what: str = Field(description="`<benchmark> by <way>`, or the rule.")
    outcome: str
    rows: int


class LargeCluster(BaseModel):
    """A cluster with many rows. A giant one may be a chain of unlike rows: have a look at it."""

    model_config = ConfigDict(frozen=True)

    representative: str
    rows: int


class CurationReport(BaseModel):
    """What curation found.

    Attributes:
        drift: None where there is nothing to compare with.
        mix: how the target mix was met, as Markdown; empty where there is none.
    """

    rows: int
    kept: int
    duplicates: list[ClusterCount]
    largest: list[LargeCluster]
    overlaps: list[FoundCount]
    content: list[FoundCount]
    diversity: DiversityReport
    drift: DriftReport | None
    mix: str

    def to_markdown(self) -> str:
        """Tables, with headings of the third level."""
        gone = sum(one.rows for one in self.duplicates)
        parts = [
            f"{self.kept:,} of {self.rows:,} rows stay; {gone:,} are duplicates of another.",
            _table(
                "Duplicates",
                ("subset", "of a row in", "alike by", "rows"),
                ((one.subset, one.representative_subset, one.kind, one.rows) for one in self.duplicates),
            ),
            _table(
                "Largest clusters",
                ("stands for them", "rows"),
                ((one.representative, one.rows) for one in self.largest),
            ),
            _table(
                "Benchmark overlap",
                ("benchmark and way", "outcome", "rows"),
                ((one.what, one.outcome, one.rows) for one in self.overlaps),
            ),
            _table("Content", ("rule", "outcome", "rows"), ((one.what, one.outcome, one.rows) for one in self.content)),
            f"### Target mix\n\n{self.mix}" if self.mix else "",
            f"### Diversity\n\n{self.diversity.to_markdown()}",
            f"### Drift\n\n{self.drift.to_markdown()}" if self.drift else "",
        ]
        return "\n\n".join(part.strip() for part in parts if part) + "\n"


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [f"| {' | '.join(cell(str(value)) for value in row)} |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"### {title}", "", f"| {' | '.join(columns)} |", "|---" * len(columns) + "|", *lines])


def write_report(found: CurationReport, path: Path) -> None:
    """Write the report as JSON where the name ends so, else as Markdown.

    Raises:
        BadInput: the file cannot be written.
    """
    text = found.model_dump_json(indent=1) if path.suffix == ".json" else f"# Curation\n\n{found.to_markdown()}"
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInput(f"cannot write {str(path)!r}: {error}. Give a writable place") from error


def report_of(config: BuildConfig) -> CurationReport | None:
    """The report of a run; None where curation has not finished."""
    store = Store.of(config)
    if not store.exists(config.run, NAME):
        return None
    return CurationReport.model_validate_json(store.read(config.run, NAME))


def compared_with(config: BuildConfig) -> str:
    """Where the report lies that drift is measured from; empty where the config names none."""
    against = config.curation.drift.against
    return against if not against or against.endswith(".json") else f"{config.store.rstrip('/')}/{against}/{NAME}"


def earlier_diversity(config: BuildConfig) -> DiversityReport | None:
    """What drift is measured from; None where the config names nothing.

    Raises:
        BadInput: there is no such run or file, or it is no report.
    """
    against = config.curation.drift.against
    if not against:
        return None
    folder, _, file = compared_with(config).rpartition("/")
    store = Store(folder or ".")
    if not store.exists(file):
        raise BadInput(
            f"curation.drift.against is {against!r}, and {store.path(file)} does not exist. Give the name of a "
            f"curated run of this store, or the path of its {NAME}"
        )
    try:
        return CurationReport.model_validate_json(store.read(file)).diversity
    except ValidationError as error:
        raise BadInput(
            f"curation.drift.against is {against!r}, which is no report of curation: {error.errors()[0]['msg']}"
        ) from error


@shard_task("report on curation")
def report_curation(
    run: Run, source: StageName, places: Sequence[tuple[Receipt, Receipt, int]], final: Sequence[Receipt]
) -> CurationReport:
    """Count what was found, measure how diverse the rows that stay are, and write it down beside the stages.

    Args:
        places: each shard of the source with the signatures of its block, and where in the block it begins.
        final: the shards of rows that stay.
    """
    measured = Accumulator(seed=run.config.seed)
    for rows, vectors in _kept(run, source, places, final):
        measured.add(rows, vectors)
    diversity = measured.report()
    before = earlier_diversity(run.config)
    clusters = _duplicates(run, [part for part, _, _ in places])
    examined = _examined(run, [part for part, _, _ in places])
    found = CurationReport(
        rows=sum(part.rows_out for part, _, _ in places),
        kept=diversity.rows,
        duplicates=clusters[0],
        largest=clusters[1],
        overlaps=examined[0],
        content=examined[1],
        diversity=diversity,
        drift=drift(before, diversity, run.config.curation.drift) if before else None,
        mix=_mix(run) if run.config.curation.mix.selects else "",
    )
    for warning in found.drift.warnings if found.drift else ():
        get_run_logger().warning("drift: %s", warning)
    run.store.write(found.model_dump_json(indent=1).encode(), run.config.run, NAME)
    return found


def _mix(run: Run) -> str:
    name = (run.config.run, MIX)
    return run.store.read(*name).decode() if run.store.exists(*name) else ""


def _kept(
    run: Run, source: StageName, places: Sequence[tuple[Receipt, Receipt, int]], final: Sequence[Receipt]
) -> Iterator[tuple[pd.DataFrame, NDArray[np.float32] | None]]:
    """The rows that stay, shard by shard: the columns that diversity is measured by, and their vectors."""
    held: tuple[str, pa.Table] | None = None
    for (part, block, start), last in zip(places, final, strict=True):
        if held is None or held[0] != block.name:
            held = block.name, run.stage(StageName.SIGNATURES).table(block, ["id", "subset", "question", "vector"])
        rows = held[1].slice(start, part.rows_out)
        stays = pc.is_in(rows["id"], value_set=_final_ids(run, last))
        frame = rows.select(["id", "subset", "question"]).to_pandas().rename(columns={"question": "text"})
        labels = values(run.stage(StageName.EXAMINATIONS).table(part.name, ["labels"]), "labels")
        for name in Labels.model_fields:
            frame[name] = [label[name] for label in labels]
        frame["style"], frame["difficulty"] = _styles(run, source, part)
        vectors = vectors_of(rows)
        kept = stays.to_numpy(zero_copy_only=False)
        yield frame[kept], vectors[kept] if vectors.shape[1] else None


def _final_ids(run: Run, last: Receipt) -> pa.Array[Any]:
    stage = run.stage(StageName(last.stage))
    if "decision" not in stage.columns(last):
        return stage.table(last, ["question_id"])["question_id"].combine_chunks()
    table = stage.table(last, ["id", "decision"])
    return table.filter(pc.field("decision") != "reject")["id"].combine_chunks()


def _styles(run: Run, source: StageName, part: Receipt) -> tuple[list[str], list[str]]:
    if source is not StageName.TRIPLETS:
        return [""] * part.rows_out, [""] * part.rows_out
    table = run.stage(source).table(part, ["style", "gpt_difficulty"])
    return values(table, "style"), values(table, "gpt_difficulty")


def _duplicates(run: Run, parts: Sequence[Receipt]) -> tuple[list[ClusterCount], list[LargeCluster]]:
    counts: Counter[tuple[str, str, str]] = Counter()
    sizes: Counter[str] = Counter()
    columns = ["question_id", "subset", "representative_subset", "kind", "cluster_size"]
    for part in parts:
        for row in run.stage(StageName.DUPLICATES).table(part.name, columns).to_pylist():
            if row["kind"]:
                counts[row["subset"], row["representative_subset"], row["kind"]] += 1
            elif row["cluster_size"] > 1:
                sizes[row["question_id"]] = row["cluster_size"]
        sizes = Counter(dict(sizes.most_common(_LARGEST)))
    found = [
        ClusterCount(subset=subset, representative_subset=other, kind=kind, rows=rows)
        for (subset, other, kind), rows in sorted(counts.items())
    ]
    return found, [LargeCluster(representative=name, rows=rows) for name, rows in sizes.most_common(_LARGEST)]


def _examined(run: Run, parts: Sequence[Receipt]) -> tuple[list[FoundCount], list[FoundCount]]:
    overlaps: Counter[tuple[str, str]] = Counter()
    content: Counter[tuple[str, str]] = Counter()
    for part in parts:
        for row in run.stage(StageName.EXAMINATIONS).table(part.name, ["hits", "content"]).to_pylist():
            overlaps.update({(f"{hit['benchmark']} by {hit['way']}", hit["outcome"]) for hit in row["hits"]})
            content.update({(one["rule"], one["outcome"]) for one in row["content"]})
    first, second = (
        [FoundCount(what=what, outcome=outcome, rows=rows) for (what, outcome), rows in sorted(counts.items())]
        for counts in (overlaps, content)
    )
    return first, second

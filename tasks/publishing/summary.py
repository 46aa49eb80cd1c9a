"""The numbers of a run, read back from its Parquet: what the terminal, the artifacts and the card show."""

from __future__ import annotations

import io
from dataclasses import dataclass

import pandas as pd
import pyarrow.parquet as pq

from tasks.artifacts import Receipt
from tasks.models import Difficulty, Split
from tasks.run import Run, StageName

FUNNEL = (
    StageName.SEEDS,
    StageName.PROMPTS,
    StageName.QUESTIONS,
    StageName.ATTEMPTS,
    StageName.VERDICTS,
    StageName.TRIPLETS,
    StageName.CURATED,
)
FAIL = "fail"


@dataclass(frozen=True)
class FunnelRow:
    """One stage: every row in is a row out or a reject. ``unit`` is what a row is there."""

    stage: str
    unit: str
    rows_in: int
    rows_out: int
    rejected: int
    reasons: dict[str, int]


@dataclass(frozen=True)
class Summary:
    """What came of a run. ``difficulty`` has a row per subset and the columns easy, medium, hard, fail."""

    funnel: list[FunnelRow]
    difficulty: pd.DataFrame
    verdicts: dict[str, int]
    splits: dict[str, int]
    licences: dict[str, int]
    models: list[str]


_UNITS = {
    StageName.SEEDS: "seed",
    StageName.PROMPTS: "prompt",
    StageName.QUESTIONS: "question",
    StageName.ATTEMPTS: "attempt",
    StageName.VERDICTS: "attempt",
    StageName.TRIPLETS: "question",
    StageName.CURATED: "triplet",
}


def funnel(run: Run) -> list[FunnelRow]:
    """The stages of a run with their counts, from the manifests."""
    rows = []
    for name in FUNNEL:
        manifest = run.stage(name).manifest()
        if manifest is not None:
            counts = {key: manifest[key] for key in ("rows_in", "rows_out", "rejected", "reasons")}
            rows.append(FunnelRow(stage=name.value, unit=_UNITS[name], **counts))
    return rows


def _frame(run: Run, stage: StageName, receipts: list[Receipt], columns: list[str]) -> pd.DataFrame:
    tables = [run.stage(stage).table(receipt.name, columns).to_pandas() for receipt in receipts]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def _rejected_subsets(run: Run, stage: StageName, receipts: list[Receipt]) -> list[str]:
    found: list[str] = []
    for receipt in receipts:
        data = run.store.read(run.config.run, stage.value, "rejects", f"{receipt.name}.parquet")
        found += [str(row["subset"]) for row in pq.read_table(io.BytesIO(data), columns=["subset"]).to_pylist()]
    return found


def summarise(run: Run) -> Summary:
    """Read a finished run back.

    Raises:
        BadInput: a stage has not finished.
    """
    labelled_receipts = run.receipts(StageName.TRIPLETS)
    labelled = _frame(run, StageName.TRIPLETS, labelled_receipts, ["subset", "gpt_difficulty"])
    failed = pd.DataFrame(
        {"subset": _rejected_subsets(run, StageName.TRIPLETS, labelled_receipts), "gpt_difficulty": FAIL}
    )
    every = pd.concat([labelled, failed], ignore_index=True)
    difficulty = pd.crosstab(every["subset"], every["gpt_difficulty"]).reindex(
        columns=[*(level.value for level in Difficulty), FAIL], fill_value=0
    )
    curated = _frame(run, StageName.CURATED, run.receipts(StageName.CURATED), ["split", "licence", "lineage"])
    verdicts = _frame(run, StageName.VERDICTS, run.receipts(StageName.VERDICTS), ["pair"])
    counted = verdicts["pair"].map(lambda pair: pair["verdict"]).value_counts() if len(verdicts) else pd.Series()
    calls = curated["lineage"].map(lambda lineage: lineage["solution_call"]["model"])
    return Summary(
        funnel=funnel(run),
        difficulty=difficulty,
        verdicts={str(name): int(count) for name, count in sorted(counted.items())},
        splits={split.value: int((curated["split"] == split.value).sum()) for split in Split},
        licences={str(name): int(count) for name, count in sorted(curated["licence"].value_counts().items())},
        models=sorted(set(calls)),
    )

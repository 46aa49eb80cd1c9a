"""The numbers of a run, read back from its Parquet: what the terminal, the artifacts and the card show."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.artifacts import Receipt
from tasks.intervals import kappa
from tasks.models import Difficulty, Split
from tasks.run import Run, StageName

FUNNEL = (
    StageName.SEEDS,
    StageName.PROMPTS,
    StageName.QUESTIONS,
    StageName.ATTEMPTS,
    StageName.VERDICTS,
    StageName.SOLUTIONS,
    StageName.CROSSCHECKS,
    StageName.AUDITS,
    StageName.TRIPLETS,
    StageName.CURATED,
    StageName.SELECTED,
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
class CheckSummary:
    """One check over the chosen attempts: how many were measured, what the values are, how many gave a caution."""

    check: str
    measured: int
    low: float | None
    median: float | None
    caution: int


@dataclass(frozen=True)
class Agreement:
    """The label by the author's own attempts against that by the solver's tries.

    Attributes:
        kappa: Cohen's; None where one label is all that both say.
        table: rows are the author's labels, columns the solver's.
    """

    rows: int
    kappa: float | None
    table: pd.DataFrame


@dataclass(frozen=True)
class Summary:
    """What came of a run.

    Attributes:
        difficulty: a row per subset and the columns easy, medium, hard, fail.
        agreement: None where no solver was asked.
    """

    funnel: list[FunnelRow]
    difficulty: pd.DataFrame
    verdicts: dict[str, int]
    splits: dict[str, int]
    licences: dict[str, int]
    models: list[str]
    checks: list[CheckSummary]
    agreement: Agreement | None


_UNITS = {
    StageName.SEEDS: "seed",
    StageName.PROMPTS: "prompt",
    StageName.QUESTIONS: "question",
    StageName.ATTEMPTS: "attempt",
    StageName.VERDICTS: "attempt",
    StageName.SOLUTIONS: "solution",
    StageName.CROSSCHECKS: "question",
    StageName.AUDITS: "attempt",
    StageName.TRIPLETS: "question",
    StageName.CURATED: "triplet",
    StageName.SELECTED: "triplet",
}


def funnel(run: Run) -> list[FunnelRow]:
    """The stages of a run with their counts, from the manifests."""
    rows = []
    for name in FUNNEL:
        manifest = run.stage(name).manifest()
        if manifest is not None and manifest["shards"]:
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
    labelled = _frame(run, StageName.TRIPLETS, labelled_receipts, ["subset", "gpt_difficulty", "solver"])
    failed = pd.DataFrame(
        {"subset": _rejected_subsets(run, StageName.TRIPLETS, labelled_receipts), "gpt_difficulty": FAIL}
    )
    every = pd.concat([labelled, failed], ignore_index=True)
    difficulty = pd.crosstab(every["subset"], every["gpt_difficulty"]).reindex(
        columns=[*(level.value for level in Difficulty), FAIL], fill_value=0
    )
    curated = _frame(run, run.last_stage, run.receipts(run.last_stage), ["split", "licence", "lineage"])
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
        checks=_checks(run, labelled_receipts),
        agreement=_agreement(labelled),
    )


def _checks(run: Run, receipts: Sequence[Receipt]) -> list[CheckSummary]:
    """The measures of the chosen attempts, by check in the order of the rows; a number per row and check in memory."""
    values: dict[str, list[np.ndarray[Any, np.dtype[np.float64]]]] = {}
    cautions: Counter[str] = Counter()
    for receipt in receipts:
        column = run.stage(StageName.TRIPLETS).table(receipt.name, ["quality"]).column("quality")
        measures = pc.list_flatten(column)
        names = pc.struct_field(measures, "check").to_pylist()
        numbers = pc.struct_field(measures, "value").to_numpy().astype(np.float64)
        labels = np.array(names)
        for check in dict.fromkeys(names):
            mine = numbers[labels == check]
            values.setdefault(check, []).append(mine[~np.isnan(mine)])
        outcomes = pc.struct_field(measures, "outcome").to_pylist()
        cautions.update(name for name, outcome in zip(names, outcomes, strict=True) if outcome == "caution")
    summaries = []
    for check, parts in values.items():
        every = np.concatenate(parts)
        low, median = (float(one) for one in np.percentile(every, [10, 50])) if len(every) else (None, None)
        summaries.append(CheckSummary(check, len(every), low, median, cautions[check]))
    return summaries


def _agreement(labelled: pd.DataFrame) -> Agreement | None:
    asked = labelled[labelled["solver"].notna()]
    if asked.empty:
        return None
    solver = asked["solver"].map(lambda rate: rate["difficulty"] or FAIL)
    table = pd.crosstab(asked["gpt_difficulty"], solver).reindex(
        index=[level.value for level in Difficulty],
        columns=[*(level.value for level in Difficulty), FAIL],
        fill_value=0,
    )
    pairs = list(zip(asked["gpt_difficulty"], solver, strict=True))
    return Agreement(rows=len(pairs), kappa=kappa(pairs), table=table)

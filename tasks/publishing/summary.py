"""The numbers of a run, read back from its Parquet: what the terminal, the artifacts and the card show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tasks.arrow import values
from tasks.artifacts import Receipt
from tasks.intervals import kappa
from tasks.models import NOT_ASKED, UNPROVEN, Difficulty, Split
from tasks.released import Released
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
    StageName.CONVERSIONS,
    StageName.RETOLD,
    StageName.CONVERTED,
    StageName.RESPONSES,
    StageName.GRADES,
    StageName.CANDIDATES,
    StageName.REFERENCES,
)
FAIL, NOT_PROVEN = "fail", "unproven"
"""Questions that are not labelled: no attempt passed, or none that did proved enough."""


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
class StyleSummary:
    """The released rows of one style. Medians are of the rows that have the measure; None where none has."""

    style: str
    rows: int
    easy: int
    medium: int
    hard: int
    branch_coverage: float | None
    mutation_score: float | None


@dataclass(frozen=True)
class ReasonerSummary:
    """What one reasoning model made of the rows of one style.

    Attributes:
        rows: that it answered; of ``solved`` at least one answer passed.
        tokens: that it wrote.
    """

    reasoner: str
    model: str
    style: str
    rows: int
    solved: int
    responses: int
    passed: int
    tokens: int


@dataclass(frozen=True)
class Summary:
    """What came of a run.

    Attributes:
        difficulty: before curation, a row per subset and the columns easy, medium, hard, unproven, fail.
        splits, licences: released rows, all styles together.
        subsets: released rows, a row per subset and a column per split.
        agreement: None where no solver was asked.
    """

    funnel: list[FunnelRow]
    difficulty: pd.DataFrame
    verdicts: dict[str, int]
    splits: dict[str, int]
    subsets: pd.DataFrame
    styles: list[StyleSummary]
    reasoners: list[ReasonerSummary]
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
    StageName.CONVERSIONS: "row",
    StageName.RETOLD: "row",
    StageName.CONVERTED: "row",
    StageName.CANDIDATES: "row",
    StageName.REFERENCES: "row",
    StageName.RESPONSES: "response",
    StageName.GRADES: "response",
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


_WHY = ["subset", "reason"]


def _frame(run: Run, stage: StageName, receipts: list[Receipt], columns: list[str]) -> pd.DataFrame:
    tables = [run.stage(stage).table(receipt, columns).to_pandas() for receipt in receipts]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def _unlabelled(run: Run, receipts: list[Receipt]) -> pd.DataFrame:
    """The questions without a label: nothing is said of those whose teacher was not to be had."""
    rows = [row for one in receipts for row in run.stage(StageName.TRIPLETS).rejected(one, _WHY).to_pylist()]
    return pd.DataFrame(
        [
            (row["subset"], NOT_PROVEN if row["reason"] in UNPROVEN else FAIL)
            for row in rows
            if row["reason"] not in NOT_ASKED
        ],
        columns=["subset", "gpt_difficulty"],
    )


def difficulty_by_subset(run: Run) -> pd.DataFrame:
    """How many questions of each subset are easy, medium, hard, unproven (attempts passed, and proved too little), or
    failed (none passed).

    Raises:
        BadInput: verification has not finished.
    """
    receipts = run.receipts(StageName.TRIPLETS)
    labelled = _frame(run, StageName.TRIPLETS, receipts, ["subset", "gpt_difficulty"])
    every = pd.concat([labelled, _unlabelled(run, receipts)], ignore_index=True)
    return pd.crosstab(every["subset"], every["gpt_difficulty"]).reindex(
        columns=[*(level.value for level in Difficulty), NOT_PROVEN, FAIL], fill_value=0
    )


def verdicts_by_subset(run: Run) -> pd.DataFrame:
    """How many attempts of each subset got which verdict; raises as ``difficulty_by_subset``."""
    sums: dict[str, Counter[str]] = {}
    for receipt in run.receipts(StageName.VERDICTS):
        table = run.stage(StageName.VERDICTS).table(receipt, ["question_id", "pair.verdict"])
        found = values(table, "verdict")
        for question_id, verdict in zip(table["question_id"].to_pylist(), found, strict=True):
            subset = str(question_id).rsplit("_", 2)[0]
            sums.setdefault(subset, Counter())[str(verdict)] += 1
    return pd.DataFrame.from_dict(sums, orient="index").fillna(0).astype(int).sort_index().sort_index(axis="columns")


def summarise(run: Run) -> Summary:
    """Read a finished run back.

    Raises:
        BadInput: a stage has not finished, those of post-training included.
    """
    labelled_receipts = run.receipts(StageName.TRIPLETS)
    labelled = _frame(run, StageName.TRIPLETS, labelled_receipts, ["subset", "gpt_difficulty", "solver"])
    released = Released(run)
    rows = _released(released)
    verdicts = verdicts_by_subset(run).sum()
    return Summary(
        funnel=funnel(run),
        difficulty=difficulty_by_subset(run),
        verdicts={str(name): int(count) for name, count in sorted(verdicts.items())},
        splits={split.value: int((rows["split"] == split.value).sum()) for split in Split},
        subsets=pd.crosstab(rows["subset"], rows["split"]).reindex(columns=list(Split), fill_value=0),
        styles=[_style(str(style), of) for style, of in rows.groupby("style", observed=True)],
        reasoners=_reasoners(released),
        licences={str(name): int(count) for name, count in sorted(rows["licence"].value_counts().items())},
        models=sorted(rows["model"].unique()),
        checks=_checks(run, labelled_receipts),
        agreement=_agreement(labelled),
    )


_FACTS = ("split", "subset", "style", "gpt_difficulty", "licence")
_MEASURES = ("branch_coverage", "mutation_score")


def _released(released: Released) -> pd.DataFrame:
    """A few facts of each released row: about 60 bytes a row."""
    tables = [pa.schema([(name, pa.string()) for name in (*_FACTS, "model")]).empty_table()]
    for table in released.tables([*_FACTS, *_MEASURES, "lineage"]):
        call = pc.struct_field(table["lineage"], ["solution_call", "model"])
        tables.append(table.drop_columns(["lineage"]).append_column("model", call))
    joined = pa.concat_tables(tables, promote_options="default")
    found = joined.to_pandas(categories=[*_FACTS, "model"])
    return found.reindex(columns=[*_FACTS, *_MEASURES, "model"])


def _style(style: str, rows: pd.DataFrame) -> StyleSummary:
    easy, medium, hard = (int((rows["gpt_difficulty"] == level.value).sum()) for level in Difficulty)
    branches, mutants = (float(one) if pd.notna(one := rows[name].median()) else None for name in _MEASURES)
    return StyleSummary(style, len(rows), easy, medium, hard, branches, mutants)


def _reasoners(released: Released) -> list[ReasonerSummary]:
    """From the responses with their grades, shard by shard; a shard has all tries of a model at its rows."""
    sums: dict[tuple[str, str, str], Counter[str]] = {}
    run = released.run
    for receipt in run.receipts(StageName.RESPONSES):
        table = run.stage(StageName.RESPONSES).table(receipt, ["question_id", "style", "reasoner", "call"])
        answers = table.drop_columns(["call"]).to_pandas()
        answers["model"] = pc.struct_field(table["call"], "model").to_pylist()
        answers["tokens"] = pc.struct_field(table["call"], "completion_tokens").to_pylist()
        answers["passed"] = values(run.stage(StageName.GRADES).table(receipt.name, ["passed"]), "passed")
        for place, of in answers.groupby(["reasoner", "model", "style"]):
            by_row = of.groupby("question_id")["passed"].any()
            reasoner, model, style = (str(one) for one in place)
            found = sums.setdefault((reasoner, model, style), Counter())
            found.update(rows=len(by_row), solved=int(by_row.sum()), responses=len(of))
            found.update(passed=int(of["passed"].sum()), tokens=int(of["tokens"].sum()))
    return [
        ReasonerSummary(*place, of["rows"], of["solved"], of["responses"], of["passed"], of["tokens"])
        for place, of in sorted(sums.items())
    ]


def _checks(run: Run, receipts: Sequence[Receipt]) -> list[CheckSummary]:
    """The measures of the chosen attempts, by check in the order of the rows; a number per row and check in memory."""
    values: dict[str, list[np.ndarray[Any, np.dtype[np.float64]]]] = {}
    cautions: Counter[str] = Counter()
    for receipt in receipts:
        column = run.stage(StageName.TRIPLETS).table(receipt, ["quality"]).column("quality")
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

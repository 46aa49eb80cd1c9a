"""What the report of a run tells in numbers, read from its artifacts; of a row no more than some numbers is in memory.

What the card, the dashboard and the KPIs tell is taken from where they take it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from tasks.arrow import values
from tasks.artifacts import Receipt
from tasks.curation.report import CurationReport, report_of
from tasks.evaluation.estimator import estimate
from tasks.forecast.rates import read_rates
from tasks.intervals import pass_at_k, wilson
from tasks.kpis.figures import RunKpis
from tasks.models import NOT_ASKED, Verdict
from tasks.publishing.summary import Summary, summarise, verdicts_by_subset
from tasks.run import Run, StageName
from tasks.settings.verification import Mending
from tasks.teachers.usage import RunUsage, usage_of

ALL = "all"
"""Stands for all subsets together."""
_KS = (*range(1, 11), 20, 50, 100)
_KNOWN_SHARE = 0.9
"""pass@k is told where at least this share of the questions has k attempts."""
_RESAMPLED = 200
"""Of more questions the interval is by the normal distribution; a bootstrap of them would take minutes."""
_Z = 1.959963984540054
_BINS = np.linspace(0, 1, 21)
_MOST_TESTS = 20


class TaskTime(BaseModel):
    """Seconds of all runs of one task, and where they were spent."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: str
    runs: int
    reused: int = Field(description="Runs that found their shards done before.")
    retries: int
    failed: int
    teacher: float
    sandbox: float
    own: float


class Times(BaseModel):
    """Where the time of a run went."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    builds: dict[str, list[TaskTime]] = Field({}, description="By the id of the flow run, those that have ended.")

    @property
    def tasks(self) -> list[TaskTime]:
        """The sums over builds, in the order in which tasks first began."""
        sums: dict[str, dict[str, float]] = {}
        for one in (task for tasks in self.builds.values() for task in tasks):
            sum_ = sums.setdefault(one.task, dict.fromkeys(TaskTime.model_fields, 0.0))
            for name, value in one.model_dump(exclude={"task"}).items():
                sum_[name] += value
        return [TaskTime.model_validate({**of, "task": task}) for task, of in sums.items()]


@dataclass(frozen=True)
class PassRate:
    """pass@k of the questions of a subset, without bias, with an interval of 95 %.

    Attributes:
        questions: those that have k attempts.
    """

    subset: str
    k: int
    questions: int
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class DifficultyShare:
    """The share of a subset's questions with one label, failed ones included.

    Attributes:
        whose: ``this run`` or ``KodCode``.
        questions: so labelled; None where only the share is known.
    """

    subset: str
    whose: str
    difficulty: str
    share: float
    questions: int | None


@dataclass(frozen=True)
class Bin:
    """Rows whose value is from ``low`` to below ``high``; of the last one ``high`` is included."""

    low: float
    high: float
    rows: int


@dataclass(frozen=True)
class Distribution:
    """How something that was measured of the chosen tests spreads over the verified questions.

    Attributes:
        unmeasured: rows that have no value.
        mean, median: None where nothing was measured.
    """

    name: str
    title: str
    bins: list[Bin]
    unmeasured: int
    mean: float | None
    median: float | None

    @property
    def measured(self) -> int:
        return sum(one.rows for one in self.bins)


@dataclass(frozen=True)
class Figures:
    """All numbers of a report.

    Attributes:
        verdicts: of attempts: a row per subset, a column per verdict.
        times: None where nobody has told them.
        curation: None where no such report was written.
        trend: the numbers of this run and of others of its store, the earliest first.
        stops_early: whether a question may get fewer attempts as its label is settled.
    """

    run: str
    fingerprint: str
    summary: Summary
    kpis: RunKpis
    trend: list[RunKpis]
    passes: list[PassRate]
    stops_early: bool
    difficulties: list[DifficultyShare]
    verdicts: pd.DataFrame
    distributions: list[Distribution]
    usage: RunUsage
    times: Times | None
    curation: CurationReport | None


def figures_of(run: Run, kpis: RunKpis, trend: Sequence[RunKpis] = (), times: Times | None = None) -> Figures:
    """The numbers of a finished run.

    Args:
        kpis: those of the run.
        trend: of the runs to compare with, this one included, the earliest first.

    Raises:
        BadInput: the run has not finished.
    """
    summary, rules = summarise(run), run.config.verification
    return Figures(
        run=run.config.run,
        fingerprint=kpis.config,
        summary=summary,
        kpis=kpis,
        trend=list(trend) or [kpis],
        passes=pass_rates(attempts_by_subset(run)),
        stops_early=rules.policy != "fixed" or rules.stop_after_passes is not None,
        difficulties=difficulty_shares(summary.difficulty),
        verdicts=verdicts_by_subset(run),
        distributions=distributions(run),
        usage=usage_of(run),
        times=times,
        curation=report_of(run.config),
    )


def subset_of(question_id: str) -> str:
    """As in ``Data_Structure`` of ``Data_Structure_00000003_I``, and of ids of its attempts and answers."""
    return question_id.partition("/")[0].rsplit("_", 2)[0]


def shards_of(run: Run, stage: StageName) -> list[Receipt]:
    """The shards of a stage; none where it was not part of the run."""
    return run.receipts(stage) if run.stage(stage).manifest() else []


def tables(run: Run, stage: StageName, columns: list[str]) -> Iterator[pa.Table]:
    """A stage shard by shard."""
    return (run.stage(stage).table(receipt, columns) for receipt in shards_of(run, stage))


def attempts_by_subset(run: Run) -> dict[str, Counter[tuple[int, int]]]:
    """By subset, how many questions have so many (attempts, passed ones).

    A reply that holds no solution and tests is an attempt that does not pass; one that was never given is none. Tests
    that were mended are no attempt of their own.
    """
    judged = {receipt.name: receipt for receipt in shards_of(run, StageName.VERDICTS)}
    parts: dict[str, list[str]] = {}
    attempted = {receipt.name: receipt for receipt in shards_of(run, StageName.ATTEMPTS)}
    for name in sorted(attempted):
        part, _, kind = name.rpartition("-")
        if kind not in set(Mending):
            parts.setdefault(part.removesuffix("-try"), []).append(name)
    found: dict[str, Counter[tuple[int, int]]] = {}
    for names in parts.values():
        made, passed = Counter[str](), Counter[str]()
        for name in names:
            rejects = run.stage(StageName.ATTEMPTS).rejected(attempted[name], ["id", "reason"])
            for row, reason in zip(values(rejects, "id"), values(rejects, "reason"), strict=True):
                made[str(row).partition("/")[0]] += reason not in NOT_ASKED
            if name in judged:
                table = run.stage(StageName.VERDICTS).table(judged[name], ["question_id", "pair.verdict"])
                questions, verdicts = values(table, "question_id"), values(table, "verdict")
                made.update(questions)
                passed.update(
                    one for one, verdict in zip(questions, verdicts, strict=True) if verdict == Verdict.PASSED
                )
        for question, count in made.items():
            if count:
                found.setdefault(subset_of(question), Counter())[count, passed[question]] += 1
    return dict(sorted(found.items()))


def pass_rates(counts: Mapping[str, Counter[tuple[int, int]]]) -> list[PassRate]:
    """pass@k of each subset and of all, for the k that nearly all questions have attempts for."""
    every = sum(counts.values(), Counter[tuple[int, int]]())
    groups = {ALL: every, **counts} if len(counts) > 1 else dict(counts)
    rates = []
    for subset, of in groups.items():
        total = of.total()
        for k in _KS:
            known = Counter({pair: count for pair, count in of.items() if pair[0] >= k})
            if known and known.total() >= _KNOWN_SHARE * total:
                rates.append(PassRate(subset, k, known.total(), *_rate(known, k)))
    return rates


def _rate(counts: Counter[tuple[int, int]], k: int) -> tuple[float, float, float]:
    """The mean of pass@k over questions, and its interval."""
    total = counts.total()
    if total == 1:
        ((pair, _),) = counts.items()
        return pass_at_k(*pair, k), 0.0, 1.0  # one question says nothing of others
    if total <= _RESAMPLED:
        found = estimate([pair for pair, count in sorted(counts.items()) for _ in range(count)], k)
        assert found is not None
        return found.value, found.low, found.high
    scored = [(pass_at_k(*pair, k), count) for pair, count in sorted(counts.items())]
    mean = sum(score * count for score, count in scored) / total
    if all(score in (0, 1) for score, _ in scored):  # at the bounds the normal distribution knows no doubt
        return mean, *wilson(sum(count for score, count in scored if score), total)
    spread = sum(count * (score - mean) ** 2 for score, count in scored) / (total - 1)
    half = _Z * sqrt(spread / total)
    return mean, max(0.0, mean - half), min(1.0, mean + half)


def difficulty_shares(counts: pd.DataFrame) -> list[DifficultyShare]:
    """The labels of each subset, beside those of KodCode where it has the subset (arXiv 2503.02951, table 2)."""
    paper = read_rates().outcomes
    found = []
    for subset, row in counts.iterrows():
        total = int(row.sum())
        found += [
            DifficultyShare(str(subset), "this run", str(label), int(count) / total, int(count))
            for label, count in row.items()
        ]
        if known := paper.get(str(subset)):
            told = {"easy": known.easy, "medium": known.medium, "hard": known.hard, "fail": known.failed}
            every = sum(told.values())
            found += [
                DifficultyShare(str(subset), "KodCode", label, share / every, None) for label, share in told.items()
            ]
    return found


_MEASURED = {
    "statement_coverage": "Statements that the tests cover",
    "branch_coverage": "Branches that the tests cover",
    "mutation_score": "Mutants that the tests catch",
}
_TESTS = ("tests", "Tests per question")


def distributions(run: Run) -> list[Distribution]:
    """Of the chosen tests of all verified questions; some bytes a row in memory."""
    shares: dict[str, list[NDArray[np.float64]]] = {name: [] for name in _MEASURED}
    numbers: list[NDArray[np.float64]] = []
    for table in tables(run, StageName.TRIPLETS, [*_MEASURED, "lineage.tests_passed"]):
        for name, parts in shares.items():
            parts.append(table[name].to_numpy().astype(np.float64))
        numbers.append(pc.list_value_length(table["tests_passed"]).to_numpy().astype(np.float64))
    found = [
        _distribution(name, title, np.concatenate([np.empty(0), *shares[name]]), _BINS)
        for name, title in _MEASURED.items()
    ]
    tests = np.concatenate([np.empty(0), *numbers])
    most = min(_MOST_TESTS, int(tests.max())) if len(tests) else 1
    edges = np.array([*range(most + 1), max(most + 1.0, float(tests.max() + 1) if len(tests) else 0.0)])
    return [*found, _distribution(*_TESTS, tests, edges)]


def _distribution(name: str, title: str, every: NDArray[np.float64], edges: NDArray[np.float64]) -> Distribution:
    measured = every[~np.isnan(every)]
    # A share such as 0.15 is a hair below the edge of its bin by the error of floating point.
    counts, _ = np.histogram(np.round(measured, 9), np.round(edges, 9))
    return Distribution(
        name=name,
        title=title,
        bins=[
            Bin(round(float(low), 9), round(float(high), 9), int(count))
            for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True)
        ],
        unmeasured=len(every) - len(measured),
        mean=float(measured.mean()) if len(measured) else None,
        median=float(np.median(measured)) if len(measured) else None,
    )

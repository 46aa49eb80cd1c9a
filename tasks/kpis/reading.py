"""The numbers of a run, read from its artifacts; of a row no more than some numbers is in memory."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from tasks.arrow import values
from tasks.artifacts import Receipt
from tasks.errors import BadInput
from tasks.kpis.figures import Figure, Kpi, RunKpis, agreement, mean_by_subset, share_by_subset
from tasks.kpis.gain import gain_of
from tasks.models import Difficulty, RejectReason, Split, Verdict
from tasks.run import Run, StageName, config_fingerprint
from tasks.settings.kpis import KpiName
from tasks.teachers.usage import usage_of

_DUPLICATES = {RejectReason.EXACT_DUPLICATE, RejectReason.NEAR_DUPLICATE, RejectReason.SEMANTIC_DUPLICATE}
_JUDGED = (StageName.VERDICTS, StageName.CROSSCHECKS, StageName.AUDITS, StageName.GRADES)
_DOUBTS = ("caution", "rejected")


def kpis_of(run: Run) -> RunKpis:
    """All numbers of a finished run.

    Raises:
        BadInput: the run has not finished, or the experiment that its config names cannot be read.
    """
    rows = run.receipts(run.last_stage)
    accepted = sum(receipt.rows_out for receipt in rows)
    found = [
        *_curation(run),
        *_attempts(run),
        _converted(run),
        *_costs(run),
        Kpi(name=KpiName.SANDBOX_S_PER_ROW, figure=Figure.amount(_ratio(_sandbox_s(run), accepted), accepted)),
        Kpi(name=KpiName.HOURS, figure=Figure.amount(_hours(run, rows))),
        *_tests(run),
        *_difficulties(run),
        *_responses(run),
        gain_of(run.config.kpis),
    ]
    there = {kpi.name: kpi for kpi in found}
    return RunKpis(
        run=run.config.run,
        config=config_fingerprint(run.config),
        kpis=[there[name] for name in KpiName if name in there],
    )


def _receipts(run: Run, stage: StageName) -> list[Receipt]:
    """The shards of a stage; none where it was not part of the run."""
    try:
        return run.receipts(stage)
    except BadInput:
        return []


def _tables(run: Run, stage: StageName, columns: list[str]) -> Iterator[pa.Table]:
    return (run.stage(stage).table(receipt, columns) for receipt in _receipts(run, stage))


def _subsets(run: Run, stage: StageName) -> Counter[str]:
    return Counter(subset for table in _tables(run, stage, ["subset"]) for subset in values(table, "subset"))


def _rejects(run: Run, stage: StageName) -> Counter[tuple[str, str]]:
    """Rejects of a stage by subset and reason."""
    found = Counter[tuple[str, str]]()
    for receipt in _receipts(run, stage):
        table = run.stage(stage).rejected(receipt, ["subset", "reason"])
        found.update(zip(values(table, "subset"), values(table, "reason"), strict=True))
    return found


def _subset_of(question_id: str) -> str:
    """As in ``Data_Structure`` of ``Data_Structure_00000003_I``."""
    return question_id.rsplit("_", 2)[0]


def _curation(run: Run) -> list[Kpi]:
    """What becomes of questions, and what curation finds in those that are verified."""
    asked, verified = _subsets(run, StageName.QUESTIONS), _subsets(run, StageName.TRIPLETS)
    released, train, contaminated, unsafe = (Counter[str]() for _ in range(4))
    names = ["subset", "split", "benchmark_hits", "content"]
    for table in _tables(run, run.last_stage, names):
        for subset, split, hits, findings in zip(*(values(table, name) for name in names), strict=True):
            released[subset] += 1
            train[subset] += split == Split.TRAIN
            contaminated[subset] += any(one["outcome"] in _DOUBTS for one in hits)
            unsafe[subset] += any(one["outcome"] in _DOUBTS for one in findings)
    duplicates = Counter[str]()
    for (subset, reason), count in _rejects(run, StageName.CURATED).items():
        duplicates[subset] += count * (reason in _DUPLICATES)
        contaminated[subset] += count * (reason == RejectReason.CONTAMINATED)
        unsafe[subset] += count * (reason == RejectReason.UNSAFE_CONTENT)
    return [
        share_by_subset(KpiName.YIELD, released, asked),
        share_by_subset(KpiName.TRAIN_YIELD, train, asked),
        share_by_subset(KpiName.VERIFIED, verified, asked),
        share_by_subset(KpiName.DUPLICATES, duplicates, verified),
        share_by_subset(KpiName.CONTAMINATED, contaminated, verified),
        share_by_subset(KpiName.UNSAFE, unsafe, verified),
    ]


def _attempts(run: Run) -> list[Kpi]:
    """How many attempts pass; and of those whose first run does, how many do not always."""
    tries, passes, flaky = Counter[str](), Counter[str](), Counter[str]()
    for table in _tables(run, StageName.VERDICTS, ["question_id", "pair.verdict"]):
        for question, verdict in zip(values(table, "question_id"), values(table, "verdict"), strict=True):
            subset = _subset_of(question)
            tries[subset] += 1
            passes[subset] += verdict == Verdict.PASSED
            flaky[subset] += verdict == Verdict.FLAKY
    return [
        share_by_subset(KpiName.ATTEMPTS_PASSED, passes, tries),
        share_by_subset(KpiName.FLAKY, flaky, Counter({one: passes[one] + flaky[one] for one in tries})),
    ]


def _converted(run: Run) -> Kpi:
    asked = sum(receipt.rows_in for receipt in _receipts(run, StageName.CONVERSIONS))
    made = sum(receipt.rows_out for receipt in _receipts(run, StageName.CONVERTED))
    return Kpi(name=KpiName.CONVERTED, figure=Figure.share(made, asked))


def _ratio(of: float | None, by: int) -> float | None:
    return None if of is None or not by else of / by


def _costs(run: Run) -> list[Kpi]:
    """Tokens and USD for each row that is released; calls that an earlier run has paid for are not counted."""
    usage, released = usage_of(run), _subsets(run, run.last_stage)
    if not usage.rows:  # no run is without calls: its file of answers is elsewhere, or it was booked by another name
        return [Kpi(name=name, figure=Figure()) for name in (KpiName.TOKENS_PER_ROW, KpiName.USD_PER_ROW)]
    tokens, usd = Counter[str](), defaultdict[str, float | None](float)
    for row in usage.rows:
        tokens[row.subset] += row.tokens
        before = usd[row.subset]
        usd[row.subset] = None if row.usd is None or before is None else before + row.usd
    every = sum(released.values())
    return [
        Kpi(
            name=name,
            figure=Figure.amount(_ratio(total, every), every),
            subsets={
                subset: Figure.amount(_ratio(of[subset], count), count) for subset, count in sorted(released.items())
            },
        )
        for name, total, of in (
            (KpiName.TOKENS_PER_ROW, usage.total.tokens, tokens),
            (KpiName.USD_PER_ROW, usage.total.usd, usd),
        )
    ]


def _sandbox_s(run: Run) -> float:
    """Wall time of all boxes together."""
    tables = (table for stage in _JUDGED for table in _tables(run, stage, ["sandbox_s"]))
    return float(sum(sum(values(table, "sandbox_s")) for table in tables))


def _hours(run: Run, rows: list[Receipt]) -> float | None:
    """From the first shard of questions that was finished to the last of all, pauses included."""
    first, last = run.stage(StageName.QUESTIONS), run.stage(run.last_stage)
    try:
        started = min(_modified(run, first.name, name) for name in first.shards())
        ended = max(_modified(run, last.name, receipt.name) for receipt in rows)
    except (NotImplementedError, ValueError):  # a file system that does not tell, or no shard
        return None
    return max(0.0, (ended - started) / 3600)


def _modified(run: Run, stage: str, shard: str) -> float:
    return run.store.modified(run.config.run, stage, "receipts", f"{shard}.json").timestamp()


def _tests(run: Run) -> list[Kpi]:
    """What the chosen tests prove."""
    measured = {"mutation_score": KpiName.MUTATION_SCORE, "branch_coverage": KpiName.BRANCH_COVERAGE}
    found: dict[KpiName, dict[str, list[float]]] = {
        name: defaultdict(list) for name in (*measured.values(), KpiName.ASSERTS_PER_TEST)
    }
    for table in _tables(run, StageName.TRIPLETS, ["subset", *measured, "quality"]):
        for row in table.to_pylist():
            for column, name in measured.items():
                if row[column] is not None:
                    found[name][row["subset"]].append(row[column])
            for one in row["quality"]:
                if one["check"] == KpiName.ASSERTS_PER_TEST and one["value"] is not None:
                    found[KpiName.ASSERTS_PER_TEST][row["subset"]].append(one["value"])
    return [mean_by_subset(name, of_subset) for name, of_subset in found.items()]


def _difficulties(run: Run) -> list[Kpi]:
    """How hard the verified questions are, by the author's attempts and by the solver's."""
    labels: dict[str, Counter[str]] = {level: Counter() for level in Difficulty}
    every, rates = Counter[str](), defaultdict[str, list[float]](list)
    pairs = Counter[tuple[str, str]]()
    for table in _tables(run, StageName.TRIPLETS, ["subset", "gpt_difficulty", "solver"]):
        columns = (values(table, name) for name in ("subset", "gpt_difficulty", "solver"))
        for subset, level, solver in zip(*columns, strict=True):
            every[subset] += 1
            labels[level][subset] += 1
            if solver:
                rates[subset].append(solver["rate"])
                pairs[level, solver["difficulty"] or "none"] += 1
    return [
        *(share_by_subset(KpiName(level), counts, every) for level, counts in labels.items()),
        mean_by_subset(KpiName.SOLVER_PASSED, rates),
        Kpi(name=KpiName.SOLVER_AGREEMENT, figure=agreement(pairs)),
    ]


def _responses(run: Run) -> list[Kpi]:
    """How often reasoning models pass. Answers to one row are no independent samples: row and model count once."""
    passed: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for receipt in _receipts(run, StageName.GRADES):
        table = run.stage(StageName.GRADES).table(receipt, ["question_id", "response_id", "passed"])
        for row in table.to_pylist():
            reasoner: Any = row["response_id"].split("/")[-2]
            passed[row["question_id"], reasoner].append(row["passed"])
    shares, answered, tries = defaultdict[str, list[float]](list), Counter[str](), Counter[str]()
    for (question, _), of_row in passed.items():
        subset = _subset_of(question)
        shares[subset].append(sum(of_row) / len(of_row))
        answered[subset] += any(of_row)
        tries[subset] += 1
    return [
        mean_by_subset(KpiName.RESPONSES_PASSED, shares),
        share_by_subset(KpiName.ROWS_ANSWERED, answered, tries),
    ]

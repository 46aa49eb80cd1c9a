"""Rows worth a look: the hardest, the dearest, the most doubtful, and one that was rejected for each reason."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from heapq import nsmallest
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tasks.arrow import values
from tasks.artifacts import Receipt
from tasks.curation.corpus import verification_quality
from tasks.models import Split
from tasks.publishing.summary import FUNNEL
from tasks.reporting.figures import shards_of
from tasks.reporting.questions_map import draw_key
from tasks.reporting.shown import shown
from tasks.run import Run, StageName
from tasks.styles.ids import origin_id

EACH = 5
"""Rows of a kind."""
_LIGHT = [
    "question_id",
    "subset",
    "gpt_difficulty",
    "gpt_pass_sequence",
    "gpt_pass_percentage",
    "solver.rate",
    "mutation_score",
    "branch_coverage",
    "quality",
    "lineage.integrity_tier",
    "lineage.tests_passed",
    "split",
    "filter_reason",
]


@dataclass(frozen=True)
class Sample:
    """A released row.

    Attributes:
        why: what makes it worth a look.
    """

    question_id: str
    subset: str
    difficulty: str
    why: str
    question: str
    solution: str
    test: str


@dataclass(frozen=True)
class Rejected:
    """A row that left, with the evidence; ``question`` is empty where it was none yet."""

    row_id: str
    subset: str
    stage: str
    reason: str
    rows: int
    evidence: str
    question: str


@dataclass(frozen=True)
class Samples:
    """All of them, the most telling first."""

    hardest: list[Sample]
    dearest: list[Sample]
    doubtful: list[Sample]
    weakest: list[Sample]
    rejected: list[Rejected]


@dataclass(frozen=True)
class _Light:
    """What is read of every released row to choose some."""

    receipt: Receipt
    row_id: str
    hardness: tuple[float, float]
    quality: tuple[float, ...]
    tried: str
    doubt: str


@dataclass
class _Choice:
    """The rows of a kind that come first so far."""

    best: list[tuple[Any, int, str, _Light, str]] = field(default_factory=list)

    def add(self, key: Any, row: _Light, why: str) -> None:
        self.best = nsmallest(EACH, [*self.best, (key, draw_key(row.row_id), row.row_id, row, why)])


def samples_of(run: Run) -> Samples:
    """Choose rows of a finished run; the texts of these alone are read.

    Raises:
        BadInput: curation has not finished.
    """
    kinds = {name: _Choice() for name in ("hardest", "dearest", "doubtful", "weakest")}
    tokens = _Tokens(run)
    for row in _light(run):
        kinds["hardest"].add(row.hardness, row, row.tried)
        spent = tokens.of(row.row_id)
        kinds["dearest"].add(-spent, row, f"{spent:,} tokens for the question, its attempts and solutions")
        kinds["weakest"].add(row.quality, row, _told_quality(row.quality))
        if row.doubt:
            kinds["doubtful"].add(row.quality, row, row.doubt)
    chosen = [row for kind in kinds.values() for *_, row, _ in kind.best]
    texts = _texts(run, chosen)
    found = {
        name: [_sample(texts[row.row_id], why) for *_, row, why in kind.best if row.row_id in texts]
        for name, kind in kinds.items()
    }
    return Samples(**found, rejected=rejected_samples(run))


def _light(run: Run) -> Iterator[_Light]:
    for receipt in run.receipts(run.last_stage):
        for row in run.stage(run.last_stage).table(receipt, _LIGHT).to_pylist():
            lineage = {"integrity_tier": row["integrity_tier"], "tests_passed": row["tests_passed"]}
            passed, made = sum(row["gpt_pass_sequence"]), len(row["gpt_pass_sequence"])
            rate = row["rate"]
            told = f"{passed} of {made} attempts pass"
            yield _Light(
                receipt=receipt,
                row_id=row["question_id"],
                hardness=(row["gpt_pass_percentage"], 1.0 if rate is None else rate),
                quality=tuple(verification_quality({**row, "lineage": lineage})),
                tried=told if rate is None else f"{told}; of the solver's tries {rate:.0%}",
                doubt=row["filter_reason"] if row["split"] == Split.USE_WITH_CAUTION else "",
            )


def _told_quality(quality: tuple[float, ...]) -> str:
    doubts, isolated, mutants, branches, _, tests = quality
    tier = "isolated from the solution" if isolated else "in the solution's own process"
    return (
        f"{-doubts:.0f} checks in doubt, {tests:.0f} tests {tier}, "
        f"{mutants:.0%} of mutants caught, {branches:.0%} of branches covered"
    )


class _Tokens:
    """Tokens by question, of one shard of questions at a time: rows come in the order of the shards."""

    _STAGES = (StageName.QUESTIONS, StageName.ATTEMPTS, StageName.SOLUTIONS)

    def __init__(self, run: Run) -> None:
        self._run = run
        self._shards = {stage: shards_of(run, stage) for stage in self._STAGES}
        self._parts = [receipt.name for receipt in self._shards[StageName.QUESTIONS]]
        self._sums: Counter[str] = Counter()
        self._read = 0

    def of(self, question_id: str) -> int:
        """Tokens of a question; shards are read until it is found."""
        while question_id not in self._sums and self._read < len(self._parts):
            self._sums = self._sum(self._parts[self._read])
            self._read += 1
        return self._sums[question_id]

    def _sum(self, part: str) -> Counter[str]:
        calls: dict[tuple[str, str], int] = {}
        for stage, receipts in self._shards.items():
            for receipt in receipts:
                if receipt.name == part or receipt.name.startswith(f"{part}-"):
                    table = self._run.stage(stage).table(receipt, ["question_id", "call"])
                    for question, call in zip(values(table, "question_id"), values(table, "call"), strict=True):
                        # Mended tests name the call of the attempt that they come from.
                        calls[question, call["response_id"]] = call["prompt_tokens"] + call["completion_tokens"]
        sums: Counter[str] = Counter()
        for (question, _), count in calls.items():
            sums[question] += count
        return sums


def _texts(run: Run, rows: list[_Light]) -> dict[str, dict[str, Any]]:
    """The texts of some rows, by their ids."""
    found: dict[str, dict[str, Any]] = {}
    columns = ["question_id", "subset", "gpt_difficulty", "question", "solution", "test"]
    for receipt in {row.receipt.name: row.receipt for row in rows}.values():
        wanted = pa.array([row.row_id for row in rows if row.receipt.name == receipt.name])
        table = run.stage(run.last_stage).table(receipt, columns)
        chosen = table.filter(pc.is_in(table["question_id"], value_set=wanted))
        found |= {row["question_id"]: row for row in chosen.to_pylist()}
    return found


def _sample(row: Mapping[str, Any], why: str) -> Sample:
    texts = {name: shown(row[name]) for name in ("question", "solution", "test")}
    return Sample(row["question_id"], row["subset"], row["gpt_difficulty"], why, **texts)


def rejected_samples(run: Run) -> list[Rejected]:
    """One row for each stage and reason, the one that its hash puts first; commonest reasons of a stage first."""
    found: list[Rejected] = []
    for stage in FUNNEL:
        manifest = run.stage(stage).manifest()
        if manifest is None or not manifest["reasons"]:
            continue
        first: dict[str, dict[str, Any]] = {}
        for receipt in run.receipts(stage):
            for row in run.stage(stage).rejected(receipt).to_pylist() if receipt.rejected else ():
                before = first.get(row["reason"])
                if before is None or draw_key(row["id"]) < draw_key(before["id"]):
                    first[row["reason"]] = row
        for reason, count in sorted(manifest["reasons"].items(), key=lambda one: (-one[1], one[0])):
            if one := first.get(reason):
                evidence = shown(_readable(one["evidence"]))
                found.append(Rejected(one["id"], one["subset"], stage.value, reason, count, evidence, ""))
    questions = _questions(run, {_question_id(one.row_id) for one in found})
    return [replace(one, question=shown(questions.get(_question_id(one.row_id), ""))) for one in found]


def _readable(evidence: str) -> str:
    """Evidence as it is, JSON indented."""
    try:
        parsed = json.loads(evidence)
    except ValueError:
        return evidence
    return json.dumps(parsed, indent=1, ensure_ascii=False) if isinstance(parsed, (list, dict)) else evidence


def _question_id(row_id: str) -> str:
    """The question behind the id of an attempt, an answer, or a row that was told in another style: all end in _I."""
    return origin_id(row_id.partition("/")[0])


def _questions(run: Run, wanted: set[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    value_set = pa.array(sorted(wanted), pa.string())
    for receipt in shards_of(run, StageName.QUESTIONS):
        table = run.stage(StageName.QUESTIONS).table(receipt, ["question_id", "question"])
        chosen = table.filter(pc.is_in(table["question_id"], value_set=value_set))
        found.update(zip(values(chosen, "question_id"), values(chosen, "question"), strict=True))
    return found

"""All that a run knows of one row, read from the few shards that have it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow.compute as pc

from tasks.browsing.calls import Calls, Told
from tasks.browsing.index import known_receipt
from tasks.browsing.queries import Cursor, dicts, fetch, first
from tasks.curation.decisions import told_finding, told_hit
from tasks.errors import Gone
from tasks.models import BenchmarkHit, ContentFinding, Pair
from tasks.run import Run, StageName

Fields = dict[str, Any]


@dataclass
class Try:
    """One attempt at a question.

    Attributes:
        why: why the reply cannot be used; of a judged one, the verdict's reason.
        tests: what each test came to.
        survivors: mutants that the tests did not catch.
    """

    attempt_id: str
    number: int
    verdict: str
    why: str
    kept: bool = False
    mends: str = ""
    solution: str = ""
    test: str = ""
    evidence: str = ""
    output: str = ""
    tests: list[Fields] = field(default_factory=list)
    controls: list[Fields] = field(default_factory=list)
    coverage: Fields | None = None
    mutation: Fields | None = None
    quality: list[Fields] = field(default_factory=list)


@dataclass
class Detail:
    """Everything of one row.

    Attributes:
        is_older: question and attempts were made anew since the row was, and are of another task by now.
    """

    summary: Fields
    question: str = ""
    original: str = ""
    solution: str = ""
    test: str = ""
    io: list[Fields] = field(default_factory=list)
    row: Fields | None = None
    is_older: bool = False
    seeds: list[Fields] = field(default_factory=list)
    rejects: list[Fields] = field(default_factory=list)
    attempts: list[Try] = field(default_factory=list)
    solutions: list[Fields] = field(default_factory=list)
    duplicate: Fields | None = None
    stands_for: list[Fields] = field(default_factory=list)
    findings: list[tuple[str, str]] = field(default_factory=list)
    styles: list[Fields] = field(default_factory=list)
    answers: list[Fields] = field(default_factory=list)
    calls: list[Told] = field(default_factory=list)

    @property
    def can_run(self) -> bool:
        """Whether it has anything that the sandbox could run a solution against."""
        return bool(self.test or self.io)

    @property
    def quality(self) -> list[Fields]:
        return self.row["quality"] if self.row else []

    @property
    def why(self) -> str:
        """Why the row is in ``use_with_caution``, or who accepted it over what."""
        return str((self.row or {}).get("filter_reason", ""))

    @property
    def kept(self) -> Try | None:
        return next((one for one in self.attempts if one.kept), None)


class Reader:
    """Reads rows of a run, each from the shards that may have it."""

    def __init__(self, run: Run, cursor: Cursor) -> None:
        self.run, self._cursor = run, cursor

    def summary(self, row_id: str) -> Fields | None:
        """What the list tells of a row; None where there is none of that id."""
        found = dicts(self._cursor, "SELECT * FROM rows WHERE id = ?", [row_id])
        return found[0] if found else None

    def pair(self, row_id: str, attempt_id: str = "") -> Pair | None:
        """What the sandbox runs of a row, or of one of its attempts; None where it has nothing that can be run."""
        summary = self.summary(row_id)
        if summary is None:
            return None
        if attempt_id:
            for one in self._of(StageName.ATTEMPTS, summary):
                if one["attempt_id"] == attempt_id:
                    return Pair(id=attempt_id, solution=one["solution"], test=one["test"])
            return None
        row = self._row(summary) or self._conversion(summary)
        if row is None or not (row["test"] or row["io"]):
            return None
        return Pair(id=row_id, solution=row["solution"], test=row["test"], io=row["io"])

    def detail(self, row_id: str) -> Detail | None:
        """All of a row; None where there is none of that id."""
        summary = self.summary(row_id)
        if summary is None:
            return None
        found = Detail(summary)
        is_retold = summary["origin"] != row_id
        origin = {**summary, "id": summary["origin"]}
        question = next(self._of(StageName.QUESTIONS, origin), None)
        group = next(self._of(StageName.PROMPTS, origin), None)
        found.row = self._row(summary)
        found.is_older = _is_older(found.row, question)
        found.rejects = list(self._rejects(row_id))
        found.question = (found.row or question or {"question": ""})["question"]
        found.seeds = (question or group or {"seeds": []})["seeds"]
        calls = Calls(self.run, group, question)
        rejected_with = next((one["response_id"] for one in found.rejects if one["stage"] == "questions"), "")
        calls.add_question(question, rejected_with)
        if found.row:
            found.solution, found.test, found.io = found.row["solution"], found.row["test"], found.row["io"]
            found.original = found.row["metadata"]["original_instruction"]
            found.findings = list(_findings(found.row))
        if is_retold:
            self._add_conversion(found, origin, calls)
        else:
            self._add_attempts(found, calls)
            found.duplicate = next(self._of(StageName.DUPLICATES, summary), None)
            found.stands_for = self._stands_for(found)
        query = "SELECT id, style, fate, reason FROM rows WHERE id IN (?, ?, ?) AND id <> ? ORDER BY id"
        found.styles = dicts(self._cursor, query, [*(summary["origin"][:-1] + end for end in "ICO"), row_id])
        found.answers = list(self._answers(found, calls))
        found.calls = calls.told()
        return found

    def _row(self, summary: Fields) -> Fields | None:
        """The row as far as it came: released, curated, or verified."""
        for stage in (StageName.CONVERTED, self.run.last_stage, StageName.CURATED, StageName.TRIPLETS):
            for row in self._of(stage, summary):
                return row
        return None

    def _conversion(self, summary: Fields) -> Fields | None:
        """The row as the converter told it in another style; None where it is no such row, or was not told."""
        if summary["origin"] == summary["id"]:
            return None
        return next(self._of(StageName.CONVERSIONS, summary), None)

    def _add_conversion(self, found: Detail, origin: Fields, calls: Calls) -> None:
        told = self._conversion(found.summary)
        if told and not found.row:
            found.question, found.solution, found.test = told["question"], told["solution"], told["test"]
            found.io = told["io"]
        made_of = self._row(origin)
        with_split = made_of if made_of and "split" in made_of else None
        response = next((one["response_id"] for one in found.rejects if one["stage"] == "conversions"), "")
        call = (told or {}).get("call") or {"response_id": response, "model": "", "template": "", "sampling": ""}
        calls.add_conversion(found.summary["style"], {"prompt_tokens": 0, "completion_tokens": 0, **call}, with_split)

    def _add_attempts(self, found: Detail, calls: Calls) -> None:
        row, summary = found.row, found.summary
        verdicts = {one["attempt_id"]: one for one in self._of(StageName.VERDICTS, summary)}
        audits = {one["attempt_id"]: one["mutation"] for one in self._of(StageName.AUDITS, summary)}
        trials = {one["file_source"]: one for one in row["trials"]} if row else {}
        kept = row["trials"][row["chosen_trial"] - 1]["file_source"] if row and not found.is_older else ""
        for one in self._of(StageName.ATTEMPTS, summary):
            name, judged = one["attempt_id"], verdicts.get(one["attempt_id"])
            pair = judged["pair"] if judged else None
            found.attempts.append(
                Try(
                    attempt_id=name,
                    number=one["attempt"],
                    verdict=pair["verdict"] if pair else "not judged yet",
                    why=pair["reason"] if pair else "",
                    kept=name == kept,
                    mends=one["mends"],
                    solution=one["solution"],
                    test=one["test"],
                    output=pair["output"] if pair else "",
                    tests=pair["tests"] if pair else [],
                    controls=judged["controls"] if judged else [],
                    coverage=pair["coverage"] if pair else None,
                    mutation=audits.get(name),
                    quality=trials.get(name, {}).get("quality", []),
                )
            )
            calls.add_attempt(one["attempt"], one["call"], bool(one["mends"]))
        for reject in self._rejects(summary["id"], tries=True):
            number = reject["id"].rpartition("/")[2]
            if reject["stage"] == "attempts" and number.isdigit():
                told = {"why": reject["why"], "evidence": reject["evidence"]}
                found.attempts.append(Try(reject["id"], int(number), reject["reason"], **told))
                calls.add_unusable(int(number), reject["response_id"])
        found.attempts.sort(key=lambda one: one.number)
        for one in self._of(StageName.SOLUTIONS, summary):
            found.solutions.append({**one, "cells": self._cells(summary, one["solution_id"])})
            calls.add_solution(one["number"], one["call"])

    def _cells(self, summary: Fields, solution: str) -> list[Fields]:
        """What a solution came to under the tests of each attempt."""
        checks = self._of(StageName.CROSSCHECKS, summary)
        return [cell for check in checks for cell in check["cells"] if cell["solution"] == solution]

    def _stands_for(self, found: Detail) -> list[Fields]:
        """The rows that this one stands for, or the one that stands for it."""
        duplicate = found.duplicate
        if duplicate is None:
            return []
        names = duplicate["duplicates"] or ([duplicate["representative"]] if duplicate["kind"] else [])
        query = "SELECT id, title, fate, reason FROM rows WHERE list_contains(?, id) ORDER BY id LIMIT 200"
        return dicts(self._cursor, query, [names]) if names else []

    def _answers(self, found: Detail, calls: Calls) -> Iterator[Fields]:
        summary = found.summary
        grades = {one["response_id"]: one for one in self._of(StageName.GRADES, summary)}
        for one in self._of(StageName.RESPONSES, summary):
            calls.add_answer(one["number"], one["reasoner"], one["call"], found.row)
            yield {**one, "grade": grades.get(one["response_id"])}

    def _rejects(self, row_id: str, tries: bool = False) -> Iterator[Fields]:
        """Rejects of a row, with all of the evidence.

        Args:
            tries: those of its tries, in place of its own.
        """
        known = "SELECT DISTINCT stage, shard FROM rejects WHERE owner = ? ORDER BY stage, shard"
        for stage, shard in fetch(self._cursor, known, [row_id]):
            for one in self._stage(StageName(stage), shard):
                name = one["id"]
                if (name != row_id and name.startswith(f"{row_id}/")) if tries else name == row_id:
                    why, _, rest = one["evidence"].partition("\n\n")
                    yield {**one, "stage": stage, "why": why if rest else "", "told": _readable(one["evidence"])}

    def _of(self, stage: StageName, summary: Fields) -> Iterator[Fields]:
        """Rows of a stage that are of a question."""
        for shard in self._shards(stage, summary["shard"]):
            yield from self._stage(stage, shard, summary["id"])

    def _shards(self, stage: StageName, part: str) -> list[str]:
        """Shards that were made of a shard of questions: their names begin with its name."""
        if not part:
            return []
        query = "SELECT shard FROM receipts WHERE stage = ? AND starts_with(shard || '-', ? || '-') ORDER BY shard"
        return [str(shard) for (shard,) in fetch(self._cursor, query, [stage.value, part])]

    def _stage(self, stage: StageName, shard: str, question: str = "") -> Iterator[Fields]:
        """Rows of a shard that are of a question; its rejects where none is named."""
        query = "SELECT content FROM receipts WHERE stage = ? AND shard = ?"
        known = first(self._cursor, query, [stage.value, shard])
        if known is None:
            return
        receipt = known_receipt(stage, shard, known[0])
        try:
            if question:
                table = self.run.stage(stage).table(receipt)
                table = table.filter(pc.field("question_id") == question)
            else:
                table = self.run.stage(stage).rejected(receipt)
        except Gone:  # replaced since the index was made: the next look finds what is there then
            return
        yield from table.to_pylist()


def _findings(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for hit in row.get("benchmark_hits", ()):
        yield hit["outcome"], told_hit(BenchmarkHit.model_validate(hit))
    for one in row.get("content", ()):
        yield one["outcome"], told_finding(ContentFinding.model_validate(one))


def _is_older(row: Mapping[str, Any] | None, question: Mapping[str, Any] | None) -> bool:
    """Whether a row was made of another question than the one that now has its id."""
    if row is None or question is None:
        return False
    return bool(row["lineage"]["question_call"]["response_id"] != question["call"]["response_id"])


def _readable(evidence: str) -> str:
    """Evidence as it is; where it is JSON, indented. A reply may be nested without end, or name half a character."""
    try:
        parsed = json.loads(evidence)
        told = json.dumps(parsed, indent=1, ensure_ascii=False) if isinstance(parsed, list | dict) else evidence
        told.encode()
    except (ValueError, RecursionError):
        return evidence
    return told

"""Runs to report on: those of the KPI tests, with what curation compares questions by."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from flows.report import report_of
from tasks.artifacts import Outcome
from tasks.models import Attempt, Reject, RejectReason, Row, Signature, Verdict
from tasks.run import Run, StageName
from tests.kpis.runs import ALL, finished, subset_of, write
from tests.labeling.rows import attempt, verdict

HOSTILE = '</script><script>alert(1)</script><img src=x onerror=alert(2)> {{ 7 * 7 }} & "quoted" \u2028 <!-- '


def signature(row_id: str, question: str, vector: list[float] | None = None) -> Signature:
    return Signature(
        id=row_id,
        subset=subset_of(row_id),
        question=question,
        licence="MIT",
        quality=[],
        exact=b"",
        shingles=b"",
        bands=b"",
        vector=np.array(vector or [], "<f2").tobytes(),
    )


def hostile_run(store: Path) -> Run:
    """A run whose every text wants to be markup."""
    rows = {name: {"question": HOSTILE, "solution": HOSTILE, "licence": HOSTILE} for name in ALL}
    run = finished(store, rows=rows)
    write(run, StageName.SIGNATURES, [signature(name, HOSTILE) for name in ALL[:3]])
    rejects = [Reject(id=ALL[3], subset=HOSTILE, reason=RejectReason.TOO_SHORT, evidence=HOSTILE)]
    write(run, StageName.PROMPTS, [], rejects)
    return run


def hostile_report(store: Path) -> bytes:
    return report_of(hostile_run(store))


def shards(run: Run, stage: StageName, parts: dict[str, tuple[Sequence[Row], Sequence[Reject]]]) -> None:
    """Finish a stage with the rows and rejects of several shards."""
    receipts = []
    for shard, (rows, rejects) in parts.items():
        outcome = Outcome(len(rows) + len(rejects), list(rows), list(rejects))
        model = type(rows[0]) if rows else Attempt
        receipts.append(run.stage(stage).run_shard(shard, model, [shard, "anew"], partial(kept, outcome)))
    run.finish(stage, receipts)


def kept(outcome: Outcome) -> Outcome:
    return outcome


def tried(
    run: Run, outcomes: dict[str, list[Verdict | RejectReason]], mended: dict[str, Verdict] | None = None
) -> None:
    """Put other attempts in place of a run's: of each question what became of one after the other.

    Args:
        mended: of questions, the verdict on tests that were mended.
    """
    tries: dict[str, list[tuple[str, int, Verdict | RejectReason]]] = {}
    for question, results in outcomes.items():
        for number, outcome in enumerate(results, 1):
            tries.setdefault(f"part-00000-try-{number:02d}", []).append((question, number, outcome))
    for question, verdict_on in (mended or {}).items():
        tries.setdefault("part-00000-drop", []).append((question, 99, verdict_on))
    given: dict[str, tuple[list[Row], list[Reject]]] = {shard: ([], []) for shard in tries}
    judged: dict[str, tuple[list[Row], list[Reject]]] = {shard: ([], []) for shard in tries}
    for shard, of_shard in tries.items():
        for question, number, outcome in of_shard:
            of = {"question_id": question, "attempt_id": f"{question}/{number}"}
            if isinstance(outcome, Verdict):
                given[shard][0].append(attempt(number).model_copy(update=of))
                judged[shard][0].append(verdict(number, outcome).model_copy(update=of))
            else:
                told = {"id": of["attempt_id"], "subset": subset_of(question), "evidence": "e"}
                given[shard][1].append(Reject(**told, reason=outcome))
    shards(run, StageName.ATTEMPTS, given)
    shards(run, StageName.VERDICTS, {shard: of for shard, of in judged.items() if of[0]})

"""The audit of a file of pairs: every check of a rigour, a row and its words per pair."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import field_validator

from tasks.artifacts import Outcome, Stage, batches
from tasks.auditing.pairs import Group, check_groups, read_groups
from tasks.errors import BadInput
from tasks.execution.crosscheck import Entry, entrants, matrices
from tasks.execution.mutation.run import audit_tests
from tasks.execution.pool import SandboxPool
from tasks.execution.stage import judge_attempts
from tasks.execution.verify import shareable_sandbox
from tasks.files import check_suffix, read_rows, row_writer
from tasks.labeling.quality import regated, rejected_by
from tasks.labeling.triplets import Judged, Try, judge_tries
from tasks.lease import WAIT_S, one_writer
from tasks.models import (
    Attempt,
    AttemptVerdict,
    Audit,
    Call,
    CrossCheck,
    Measure,
    Mutant,
    PeerKind,
    RejectReason,
    Row,
    Tier,
    Verdict,
)
from tasks.settings import Gates, Mending, Rigour, Sandbox, Section, Verification
from tasks.store import Store

_LOG = logging.getLogger(__name__)

PART = 100
_NOBODY = Call(response_id="", model="", template="", sampling="{}", prompt_tokens=0, completion_tokens=0)


class Auditing(Section):
    """What an audit is made with: the sandbox, and rigour, effort and gates of ``verification``, which has no use for
    its other fields here."""

    verification: Verification = Verification(rigour=Rigour.AUDIT)
    sandbox: Sandbox = Sandbox()

    @field_validator("verification", mode="before")
    @classmethod
    def _without_a_teacher(cls, values: Any) -> Any:
        """Nobody is asked in an audit."""
        if not isinstance(values, dict) or not isinstance(values.get("effort", {}), dict):
            return values
        effort = {"solver_tries": 0, "mending": Mending.NONE, **values.get("effort", {})}
        return {"rigour": Rigour.AUDIT, **values, "effort": effort}


class AuditedRow(Row):
    """What became of one pair: the columns of ``kodforge audit``."""

    id: str
    question_id: str
    decision: Literal["accept", "use_with_caution", "reject"]
    reason: RejectReason | None
    why: str
    verdict: Verdict
    integrity_tier: Tier
    flaky_over: list[str]
    quality: list[Measure]
    wrong_tests: list[str]
    survivors: list[Mutant]
    star_import: bool
    rigour: Rigour
    peers: int
    verdict_s: float
    crosscheck_s: float
    mutation_s: float


def audit_file(
    path: Path, out: Path, settings: Auditing, progress: Callable[[int], None] = lambda done: None
) -> Iterator[AuditedRow]:
    """Audit every pair of a file and write a row each, in order, a part in memory at a time.

    Finished parts lie in ``<out>.parts`` until all are done. After a crash the same call goes on from there. A file
    that an audit wrote is not run again: its measures are put to the gates anew.

    Args:
        progress: called with the number of pairs audited so far.

    Returns:
        The rows, read back from ``out``.

    Raises:
        BadInput: the file cannot be used; nothing has run then and nothing is written.
        SandboxUnavailable: the sandbox failed; finished parts are kept.
        RunBusy: somebody else was still writing the same file after ten minutes.
    """
    check_suffix(out)
    first = next(iter(read_rows(path)), None)
    if first is None:
        raise BadInput(f"{path} has no rows")
    if "quality" in first and "decision" in first:
        with row_writer(out, AuditedRow) as write:
            for part in batches(audited_rows(path), PART):
                write([regate(row, settings.verification.gates) for row in part])
        return audited_rows(out)
    check_groups(path)  # the whole file is checked before anything runs
    folder = out.with_name(f"{out.name}.parts")
    stage = Stage(Store(str(folder)), "audit", "audits")
    receipts, done = [], 0
    rules = settings.verification
    with one_writer(stage.store, stage.run, WAIT_S, _LOG.warning):
        with SandboxPool(settings.sandbox) as pool:
            depends_on = [
                rules.rigour,
                rules.effort,
                shareable_sandbox(settings.sandbox),
                pool.backend.value,
                pool.image,
            ]
            for number, groups in enumerate(_parts(read_groups(path))):
                pairs = [pair.model_dump() for group in groups for pair in group.pairs]
                trials = [[trial.id, trial.solution, trial.test] for group in groups for trial in group.trials]

                def work(groups: Sequence[Group] = groups) -> Outcome:
                    return Outcome.of(audit_groups(groups, pool, settings))

                receipt = stage.run_shard(f"part-{number:05d}", AuditedRow, [*depends_on, pairs, trials], work)
                receipts.append(receipt)
                done += receipt.rows_out
                progress(done)
        with row_writer(out, AuditedRow) as write:
            for receipt in receipts:
                write([regate(row, rules.gates) for row in stage.rows(receipt, AuditedRow)])
        shutil.rmtree(folder)
    return audited_rows(out)


def audited_rows(path: Path) -> Iterator[AuditedRow]:
    """The rows that an audit wrote."""
    columns = AuditedRow.model_fields
    return (AuditedRow.model_validate({name: row[name] for name in columns if name in row}) for row in read_rows(path))


def _parts(groups: Iterator[Group]) -> Iterator[list[Group]]:
    """Questions whose pairs fill a part together."""
    held: list[Group] = []
    for group in groups:
        held.append(group)
        if sum(len(one.pairs) for one in held) >= PART:
            yield held
            held = []
    if held:
        yield held


def audit_groups(groups: Sequence[Group], pool: SandboxPool, settings: Auditing) -> list[AuditedRow]:
    """Run all checks on some questions; a row per pair."""
    effort = settings.verification.effort
    attempts = [_attempts(group) for group in groups]
    ours = [attempt for group, made in zip(groups, attempts, strict=True) for attempt in made[: len(group.pairs)]]
    trials = [attempt for group, made in zip(groups, attempts, strict=True) for attempt in made[len(group.pairs) :]]
    quick = effort.model_copy(update={"reruns": 0, "stubs": 0})
    judged = judge_attempts(ours, pool, settings.sandbox.coverage, effort)
    judged += judge_attempts(trials if effort.cross_checks else [], pool, False, quick)
    verdicts = {one.attempt_id: one for one in judged}
    checks: list[CrossCheck] | list[None] = [None] * len(groups)
    if effort.cross_checks:
        checks = matrices([_entry(group, made, verdicts) for group, made in zip(groups, attempts, strict=True)], pool)
    chosen = [
        (attempt, verdicts[attempt.attempt_id])
        for group, made in zip(groups, attempts, strict=True)
        for attempt in made[: len(group.pairs)]
        if verdicts[attempt.attempt_id].pair.verdict is Verdict.PASSED
    ]
    audits = {one.attempt_id: one for one in audit_tests(chosen, pool, effort, seed=0)} if effort.mutants else {}
    rows: list[AuditedRow] = []
    for group, made, check in zip(groups, attempts, checks, strict=True):
        tries = [Try(one.attempt, one, verdicts.get(one.attempt_id), None) for one in made]
        compared = check.sandbox_s if check else 0.0
        compared += sum(verdicts[one.attempt_id].sandbox_s for one in made[len(group.pairs) :] if check)
        found = {one.one.number: one for one in judge_tries(tries, check, audits, settings.verification)}
        rows += [
            _row(group, found[number], settings, audits, check, compared) for number in range(1, len(group.pairs) + 1)
        ]
    return rows


def _attempts(group: Group) -> list[Attempt]:
    """The pairs of a question, then its trials."""
    sources = [*((pair.id, pair.solution, pair.test) for pair in group.pairs)]
    sources += [(trial.id, trial.solution, trial.test) for trial in group.trials]
    return [
        Attempt(
            attempt_id=name, question_id=group.question_id, attempt=number, solution=solution, test=test, call=_NOBODY
        )
        for number, (name, solution, test) in enumerate(sources, 1)
    ]


def _entry(group: Group, attempts: Sequence[Attempt], verdicts: dict[str, AttemptVerdict]) -> Entry:
    peers = [(one.attempt_id, PeerKind.ATTEMPT, "", one.solution) for one in attempts]
    peers += [
        (f"{group.question_id}/reference/{number}", PeerKind.REFERENCE, "", reference)
        for number, reference in enumerate(group.references, 1)
    ]
    return Entry(group.question_id, entrants(peers), attempts, verdicts)


def _row(
    group: Group,
    judged: Judged,
    settings: Auditing,
    audits: dict[str, Audit],
    check: CrossCheck | None,
    compared_s: float,
) -> AuditedRow:
    """The row of a pair; ``compared_s`` are the sandbox seconds of the question's cross-checks and of its trials."""
    pair, verdict = group.pairs[judged.one.number - 1], judged.one.verdict
    assert verdict is not None
    audit = audits.get(pair.id)
    row = AuditedRow(
        id=pair.id,
        question_id=group.question_id,
        decision="accept",
        reason=judged.outcome,
        why=judged.why,
        verdict=verdict.pair.verdict,
        integrity_tier=verdict.pair.integrity_tier,
        flaky_over=verdict.pair.flaky_over,
        quality=judged.quality,
        wrong_tests=list(judged.opinion.wrong),
        survivors=audit.mutation.survivors if audit else [],
        star_import=pair.id in group.starred,
        rigour=settings.verification.rigour,
        peers=len(check.peers) - 1 if check else 0,
        verdict_s=verdict.sandbox_s,
        crosscheck_s=compared_s / len(group.pairs),
        mutation_s=audit.sandbox_s if audit else 0.0,
    )
    return _decided(row)


def _decided(row: AuditedRow) -> AuditedRow:
    doubts = [one for one in row.quality if one.outcome == "caution"]
    if row.reason is not None:
        return row.model_copy(update={"decision": "reject"})
    if doubts:
        return row.model_copy(update={"decision": "use_with_caution", "why": "; ".join(one.why for one in doubts)})
    return row.model_copy(update={"decision": "accept"})


def regate(row: AuditedRow, gates: Gates) -> AuditedRow:
    """The row by other gates: nothing is run again."""
    if row.verdict is not Verdict.PASSED:
        return row
    quality = regated(row.quality, gates)
    worst = rejected_by(quality)
    reason, why = worst if worst else (None, "all that was measured is enough")
    return _decided(row.model_copy(update={"quality": quality, "reason": reason, "why": why}))

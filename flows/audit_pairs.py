"""The audit of the user's own file of pairs: ``kodforge audit`` as a flow."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from flows.orchestration.hooks import flow
from tasks.auditing.audit import Auditing, audit_file, audited_rows
from tasks.auditing.report import audit_report
from tasks.shards import SANDBOX, shard_task


@shard_task("audit {pairs.name}", SANDBOX)
def audit_one_file(pairs: Path, out: Path, settings: Auditing) -> dict[str, int]:
    """Audit a file; how many pairs got which decision."""
    return dict(sorted(Counter(row.decision for row in audit_file(pairs, out, settings)).items()))


@flow(name="audit-pairs", flow_run_name="audit {pairs}")
def audit_pairs(pairs: Path, out: Path, settings: Auditing | None = None) -> dict[str, int]:
    """Audit the tests of (solution, pytest file) pairs.

    Args:
        pairs: Parquet or JSONL with id (or question_id), solution, test, optional question_id, reference and trials; a
            file that KodCode or kodforge released will do.
        out: Parquet or JSONL for a row per pair.
        settings: rigour, gates and sandbox; empty: rigour `audit`.
    """
    settings = settings or Auditing()
    counts = audit_one_file(pairs, out, settings)
    create_table_artifact([{"decision": name, "pairs": count} for name, count in counts.items()], key="audit")
    create_markdown_artifact(
        audit_report(pairs.name, audited_rows(out), settings.verification.gates), key="audit-report"
    )
    return counts

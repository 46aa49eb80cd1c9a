"""The sandbox over the user's own file of pairs: ``kodforge verify`` as a flow."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from prefect.artifacts import create_table_artifact
from pydantic import Field

from flows.orchestration.hooks import flow
from tasks.execution.verify import verify_file
from tasks.settings import Sandbox
from tasks.shards import SANDBOX, shard_task


@shard_task("judge {pairs.name}", SANDBOX)
def judge_pairs(pairs: Path, out: Path, sandbox: Sandbox, reruns: int) -> dict[str, int]:
    """Judge a file; how many pairs got which verdict."""
    return {str(verdict): count for verdict, count in sorted(verify_file(pairs, out, sandbox, reruns=reruns).items())}


@flow(name="verify-pairs", flow_run_name="verify {pairs}")
def verify_pairs(
    pairs: Path,
    out: Path,
    sandbox: Sandbox = Sandbox(),  # noqa: B008 - frozen
    reruns: Annotated[int, Field(ge=0, le=20)] = 0,
) -> dict[str, int]:
    """Judge (solution, pytest file) pairs.

    Args:
        pairs: Parquet or JSONL with id, solution, test, optional entry_points and files.
        out: Parquet or JSONL for the verdicts.
        sandbox: limits and backend.
        reruns: more runs of each pass under another hash seed, order, clock and chance, to find flaky ones.
    """
    counts = judge_pairs(pairs, out, sandbox, reruns)
    create_table_artifact([{"verdict": name, "pairs": count} for name, count in counts.items()], key="verdicts")
    return counts

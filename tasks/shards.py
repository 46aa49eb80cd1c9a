"""What all shard tasks share: how Prefect retries them, and the line each writes to the log when it is done."""

from __future__ import annotations

from typing import Any, TypedDict

from prefect import Task
from prefect.client.schemas.objects import State, TaskRun
from prefect.logging import get_run_logger

from tasks.artifacts import Receipt
from tasks.errors import retryable


async def _can_help(task: Task[Any, Any], task_run: TaskRun, state: State[Any]) -> bool:
    """Whether a retry can mend the failure: infrastructure yes, bad input and refused keys no."""
    try:
        await state.aresult()
    except BaseException as error:
        return retryable(error)
    return False


class _Retries(TypedDict):
    retries: int
    retry_delay_seconds: list[float]
    retry_jitter_factor: float
    retry_condition_fn: Any


RETRIES: _Retries = {
    "retries": 3,
    "retry_delay_seconds": [2, 10, 30],
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": _can_help,
}


def report(receipt: Receipt) -> Receipt:
    """Log what became of a shard's rows."""
    why = ", ".join(f"{count} {reason}" for reason, count in receipt.reasons.items())
    get_run_logger().info(
        "%s %s: %d rows in, %d out%s",
        receipt.stage,
        receipt.name,
        receipt.rows_in,
        receipt.rows_out,
        f", {receipt.rejected} rejected ({why})" if receipt.rejected else "",
    )
    return receipt

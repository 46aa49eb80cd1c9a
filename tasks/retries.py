"""How Prefect retries a shard's task: three times with growing delays, and each wait says what it waits for."""

from __future__ import annotations

from contextvars import ContextVar
from datetime import datetime
from typing import Any, TypedDict

from prefect import Task, task_engine
from prefect.client.schemas.objects import State, TaskRun
from prefect.states import AwaitingRetry

from tasks.errors import retryable
from tasks.redaction import cause


class Retries(TypedDict, total=False):
    """What Prefect is told of retries."""

    retries: int
    retry_delay_seconds: list[float]
    retry_jitter_factor: float
    retry_condition_fn: Any


_WHY: ContextVar[str | None] = ContextVar("_WHY", default=None)
"""Why the task run of this thread is about to wait."""


def can_help(task: Task[Any, Any], task_run: TaskRun, state: State[Any]) -> bool:
    """Whether a retry can mend the failure: infrastructure yes, bad input and refused keys no."""
    error = state.data
    if not isinstance(error, BaseException) or not retryable(error):
        return False
    _WHY.set(f"try {task_run.run_count} of {task.retries + 1} failed: {cause(error)}")
    return True


def _awaiting_retry(scheduled_time: datetime | None = None) -> State[Any]:
    return AwaitingRetry(scheduled_time=scheduled_time, message=_WHY.get())


# Prefect's engine makes this state without a message, right after it has asked whether a retry can help and in the same
# thread. With one, the dashboard, the event feed and notifications can tell why a task waits.
task_engine.AwaitingRetry = _awaiting_retry  # type: ignore[attr-defined, assignment]

RETRIES: Retries = {
    "retries": 3,
    "retry_delay_seconds": [2, 10, 30],
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": can_help,
}

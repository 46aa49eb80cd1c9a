"""What Prefect knows of the tasks of a flow run: how long they took, which were done before, which were tried again."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterParentFlowRunId,
)
from prefect.client.schemas.objects import TaskRun
from prefect.client.schemas.sorting import TaskRunSort
from prefect.context import FlowRunContext
from prefect.logging import get_run_logger

from tasks.redaction import cause
from tasks.shards import spent_of
from tasks.timings import Spent

_PAGE = 200
_WAIT_S = 10.0
"""For the server to take in the events of the last task runs."""
MOST_RETRIED = 200
"""Task runs that are told one by one."""


@dataclass
class TaskTimes:
    """All runs of one task.

    Attributes:
        reused: found their shards done by an earlier run.
        retries: tries after the first.
    """

    task: str
    runs: int = 0
    reused: int = 0
    retries: int = 0
    failed: int = 0
    spent: Spent = field(default_factory=Spent)


@dataclass(frozen=True)
class Retried:
    """A task run that was tried more than once."""

    name: str
    tries: int
    state: str
    message: str


@dataclass
class FlowTimes:
    """The tasks of a flow run, in the order in which they began, and those of its runs that were tried again."""

    flow_run: UUID
    tasks: dict[str, TaskTimes] = field(default_factory=dict)
    retried: list[Retried] = field(default_factory=list)

    def add(self, run: TaskRun) -> None:
        """Take in one task run that has ended."""
        assert run.state is not None
        message, name = run.state.message or "", run.task_key.rsplit("-", 1)[0].replace("_", " ")
        spent = spent_of(message)
        times = self.tasks.setdefault(name, TaskTimes(name))
        times.runs += 1
        times.reused += run.state.name == "Cached"
        times.retries += max(0, run.run_count - 1)
        times.failed += not run.state.is_completed()
        times.spent.total += spent.total or run.total_run_time.total_seconds()
        times.spent.teacher += spent.teacher
        times.spent.sandbox += spent.sandbox
        if run.run_count > 1 and len(self.retried) < MOST_RETRIED:
            self.retried.append(Retried(run.name, run.run_count, run.state.name or "", message))


def times_so_far() -> FlowTimes | None:
    """The task runs of the flow run that this is called in.

    None outside one, and where the server does not tell: that is a line in the log.
    """
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return None
    try:
        return times_of(context.flow_run.id)
    except Exception as error:  # whatever it is: the server may be away
        get_run_logger().warning("where the time went is not known: %s", cause(error))
        return None


def times_of(flow_run: UUID) -> FlowTimes:
    """The task runs of a flow run and of those that it started, as far as the server has recorded them."""
    times, deadline = FlowTimes(flow_run), time.monotonic() + _WAIT_S
    with get_client(sync_client=True) as client:
        parents = [flow_run]
        while parents:
            children = _children(client, parents)
            for run in _ended(client, parents, deadline):
                times.add(run)
            parents = children
    return times


def _children(client: SyncPrefectClient, parents: Sequence[UUID]) -> list[UUID]:
    found = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=list(parents)))
    return [run.id for run in client.read_flow_runs(flow_run_filter=found, limit=_PAGE)]


def _ended(client: SyncPrefectClient, parents: Sequence[UUID], deadline: float) -> Iterator[TaskRun]:
    """Task runs of flow runs, in the order in which they began; waits for those that the server thinks are running."""
    of_parents = FlowRunFilter(id=FlowRunFilterId(any_=list(parents)))
    offset = 0
    while True:
        page = client.read_task_runs(
            flow_run_filter=of_parents, sort=TaskRunSort.EXPECTED_START_TIME_ASC, limit=_PAGE, offset=offset
        )
        # A flow run within another is there as a task run, too.
        mine = [run for run in page if run.state is None or run.state.state_details.child_flow_run_id is None]
        if any(run.state is None or not run.state.is_final() for run in mine) and time.monotonic() < deadline:
            time.sleep(0.3)
            continue
        yield from (run for run in mine if run.state is not None and run.state.is_final())
        if len(page) < _PAGE:
            return
        offset += _PAGE

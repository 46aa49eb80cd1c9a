"""What all tasks share: how they are tagged and retried, and what the dashboard and the log say of each."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, wraps
from threading import Lock
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast
from uuid import UUID

from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext, TaskRunContext
from prefect.logging import get_run_logger
from prefect.states import Completed

from tasks import metrics
from tasks.artifacts import COMMITS, Commit
from tasks.errors import retryable
from tasks.models import Reject
from tasks.planning import plan_in_the_making
from tasks.redaction import cause, one_line, redact
from tasks.retries import RETRIES, Retries
from tasks.timings import Spent, Waiting, measured
from tasks.unread import outlive_readers

P = ParamSpec("P")
R = TypeVar("R")

TEACHER, SANDBOX = "teacher", "sandbox"
"""Tags of tasks that ask a teacher, and of those that run code: a tag can be given a concurrency limit."""
_PAGE = 200
NAMED_ROWS = 5
"""Of the rows that a shard rejected, so many are named in the log."""

_names: defaultdict[str, set[str]] = defaultdict(set)
"""By tag, patterns of the names of task runs."""
_causes: defaultdict[UUID, list[str]] = defaultdict(list)
"""Of the task runs of this process that failed and are tried again."""
_lock = Lock()


@lru_cache(maxsize=64)
def _limited(flow_run: UUID) -> frozenset[str]:
    """Tags that the server has a limit for, as it was when a flow run first asked."""
    names: list[str] = []
    with get_client(sync_client=True) as client:
        while page := client.read_global_concurrency_limits(limit=_PAGE, offset=len(names)):
            names += [limit.name for limit in page]
    return frozenset(name.removeprefix("tag:") for name in names if name.startswith("tag:"))


class ShardTask(Task[P, R]):
    """A task whose function returns a state; called without ``submit`` it gives the value, as every task does.

    Its runs have those of its tags that the server has a limit for. About every tag of a task Prefect asks its server
    before the task runs, and writes to the database where there is no limit, too; with SQLite such writes fail on each
    other, and what a failed one leaves behind makes the server stand still for as long as it waits for a lock.
    """

    @property
    def tags(self) -> set[str]:
        """Of its runs in the flow run of this context."""
        context = FlowRunContext.get()
        if not self._tags or context is None or context.flow_run is None:
            return set()
        return self._tags & _limited(context.flow_run.id)

    @tags.setter
    def tags(self, wanted: set[str]) -> None:
        self._tags = wanted

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:  # type: ignore[override]
        if plan_in_the_making():
            return self.fn(*args, **kwargs)
        state: State[R] = super().__call__(*args, return_state=True, **kwargs)
        return state.result()

    if not TYPE_CHECKING:  # else it would hide the signatures of Prefect's own

        def submit(self, *args: Any, **kwargs: Any) -> Any:
            return self.fn(*args, **kwargs) if plan_in_the_making() else super().submit(*args, **kwargs)


def shard_task(
    task_run_name: str, *tags: str, retries: Retries = RETRIES
) -> Callable[[Callable[P, R]], ShardTask[P, R]]:
    """Make a function a Prefect task over a shard, as all stages have them.

    The task run's final state says what became of the rows, and is called ``Cached`` where nothing had to be done.

    Args:
        task_run_name: as of Prefect's ``task``.
        tags: what it needs, ``teacher`` or ``sandbox``.
        retries: other than usual.
    """

    for tag in tags:
        _names[tag].add(re.sub(r"{[^}]*}", "*", task_run_name))

    def decorate(work: Callable[P, R]) -> ShardTask[P, R]:
        @wraps(work)
        def told(*args: P.args, **kwargs: P.kwargs) -> R:
            # All that it needs is behind one name that can be imported: engines pickle this function by value.
            return run_told(work, args, kwargs)

        return ShardTask(told, task_run_name=task_run_name, tags=tags, cache_policy=NO_CACHE, **retries)

    return decorate


def names_of(*tags: str) -> list[str]:
    """Patterns, as of ``fnmatch``, of the names of task runs with any of these tags, of all modules imported so far."""
    return sorted(set().union(*(_names[tag] for tag in tags)))


def run_told(work: Callable[..., R], args: Sequence[Any], kwargs: dict[str, Any]) -> R:
    """Run a task's function, and tell what came of it: in the log, and by the state that the task run ends in."""
    context = TaskRunContext.get()
    if context is None:  # called as a function
        return work(*args, **kwargs)
    outlive_readers()
    commits: list[Commit] = []
    token = COMMITS.set(commits)
    try:
        with measured() as spent:
            value = work(*args, **kwargs)
    except Exception as error:
        redact(error)
        _tell_failure(context, error)
        raise
    finally:
        COMMITS.reset(token)
    with _lock:
        earlier = _causes.pop(context.task_run.id, [])
    _tell_rejects(commits)
    told = summary_of(commits, spent)
    if earlier:
        told += f"; before that, {'; '.join(earlier)}"
    reused = bool(commits) and all(one.reused for one in commits)
    if commits and not reused:
        for part in (*Waiting, "other"):
            metrics.SHARD_SECONDS.add(getattr(spent, part), {"stage": commits[0].receipt.stage, "part": str(part)})
        metrics.export_where_idle()
    # Prefect takes a state that a task returns for the run's own, and its data for what was returned.
    state: State[Any] = Completed(name="Cached" if reused else "Completed", message=told, data=value)
    return cast("R", state)


def _tell_failure(context: TaskRunContext, error: Exception) -> None:
    """One line on a try that failed; where it was not the last, it is remembered for the state at the end."""
    run, tries = context.task_run, context.task.retries + 1
    if run.run_count < tries and retryable(error):
        told = f"try {run.run_count} of {tries} failed: {cause(error)}"
        with _lock:
            _causes[run.id].append(told)
        get_run_logger().warning("%s: %s; it is tried again", run.name, told)
        return
    with _lock:
        _causes.pop(run.id, None)
    last = f"try {run.run_count} of {tries}, the last" if run.run_count > 1 else "no retry can help"
    get_run_logger().error("%s: failed (%s): %s", run.name, last, cause(error))
    error.add_note(f"{NOTE}{run.name}")


NOTE = "in task run "
"""What the note begins with that a failed task leaves on its error."""


def failed_in(error: BaseException) -> str:
    """The name of the task run that an error failed; empty where it is not known."""
    notes = [note for note in getattr(error, "__notes__", []) if note.startswith(NOTE)]
    return notes[-1].removeprefix(NOTE) if notes else ""


def summary_of(commits: Sequence[Commit], spent: Spent) -> str:
    """What became of the rows of a task's shards and where its time went, in one line."""
    stages = dict.fromkeys(one.receipt.stage for one in commits)
    told = [_stage_summary([one for one in commits if one.receipt.stage == stage]) for stage in stages]
    if not (commits and all(one.reused for one in commits)):
        told.append(took(spent))
    return "; ".join(told)


def took(spent: Spent) -> str:
    """Where the time went, as in ``12.1 s (teacher 8.0, sandbox 3.9)``; ``spent_of`` reads it back."""
    parts = [f"{what} {getattr(spent, what):.1f}" for what in Waiting if getattr(spent, what) >= _TOLD_S]
    return f"{spent.total:.1f} s" + (f" ({', '.join(parts)})" if parts else "")


def spent_of(message: str) -> Spent:
    """What ``took`` has told in the message of a task run's state; zeros where it has told nothing."""
    if not (found := _TOOK.search(message)):
        return Spent()
    parts = {what: float(seconds) for what, seconds in _PART.findall(found["parts"] or "")}
    return Spent(total=float(found["total"]), **parts)


_TOLD_S = 0.05
"""Shorter waits would be told as 0.0 s."""
_TOOK = re.compile(r"(?:^|; )(?P<total>\d+\.\d) s(?: \((?P<parts>[^)]*)\))?(?:; before that|$)")
_PART = re.compile(r"(teacher|sandbox) (\d+\.\d)")


def _stage_summary(commits: Sequence[Commit]) -> str:
    """``attempts part-00042-try-01: 256 rows in, 201 out, 55 rejected (55 malformed_reply)``."""
    receipts = [one.receipt for one in commits]
    reasons: Counter[str] = Counter()
    for receipt in receipts:
        reasons.update(receipt.reasons)
    shards = receipts[0].name if len(receipts) == 1 else f"{len(receipts)} shards"
    old = sum(one.reused for one in commits)
    done = f"{'' if old == len(commits) else f'{old} of them '}done by an earlier run, " if old else ""
    why = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
    rejected = f", {sum(one.rejected for one in receipts)} rejected ({why})" if reasons else ""
    rows_in, rows_out = sum(one.rows_in for one in receipts), sum(one.rows_out for one in receipts)
    return f"{receipts[0].stage} {shards}: {done}{rows_in} rows in, {rows_out} out{rejected}"


def _tell_rejects(commits: Iterable[Commit]) -> None:
    """Name the first rows that were rejected, so that they can be looked at."""
    for commit in commits:
        if commit.rejects:
            receipt = commit.receipt
            get_run_logger().info("%s %s rejected %s", receipt.stage, receipt.name, named(commit.rejects))


def named(rejects: Sequence[Reject]) -> str:
    """The first rejects by id and reason."""
    told = ", ".join(f"{one_line(one.id, 100)} ({one.reason.value})" for one in rejects[:NAMED_ROWS])
    more = len(rejects) - NAMED_ROWS
    return f"{told} and {more} more" if more > 0 else told

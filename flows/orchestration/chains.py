"""Running many shards at once: each shard is a chain of tasks, and a bounded number of chains is under way."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any, NoReturn, TypeVar

from prefect.exceptions import Pause
from prefect.futures import PrefectFuture, as_completed
from prefect.logging import get_run_logger

from tasks.errors import KodforgeError, RunBusy, StoreFull
from tasks.lease import check_lease
from tasks.teachers.clients import start_clients, stop_clients
from tasks.teachers.pending import STOPPED

T = TypeVar("T")
Chain = Generator[PrefectFuture[T], T, None]
"""One shard: yields the future of each task it submits, and is sent what that task returns, a receipt as a rule."""


class ShardsFailed(KodforgeError):
    """Some shards failed for good; all others are finished and stay."""

    def __init__(self, message: str, causes: Sequence[Exception] = ()) -> None:
        super().__init__(message)
        self.causes = list(causes)


def run_chains(
    chains: Sequence[Chain[T]], in_flight: int, finished: Callable[[int], None] = lambda done: None
) -> list[T]:
    """Run every chain to its end and return all receipts, chain by chain.

    A chain that fails does not stop the others, unless a disk is full: then no other is begun. Where the flow is paused
    (suspended, as Prefect says), the tasks that run are waited for, and no other is started. Where it is stopped,
    requests to teachers that are in flight may still be answered for a few seconds; what was answered is on disk.

    Args:
        in_flight: chains under way at once.
        finished: called with the number of chains that have ended, after each.

    Raises:
        ShardsFailed: at least one chain failed; its message names the first cause.
        RunBusy: another flow run has taken the run.
    """
    start_clients()
    receipts: list[list[T]] = [[] for _ in chains]
    waiting = list(reversed(range(len(chains))))
    running: dict[PrefectFuture[T], int] = {}
    causes: list[Exception] = []
    ended = 0

    def advance(number: int, receipt: T | None) -> bool:
        """Start the next task of a chain; False where the chain has ended."""
        check_lease()
        try:
            future = next(chains[number]) if receipt is None else chains[number].send(receipt)
        except StopIteration:
            return False
        running[future] = number
        return True

    try:
        while waiting or running:
            while waiting and len(running) < in_flight:
                if not advance(waiting.pop(), None):
                    ended += 1
            if not running:
                continue
            future = next(as_completed(list(running)))
            number = running.pop(future)
            try:
                receipt: Any = future.result()
                receipts[number].append(receipt)
                goes_on = advance(number, receipt)
            except RunBusy:
                raise
            except Exception as error:
                causes.append(error)
                goes_on = False
                waiting = [] if isinstance(error, StoreFull) else waiting
            if not goes_on:
                ended += 1
                finished(ended)
    except Pause:
        get_run_logger().warning("paused: %d tasks under way are finished, no other is started", len(running))
        _finish(running)
        raise
    except BaseException:  # Ctrl-C, SIGTERM, a cancellation in the UI: no shard may wait for a teacher any longer
        stop_clients()
        get_run_logger().warning("%s", STOPPED)
        raise
    if causes:
        _fail(causes, len(chains))
    return [receipt for group in receipts for receipt in group]


def _fail(causes: Sequence[Exception], shards: int) -> NoReturn:
    """Raise the first cause itself where no shard could be done, or the disk is full; else that some failed."""
    first = causes[0]
    if isinstance(first, KodforgeError) and (len(causes) == shards or isinstance(first, StoreFull)):
        first.causes = causes
        raise first
    raise shards_failed(causes, shards) from first


def shards_failed(causes: Sequence[Exception], shards: int) -> ShardsFailed:
    """The error for some of the shards."""
    return ShardsFailed(
        f"{len(causes)} of {shards} shards failed, the others are finished. First cause: {causes[0]!s}. "
        f"Mend it and run the same command again: finished shards and answered teacher calls are kept",
        causes,
    )


def _finish(futures: Iterable[PrefectFuture[Any]]) -> None:
    """Wait for tasks of a flow run that is paused: Prefect's own ways of waiting raise at once then."""
    ended = threading.Semaphore(0)
    for future in futures:
        future.add_done_callback(lambda _: ended.release())
    for _ in futures:
        ended.acquire()

"""Running many shards at once: each shard is a chain of tasks, and a bounded number of chains is under way."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, TypeVar

from prefect.futures import PrefectFuture, as_completed
from prefect.logging import get_run_logger

from tasks.errors import KodforgeError
from tasks.teachers.clients import start_clients, stop_clients
from tasks.teachers.pending import STOPPED

T = TypeVar("T")
Chain = Generator[PrefectFuture[T], T, None]
"""One shard: yields the future of each task it submits, and is sent what that task returns, a receipt as a rule."""


class ShardsFailed(KodforgeError):
    """Some shards failed for good; all others are finished and stay."""


def run_chains(
    chains: Sequence[Chain[T]], in_flight: int, finished: Callable[[int], None] = lambda done: None
) -> list[T]:
    """Run every chain to its end and return all receipts, chain by chain.

    A chain that fails does not stop the others. Where the flow is stopped, requests to teachers that are in flight may
    still be answered for a few seconds; what was answered is on disk.

    Args:
        in_flight: chains under way at once.
        finished: called with the number of chains that have ended, after each.

    Raises:
        ShardsFailed: at least one chain failed; its message names the first cause.
    """
    start_clients()
    receipts: list[list[T]] = [[] for _ in chains]
    waiting = list(reversed(range(len(chains))))
    running: dict[PrefectFuture[T], int] = {}
    causes: list[Exception] = []
    ended = 0

    def advance(number: int, receipt: T | None) -> bool:
        """Start the next task of a chain; False where the chain has ended."""
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
            except Exception as error:
                causes.append(error)
                goes_on = False
            if not goes_on:
                ended += 1
                finished(ended)
    except BaseException:  # Ctrl-C, SIGTERM, a cancellation in the UI: no shard may wait for a teacher any longer
        stop_clients()
        get_run_logger().warning("%s", STOPPED)
        raise
    if causes:
        if isinstance(causes[0], KodforgeError) and len(causes) == len(chains):
            raise causes[0]
        raise ShardsFailed(
            f"{len(causes)} of {len(chains)} shards failed, the others are finished. First cause: {causes[0]!s}. "
            f"Mend it and run the same command again: finished shards and answered teacher calls are kept"
        ) from causes[0]
    return [receipt for group in receipts for receipt in group]

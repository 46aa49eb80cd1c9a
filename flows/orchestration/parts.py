"""Stages of very many shards, cut into flow runs of which the dashboard can show each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from prefect.context import FlowRunContext

from flows.orchestration.chains import Chain, ShardsFailed, run_chains, shards_failed
from flows.orchestration.hooks import flow
from tasks.settings import BuildConfig

T = TypeVar("T")

MOST_SHARDS = 200
"""Of one flow run. Verification makes up to 25 task runs of a shard, and the graph of a flow run ends at 10,000."""


def run_shards(config: BuildConfig, chains: Sequence[Chain[T]], finished: Callable[[int], None]) -> list[T]:
    """Run the chains of a stage as ``run_chains`` does; those of many shards in flow runs below this one, in turn.

    Args:
        finished: called with the number of chains that have ended, after each.

    Raises:
        ShardsFailed: at least one chain failed; all others are finished.
        KodforgeError: nothing of a part could be done, and so nothing of those after it was tried.
    """
    if len(chains) <= MOST_SHARDS:
        return run_chains(chains, config.shards_in_flight, finished)
    context = FlowRunContext.get()
    assert context is not None, "chains are run by a flow"
    runner = context.task_runner

    @flow(name="shards", flow_run_name="shards {first}-{last} {config.run}")
    def part(config: BuildConfig, first: int, last: int) -> list[T]:
        own = FlowRunContext.get()
        assert own is not None
        # The engine is the stage's: it has been started, and has workers that know the run.
        with own.model_copy(update={"task_runner": runner}):
            return run_chains(
                chains[first - 1 : last], config.shards_in_flight, lambda ended: finished(first - 1 + ended)
            )

    results: list[T] = []
    causes: list[Exception] = []
    for before in range(0, len(chains), MOST_SHARDS):
        try:
            results += part(config, before + 1, min(before + MOST_SHARDS, len(chains)))
        except ShardsFailed as error:
            causes += error.causes
    if causes:
        raise shards_failed(causes, len(chains)) from causes[0]
    return results

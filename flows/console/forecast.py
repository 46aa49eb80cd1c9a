"""A run forecast: the rates that come with kodforge, or those of a run that was made; simulated for some workers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType, FlowRunFilterTags
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.sorting import FlowRunSort
from rich.console import Console

from flows.orchestration.task_times import TaskTimes, times_of
from tasks.errors import BadInput
from tasks.forecast.measured import measured_rates
from tasks.forecast.rates import DEFAULT, Rates, read_rates
from tasks.forecast.report import show
from tasks.forecast.simulate import Forecast, Simulation
from tasks.forecast.work import work_of
from tasks.run import Run, StageName
from tasks.settings import BuildConfig

_STAGE_OF = {
    "write questions": StageName.QUESTIONS,
    "generate attempts": StageName.ATTEMPTS,
    "execute attempts": StageName.VERDICTS,
    "solve questions": StageName.SOLUTIONS,
    "cross check": StageName.CROSSCHECKS,
    "audit attempts": StageName.AUDITS,
    "label triplets": StageName.TRIPLETS,
    "convert rows": StageName.CONVERSIONS,
    "verify conversions": StageName.RETOLD,
    "curate retold": StageName.CONVERTED,
    "answer rows": StageName.RESPONSES,
    "grade responses": StageName.GRADES,
    "rerun references": StageName.REFERENCES,
}
"""Which stage a task writes."""
_CURATION = {
    "sign block",
    "examine block",
    "learn centroids",
    "place block",
    "find near",
    "find semantic",
    "cluster duplicates",
    "curate shard",
    "select rows",
    "report curation",
}
_BUILD = "flow:build-dataset"


def forecast(config: BuildConfig, rates: Rates, workers: Sequence[int], seeds: int) -> dict[int, list[Forecast]]:
    """Simulate a run of a config for each number of workers, with as many draws as there are seeds."""
    work = work_of(config)
    return {
        count: [Simulation(work, rates, count, config.seed + seed).run() for seed in range(seeds)] for count in workers
    }


def rates_of(config: BuildConfig) -> dict[str, Any]:
    """Rates of a run that was built: from its store, and what Prefect knows of its tasks' time.

    Raises:
        BadInput: the run was not verified to its end, or the Prefect server knows of no flow run that did all of it.
    """
    times = _times(config)
    own: dict[StageName, float] = defaultdict(float)
    whole: dict[str, float] = defaultdict(float)
    for name, one in times.items():
        if name in _STAGE_OF:
            own[_STAGE_OF[name]] += one.spent.other
        elif name in _CURATION:
            whole["curation"] += one.spent.total
        elif name == "publish release":
            whole["publishing"] += one.spent.total
    boxed = {
        _STAGE_OF[name]: one.spent.sandbox for name, one in times.items() if name in _STAGE_OF and one.spent.sandbox
    }
    return measured_rates(Run(config=config, teachers=config.teachers), own, whole, boxed)


def _times(config: BuildConfig) -> Mapping[str, TaskTimes]:
    """Of the last flow run that built the run in one go."""
    tags = FlowRunFilterTags(all_=[f"run:{config.run}", _BUILD])
    state = FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.COMPLETED]))
    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(tags=tags, state=state), sort=FlowRunSort.START_TIME_DESC, limit=20
        )
    for flow_run in found:
        times = times_of(flow_run.id).tasks
        if times and not any(one.reused for one in times.values()):
            return times
    raise BadInput(
        f"the Prefect server knows of no flow run that built {config.run!r} without finding shards of an earlier one: "
        f"how long its tasks took cannot be told. Build it anew under another name (--set run=…), with the same server"
    )


def run_forecast(
    config: BuildConfig,
    workers: Sequence[int],
    seeds: int,
    rates: Path | None,
    measured: BuildConfig | None,
    write: Path | None,
    console: Console,
) -> None:
    """Forecast, and print what it says.

    Args:
        rates: YAML file of rates.
        measured: a run whose rates take the place of the file's.
        write: YAML file for the rates that the forecast went by.
    """
    known = read_rates(rates or DEFAULT, rates_of(measured) if measured else None)
    if write:
        try:
            write.write_text(yaml.safe_dump(known.model_dump(mode="json"), sort_keys=False), encoding="utf-8")
        except OSError as error:
            raise BadInput(f"cannot write {str(write)!r}: {error}. Give another file") from error
    found = forecast(config, known, workers, seeds)
    first = next(iter(found.values()))[0]
    console.print(
        f"Forecast of run {config.run!r}: {first.questions:,} prompts, at most "
        f"{first.questions * config.verification.attempts:,} attempts; nothing was asked",
        highlight=False,
    )
    show(found, console)

"""Days that a deployment has missed: a flow run for each, as its schedule would have made."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import ConcurrencyLimitStrategy, FlowRun, StateType
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL
from prefect.states import Scheduled
from pydantic import ValidationError
from rich.console import Console

from flows.console.options import describe
from flows.orchestration.preflight import check_prefect
from tasks.errors import BadInput
from tasks.publishing.folder import read_manifest, release_store
from tasks.settings import BuildConfig

TAG = "backfill"
_FLOW = "build-dataset"
_MOST_DAYS = 366
_LIVE = [StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING, StateType.PAUSED, StateType.CANCELLING]
_PAGE = 200


@dataclass(frozen=True)
class Day:
    """One day of a backfill.

    Attributes:
        why_not: why no flow run is made for it; empty where one is.
    """

    config: BuildConfig
    why_not: str


def backfill(
    name: str, first: datetime.date, last: datetime.date, every: bool, dry_run: bool, console: Console
) -> list[FlowRun]:
    """Schedule a flow run of a deployment for each day that has no finished release.

    They start as the deployment's concurrency limit lets them.

    Args:
        name: of the deployment, with or without its flow.
        every: also for days that have one; of these only what changed is done again.
        dry_run: schedule nothing.

    Returns:
        The flow runs, a day after the other.

    Raises:
        BadInput: there is no such deployment or no server, its run is not named by the day, or the days are wrong.
    """
    days = list(_days(first, last))
    check_prefect()
    if not PREFECT_API_URL.value():
        raise BadInput("a backfill needs the Prefect server that has the deployment. Set PREFECT_API_URL to its API")
    made = []
    with get_client(sync_client=True) as client:
        deployment = _deployment(client, name)
        given = deployment.parameters.get("config") or {}
        live = _days_under_way(client, deployment)
        for day in days:
            one = _look(deployment, given, day, live, every)
            console.print(f"{day}  {one.config.run}  {one.why_not or 'to be scheduled'}", highlight=False)
            if not one.why_not and not dry_run:
                parameters = {**deployment.parameters, "config": {**given, "date": day.isoformat()}}
                run = client.create_flow_run_from_deployment(
                    deployment.id,
                    parameters=parameters,
                    name=f"{TAG} {one.config.run}",
                    tags=[TAG],
                    state=Scheduled(message="Backfill"),
                )
                made.append(run)
    console.print(f"{len(made)} flow runs scheduled", highlight=False)
    return made


def _days(first: datetime.date, last: datetime.date) -> Iterator[datetime.date]:
    today = datetime.datetime.now(datetime.UTC).date()
    if not first <= last <= today:
        raise BadInput(f"--from {first} and --to {last} must be in order, and no later than today, {today} in UTC")
    count = (last - first).days + 1
    if count > _MOST_DAYS:
        raise BadInput(f"--from {first} to {last} are {count} days, more than {_MOST_DAYS}. Give fewer at once")
    return (first + datetime.timedelta(days=number) for number in range(count))


def _deployment(client: SyncPrefectClient, name: str) -> DeploymentResponse:
    full = name if "/" in name else f"{_FLOW}/{name}"
    try:
        deployment = client.read_deployment_by_name(full)
    except ObjectNotFound as error:
        where = f"there is no deployment {full!r} on {client.api_url}"
        raise BadInput(f"{where}. `prefect deployment ls` lists those that there are") from error
    options = deployment.concurrency_options
    if options and options.collision_strategy == ConcurrencyLimitStrategy.CANCEL_NEW:
        raise BadInput(
            f"deployment {full!r} cancels flow runs beyond its concurrency limit, so that all days but the first would "
            f"be cancelled. Set its concurrency_limit.collision_strategy to ENQUEUE"
        )
    return deployment


def _days_under_way(client: SyncPrefectClient, deployment: DeploymentResponse) -> set[datetime.date]:
    """The days of flow runs of a deployment that have not ended."""
    wanted = FlowRunFilter(
        deployment_id=FlowRunFilterDeploymentId(any_=[deployment.id]),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=_LIVE)),
    )
    found: list[FlowRun] = []
    while len(page := client.read_flow_runs(flow_run_filter=wanted, limit=_PAGE, offset=len(found))) == _PAGE:
        found += page
    return {day for run in [*found, *page] if (day := _day_of(run))}


def _day_of(run: FlowRun) -> datetime.date | None:
    if date := (run.parameters.get("config") or {}).get("date"):
        return datetime.date.fromisoformat(date)
    return run.expected_start_time.astimezone(datetime.UTC).date() if run.expected_start_time else None


def _look(
    deployment: DeploymentResponse, given: dict[str, Any], day: datetime.date, live: set[datetime.date], every: bool
) -> Day:
    try:
        config = BuildConfig(**{**given, "date": day})
    except ValidationError as error:
        raise BadInput(f"deployment {deployment.name!r}: {describe(error)}") from error
    if not config.is_dated:
        raise BadInput(
            f"deployment {deployment.name!r} makes one run, {config.run!r}, whatever the day. Name its run by the day, "
            f"as in run: {config.run}-{{date}}, to have one for each"
        )
    dated = config.on(day)
    if day in live:
        return Day(dated, "is under way, or waits for its turn")
    if not every and read_manifest(release_store(dated)):
        return Day(dated, "has its release")
    return Day(dated, "")

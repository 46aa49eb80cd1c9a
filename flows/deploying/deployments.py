"""The deployments of a prefect.yaml, in a work pool."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate, DeploymentScheduleUpdate, DeploymentUpdate
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyOptions, DeploymentSchedule
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import ObjectNotFound
from prefect.flows import Flow, load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema
from pydantic import BaseModel

from flows.deploying.options import DeployOptions, PoolType
from flows.deploying.plan import Step, step_of
from tasks.errors import BadInput

_START_IN = "prefect.deployments.steps.set_working_directory"


def read_deployments(file: Path, only: tuple[str, ...]) -> list[dict[str, Any]]:
    """The deployments of a prefect.yaml.

    Raises:
        BadInput: the file cannot be read, or has no deployment of a name that was given.
    """
    try:
        entries: list[dict[str, Any]] = yaml.safe_load(file.read_text())["deployments"]
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise BadInput(f"cannot read the deployments of {str(file)!r}: {error!r}. Give a prefect.yaml") from error
    names = [entry["name"] for entry in entries]
    if missing := [name for name in only if name not in names]:
        raise BadInput(f"{file} has no deployment {missing[0]!r}. It has {', '.join(names)}")
    return [entry for entry in entries if not only or entry["name"] in only]


def plan_deployments(
    client: SyncPrefectClient,
    entries: list[dict[str, Any]],
    there: list[DeploymentResponse | None],
    options: DeployOptions,
) -> list[Step]:
    """A deployment for each entry. Schedules that somebody switched off or on stay so, and so does a paused one.

    Args:
        there: what the server has of each entry.
    """
    return [_step(client, entry, found, options) for entry, found in zip(entries, there, strict=True)]


def found_deployment(client: SyncPrefectClient, entry: Mapping[str, Any]) -> DeploymentResponse | None:
    """What the server has of an entry."""
    flow: Flow[..., Any] = load_flow_from_entrypoint(entry["entrypoint"])
    try:
        return client.read_deployment_by_name(f"{flow.name}/{entry['name']}")
    except ObjectNotFound:
        return None


def directory_of(deployment: DeploymentResponse) -> str | None:
    """The folder that its runs start in; None for those of an image."""
    for step in deployment.pull_steps or ():
        if place := step.get(_START_IN):
            return str(place["directory"])
    return None


def _step(
    client: SyncPrefectClient, entry: Mapping[str, Any], found: DeploymentResponse | None, options: DeployOptions
) -> Step:
    flow: Flow[..., Any] = load_flow_from_entrypoint(entry["entrypoint"])
    name = f"{flow.name}/{entry['name']}"
    wanted = _wanted(entry, flow, options)
    schedules = [_schedule(one) for one in entry.get("schedules", [])]
    if found is None:

        def create() -> object:
            flow_id = client.create_flow_from_name(flow.name)
            return client.create_deployment(flow_id=flow_id, name=entry["name"], schedules=schedules, **wanted)

        return step_of("deployment", name, {}, None, create, _told(entry))

    def update() -> None:
        change = DeploymentUpdate.model_validate(wanted)
        if _rhythm(schedules) != _rhythm(found.schedules):
            change.schedules = [DeploymentScheduleUpdate.model_validate(one.model_dump()) for one in schedules]
        client.update_deployment(found.id, change)

    return step_of(
        "deployment",
        name,
        _plain({**wanted, "schedules": _rhythm(schedules)}),
        _plain({**_found(found), "schedules": _rhythm(found.schedules)}),
        update,
    )


def _wanted(entry: Mapping[str, Any], flow: Flow[..., Any], options: DeployOptions) -> dict[str, Any]:
    """What a deploy decides on: all but schedules, and whether the deployment is paused."""
    limit = entry.get("concurrency_limit")
    given = ConcurrencyLimitConfig.model_validate(limit) if isinstance(limit, dict) else None
    place = [{_START_IN: {"directory": str(options.directory)}}]
    return {
        "description": entry.get("description") or flow.description,
        "entrypoint": entry["entrypoint"],
        "enforce_parameter_schema": True,
        "job_variables": entry.get("work_pool", {}).get("job_variables", {}),
        "parameter_openapi_schema": parameter_schema(flow).model_dump(exclude_unset=True),
        "parameters": entry.get("parameters", {}),
        "pull_steps": place if options.pool_type is PoolType.PROCESS else [],  # an image has a place of its own
        "tags": sorted(entry.get("tags", [])),
        "work_pool_name": options.pool,
        "concurrency_limit": given.limit if given else limit,
        "concurrency_options": ConcurrencyOptions.model_validate(given.model_dump()) if given else None,
    }


def _found(found: DeploymentResponse) -> dict[str, Any]:
    limit = found.global_concurrency_limit
    same = ("description", "entrypoint", "enforce_parameter_schema", "job_variables", "parameter_openapi_schema")
    values = {name: getattr(found, name) for name in (*same, "parameters", "work_pool_name", "concurrency_options")}
    return {
        **values,
        "pull_steps": found.pull_steps or [],
        "tags": sorted(found.tags),
        "concurrency_limit": limit.limit if limit else None,
    }


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Values as JSON has them, in which they can be compared."""
    read: dict[str, Any] = json.loads(json.dumps(values, default=_jsonable))
    return read


def _jsonable(value: Any) -> Any:
    return value.model_dump(mode="json", exclude_none=True) if isinstance(value, BaseModel) else str(value)


def _schedule(entry: Mapping[str, Any]) -> DeploymentScheduleCreate:
    timing = CronSchedule(cron=entry["cron"], timezone=entry.get("timezone", "UTC"))
    return DeploymentScheduleCreate(schedule=timing, active=entry.get("active", True), slug=entry.get("slug"))


def _rhythm(schedules: Iterable[DeploymentScheduleCreate | DeploymentSchedule]) -> list[list[Any]]:
    """When schedules start runs; not whether they are switched on, which is the operator's to say."""
    return sorted(
        [one.slug or "", one.schedule.model_dump(mode="json", include={"cron", "timezone"})] for one in schedules
    )


def _told(entry: Mapping[str, Any]) -> str:
    schedules = [
        f"{one['cron']}{'' if one.get('active', True) else ' (switched off)'}" for one in entry.get("schedules", [])
    ]
    return "schedule " + ", ".join(schedules) if schedules else ""

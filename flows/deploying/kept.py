"""What an earlier deploy was told and this one is not: the server has it, and it stays."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.responses import DeploymentResponse
from prefect.events.actions import SendNotification
from prefect.events.schemas.automations import Automation, EventTrigger
from prefect.exceptions import ObjectNotFound
from pydantic import ValidationError

from flows.console.options import describe
from flows.deploying.automations import RESTARTS, STUCK, WATCHES, ZOMBIES
from flows.deploying.deployments import directory_of
from flows.deploying.options import DeployOptions, PoolType
from tasks.errors import BadInput
from tasks.settings import Backend


def with_kept(client: SyncPrefectClient, options: DeployOptions, there: list[DeploymentResponse]) -> DeployOptions:
    """The options, with what was left out as the server has it; where it has nothing, their defaults stay.

    Args:
        there: deployments of the prefect.yaml that the server has.

    Raises:
        BadInput: the deployments that are there do not agree on it, or it is out of bounds by now.
    """
    kept: dict[str, Any] = {}
    kept |= _agreed("pool", [found.work_pool_name for found in there if found.work_pool_name], options)
    pool = kept.get("pool", options.pool)
    kept |= _pool(client, pool)
    alike = [found for found in there if found.work_pool_name == pool] or there
    kept |= _agreed("directory", [place for found in alike if (place := directory_of(found))], options)
    kept |= _watching(client)
    try:
        return DeployOptions.model_validate(kept | options.model_dump(exclude_unset=True))
    except ValidationError as error:
        raise BadInput(f"what the server has from an earlier deploy does not do: {describe(error)}") from error


def _agreed(name: str, values: list[Any], options: DeployOptions) -> dict[str, Any]:
    if name in options.model_fields_set or not values:
        return {}
    if len(different := sorted({str(value) for value in values})) > 1:
        raise BadInput(
            f"the deployments of {options.file} are on the server with several values of --{name}: "
            f"{', '.join(different)}. Say which with --{name}, and with --only for which of them"
        )
    return {name: values[0]}


def _pool(client: SyncPrefectClient, name: str) -> dict[str, Any]:
    """Type of the pool, and what its jobs are: image and sandbox."""
    try:
        pool = client.read_work_pool(name)
    except ObjectNotFound:
        return {}
    variables = pool.base_job_template.get("variables", {}).get("properties", {})
    image = variables.get("image", {}).get("default")
    backend = (variables.get("env", {}).get("default") or {}).get("KODFORGE_SANDBOX__BACKEND")
    kept = {"image": image} if image else {}
    kept |= {"pool_type": pool.type} if pool.type in set(PoolType) else {}  # else it is told what is in the way
    return kept | ({"sandbox": backend} if backend in set(Backend) else {})


def _watching(client: SyncPrefectClient) -> dict[str, Any]:
    """Whom the automations tell, and what they wait for."""
    found = {one.name: one for name in WATCHES for one in client.read_automations_by_name(name)}
    kept: dict[str, Any] = {}
    if seconds := _within(found.get(ZOMBIES)):
        kept["zombie_after_s"] = int(seconds)
    if seconds := _within(found.get(STUCK)):
        kept["stuck_after_min"] = seconds / 60
    if (again := found.get(RESTARTS)) and isinstance(again.trigger, EventTrigger):
        kept["restarts"] = len(again.trigger.match["prefect.run-count"] or ())
    blocks = {
        action.block_document_id: None
        for one in found.values()
        for action in one.actions
        if isinstance(action, SendNotification)
    }
    named = {name: "" for block in blocks if (name := _name_of(client, block))}
    return kept | ({"notify": named} if named else {})


def _name_of(client: SyncPrefectClient, block: UUID) -> str | None:
    """TYPE/NAME of a block; None where somebody has removed it."""
    try:
        document = client.read_block_document(block, include_secrets=False)
    except ObjectNotFound:
        return None
    return f"{document.block_type.slug}/{document.name}" if document.block_type else None


def _within(automation: Automation | None) -> float | None:
    trigger = automation.trigger if automation else None
    return trigger.within.total_seconds() if isinstance(trigger, EventTrigger) else None

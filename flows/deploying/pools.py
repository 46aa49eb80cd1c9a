"""Work pools, and the job templates that say what a run of each gets."""

from __future__ import annotations

import os
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.exceptions import ObjectNotFound
from prefect.utilities.asyncutils import run_coro_as_sync
from prefect.utilities.collections import deep_merge
from prefect.workers.utilities import get_default_base_job_template_for_infrastructure_type

from flows.deploying.options import STORE_IN_IMAGE, DeployOptions, PoolType
from flows.deploying.plan import Step, step_of
from tasks.errors import BadInput
from tasks.settings import Backend

FOLDER = Path(__file__).resolve().parents[2] / "deployments" / "pools"
SOCKET = Path("/var/run/docker.sock")
_DESCRIPTION = "Runs of kodforge. Made by `kodforge deploy`."


class PlannedPool(NamedTuple):
    step: Step
    template: dict[str, Any]


def plan_pool(client: SyncPrefectClient, options: DeployOptions) -> PlannedPool:
    """The work pool. Of one that is there only what the deploy decides on is changed.

    Raises:
        BadInput: it is there with another type, or its type is not installed.
    """
    try:
        found = client.read_work_pool(options.pool)
    except ObjectNotFound:
        template = job_template(_default_template(options.pool_type), options)
        new = WorkPoolCreate(
            name=options.pool,
            type=str(options.pool_type),
            description=_DESCRIPTION,
            base_job_template=template,
        )
        told = f"type {options.pool_type}"
        create = step_of("work pool", options.pool, {}, None, lambda: client.create_work_pool(new), told)
        return PlannedPool(create, template)
    if found.type != options.pool_type:
        raise BadInput(
            f"the work pool {options.pool!r} is there and has type {found.type!r}, not {str(options.pool_type)!r}. "
            f"Name another with --pool, or give --pool-type {found.type}"
        )
    template = job_template(found.base_job_template, options)
    change = WorkPoolUpdate(base_job_template=template)
    update = step_of(
        "work pool",
        options.pool,
        {"job template": template},
        {"job template": found.base_job_template},
        lambda: client.update_work_pool(options.pool, change),
    )
    return PlannedPool(update, template)


def job_template(template: dict[str, Any], options: DeployOptions) -> dict[str, Any]:
    """A base job template with what kodforge's jobs need put in.

    Args:
        template: Prefect's own of the pool's type, or the pool's as it is.
    """
    changed = deepcopy(template)
    env = changed["variables"]["properties"].get("env", {}).get("default") or {}
    parts = [_read(f"{options.pool_type}.yaml"), _sandbox_part(options), _chosen(options, env)]
    for part in parts:
        changed["job_configuration"] = deep_merge(changed["job_configuration"], part.get("job_configuration", {}))
        for name, value in part.get("variables", {}).items():
            variable = changed["variables"]["properties"].setdefault(name, {"title": name.replace("_", " ").title()})
            usual = variable.get("default")
            both = isinstance(usual, dict) and isinstance(value, dict)
            variable["default"] = deep_merge(usual, value) if both else value
    return changed


def _read(name: str) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text())
    return read


def _sandbox_part(options: DeployOptions) -> dict[str, Any]:
    """What the sandbox inside a job needs."""
    if options.pool_type is not PoolType.DOCKER:
        backend = options.sandbox
        return {"variables": {"env": {"KODFORGE_SANDBOX__BACKEND": str(backend)}}} if backend != Backend.AUTO else {}
    if options.sandbox is Backend.BUBBLEWRAP:
        return _read("docker-bubblewrap.yaml")
    part = _read("docker-socket.yaml")
    if SOCKET.exists():
        # The job is not root, and the socket belongs to a group whose number differs from host to host.
        part["variables"]["container_create_kwargs"]["group_add"] = [str(os.stat(SOCKET).st_gid)]
    return part


def _chosen(options: DeployOptions, before: Mapping[str, str]) -> dict[str, Any]:
    """What was given.

    Args:
        before: environment of the jobs as the pool has it.
    """
    env = dict(options.env)
    # Resolved by the worker as it starts a job: the value is in no template.
    env |= {variable: f"{{{{ prefect.blocks.secret.{name} }}}}" for name, variable in options.secrets.items()}
    variables: dict[str, Any] = {"env": env} if env else {}
    if options.pool_type is not PoolType.PROCESS:
        variables["image"] = options.image
        variables["env"] = {"KODFORGE_STORE": before.get("KODFORGE_STORE", STORE_IN_IMAGE)} | env
    return {"variables": variables}


def _default_template(kind: PoolType) -> dict[str, Any]:
    template = run_coro_as_sync(get_default_base_job_template_for_infrastructure_type(str(kind)))
    if template is None:
        raise BadInput(
            f"work pools of type {str(kind)!r} are not installed. Install them: pip install 'kodforge[{kind}]'"
        )
    return template

"""What the configs of deployments name on the server: keys and limits."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_type_hints

from prefect.client.orchestration import SyncPrefectClient
from prefect.exceptions import ObjectNotFound
from prefect.flows import load_flow_from_entrypoint
from pydantic import BaseModel, ValidationError

from flows.console.options import describe
from flows.deploying.options import DeployOptions, PoolType
from tasks.errors import BadInput
from tasks.settings.section import Tree
from tasks.settings.stages import Hub
from tasks.settings.teachers import Server


def configs_of(entries: Iterable[Mapping[str, Any]]) -> list[Tree]:
    """The configs that deployments start their runs with.

    Raises:
        BadInput: one is wrong.
    """
    configs = []
    for entry in entries:
        kind = get_type_hints(load_flow_from_entrypoint(entry["entrypoint"]).fn).get("config")
        if not (isinstance(kind, type) and issubclass(kind, Tree)):
            continue
        try:
            configs.append(kind(**entry.get("parameters", {}).get("config", {})))
        except ValueError as error:  # of pydantic, or of a profile that cannot be read
            told = describe(error) if isinstance(error, ValidationError) else str(error)
            raise BadInput(f"the parameters of the deployment {entry['name']!r} are wrong: {told}") from error
    return configs


def sections(value: Any) -> Iterator[BaseModel]:
    """A config and all sections within it."""
    if isinstance(value, BaseModel):
        yield value
        for name in type(value).model_fields:
            yield from sections(getattr(value, name))
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from sections(part)
    elif isinstance(value, tuple | list):
        for part in value:
            yield from sections(part)


def wanted_secrets(client: SyncPrefectClient, configs: Iterable[Tree], options: DeployOptions) -> dict[str, str]:
    """Every Secret block that is to be made, and the variable with its value.

    These are what the command was given, and what a profile names a block and a variable for.

    Raises:
        BadInput: a profile names a block that is not there, and nothing says where its value is.
    """
    secrets = dict(options.secrets)
    for section in (one for config in configs for one in sections(config)):
        if isinstance(section, Server) and section.api_key_block:
            name, variable = section.api_key_block, ""
        elif isinstance(section, Hub) and section.token_block:
            name, variable = section.token_block, section.token_env
        else:
            continue
        if name in secrets or _has_secret(client, name):
            continue
        if not os.environ.get(variable, ""):
            raise BadInput(
                f"a profile names the Secret block {name!r}, which is not there. Say which environment variable holds "
                f"its value: --secret {name}={variable or 'VARIABLE'}"
            )
        secrets[name] = variable
    return secrets


def keys_not_passed(configs: Iterable[Tree], options: DeployOptions, template: Mapping[str, Any]) -> list[str]:
    """The variables with keys that profiles name and that the jobs of a pool of containers will not have."""
    if options.pool_type is PoolType.PROCESS:
        return []  # they have the environment of their worker
    env = template["variables"]["properties"]["env"].get("default", {})
    named = {one.api_key_env for config in configs for one in sections(config) if isinstance(one, Server)}
    return sorted(named - {"", *env})


def _has_secret(client: SyncPrefectClient, name: str) -> bool:
    try:
        client.read_block_document_by_name(name, "secret", include_secrets=False)
    except ObjectNotFound:
        return False
    return True

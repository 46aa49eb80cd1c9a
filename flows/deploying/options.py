"""What ``kodforge deploy`` is told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import Field, field_validator, model_validator

from tasks.settings import Backend
from tasks.settings.section import Section

IMAGE = "kodforge-worker"
STORE_IN_IMAGE = "/data/store"


class PoolType(StrEnum):
    """Where the flow runs of a pool take place."""

    PROCESS = "process"
    DOCKER = "docker"
    KUBERNETES = "kubernetes"


class DeployOptions(Section):
    """What is deployed, where to, and who hears of trouble.

    What is not set explicitly stays as the server has it from an earlier deploy; the defaults are those of the first.
    """

    file: Path = Field(description="The prefect.yaml with the deployments.")
    only: tuple[str, ...] = Field((), description="Names of deployments; empty: all of the file.")
    pool: str = Field("kodforge", min_length=1, description="Work pool.")
    pool_type: PoolType = Field(PoolType.PROCESS, description="Its type.")
    image: str = Field(IMAGE, min_length=1, description="Image of a Docker or Kubernetes pool's jobs.")
    sandbox: Backend = Field(Backend.AUTO, description="Backend of the jobs' sandbox; `auto`: as the pool has it.")
    directory: Path = Field(
        default_factory=Path.cwd,
        description="Folder that a process pool's runs start in; a relative store is below it.",
    )
    env: Mapping[str, str] = Field({}, description="Environment of the jobs.")
    secrets: Mapping[str, str] = Field({}, description="Secret blocks, and the variables that hold their values.")
    notify: Mapping[str, str] = Field(
        {},
        description="Kinds of notification, and the variables with their webhooks' URLs; empty for a block there is.",
    )
    zombie_after_s: int = Field(
        180, ge=40, le=86_400, description="Silence after which a run counts as crashed; a run is heard every 30 s."
    )
    restarts: int = Field(3, ge=0, le=100, description="How often a crashed run is started again.")
    stuck_after_min: float = Field(
        120, ge=0.2, le=10_080, description="Minutes in one attempt at a shard after which somebody is told."
    )

    @field_validator("secrets", "notify")
    @classmethod
    def _names_variables(cls, values: Mapping[str, str]) -> Mapping[str, str]:
        for name, variable in values.items():
            if "/" not in name and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", variable):
                raise ValueError(
                    f"{name}=… must name an environment variable, such as {name}=MY_VARIABLE. A value itself does not "
                    f"belong on a command line, where every user of the machine can read it"
                )
        return values

    @field_validator("secrets")
    @classmethod
    def _names_blocks(cls, values: Mapping[str, str]) -> Mapping[str, str]:
        for name in values:
            if not re.fullmatch(r"[a-z0-9-]+", name):
                raise ValueError(
                    f"the name of a Secret block must be lower case letters, digits and dashes, got {name!r}"
                )
        return values

    @model_validator(mode="after")
    def _sandbox_fits(self) -> Self:
        if self.pool_type is PoolType.KUBERNETES and self.sandbox is Backend.DOCKER:
            raise ValueError("sandbox is docker and pool_type kubernetes: a pod has no Docker daemon. Use bubblewrap")
        return self

"""Sandbox and release."""

from __future__ import annotations

import os
from enum import StrEnum

from pydantic import Field

from tasks.settings.licensing import Licensing
from tasks.settings.place import StoreUrl
from tasks.settings.section import Section


class Backend(StrEnum):
    AUTO = "auto"
    DOCKER = "docker"
    BUBBLEWRAP = "bubblewrap"


class TierChoice(StrEnum):
    """`auto` isolates the tests wherever they allow it."""

    AUTO = "auto"
    ISOLATED = "isolated"
    SHARED = "shared"


class Layer(StrEnum):
    """Libraries too large for every box."""

    TORCH = "torch"


class Sandbox(Section):
    """The box untrusted code runs in. There is no option to run it without one."""

    backend: Backend = Field(
        Backend.AUTO, description="`auto`: Docker where a daemon answers and has the image, else bubblewrap."
    )
    image: str = Field("kodforge-sandbox", description="Docker image.")
    runtime: str | None = Field(
        None, description="Docker runtime, `runsc` for gVisor. None: the daemon's default. It must know the name."
    )
    layers: tuple[Layer, ...] = Field(
        (), description="Optional libraries in the box beside the usual ones; a Docker image is built with them."
    )
    slots: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, le=1024, description="Boxes per process.")
    wall_s: float = Field(30, gt=0, le=3600, description="Wall time per pair, seconds.")
    memory_mb: int = Field(1024, ge=64, le=1_048_576, description="Memory per pair, MiB.")
    output_kb: int = Field(256, ge=1, le=8192, description="Captured output per pair, KiB; more is `output_limit`.")
    processes: int = Field(64, ge=1, le=4096, description="Processes and threads per pair.")
    disk_mb: int = Field(64, ge=1, le=65_536, description="Writable space per pair, MiB.")
    recycle_after: int = Field(2000, ge=1, description="Cases per box before it is replaced.")
    tier: TierChoice = Field(
        TierChoice.AUTO,
        description="`auto`: tests and solution in two processes where the tests allow it, else in one. `isolated` "
        "refuses what would need one; `shared` always uses one.",
    )
    coverage: bool = Field(True, description="Measure statement and branch coverage of the solution.")


class Hub(Section):
    """How a release is pushed to the Hugging Face hub. Its address is in HF_ENDPOINT, as for all of the hub's tools."""

    private: bool = Field(False, description="Whether a repository that is made for the release is private.")
    token_env: str = Field("HF_TOKEN", description="Environment variable that holds the token.")
    token_block: str = Field("", description="Name of the Prefect Secret block that holds the token instead.")


class Release(Section):
    """What is written at the end of a run, where, and in which version."""

    path: StoreUrl = Field("", description="Folder or fsspec URL. Empty: `<store>/<run>/release`.")
    title: str = Field("Verified coding triplets", description="For the card, the citation and Croissant.")
    creator: str = Field("", description="Who publishes it, for the citation. Empty: its authors.")
    version: str = Field(
        "",
        pattern=r"^((0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*))?$",
        description="Semantic version. Empty: that of the release before, raised by what changed; 1.0.0 at first.",
    )
    keep: int = Field(3, ge=0, description="Earlier versions that stay, each in its folder `<path>/<version>`.")
    rows_per_file: int = Field(50_000, ge=1, description="Rows of a Parquet file, at most.")
    rows_per_group: int = Field(
        1000, ge=1, le=100_000, description="Rows of a Parquet row group, the least that a reader with a filter reads."
    )
    push: str = Field(
        "",
        pattern=r"^([\w.-]+/[\w.-]+)?$",
        description="Repository of data sets on the Hugging Face hub, as in `org/name`. Empty: nothing is pushed.",
    )
    hub: Hub = Hub()
    licensing: Licensing = Licensing()

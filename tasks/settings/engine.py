"""Where tasks run."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from tasks.settings.section import Section


class EngineKind(StrEnum):
    AUTO = "auto"
    THREADS = "threads"
    PROCESSES = "processes"
    DASK = "dask"
    RAY = "ray"


class Engine(Section):
    """What the tasks of all stages run on. The release is the same on all of them."""

    kind: EngineKind = Field(
        EngineKind.AUTO,
        description="`auto`: threads, and for curation processes of this machine from `processes_from` rows on. `dask` "
        "and `ray` need the extra of that name.",
    )
    address: str = Field(
        "", description="Of a Dask scheduler or a Ray cluster. Empty: one is started on this machine for each stage."
    )
    workers: int | None = Field(
        None, ge=1, le=4096, description="Processes or threads of this machine. Empty: one per core."
    )
    processes_from: int = Field(20_000, ge=0, description="Rows from which `auto` starts processes.")

"""Which of Prefect's task runners a flow's tasks run on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prefect.client.orchestration import get_client
from prefect.task_runners import ProcessPoolTaskRunner, TaskRunner, ThreadPoolTaskRunner

from tasks.errors import BadInput
from tasks.settings import Engine, EngineKind


def task_runner(engine: Engine, rows: int) -> TaskRunner[Any]:
    """The task runner of a config.

    Args:
        rows: how many there are to work on; `auto` starts processes only where they are worth their start.

    Raises:
        BadInput: the engine is not installed.
    """
    workers = engine.workers or os.cpu_count() or 1
    kind = engine.kind
    if kind is EngineKind.AUTO:
        kind = EngineKind.PROCESSES if rows >= engine.processes_from and workers > 1 else EngineKind.THREADS
    match kind:
        case EngineKind.PROCESSES:
            return ProcessPoolTaskRunner(max_workers=workers)
        case EngineKind.DASK:
            return _dask(engine, workers)
        case EngineKind.RAY:
            return _ray(engine, workers)
        case _:
            return ThreadPoolTaskRunner(max_workers=workers)


@contextmanager
def one_server() -> Iterator[None]:
    """Have processes that are started meanwhile talk to the Prefect server that this one talks to.

    Where that is a temporary one they would each start another.
    """
    with get_client(sync_client=True) as client:
        url = str(client.api_url)
    before = os.environ.get("PREFECT_API_URL")
    os.environ["PREFECT_API_URL"] = url
    try:
        yield
    finally:
        if before is None:
            del os.environ["PREFECT_API_URL"]
        else:
            os.environ["PREFECT_API_URL"] = before


def _dask(engine: Engine, workers: int) -> TaskRunner[Any]:
    try:
        from prefect_dask.task_runners import DaskTaskRunner  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise _missing("dask", error) from error
    cluster = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None}
    runner: TaskRunner[Any] = DaskTaskRunner(**_at(engine) or {"cluster_kwargs": cluster})
    return runner


def _ray(engine: Engine, workers: int) -> TaskRunner[Any]:
    try:
        from prefect_ray import RayTaskRunner  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise _missing("ray", error) from error
    runner: TaskRunner[Any] = RayTaskRunner(
        **_at(engine) or {"init_kwargs": {"num_cpus": workers, "include_dashboard": False}}
    )
    return runner


def _at(engine: Engine) -> dict[str, Any]:
    return {"address": engine.address} if engine.address else {}


def _missing(name: str, error: ImportError) -> BadInput:
    return BadInput(
        f"engine.kind is {name}, which is not installed ({error}). Install it: pip install 'kodforge[{name}]'"
    )

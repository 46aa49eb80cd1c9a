"""What a flow's tasks run on: threads, processes, Dask or Ray, by Prefect's task runners."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from multiprocessing import parent_process
from multiprocessing.connection import wait
from threading import Thread
from typing import Any, TypeVar, cast

from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext
from prefect.task_runners import ProcessPoolTaskRunner, TaskRunner, ThreadPoolTaskRunner

from flows.orchestration.clusters import Cluster, cluster_at, imported_ray, missing
from tasks.run import Run
from tasks.settings import BuildConfig, Engine, EngineKind
from tasks.teachers.pending import start_run, stop_run

T = TypeVar("T")


def on_engine(body: Callable[[BuildConfig], T]) -> Callable[[BuildConfig], T]:
    """Have the tasks that a flow's body submits run on the engine that its config names.

    With `auto` they stay in threads of this process: its event loop asks teachers and its boxes judge, so that more
    processes would add nothing.

    Raises:
        BadInput: the engine is not installed, or cannot be reached.
    """

    @wraps(body)
    def driven(config: BuildConfig) -> T:
        with engine_of(config) as shared:
            return body(shared)

    return driven


@contextmanager
def engine_of(config: BuildConfig, rows: int | None = None) -> Iterator[BuildConfig]:
    """Have tasks that are submitted meanwhile run on the engine; yields the config for them.

    In it each worker process has its share of its machine's cores for boxes, unless ``sandbox.slots`` is given, and as
    many shards are in flight as there are workers for.

    Args:
        rows: how many a computation is over; None for stages that mostly wait, for teachers and boxes.

    Raises:
        BadInput: the engine is not installed, or cannot be reached.
    """
    kind = _kind(config.engine, rows)
    if kind is EngineKind.THREADS and rows is None:
        yield config
        return
    context = FlowRunContext.get()
    assert context is not None, "an engine drives the tasks of a flow"
    with ExitStack() as stack:
        stack.enter_context(one_server())
        runner = stack.enter_context(_runner(kind, config.engine))
        stack.enter_context(context.model_copy(update={"task_runner": runner}))
        stack.enter_context(_asking(config, kind, runner))
        yield _for_workers(config, kind)


@contextmanager
def _asking(config: BuildConfig, kind: EngineKind, runner: TaskRunner[Any]) -> Iterator[None]:
    """Have a Dask cluster's workers ask teachers for a run until it is stopped.

    They outlive the flow, and a task that runs there cannot be ended from here; those of the other engines end with it.
    """
    if kind is not EngineKind.DASK or not config.engine.address:
        yield
        return
    account, client = Run(config=config, teachers=config.teachers).account, cast(Any, runner).client
    client.run(start_run, account)
    try:
        yield
    except BaseException as error:
        if not isinstance(error, Exception):  # Ctrl-C, SIGTERM, a cancellation in the UI
            client.run(stop_run, account, wait=False)
        raise


def _kind(engine: Engine, rows: int | None) -> EngineKind:
    if engine.kind is not EngineKind.AUTO:
        return engine.kind
    many = rows is not None and rows >= engine.processes_from and _workers(engine) > 1
    return EngineKind.PROCESSES if many else EngineKind.THREADS


def _workers(engine: Engine) -> int:
    return engine.workers or os.cpu_count() or 1


def _runner(kind: EngineKind, engine: Engine) -> TaskRunner[Any]:
    workers = _workers(engine)
    match kind:
        case EngineKind.PROCESSES:
            return ProcessPoolTaskRunner(max_workers=workers, initializer=end_with_parent)
        case EngineKind.DASK:
            return _dask(engine, workers)
        case EngineKind.RAY:
            return _ray(engine, workers)
        case _:
            return ThreadPoolTaskRunner(max_workers=workers)


def end_with_parent() -> None:
    """Have this process end as soon as the one that started it has: a worker whose flow was killed waits for ever."""
    parent = parent_process()
    if parent is None:
        return

    def watch(sentinel: int) -> None:
        wait([sentinel])
        os._exit(1)

    Thread(target=watch, args=(parent.sentinel,), daemon=True, name="end-with-parent").start()


def _dask(engine: Engine, workers: int) -> TaskRunner[Any]:
    try:
        from prefect_dask.task_runners import DaskTaskRunner  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise missing("dask", error) from error
    cluster = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None}
    runner: TaskRunner[Any] = DaskTaskRunner(**_at(engine) or {"cluster_kwargs": cluster})
    return runner


def _ray(engine: Engine, workers: int) -> TaskRunner[Any]:
    imported_ray()
    try:
        from prefect_ray import RayTaskRunner  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise missing("ray", error) from error
    options: dict[str, Any] = {"log_to_driver": False}  # Prefect has the tasks' logs
    if not engine.address:
        options |= {"num_cpus": workers, "include_dashboard": False}
    runner: TaskRunner[Any] = RayTaskRunner(**_at(engine), init_kwargs=options)
    return runner


def _at(engine: Engine) -> dict[str, Any]:
    return {"address": engine.address} if engine.address else {}


def _for_workers(config: BuildConfig, kind: EngineKind) -> BuildConfig:
    if kind is EngineKind.THREADS:
        return config
    cluster = cluster_at(config.engine) if config.engine.address else _here(config.engine)
    changed: dict[str, Any] = {"shards_in_flight": max(config.shards_in_flight, cluster.threads)}
    if "slots" not in config.sandbox.model_fields_set:
        changed["sandbox"] = config.sandbox.model_copy(update={"slots": cluster.slots})
    return config.model_copy(update=changed)


def _here(engine: Engine) -> Cluster:
    workers = _workers(engine)
    return Cluster(hosts=frozenset(), threads=workers, slots=max(1, (os.cpu_count() or 1) // workers))


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

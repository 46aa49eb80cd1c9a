"""A Dask or Ray cluster that runs already: what it has, and whether a run can work on it."""

from __future__ import annotations

import ipaddress
import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

from prefect.settings import PREFECT_API_URL

from tasks.errors import BadInput, KodforgeError
from tasks.execution.pool import check_sandbox
from tasks.run import Run, answers_path
from tasks.settings import BuildConfig, Endpoint, EndpointKind, Engine, EngineKind
from tasks.store import Store
from tasks.teachers.cache import is_database

_CONNECT_S = 30
_WORKERS_S = 60.0
"""How long a cluster's first worker is waited for."""


@dataclass(frozen=True)
class Cluster:
    """The workers of an engine.

    Attributes:
        hosts: their addresses.
        threads: tasks that run at once, over all workers.
        slots: boxes for each worker process, so that those of a machine together have one for each of its cores.
    """

    hosts: frozenset[str]
    threads: int
    slots: int


def cluster_at(engine: Engine) -> Cluster:
    """What a cluster has.

    Raises:
        BadInput: it cannot be reached, or has no workers.
    """
    with _connected(engine) as cluster:
        return cluster.describe()


def check_cluster(config: BuildConfig) -> str:
    """See that a run can work on the cluster that its config names; say what that is.

    Each host judges a pair, and sees the same store.

    Raises:
        BadInput: something of the run is not to be had from the cluster's hosts.
    """
    if not PREFECT_API_URL.value():
        raise BadInput(
            f"engine.address is {config.engine.address!r}, and PREFECT_API_URL is not set: the workers there would not "
            f"find the temporary server of this process. Start one (prefect server start) and set PREFECT_API_URL"
        )
    with _connected(config.engine) as cluster:
        found = cluster.describe()
        if not all(map(_is_own, found.hosts)):
            _check_reach(config)
        _check_hosts(config, cluster)
    return f"{config.engine.kind.value}, {found.threads} tasks at once on {len(found.hosts)} hosts"


def _check_reach(config: BuildConfig) -> None:
    """What other hosts cannot reach.

    Raises:
        BadInput: there is such a thing; names it.
    """
    if not is_database(place := answers_path(config)):
        raise BadInput(
            f"the cluster has several hosts, and the teachers' answers are in the file {place!r}, which is one host's. "
            f"Keep them in a database (--set cache=postgresql://user@host/database); `kodforge answers copy` brings "
            f"over what is there"
        )
    if _is_loopback(str(PREFECT_API_URL.value())):
        raise BadInput(
            f"the cluster has several hosts, and PREFECT_API_URL is {PREFECT_API_URL.value()}, which is this one. "
            f"Start the server with --host 0.0.0.0, and set PREFECT_API_URL to an address that the others reach"
        )
    for place, endpoint in config.teachers.roles.items():
        _check_endpoint(place, endpoint)


def _check_endpoint(place: str, endpoint: Endpoint) -> None:
    if endpoint.kind is not EndpointKind.OPENAI:
        how = " (for the demo teacher: kodforge demo-teacher --host 0.0.0.0)" * (endpoint.kind is EndpointKind.DEMO)
        raise BadInput(
            f"the cluster has several hosts, and teachers.{place} is of kind {endpoint.kind.value!r}, which serves "
            f"this host alone. Start a server that the others reach{how}, and name it in teachers.{place}.base_url, "
            f"with kind openai"
        )
    for route in endpoint.all_routes:
        if _is_loopback(route.base_url):
            raise BadInput(
                f"the cluster has several hosts, and teachers.{place} is at {route.base_url}, which is each host's "
                f"own. Give an address that all of them reach"
            )


def _check_hosts(config: BuildConfig, cluster: _Connection) -> None:
    run, probe = Run(config=config, teachers=config.teachers), f".probe-{uuid.uuid4().hex}"
    run.store.write(b"", probe)
    try:
        looks = cluster.on_each_host(look, run, probe)
    finally:
        run.store.remove(probe)
    for host, problem in sorted(looks.items()):
        if problem:
            raise BadInput(f"worker host {host}: {problem}")


def look(run: Run, probe: str) -> str:
    """What is wrong with a worker, seen from within it; empty where nothing is."""
    try:
        if not Store.of(run.config).exists(probe):
            return (
                f"it does not see the store {run.config.store!r} of this host. Give one that all hosts see: an object "
                f"store, or a folder of a shared filesystem"
            )
        check_sandbox(run.config.sandbox)
    except KodforgeError as error:
        return str(error)
    return ""


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_own(host: str) -> bool:
    """Whether an address is one of this machine's: only these can be bound."""
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, 0, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.bind(place)
    except OSError:
        return False
    return True


class _Connection(Protocol):
    """A connection to a cluster."""

    def describe(self) -> Cluster: ...

    def on_each_host(self, function: Callable[..., str], *arguments: Any) -> dict[str, str]:
        """What a function returns in one worker of each host."""
        ...


class _Dask:
    def __init__(self, client: Any) -> None:
        self._client = client

    def _workers(self) -> dict[str, Any]:
        return dict(self._client.scheduler_info(n_workers=-1)["workers"])

    def describe(self) -> Cluster:
        workers = list(self._workers().values())
        threads = [worker["nthreads"] for worker in workers]
        # Dask shares a machine's cores among its workers by their threads.
        return Cluster(frozenset(worker["host"] for worker in workers), sum(threads), min(threads, default=0))

    def on_each_host(self, function: Callable[..., str], *arguments: Any) -> dict[str, str]:
        hosts = {worker["host"]: address for address, worker in self._workers().items()}
        found = self._client.run(function, *arguments, workers=list(hosts.values()))
        return {host: found[address] for host, address in hosts.items()}


class _Ray:
    """Ray runs a task per worker process, each with a core of its own."""

    def __init__(self, ray: Any) -> None:
        self._ray = ray

    def _nodes(self) -> dict[str, Any]:
        """Those that are alive and have cores, by their address."""
        alive = [node for node in self._ray.nodes() if node["Alive"]]
        return {node["NodeManagerAddress"]: node for node in alive if node["Resources"].get("CPU", 0) >= 1}

    def describe(self) -> Cluster:
        nodes = self._nodes()
        return Cluster(frozenset(nodes), sum(int(node["Resources"]["CPU"]) for node in nodes.values()), 1)

    def on_each_host(self, function: Callable[..., str], *arguments: Any) -> dict[str, str]:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy  # noqa: PLC0415 - an extra

        remote, asked = self._ray.remote(function), {}
        for host, node in self._nodes().items():
            there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            asked[host] = remote.options(scheduling_strategy=there).remote(*arguments)
        return {host: self._ray.get(reference) for host, reference in asked.items()}


@contextmanager
def _connected(engine: Engine) -> Iterator[_Connection]:
    """Raises:
    BadInput: the cluster cannot be reached, or has no workers.
    """
    with (_dask if engine.kind is EngineKind.DASK else _ray)(engine) as connection:
        deadline = time.monotonic() + _WORKERS_S
        while not connection.describe().threads and time.monotonic() < deadline:
            time.sleep(1)
        if not connection.describe().threads:
            raise BadInput(
                f"the {engine.kind.value} cluster at {engine.address!r} has no workers. Start some: "
                f"{_START[engine.kind]}"
            )
        yield connection


_START = {
    EngineKind.DASK: "dask worker ADDRESS --nworkers 2 --nthreads 4",
    EngineKind.RAY: "ray start --address=ADDRESS",
}


@contextmanager
def _dask(engine: Engine) -> Iterator[_Dask]:
    try:
        from distributed import Client  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise missing(engine.kind.value, error) from error
    try:
        client = cast(Any, Client)(engine.address, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise _unreachable(engine, error) from error
    try:
        yield _Dask(client)
    finally:
        client.close()


@contextmanager
def _ray(engine: Engine) -> Iterator[_Ray]:
    ray = imported_ray()
    ours = not ray.is_initialized()
    if ours:
        try:
            ray.init(engine.address, namespace="prefect", log_to_driver=False)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise _unreachable(engine, error) from error
    try:
        yield _Ray(ray)
    finally:
        if ours:
            ray.shutdown()


def imported_ray() -> Any:
    """Ray, as a process that hands out tasks should have it: it misses a host within a minute.

    Its own default is to ask after a host that a task runs on every five minutes, and to wait two for the answer.

    Raises:
        BadInput: it is not installed.
    """
    for name in ("time", "timeout"):  # read once, when Ray is imported
        os.environ.setdefault(f"RAY_grpc_client_keepalive_{name}_ms", "20000")
    try:
        import ray  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise missing(EngineKind.RAY.value, error) from error
    return ray


def _unreachable(engine: Engine, error: Exception) -> BadInput:
    return BadInput(
        f"there is no {engine.kind.value} cluster at engine.address {engine.address!r} ({error}). Start it, or leave "
        f"engine.address out to have one started on this machine"
    )


def missing(name: str, error: ImportError) -> BadInput:
    """What to say where an engine is not installed."""
    return BadInput(
        f"engine.kind is {name}, which is not installed ({error}). Install it: pip install 'kodforge[{name}]'"
    )

"""What is checked before a run starts: bad input is a clear error before any teacher call."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Collection
from typing import Any

import httpx
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL

from flows.orchestration.clusters import check_cluster
from tasks.curation.contamination.reading import read_benchmarks
from tasks.curation.diversity.mix import check_mix
from tasks.curation.report import earlier_diversity
from tasks.embedding.choice import check_embedder
from tasks.errors import BadInput, StoreFull
from tasks.execution.pool import check_sandbox
from tasks.execution.stage import check_backend
from tasks.filesystems import free_bytes
from tasks.licences.expressions import canonical
from tasks.licences.mix import check_licensing
from tasks.publishing.folder import check_release_free
from tasks.reviews import read_reviews
from tasks.run import Run, answers_path
from tasks.sets.rl import check_rl
from tasks.settings import BuildConfig, Endpoint, EndpointKind
from tasks.sourcing.catalogue import entry_of, read_seeds
from tasks.sourcing.screening import check_screening
from tasks.store import Store
from tasks.teachers import local
from tasks.teachers.cache import check_cache
from tasks.teachers.chat_templates import with_user_turn
from tasks.teachers.clients import check_endpoint
from tasks.teachers.transcripts import packaged

_LOG = logging.getLogger(__name__)
_PER_RUN, _PER_ATTEMPT = 3_000_000, 20_000
"""Bytes on disk, more than small runs took: 1.7 MB for 7 questions with 2 attempts each, 3.0 MB for 17."""


def check_run(config: BuildConfig) -> None:
    """Check all that a build needs.

    Raises:
        BadInput: the Prefect server, the store, the release folder, the seeds of a subset or a mix is wrong.
        TeacherMisconfigured: the endpoint refuses the key.
        TeacherUnavailable: the endpoint cannot be reached.
        SandboxUnavailable: no pair can be judged on this machine.
    """
    check_prefect()
    Store.of(config).check_writable()
    check_space(config)
    check_cache(answers_path(config))
    check_release_free(config)
    check_sources(config)
    check_curation(config, config.selected)
    check_rl(config)
    if config.release.push:
        from tasks.publishing.push import check_hub  # noqa: PLC0415 - the hub's client takes half a second to import

        check_hub(config)
    check_endpoints(config)
    check_backend(Run(config=config, teachers=config.teachers))
    if config.engine.address:
        check_cluster(config)
    else:
        check_sandbox(config.sandbox)


def check_space(config: BuildConfig) -> str:
    """Compare what is free for the store, the answers and temporary files with what a run of this size may need.

    Less than that is a warning: what is there already is not counted, and a run that finds a disk full goes on later.

    Raises:
        StoreFull: there is not even space for the smallest run.
    """
    needed = _PER_RUN + _PER_ATTEMPT * config.verification.attempts * sum(
        options.count or 0 for options in config.selected.values()
    )
    places = [tempfile.gettempdir(), *(one for one in (config.store, answers_path(config)) if "://" not in one)]
    free, place = min((free_bytes(place), place) for place in places)
    told = f"{free / 1e9:,.1f} GB free at {place}, up to {needed / 1e9:,.1f} GB needed"
    if free < _PER_RUN:
        raise StoreFull(f"the disk of {place!r} is full: {free:,} bytes are free. Make space there, and start again")
    if free < needed:
        _LOG.warning("%s: make space, or expect to go on with this run after a stop for want of it", told)
    return told


def check_sources(config: BuildConfig) -> None:
    """Find the first seed of every subset.

    Raises:
        BadInput: there is no such subset, its seeds cannot be read, a licence is none, or the scanners are missing.
    """
    for licence in config.licences.allow:
        canonical(licence)
    for subset, options in config.selected.items():
        if entry_of(subset).filters.screened:
            check_screening()
        next(read_seeds(subset, options.seeds))


def check_curation(config: BuildConfig, subsets: Collection[str] = ()) -> None:
    """See that benchmarks, embedder, target mix, licences, reviews and what is compared with are to be had.

    Args:
        subsets: those that there can be; empty where they are not known.

    Raises:
        BadInput: one of them is not; names it.
    """
    rules = config.curation
    check_embedder(rules.embedder, config.teachers)
    check_mix(rules.mix, subsets)
    check_licensing(config.release.licensing)
    earlier_diversity(config)
    read_benchmarks(rules.decontamination.benchmarks)
    read_reviews(config)


def check_endpoints(config: BuildConfig) -> None:
    """Reach every endpoint; of those that are started with the run, check that they can be."""
    for role, endpoint in config.teachers.roles.items():
        reach(endpoint, role)


def reach(endpoint: Endpoint, role: str) -> None:
    """Reach an endpoint and have its key accepted; one that is started with the run must be there to be started.

    Raises:
        BadInput, TeacherUnavailable, TeacherMisconfigured: as ``check_endpoint``, and of limits and wheels.
    """
    match endpoint.kind:
        case EndpointKind.OPENAI:
            check_endpoint(endpoint, role)
            with_user_turn(endpoint)
            check_limits(endpoint)
        case EndpointKind.LOCAL:
            local.weights()
        case EndpointKind.DEMO:
            packaged()


def check_limits(endpoint: Endpoint) -> None:
    """Look up the Prefect limits that an endpoint names.

    Raises:
        BadInput: there is none of that name, or it is of the other kind.
    """
    limits = [route.limits for route in endpoint.all_routes]
    named = [(name, True) for one in limits if (name := one.global_rate)]
    named += [(name, False) for one in limits if (name := one.global_in_flight)]
    for name, decays in named:
        how = f"prefect gcl create {name} --limit 10" + (" --slot-decay-per-second 10" if decays else "")
        with get_client(sync_client=True) as client:
            try:
                found = client.read_global_concurrency_limit_by_name(name)
            except ObjectNotFound as error:
                raise BadInput(f"there is no Prefect global concurrency limit {name!r}. Make it: {how}") from error
        if bool(found.slot_decay_per_second) is not decays:
            kind = "has no slot decay, which global_rate needs" if decays else "has slot decay: it is for global_rate"
            raise BadInput(f"the Prefect global concurrency limit {name!r} {kind}. Make another: {how}")


def check_prefect() -> str:
    """Reach the Prefect server that the environment or the profile names; say which it is.

    Raises:
        BadInput: it does not answer.
    """
    url = PREFECT_API_URL.value()
    if not url:
        return "a temporary server, started with the run"
    try:
        httpx.get(f"{url}/health", timeout=10).raise_for_status()
    except httpx.HTTPError as error:
        raise BadInput(
            f"the Prefect server at {url} does not answer ({error}). Start it (prefect server start), or unset "
            f"PREFECT_API_URL to run without one"
        ) from error
    return str(url)


def check_leases() -> str:
    """See that the Prefect server's leases outlive its restart: those of deployments with a concurrency limit.

    Raises:
        BadInput: the server does not tell, or they are kept in memory. A running flow that cannot renew its lease is
            ended by Prefect, and the slot of one that died with the server is never given back.
    """
    if not PREFECT_API_URL.value():
        return "of a temporary server, which runs no deployments"
    storage = str(_server_settings().get("concurrency", {}).get("lease_storage", "not told"))
    if storage.endswith(".memory"):
        raise BadInput(
            "the Prefect server keeps the leases of concurrency limits in memory: after a restart of it, runs of "
            "deployments with a limit crash within 4 minutes. Start it with PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE="
            "prefect.server.concurrency.lease_storage.filesystem"
        )
    return storage.rpartition(".")[2]


def check_recorder() -> str:
    """See that the Prefect server writes task runs in groups.

    Raises:
        BadInput: the server does not tell, or it writes them one by one, which costs it three times the CPU.
    """
    if not PREFECT_API_URL.value():
        return "in groups, by a temporary server"
    size = int(_server_settings().get("services", {}).get("task_run_recorder", {}).get("batch_size", 1))
    if size == 1:
        raise BadInput(
            "the Prefect server writes task runs one by one, which costs it three times the CPU. Start it with "
            "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE=100 and "
            "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL=1"
        )
    return f"in groups of {size}"


def _server_settings() -> dict[str, Any]:
    """What the Prefect server goes by."""
    try:
        with get_client(sync_client=True) as client:
            found: dict[str, Any] = client.request("GET", "/admin/settings").json()
    except (httpx.HTTPError, RuntimeError) as error:  # Prefect's client says so where a server is no API
        raise BadInput(f"the Prefect server does not tell its settings ({error})") from error
    return dict(found.get("server", {}))

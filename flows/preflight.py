"""What is checked before a run starts: bad input is a clear error before any teacher call."""

from __future__ import annotations

from collections.abc import Collection

import httpx
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL

from tasks.artifacts import Store
from tasks.curation.contamination.reading import read_benchmarks
from tasks.curation.diversity.mix import check_mix
from tasks.curation.report import earlier_diversity
from tasks.embedding.choice import check_embedder
from tasks.errors import BadInput
from tasks.execution.pool import check_sandbox
from tasks.licences.expressions import canonical
from tasks.licences.mix import check_licensing
from tasks.publishing.folder import check_release_free
from tasks.run import answers_path
from tasks.sets.rl import check_rl
from tasks.settings import BuildConfig, Endpoint, EndpointKind
from tasks.sourcing.catalogue import entry_of, read_seeds
from tasks.sourcing.screening import check_screening
from tasks.teachers import local
from tasks.teachers.cache import ResponseCache
from tasks.teachers.chat_templates import with_user_turn
from tasks.teachers.clients import check_endpoint
from tasks.teachers.transcripts import packaged


def check_run(config: BuildConfig) -> None:
    """Check all that a build needs.

    Raises:
        BadInput: the Prefect server, the store, the release folder, the seeds of a subset or a mix is wrong.
        TeacherMisconfigured: the endpoint refuses the key.
        TeacherUnavailable: the endpoint cannot be reached.
        SandboxUnavailable: no pair can be judged on this machine.
    """
    check_prefect()
    Store(config.store).check_writable()
    ResponseCache(answers_path(config))
    check_release_free(config)
    check_sources(config)
    check_curation(config, config.selected)
    check_rl(config)
    if config.release.push:
        from tasks.publishing.push import check_hub  # noqa: PLC0415 - the hub's client takes half a second to import

        check_hub(config)
    check_endpoints(config)
    check_sandbox(config.sandbox)


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
    """See that benchmarks, embedder, target mix, licences and what is compared with are to be had.

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

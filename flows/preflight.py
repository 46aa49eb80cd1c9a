"""What is checked before a run starts: bad input is a clear error before any teacher call."""

from __future__ import annotations

import httpx
from prefect.settings import PREFECT_API_URL

from tasks.artifacts import Store
from tasks.errors import BadInput
from tasks.execution.pool import check_sandbox
from tasks.publishing.release import check_release_free
from tasks.run import answers_path
from tasks.settings import BuildConfig, EndpointKind
from tasks.sourcing.catalogue import read_seeds
from tasks.teachers import local
from tasks.teachers.cache import ResponseCache
from tasks.teachers.client import check_endpoint
from tasks.teachers.transcripts import packaged


def check_run(config: BuildConfig) -> None:
    """Check all that a build needs.

    Raises:
        BadInput: the Prefect server, the store, the release folder or the seeds of a subset are wrong.
        TeacherMisconfigured: the endpoint refuses the key.
        TeacherUnavailable: the endpoint cannot be reached.
        SandboxUnavailable: no pair can be judged on this machine.
    """
    check_prefect()
    Store(config.store).check_writable()
    ResponseCache(answers_path(config))
    check_release_free(config)
    for subset, options in config.selected.items():
        read_seeds(subset, options.seeds)
    check_endpoints(config)
    check_sandbox(config.sandbox)


def check_endpoints(config: BuildConfig) -> None:
    """Reach every endpoint; of those that are started with the run, check that they can be."""
    author = config.teachers.author
    match author.kind:
        case EndpointKind.OPENAI:
            check_endpoint(author)
        case EndpointKind.LOCAL:
            local.weights()
        case EndpointKind.DEMO:
            packaged()


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

"""Fixtures for all tests: the sandbox's two backends, as real boxes, and a Prefect server."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator

import pytest

from tasks.errors import SandboxUnavailable
from tasks.execution.image import image_id
from tasks.execution.pool import SandboxPool
from tasks.settings import Backend, Sandbox
from tests.processes import Kodforge, PrefectServer, console, running_server

# A folder of its own for each process that tests: Prefect's temporary servers of two would share a database. Prefect
# reads it once, when a test module imports it; what this file imports does not.
_PREFECT_HOME = tempfile.TemporaryDirectory(prefix="kodforge-prefect-", ignore_cleanup_errors=True)
os.environ["PREFECT_HOME"] = _PREFECT_HOME.name
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")  # as the console command has it

LIMITS = {"slots": 2, "wall_s": 3, "memory_mb": 256, "output_kb": 64, "disk_mb": 16, "processes": 32}


def sandbox_settings(backend: Backend) -> Sandbox:
    """Settings of a backend with tight limits; skips where Docker has no daemon or image.

    Where KODFORGE_REQUIRE_DOCKER is set, as in CI, that is a failure.
    """
    settings = Sandbox(backend=backend, **LIMITS)
    if backend is Backend.DOCKER:
        try:
            image_id(settings.image)
        except SandboxUnavailable as error:
            if os.environ.get("KODFORGE_REQUIRE_DOCKER"):
                raise
            pytest.skip(str(error))
    return settings


@pytest.fixture(scope="session", params=[Backend.BUBBLEWRAP, Backend.DOCKER])
def pool(request: pytest.FixtureRequest) -> Iterator[SandboxPool]:
    """A warm pool of each backend."""
    with SandboxPool(sandbox_settings(request.param)) as made:
        yield made


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    with running_server(tmp_path_factory.mktemp("prefect")) as server:
        yield server


@pytest.fixture(scope="module")
def prefect_here(prefect_server: PrefectServer) -> Iterator[PrefectServer]:
    """The server of this session, for what this process itself does with Prefect."""
    from tests.commands import at_server  # which imports Prefect

    with at_server(prefect_server.url):
        yield prefect_server


@pytest.fixture(scope="session")
def kodforge(prefect_server: PrefectServer) -> Kodforge:
    """The console command on the server of this session."""
    return console(prefect_server)

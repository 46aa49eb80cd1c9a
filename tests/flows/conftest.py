"""A demo teacher with a request log, and a server with all deployments and a worker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.flows.worker import PatientClient, prefect, running_worker
from tests.processes import PrefectServer, Teacher, running_teacher


@pytest.fixture
def teacher(tmp_path: Path) -> Iterator[Teacher]:
    with running_teacher(tmp_path) as made:
        yield made


@pytest.fixture(scope="session")
def api(prefect_server: PrefectServer) -> Iterator[httpx.Client]:
    """The server's API, with all deployments made and a worker at work."""
    prefect(prefect_server, "work-pool", "create", "kodforge", "--type", "process")
    prefect(prefect_server, "--no-prompt", "deploy", "--prefect-file", "deployments/prefect.yaml", "--all")
    with running_worker(prefect_server), PatientClient(base_url=prefect_server.url, timeout=120) as client:
        yield client

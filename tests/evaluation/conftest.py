"""A pool for the judging of answers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tasks.execution.pool import SandboxPool
from tasks.settings import Backend
from tests.conftest import sandbox_settings


@pytest.fixture(scope="package")
def pool() -> Iterator[SandboxPool]:
    with SandboxPool(sandbox_settings(Backend.BUBBLEWRAP).model_copy(update={"wall_s": 20})) as made:
        yield made

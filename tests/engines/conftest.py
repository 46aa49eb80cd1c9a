"""Real databases, clusters and hosts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engines.database import PASSWORD, Postgres, running_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server that all tests of a process share; each makes a database of its own in it."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def password(monkeypatch: pytest.MonkeyPatch) -> str:
    """The password of the database, where libpq looks for it."""
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    return PASSWORD

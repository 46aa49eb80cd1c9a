"""A real Prefect server, and the deploy command as a user calls it."""

from __future__ import annotations

from tests.flows.conftest import kodforge, prefect_server

__all__ = ["kodforge", "prefect_server"]

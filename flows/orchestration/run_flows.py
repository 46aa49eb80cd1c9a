"""What the flows over a run share: the day that the run is for, how the UI names them, and one writer at a time."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from prefect.logging import get_run_logger
from prefect.runtime import flow_run

from flows.orchestration.hooks import BACKFILLED
from tasks.lease import one_writer
from tasks.run import Run
from tasks.settings import BuildConfig

T = TypeVar("T")


def resolved(config: BuildConfig) -> BuildConfig:
    """The config with the day put into the name of its run: ``date``, else the day that the flow run is for."""
    return config.on(config.date or _scheduled_day()) if config.is_dated else config


def _scheduled_day() -> datetime.date:
    """The day in UTC that the flow run was first scheduled for; outside of a flow run today."""
    moment: datetime.datetime = flow_run.scheduled_start_time
    return moment.astimezone(datetime.UTC).date()


def named(what: str) -> Callable[[], str]:
    """What a flow run over a run is called, such as ``build pilot-2026-11-01``."""

    def name() -> str:
        config = flow_run.parameters["config"]
        dated = resolved(config if isinstance(config, BuildConfig) else BuildConfig(**config))
        return f"{what} {dated.run}" + (BACKFILLED if "backfill" in flow_run.tags else "")

    return name


def of_run(body: Callable[[BuildConfig], T]) -> Callable[[BuildConfig], T]:
    """Make a function over a config one over the run of its day."""

    @wraps(body)
    def dated(config: BuildConfig) -> T:
        return body(resolved(config))

    return dated


def writes_run(body: Callable[[BuildConfig], T]) -> Callable[[BuildConfig], T]:
    """As ``of_run``, and nobody else writes the run meanwhile.

    Raises:
        RunBusy: another flow run was still writing it after ``busy_wait_s``.
    """

    @wraps(body)
    @of_run
    def alone(config: BuildConfig) -> T:
        store = Run(config=config, teachers=config.teachers).store
        with one_writer(store, config.run, config.busy_wait_s, get_run_logger().warning):
            return body(config)

    return alone

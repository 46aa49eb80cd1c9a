"""The report of a run: one HTML file, written at the end of a build and by ``kodforge report``."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from prefect.logging import get_run_logger
from pydantic import ValidationError
from rich.console import Console

from flows.kpis import FILE as KPIS
from flows.kpis import earlier_kpis, kept_kpis
from flows.orchestration.task_times import FlowTimes, TaskTimes
from tasks.errors import BadInput
from tasks.kpis.figures import RunKpis
from tasks.redaction import cause
from tasks.reporting.figures import TaskTime, Times, figures_of
from tasks.reporting.questions_map import questions_map
from tasks.reporting.samples import samples_of
from tasks.run import Run
from tasks.settings import BuildConfig
from tasks.store import Store

FILE = "report.html"
TIMES = "times.json"
"""Both of a run, in its folder."""
MOST_RUNS = 20
"""Runs that are compared, the last ones."""


def report_build(run: Run, times: FlowTimes | None) -> None:
    """Write the report at the end of a build. One that cannot be written is told in the log, and harms nobody.

    Args:
        times: of the tasks of this flow run; those of earlier builds of the run are kept beside it.
    """
    try:
        if times is not None:
            _keep_times(run, times)
        get_run_logger().info("report: %s", write_report(run, kept_kpis(run.config)))
    except Exception as error:
        told = "the report was not written: %s. The release is whole; try again with `kodforge report`"
        get_run_logger().warning(told, cause(error))


def write_report(run: Run, kpis: RunKpis | None = None) -> str:
    """Write the report of a finished run into its folder, and say where it is.

    Args:
        kpis: those of the run, where they were read a moment ago.

    Raises:
        BadInput: the run has not finished.
    """
    run.store.write(report_of(run, kpis), run.config.run, FILE)
    return run.store.path(run.config.run, FILE)


def report_of(run: Run, kpis: RunKpis | None = None) -> bytes:
    """The report of a finished run.

    Args:
        kpis: those of the run, where they were read a moment ago.

    Raises:
        BadInput: the run has not finished.
    """
    from tasks.reporting.page import render  # noqa: PLC0415 - what draws takes a second to import

    kpis = kpis or earlier_kpis(run.config, run.config.run)
    figures = figures_of(run, kpis, trend_of(run.store, kpis), kept_times(run))
    return render(figures, questions_map(run), samples_of(run))


def trend_of(store: Store, kpis: RunKpis) -> list[RunKpis]:
    """The numbers of the runs of a store, in the order in which they ended, up to a run and with it."""
    found: list[tuple[datetime, str, RunKpis]] = []
    ended = _ended(store, kpis.run)
    for name in store.names():
        data = store.find(name, KPIS) if name != kpis.run else None
        if data is None or (before := _ended(store, name)) > ended:
            continue
        try:
            found.append((before, name, RunKpis.model_validate_json(data)))
        except ValidationError:  # of another version
            continue
    earlier = [one for *_, one in sorted(found, key=lambda one: one[:2])]
    return [*earlier[1 - MOST_RUNS :], kpis]


def _ended(store: Store, run: str) -> datetime:
    """When a run's numbers were written; the end of time where that is not known, so that what has no time is last."""
    try:
        moment = store.modified(run, KPIS)
    except (FileNotFoundError, NotImplementedError):
        return datetime.max.replace(tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _keep_times(run: Run, times: FlowTimes) -> None:
    """Add the times of this flow run to those of earlier ones."""
    before = kept_times(run) or Times()
    kept = Times(builds={**before.builds, str(times.flow_run): told_times(times.tasks.values())})
    run.store.write(kept.model_dump_json(indent=1).encode(), run.config.run, TIMES)


def told_times(tasks: Iterable[TaskTimes]) -> list[TaskTime]:
    """Times by task as a report tells them."""
    return [
        TaskTime(
            task=one.task,
            runs=one.runs,
            reused=one.reused,
            retries=one.retries,
            failed=one.failed,
            teacher=one.spent.teacher,
            sandbox=one.spent.sandbox,
            own=one.spent.other,
        )
        for one in tasks
    ]


def kept_times(run: Run) -> Times | None:
    """What the builds of a run have told; None where none has."""
    data = run.store.find(run.config.run, TIMES)
    try:
        return None if data is None else Times.model_validate_json(data)
    except ValidationError:  # of another version
        return None


def show_report(config: BuildConfig, runs: list[str], out: Path | None, console: Console) -> None:
    """Write the reports of some runs.

    Args:
        runs: names; empty: the config's run.
        out: file for the report of one run, in place of its folder.

    Raises:
        BadInput: a run has not finished, several are to go into one file, or it cannot be written.
    """
    names = runs or [config.run]
    if out is not None and len(names) > 1:
        raise BadInput(
            f"--out takes the report of one run, got {len(names)}: {', '.join(names)}. Give one, or no --out"
        )
    for name in names:
        run = Run(config=config.model_copy(update={"run": name}), teachers=config.teachers)
        if out is None:
            place = write_report(run)
        else:
            Store(str(out.parent)).write(report_of(run), out.name)
            place = str(out)
        console.print(place, highlight=False, markup=False, soft_wrap=True)

"""The numbers that a team decides on: ``kodforge kpis`` as a flow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect.artifacts import create_markdown_artifact, create_table_artifact
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from flows.orchestration.hooks import flow
from flows.orchestration.run_flows import named, of_run
from tasks.errors import BadInput, TargetsMissed
from tasks.files import check_suffix
from tasks.kpis.comparing import Met, targets
from tasks.kpis.feedback import write_failures
from tasks.kpis.figures import RunKpis
from tasks.kpis.reading import kpis_of
from tasks.kpis.report import HOW_IT_IS_TOLD, MEANINGS, kpi_report, move_rows, subset_rows, told, value_rows
from tasks.pruning import ENDED
from tasks.run import Run
from tasks.settings import BuildConfig, Kpis
from tasks.store import Store

FILE = ENDED
"""Of a run, in its folder."""


@flow(name="kpis", flow_run_name=named("kpis"))
@of_run
def kpis(config: BuildConfig) -> RunKpis:
    """Read the numbers of a finished run, compare them with those of an earlier one, and hold them against targets.

    The flow run fails where a target is missed; what it found is on its page and in the run's folder all the same.

    Args:
        config: that of a finished run; `kpis` says what to compare with, and the targets.
    """
    found = kpis_of(_run(config))
    Store.of(config).write(found.model_dump_json(indent=1).encode(), config.run, FILE)
    earlier = [earlier_kpis(config, config.kpis.against)] if config.kpis.against else []
    met = targets(found, config.kpis.targets)
    create_table_artifact(value_rows(found, met), key="kpis", description=f"Run {config.run}")
    for one in earlier:
        create_table_artifact(move_rows(found, one), key="kpis-moved", description=f"Since run {one.run}")
    create_table_artifact(subset_rows(found), key="kpis-by-subset", description="By subset")
    create_markdown_artifact(kpi_report([*earlier, found], config.kpis.targets), key="kpi-report")
    check_targets(met)
    return found


def check_targets(met: list[Met]) -> None:
    """Raises:
    TargetsMissed: at least one is; names each with its value.
    """
    missed = [one for one in met if one.outcome != "met"]
    if not missed:
        return
    lines = []
    for one in missed:
        unit = MEANINGS[one.name].unit
        bounds = (("at least", one.target.at_least), ("at most", one.target.at_most))
        wanted = " and ".join(f"{name} {told(bound, unit)}" for name, bound in bounds if bound is not None)
        lines.append(f"{one.name} is {told(one.figure.value, unit) or 'not measured'}, to be {wanted}")
    raise TargetsMissed(f"{len(missed)} of {len(met)} targets are missed: {'; '.join(lines)}")


def earlier_kpis(config: BuildConfig, name: str) -> RunKpis:
    """The numbers of another run: of its artifacts, or of a JSON file that was written of them.

    Raises:
        BadInput: there is no such run or file.
    """
    if name.endswith(".json"):
        return _read(Path(name).read_bytes() if Path(name).is_file() else None, name)
    # What an experiment gained is about the release it was trained on, and is known of that run alone.
    other = kpis_of(_run(config, name, Kpis()))
    if (kept := kept_kpis(config, name)) is None:
        return other
    return other.model_copy(update={"kpis": [kept.of(one.name) if one.name == "gain" else one for one in other.kpis]})


def kept_kpis(config: BuildConfig, name: str = "") -> RunKpis | None:
    """The numbers that the last build of a run has written, by default of the config's; None: it has written none."""
    data = Store.of(config).find(name or config.run, FILE)
    return None if data is None else _read(data, name or config.run)


def _read(data: bytes | None, name: str) -> RunKpis:
    try:
        return RunKpis.model_validate_json(data or b"")
    except ValidationError as error:
        raise BadInput(f"{name!r} holds no numbers of a run. Give a run, or a file that --json has written") from error


def _run(config: BuildConfig, name: str = "", settings: Kpis | None = None) -> Run:
    update = {"run": name or config.run, "kpis": settings or config.kpis}
    return Run(config=config.model_copy(update=update), teachers=config.teachers)


def show_kpis(config: BuildConfig, runs: list[str], json: Path | None, report: Path | None, console: Console) -> None:
    """Show the numbers of the last run and what moved since the others.

    Args:
        runs: names, the earliest first; empty: the config's run, against `kpis.against`.

    Raises:
        BadInput: a run has not finished, or a file cannot be written.
        TargetsMissed: the last run misses targets of the config.
    """
    last = runs[-1] if runs else config.run
    found = kpis_of(_run(config, last))
    names = runs[:-1] or ([config.kpis.against] if config.kpis.against else [])
    earlier = [earlier_kpis(config, name) for name in names]
    told_of = kpi_report([*earlier, found], config.kpis.targets)
    for path, text in ((json, found.model_dump_json(indent=1)), (report, told_of)):
        if path is not None:
            Store(str(path.parent)).write(text.encode(), path.name)
    met = targets(found, config.kpis.targets)
    _print(f"Run {found.run}", value_rows(found, met), console)
    for one in earlier:
        _print(f"Since run {one.run}", move_rows(found, one), console)
        console.print(HOW_IT_IS_TOLD, highlight=False)
    if report is None:
        console.print("what each number is, and by subset: --report FILE", highlight=False)
    check_targets(met)


def _print(title: str, rows: list[dict[str, Any]], console: Console) -> None:
    """A table without the columns that say nothing; what a number is can be read in the report."""
    table = Table(title=title, title_justify="left")
    names = [name for name in rows[0] if name != "what" and any(row[name] for row in rows)] if rows else []
    for name in names:
        table.add_column(name, no_wrap=name == "kpi", justify="left" if name in ("kpi", "target") else "right")
    for row in rows:
        table.add_row(*(str(row[name]) for name in names))
    console.print(table)


def run_feedback(config: BuildConfig, out: Path, unsolved: bool, console: Console) -> None:
    """Write what a run's models got wrong."""
    check_suffix(out)
    count = write_failures(_run(config), out, unsolved)
    console.print(f"{count} failures in {out}", highlight=False, soft_wrap=True)
    if count:
        console.print(
            f"ask more of that kind: kodforge run --profile … --set subsets.Feedback.count={3 * count} --set "
            f"subsets.Feedback.seeds.path={out} --set subsets.Feedback.seeds.licence=LICENCE, that of the run's rows",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )

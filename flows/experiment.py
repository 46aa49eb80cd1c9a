"""Models trained on a release and evaluated: ``kodforge train`` and ``kodforge experiment``."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.logging import get_run_logger
from pydantic import ValidationError
from rich.console import Console
from rich.markdown import Markdown

from flows.console.options import describe, with_overrides
from flows.console.runs import wait_until_recorded
from flows.evaluate import evaluate
from flows.orchestration.hooks import flow
from flows.orchestration.preflight import check_prefect
from tasks.errors import BadInput, KodforgeError
from tasks.evaluation.items import read_items
from tasks.evaluation.result import read_result
from tasks.execution.pool import check_sandbox
from tasks.models.scores import EvaluationResult
from tasks.settings import EvaluationConfig, ExperimentConfig, Serving, fingerprint
from tasks.settings.experiment import BASE
from tasks.store import Store
from tasks.training.cells import MODEL, Cell, TrainedCell, check_cells, clear, plan
from tasks.training.process import check_interpreter, check_program, interpreter
from tasks.training.report import experiment_report
from tasks.training.results import ExperimentResult, summarise_experiment
from tasks.training.serving import TRANSFORMERS_SERVE, served
from tasks.training.stage import export, train


class CellsFailed(KodforgeError):
    """Some cells could not be trained or evaluated; all others are, and stay."""


def check_experiment(config: ExperimentConfig) -> None:
    """Check all that an experiment needs before anything is trained.

    Raises:
        BadInput: the folder, the release, a recipe, a base model, an evaluation or a library is not there.
        SandboxUnavailable: no answer can be judged on this machine.
    """
    check_prefect()
    Store(config.folder).check_writable()
    check_cells(config)
    if not config.evaluations:
        return
    for name in config.evaluations:
        next(read_items(config.items_of(name)))
    check_server(config)
    check_sandbox(config.sandbox)


def check_server(config: ExperimentConfig) -> None:
    """Raises:
    BadInput: what serves checkpoints is not installed.
    """
    check_program(config.serving.command, "serving.command")
    if config.serving.command == Serving().command:
        check_interpreter(interpreter(config.training), TRANSFORMERS_SERVE)


@flow(name="experiment", flow_run_name="experiment {config.name}")
def experiment(config: ExperimentConfig) -> ExperimentResult:
    """Train a model for every base model, recipe and seed, evaluate all of them, and compare.

    Running it again with the same config goes on: trained cells and answered items stay. A cell that fails does not
    stop the others.

    Args:
        config: release, models, recipes, evaluations. What is left empty is taken from the profile.
    """
    check_experiment(config)
    place = Path(config.folder) / config.name
    cells: list[TrainedCell] = []
    runs: dict[tuple[str, str, int | None], dict[str, EvaluationResult]] = {}
    failed: dict[str, str] = {}
    for cell in plan(config):
        try:
            found, results = _run_cell(config, cell, place)
        except Exception as error:  # whatever it was, the other cells are worth having
            get_run_logger().exception("%s failed", cell.title)
            failed[cell.title] = str(error)
            continue
        cells += [found] if found else []
        runs[cell.model, cell.recipe, cell.seed] = results
    result = summarise_experiment(config.name, config.release, cells, runs, failed)
    _show(result)
    store = Store(str(place))
    store.write(result.model_dump_json(indent=1).encode(), "results.json")
    store.write(experiment_report(result).encode(), "results.md")
    if failed:
        title, why = next(iter(failed.items()))
        raise CellsFailed(
            f"{len(failed)} of {len(plan(config))} cells failed, the others are in {place / 'results.md'}. First "
            f"cause, of {title}: {why}. Mend it and run the same command again"
        )
    return result


def _run_cell(
    config: ExperimentConfig, cell: Cell, place: Path
) -> tuple[TrainedCell | None, dict[str, EvaluationResult]]:
    """Train a cell, or make a base model ready, and evaluate it."""
    folder = place / cell.place
    if cell.recipe == BASE:
        if not config.evaluations:
            return None, {}
        model, name = export(config, cell, folder)
        return None, _evaluated(config, model, name, place)
    trained = train(config, cell, folder)
    if _pending(config, trained.name, place) and not (folder / MODEL).is_dir():
        get_run_logger().warning("%s is trained again: its weights were not kept, and are to be evaluated", cell.title)
        clear(folder)
        trained = train(config, cell, folder)
    results = _evaluated(config, folder / MODEL, trained.name, place)
    if config.evaluations and not config.keep_models and (folder / MODEL).is_dir():
        shutil.rmtree(folder / MODEL)
    return trained, results


def _evaluated(config: ExperimentConfig, model: Path | str, name: str, place: Path) -> dict[str, EvaluationResult]:
    """The results of a model on all evaluations; it is served where one is missing."""
    if pending := _pending(config, name, place):
        log = place / "servers" / f"{name.replace('/', '--')}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with served(model, name, log, config.serving, config.training) as url:
            for evaluation in pending:
                values = config.evaluation_of(evaluation, url, name)
                settings = EvaluationConfig(
                    run=evaluation, store=str(place / "evaluations"), evaluation=values, sandbox=config.sandbox
                )
                out = _result_path(config, evaluation, name, place)
                if not (found := evaluate(settings, out.with_suffix(".part"))).complete:
                    raise KodforgeError(f"{found.not_asked} samples of {evaluation} were not answered by {name}")
                out.with_suffix(".part").replace(out)
    return {one: read_result(_result_path(config, one, name, place)) for one in config.evaluations}


def _pending(config: ExperimentConfig, name: str, place: Path) -> list[str]:
    return [one for one in config.evaluations if not _result_path(config, one, name, place).is_file()]


def _result_path(config: ExperimentConfig, evaluation: str, name: str, place: Path) -> Path:
    """Named by all that the result depends on."""
    key = fingerprint(config.evaluation_of(evaluation, "http://loopback", name), config.sandbox)
    return place / "evaluations" / "results" / name.replace("/", "--") / f"{evaluation}-{key[:8]}.json"


def _show(result: ExperimentResult) -> None:
    """Put scores, comparisons and report on the flow run's page."""
    create_table_artifact([one.model_dump() for one in result.scores], key="scores", description="pass@k")
    told = [one.model_dump() for one in result.comparisons]
    create_table_artifact(told, key="comparisons", description="Differences, and whether they are beyond chance")
    create_markdown_artifact(experiment_report(result), key="experiment")


def experiment_config(profile: str, sets: list[str], **given: object) -> ExperimentConfig:
    """The config of a profile with overrides.

    Args:
        given: values that options gave; None where one is left to the profile.

    Raises:
        BadInput: an override is malformed, or a value is out of bounds (each is named with its value).
    """
    named = {name: value for name, value in given.items() if value is not None}
    try:
        return ExperimentConfig(**with_overrides({"profile": profile, **named}, sets))
    except ValidationError as error:
        raise BadInput(describe(error)) from error
    except ValueError as error:
        raise BadInput(str(error)) from error


@contextmanager
def _stoppable(console: Console) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        console.print("Stopped. The same command again goes on: what is finished stays.", style="yellow")
        raise typer.Exit(130) from None
    finally:
        wait_until_recorded()


def run_experiment(config: ExperimentConfig, console: Console) -> None:
    """Run an experiment, and show what came of it."""
    check_experiment(config)
    with _stoppable(console):
        result = experiment(config)
    console.print(Markdown(experiment_report(result)))
    console.print(f"results in {Path(config.folder) / config.name}", highlight=False, soft_wrap=True)


@flow(name="train", flow_run_name="train {cell.title}")
def train_one(config: ExperimentConfig, cell: Cell, out: Path) -> TrainedCell:
    """Train one cell of an experiment into a folder.

    Args:
        config: `release`, `models`, `recipes` and `training` are used.
        cell: which base model, recipe and seed.
        out: folder for the checkpoint.
    """
    check_training(config, cell)
    return train(config, cell, out)


def check_training(config: ExperimentConfig, cell: Cell) -> None:
    """Check what one cell needs.

    Raises:
        BadInput: the release, the recipe's rows, the base model or a library is not there.
    """
    check_prefect()
    alone = {
        "models": {cell.model: config.models[cell.model]},
        "recipes": {cell.recipe: config.recipes[cell.recipe]},
    }
    check_cells(config.model_copy(update=alone))


def the_cell(config: ExperimentConfig, model: str | None, recipe: str | None) -> Cell:
    """The cell that options name; what there is one of need not be named.

    Raises:
        BadInput: there is none of that name, or several to choose from.
    """
    chosen = []
    for axis, name, there in (("model", model, config.models), ("recipe", recipe, config.recipes)):
        if name is None and len(there) > 1:
            raise BadInput(f"there are several {axis}s: {', '.join(there)}. Choose one: --{axis} {next(iter(there))}")
        if name is not None and name not in there:
            raise BadInput(f"there is no {axis} {name!r}. There are {', '.join(there)}")
        chosen.append(name or next(iter(there)))
    return Cell(chosen[0], chosen[1], config.seeds[0])


def run_training(config: ExperimentConfig, cell: Cell, out: Path, console: Console) -> None:
    """Train one cell, and say how it went."""
    check_training(config, cell)
    with _stoppable(console):
        trained = train_one(config, cell, out)
    console.print(
        f"{trained.rows} rows, {trained.steps} steps, loss {trained.first_loss:.4f} at first and "
        f"{trained.last_loss:.4f} at last, {trained.seconds:.0f} s on {trained.device}\n"
        f"weights in {out / MODEL}, losses in {out / 'log.jsonl'}, what was done in {out / 'cell.json'}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )

"""The tasks of an experiment: a cell is trained, a base model is made ready to be served."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from prefect.artifacts import create_progress_artifact, create_table_artifact, update_progress_artifact
from prefect.logging import get_run_logger

from tasks.retries import Retries, can_help
from tasks.settings import ExperimentConfig
from tasks.shards import shard_task
from tasks.training.cells import LOG, Cell, TrainedCell, export_base, train_cell
from tasks.training.process import Step, read_log

_LINES = 50
"""Of the table of losses."""
_RETRIES: Retries = {"retries": 1, "retry_delay_seconds": [30], "retry_condition_fn": can_help}


@shard_task("train {cell.title}", retries=_RETRIES)
def train(config: ExperimentConfig, cell: Cell, folder: Path) -> TrainedCell:
    """Train a cell; its progress and its losses are on the task run's page.

    Raises:
        BadInput: the folder holds something else, or the rows are not to be had.
        TrainingFailed: the process ended before it was done.
    """
    logger = get_run_logger()
    shown: list[UUID] = []

    def stepped(step: Step) -> None:
        if not shown:
            artifact = create_progress_artifact(0.0, key="training-progress", description=f"Steps of {cell.title}")
            assert isinstance(artifact, UUID)
            shown.append(artifact)
        percent = 100 * step.step / step.steps
        if step.step in (1, step.steps) or step.step % max(1, step.steps // 20) == 0:
            logger.info("%s: step %d of %d, loss %.4f", cell.title, step.step, step.steps, step.loss)
            update_progress_artifact(shown[0], progress=percent, description=f"{cell.title}: loss {step.loss:.4f}")

    trained = train_cell(config, cell, folder, stepped)
    steps = list({step.step: step for step in read_log(folder / LOG)}.values())
    every = max(1, len(steps) // _LINES)
    table = [
        {"step": step.step, "loss": round(step.loss, 4), "learning rate": step.learning_rate, "seconds": step.seconds}
        for step in steps
        if step.step % every == 0 or step in (steps[0], steps[-1])
    ]
    told = f"{cell.title}: loss {trained.first_loss:.4f} at first, {trained.last_loss:.4f} at last"
    create_table_artifact(table, key="loss", description=told)
    logger.info("%s, %d rows, %.0f s", told, trained.rows, trained.seconds)
    return trained


@shard_task("export {cell.model}", retries={"retries": 1, "retry_condition_fn": can_help})
def export(config: ExperimentConfig, cell: Cell, folder: Path) -> tuple[Path | str, str]:
    """A base model's weights as servers load them, and what to call them.

    Raises:
        BadInput: there is no such model.
        TrainingFailed: it could not be unpacked.
    """
    return export_base(config, cell, folder)

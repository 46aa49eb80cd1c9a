"""The cells of an experiment: a base model, a recipe, a seed; each is trained in a folder of its own, once."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tasks.errors import BadInput
from tasks.settings import ExperimentConfig, Training, fingerprint
from tasks.settings.experiment import BASE
from tasks.training.bases import Base, find_base
from tasks.training.process import LIBRARIES, Step, check_interpreter, check_program, interpreter, read_log, run_trainer
from tasks.training.selection import open_set, select, write_rows

RECEIPT = "cell.json"
"""Written last: a folder without it is not trained yet."""
ROWS, LOG, TRAINED, MODEL, ADAPTER = "rows.jsonl", "log.jsonl", "training.json", "model", "adapter"
_OURS = {RECEIPT, ROWS, LOG, TRAINED, MODEL, ADAPTER, "job.json", "trainer.log", "server.log", "states", "begun.json"}
_WHERE = {"python", "launcher", "threads", "save_every", "device_batch", "gradient_checkpointing"}
"""What of the settings decides where and how fast, and not what is learnt."""


@dataclass(frozen=True)
class Cell:
    """One training. A base model as it is has the recipe ``base`` and no seed."""

    model: Annotated[str, Field(description="One of `models`.")]
    recipe: Annotated[str, Field(description="One of `recipes`.")]
    seed: Annotated[int | None, Field(description="Drives the order of rows and the first weights.")]

    @property
    def title(self) -> str:
        return f"{self.model} / {self.recipe}" + ("" if self.seed is None else f" / seed {self.seed}")

    @property
    def place(self) -> str:
        """Path of its folder below the experiment's."""
        return f"cells/{self.model}/{self.recipe}" + ("" if self.seed is None else f"/seed-{self.seed}")


class TrainedCell(BaseModel):
    """What was trained, on what, and how it went: the receipt of a cell."""

    model_config = ConfigDict(extra="forbid")

    model: str
    base: str = Field(description="As the config names it.")
    recipe: str
    seed: int
    fingerprint: str = Field(description="Of all that decides what was learnt.")
    data_sha256: str = Field(description="Of rows.jsonl.")
    release_version: str = Field(description="Commit on the hub; empty elsewhere.")
    rows: int
    fitting: int = Field(description="Rows that the recipe could have taken.")
    difficulties: dict[str, int]
    too_long: int = Field(description="Rows left out for their length.")
    tokens: int = Field(description="Of the rows, per epoch.")
    steps: int
    first_loss: float = Field(description="Mean over the first tenth of the steps, in nats per token.")
    last_loss: float = Field(description="Mean over the last tenth.")
    trained_parameters: int
    devices: int
    device: str
    seconds: float
    versions: dict[str, str]

    @property
    def name(self) -> str:
        """What its model is called where it is served: no two trainings have the same."""
        return f"{self.model}-{self.recipe}-{self.seed}-{self.fingerprint[:8]}"


def plan(config: ExperimentConfig) -> list[Cell]:
    """All cells, the base models first."""
    bases = [Cell(model, BASE, None) for model in config.models]
    trained = [
        Cell(model, recipe, seed) for model in config.models for recipe in config.recipes for seed in config.seeds
    ]
    return bases + trained


def check_cells(config: ExperimentConfig) -> None:
    """Check all that trainings need: models, rows and libraries.

    Raises:
        BadInput: one of them is not there; names it.
        SourceUnavailable: a remote release does not answer.
    """
    for name, recipe in config.recipes.items():
        try:
            select(open_set(config.release, recipe.set), recipe, config.seeds[0])
        except BadInput as error:
            raise BadInput(f"recipes.{name}: {error}") from error
    bases = [find_base(base) for base in config.models.values()]
    gguf = ("gguf",) if any(base.gguf_file for base in bases) else ()
    check_interpreter(interpreter(config.training), LIBRARIES + gguf)
    check_program(config.training.launcher, "training.launcher")


def train_cell(
    config: ExperimentConfig, cell: Cell, folder: Path, stepped: Callable[[Step], None] = lambda step: None
) -> TrainedCell:
    """Draw the rows of a cell and train on them; a cell that is done is left as it is.

    A training that broke off goes on from its last state.

    Raises:
        BadInput: the folder holds something else, or the rows are not to be had.
        TrainingFailed: the process ended before it was done.
    """
    assert cell.seed is not None
    own_folder(folder)
    recipe, training = config.recipes[cell.recipe], config.training
    base = find_base(config.models[cell.model])
    table = open_set(config.release, recipe.set)
    chosen = select(table, recipe, cell.seed)
    digest = write_rows(table, chosen, folder / f"{ROWS}.new")
    key = _key(base, training, cell.seed, digest)
    if (done := receipt(folder)) and done.fingerprint == key:
        (folder / f"{ROWS}.new").unlink()
        return done
    if _begun(folder) != key:
        clear(folder, keep=f"{ROWS}.new")
    os.replace(folder / f"{ROWS}.new", folder / ROWS)
    (folder / "begun.json").write_text(json.dumps({"fingerprint": key}))
    job = {**_job(base, folder, training), "data": str((folder / ROWS).absolute()), "seed": cell.seed}
    run_trainer(job, folder, training, stepped)
    told = json.loads((folder / TRAINED).read_text())
    first, last = losses(read_log(folder / LOG))
    trained = TrainedCell(
        model=cell.model,
        base=config.models[cell.model],
        recipe=cell.recipe,
        seed=cell.seed,
        fingerprint=key,
        data_sha256=digest,
        release_version=table.version,
        fitting=chosen.fitting,
        difficulties=chosen.counts,
        first_loss=first,
        last_loss=last,
        **{name: told[name] for name in TrainedCell.model_fields if name in told},
    )
    _write(folder / RECEIPT, trained.model_dump_json(indent=1))
    return trained


def export_base(config: ExperimentConfig, cell: Cell, folder: Path) -> tuple[Path | str, str]:
    """The weights of a base model as servers load them, and what to call them: a hub id as it is, a GGUF file unpacked.

    Raises:
        BadInput: there is no such model.
        TrainingFailed: it could not be unpacked.
    """
    base = find_base(config.models[cell.model])
    if not base.gguf_file:
        on_hub = base.identity == base.path
        return (base.path, base.path) if on_hub else (Path(base.path), f"{cell.model}-base-{base.identity[:8]}")
    own_folder(folder)
    key = fingerprint(base.identity, config.training.precision)
    if _begun(folder) != key or not (folder / TRAINED).is_file():
        clear(folder)
        (folder / "begun.json").write_text(json.dumps({"fingerprint": key}))
        run_trainer(
            {**_job(base, folder, config.training), "data": "", "seed": 0}, folder, config.training, lambda _: None
        )
    return folder / MODEL, f"{cell.model}-base-{key[:8]}"


def losses(steps: Sequence[Step]) -> tuple[float, float]:
    """Mean loss over the first and the last tenth of the steps, at least one."""
    values = [step.loss for step in {step.step: step for step in steps}.values()]
    tenth = max(1, len(values) // 10)
    return fmean(values[:tenth]), fmean(values[-tenth:])


def receipt(folder: Path) -> TrainedCell | None:
    """What was trained in a folder; None where nothing was, or by another version of kodforge."""
    try:
        return TrainedCell.model_validate_json((folder / RECEIPT).read_bytes())
    except (OSError, ValidationError):
        return None


def own_folder(folder: Path) -> None:
    """Make a folder for a cell, or see that it is one.

    Raises:
        BadInput: it holds other files, or cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        strangers = sorted(one.name for one in folder.iterdir() if one.name.removesuffix(".new") not in _OURS)
    except OSError as error:
        raise BadInput(f"{str(folder)!r} cannot be used: {error}. Give a folder that can be written") from error
    if strangers:
        raise BadInput(f"{str(folder)!r} holds files that are no training of kodforge ({strangers[0]}, …). Choose "
                       f"another folder")  # fmt: skip


def clear(folder: Path, keep: str = "") -> None:
    """Remove an earlier training."""
    for one in folder.iterdir():
        if one.name != keep:
            shutil.rmtree(one) if one.is_dir() else one.unlink()


def _begun(folder: Path) -> str:
    path = folder / "begun.json"
    return str(json.loads(path.read_text())["fingerprint"]) if path.is_file() else ""


def _key(base: Base, training: Training, seed: int, data: str) -> str:
    return fingerprint(base.identity, training.model_dump(mode="json", exclude=_WHERE), seed, data)


def _job(base: Base, folder: Path, training: Training) -> dict[str, Any]:
    path = str(Path(base.path).absolute()) if Path(base.path).is_dir() else base.path
    return {
        "base": path,
        "gguf_file": base.gguf_file,
        "out": str(folder.absolute()),
        "settings": training.model_dump(mode="json"),
    }


def _write(path: Path, text: str) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text)
    os.replace(temporary, path)

"""``kodforge train`` and ``kodforge experiment``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

Sets = Annotated[
    list[str],
    typer.Option("--set", metavar="KEY=VALUE", help="Override one value, as in training.epochs=2."),
]


def train(
    release: Annotated[str, typer.Argument(help="Release: a folder, an fsspec URL or hf://datasets/OWNER/NAME.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for weights, losses and what was done.")],
    named: Annotated[str, typer.Option("--profile", help="smoke, paper, or the path of a YAML file.")] = "smoke",
    base: Annotated[
        str | None, typer.Option("--base", help="Base model: a folder, a .gguf file or a hub id; default: --model's.")
    ] = None,
    model: Annotated[str | None, typer.Option("--model", help="Which of the profile's models.")] = None,
    recipe: Annotated[str | None, typer.Option("--recipe", help="Which of the profile's recipes.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Default: the profile's first.")] = None,
    set_: Sets = [],  # noqa: B006 - typer reads the default, nobody changes it
) -> None:
    """Fine-tune a model on a release: LoRA or all weights, in a process of its own.

    A training that was stopped goes on when the same command is given again.

    Example: kodforge train kodforge-store/demo/release --out checkpoint --profile smoke --set training.steps=20
    """
    from flows.experiment import experiment_config, run_training, the_cell  # noqa: PLC0415 - Prefect takes 2 s

    models = {"models": {"base": base}} if base else {}
    seeds = {"seeds": [seed]} if seed is not None else {}
    config = experiment_config(named, set_, release=release, **models, **seeds)
    if base:
        config = config.model_copy(update={"models": {"base": base}})
    run_training(config, the_cell(config, model, recipe), out, Console())


def experiment(
    named: Annotated[str, typer.Argument(metavar="PROFILE", help="smoke, paper, or the path of a YAML file.")],
    release: Annotated[str | None, typer.Option("--release", help="Default: the profile's.")] = None,
    set_: Sets = [],  # noqa: B006
) -> None:
    """Train models on parts of a release, evaluate them and their bases, and say which differences are noise.

    An experiment that was stopped goes on when the same command is given again.

    Example: kodforge experiment smoke --release kodforge-store/demo/release
    """
    from flows.experiment import experiment_config, run_experiment  # noqa: PLC0415

    run_experiment(experiment_config(named, set_, release=release), Console())

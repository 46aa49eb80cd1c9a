"""Every key of every config, read off the models: types, defaults, bounds, meanings; and what the profiles set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from docs.builder.tables import code, enums_of, own_doc, parts_of, prose, table, told_bounds, told_default, told_type
from tasks.settings import PROFILES, BuildConfig, EvaluationConfig, ExperimentConfig, read_profile
from tasks.settings.experiment import EXPERIMENTS

PAGE, EVALUATION_PAGE, EXPERIMENT_PAGE, PROFILES_PAGE = (
    f"reference/{name}.md" for name in ("configuration", "evaluation", "experiment", "profiles")
)


def sections(root: type[BaseModel]) -> dict[type[BaseModel], list[str]]:
    """The sections of a config, in the order in which they are met, each with the keys that it stands at."""
    found: dict[type[BaseModel], list[str]] = {}

    def walk(model: type[BaseModel], path: str) -> None:
        found.setdefault(model, []).append(path)
        for name, field in model.model_fields.items():
            for part in parts_of(field.annotation):
                walk(part, f"{path}.{name}{_inner(field.annotation)}".lstrip("."))

    walk(root, "")
    return found


def _inner(annotation: Any) -> str:
    """What a key has behind it where it holds several sections."""
    origin = get_origin(annotation)
    if origin is dict:
        return ".NAME"
    if origin in (list, tuple):
        return "[]"
    return next((inner for argument in get_args(annotation) if (inner := _inner(argument))), "")


def described(field: FieldInfo) -> str:
    """What a key means: its description, else what the section or the closed set that it holds says of itself."""
    if field.description:
        return prose(field.description)
    kinds = [*parts_of(field.annotation), *enums_of(field.annotation)]
    return " ".join(own_doc(kind) for kind in kinds)


def keys(root: type[BaseModel]) -> Iterator[tuple[type[BaseModel], str, FieldInfo]]:
    """Every key of a config once, with the section that has it."""
    for model in sections(root):
        for name, field in model.model_fields.items():
            yield model, name, field


def _section(model: type[BaseModel], paths: list[str], link: dict[type[BaseModel], str]) -> str:
    title = code(paths[0]) if paths[0] else "The whole"
    also = [code(path) for path in paths[1:]]
    text = f"## {title} {{ #{model.__name__} }}\n\n{own_doc(model)}\n\n"
    if also:
        text += f"The same keys stand at {', '.join(also)}.\n\n"
    rows = []
    for name, field in model.model_fields.items():
        kind = told_type(field.annotation, link)
        bounds = told_bounds(field)
        rows.append([code(name), f"{kind}, {bounds}" if bounds else kind, told_default(field), described(field)])
    return text + table(["key", "type and bounds", "default", "meaning"], rows)


def _page(title: str, intro: str, root: type[BaseModel], known: dict[type[BaseModel], str]) -> str:
    """A page of a config; sections that another page has are linked to there."""
    all_sections = sections(root)
    own = {model: f"#{model.__name__}" for model in all_sections if model not in known}
    link = own | known
    written = [_section(model, paths, link) for model, paths in all_sections.items() if model in own]
    return f"# {title}\n\n{intro}\n\n" + "\n".join(written)


def pages() -> dict[str, str]:
    """The pages of the configs, by their place in the site."""
    build = {model: f"{PAGE.rpartition('/')[2]}#{model.__name__}" for model in sections(BuildConfig)}
    evaluation = build | {
        model: f"{EVALUATION_PAGE.rpartition('/')[2]}#{model.__name__}"
        for model in sections(EvaluationConfig)
        if model not in build
    }
    return {
        PAGE: _page(
            "Configuration of a run",
            "Every key of `kodforge run` and of all commands with `--profile` and `--set`, as its model has it. A "
            "value comes from `--set KEY=VALUE` or the flow's parameter, else from the environment "
            "(`KODFORGE_SANDBOX__WALL_S` is `sandbox.wall_s`), else from the [profile](profiles.md), else from here. "
            "How to choose: "
            "[guide](../guide.md#configure-a-run).",
            BuildConfig,
            {},
        ),
        EVALUATION_PAGE: _page(
            "Configuration of an evaluation",
            "Every key of [`kodforge evaluate`](../evaluation.md). Sections that a run has too are with "
            "[the run's](configuration.md).",
            EvaluationConfig,
            build,
        ),
        EXPERIMENT_PAGE: _page(
            "Configuration of an experiment",
            "Every key of [`kodforge train` and `kodforge experiment`](../training.md).",
            ExperimentConfig,
            evaluation,
        ),
        PROFILES_PAGE: _profiles(),
    }


def flat(values: dict[str, Any], path: str = "") -> dict[str, Any]:
    """The leaves of a tree of values, by their keys."""
    leaves: dict[str, Any] = {}
    for name, value in values.items():
        key = f"{path}.{name}".lstrip(".")
        leaves |= flat(value, key) if isinstance(value, dict) and value else {key: value}
    return leaves


def _told(value: Any) -> str:
    if isinstance(value, list) and len(str(value)) > 60:
        return f"list of {len(value)}"
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True).removesuffix("\n").removesuffix("\n...")
    return code(text if len(text) <= 60 else "a text")


def _table_of(profiles: dict[str, dict[str, Any]], subsets: bool) -> str:
    leaves = {name: flat(values) for name, values in profiles.items()}
    every = dict.fromkeys(key for values in leaves.values() for key in values)
    chosen = [key for key in every if key.startswith("subsets.") is subsets and key != "profile"]
    rows = [
        [code(key), *(_told(leaves[name][key]) if key in leaves[name] else "" for name in profiles)] for key in chosen
    ]
    return table(["key", *(code(name) for name in profiles)], rows)


def _named(folder: Path) -> dict[str, dict[str, Any]]:
    return {path.stem: yaml.safe_load(path.read_text()) for path in sorted(folder.glob("*.yaml"))}


def _profiles() -> str:
    builds = {name: read_profile(name) for name in _named(PROFILES)}
    return (
        "# Profiles\n\nWhat each profile sets. An empty cell is the [default](configuration.md), or a subset that the "
        "profile does not make; `{}` takes all defaults. The files are in `deployments/profiles/`; copy one, and give "
        "its path as `--profile`.\n\n"
        + _table_of(builds, subsets=False)
        + "\n## Subsets\n\n"
        + _table_of(builds, subsets=True)
        + "\n## Experiments\n\nProfiles of `kodforge experiment` and `kodforge train`, in `deployments/experiments/`."
        + "\n\n"
        + _table_of(_named(EXPERIMENTS), subsets=False)
    )

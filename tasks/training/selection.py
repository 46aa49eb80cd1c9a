"""The rows of a release that a recipe takes: drawn by hash, so that a smaller draw is part of a larger one."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.errors import BadInput
from tasks.models import Difficulty
from tasks.settings import Recipe
from tasks.tables import Row, Table, open_table

_DIFFICULTIES = ("difficulty", "gpt_difficulty")
_Ranked = tuple[bytes, tuple[str, str], str]
"""A row: its rank, its key, its difficulty."""
_READ = ("question_id", "reasoner", "subset", "style", *_DIFFICULTIES)


@dataclass(frozen=True)
class Selection:
    """What a recipe takes of a release.

    Attributes:
        keys: question id and reasoner of the rows.
        fitting: rows that the recipe could have taken.
        counts: rows taken by difficulty.
    """

    keys: frozenset[tuple[str, str]]
    fitting: int
    counts: dict[str, int]


def open_set(release: str, name: str) -> Table:
    """The train split of a release's set.

    Raises:
        BadInput: the release or the set is not there.
        SourceUnavailable: a remote release does not answer.
    """
    if not release:
        raise BadInput("release is empty. Name the folder of a release: --set release=kodforge-store/demo/release")
    try:
        table = open_table(f"{release.rstrip('/')}/{name}")
    except BadInput as error:
        raise BadInput(
            f"release {release!r} has no set {name!r} ({error}). Give the folder with release.json of a run with "
            f"post_training.sets.{name}" + (" and teachers.reasoners" if name == "sft_reasoning" else "")
        ) from error
    files = tuple(file for file in table.files if file.rpartition("/")[2].startswith("train"))
    if not files:
        raise BadInput(f"set {name!r} of release {release!r} has no train split. Nothing passed its tests in this run")
    return Table(table.origin, table.version, files, table.fs)


def select(table: Table, recipe: Recipe, seed: int) -> Selection:
    """Draw the rows of a recipe; keys and ranks of the rows that fit are in memory.

    Raises:
        BadInput: a column is missing, or fewer rows fit than the recipe asks for.
    """
    ranked = sorted((_rank(seed, key), key, difficulty) for key, difficulty in _fitting(table, recipe))
    if recipe.mix:
        chosen = _mixed(ranked, recipe)
    elif ranked and len(ranked) >= (recipe.rows or 1):
        chosen = ranked[: recipe.rows]
    else:
        raise BadInput(
            f"the recipe asks for {recipe.rows or 'all'} rows of {recipe.set}, and {len(ranked)} fit its subsets, "
            f"styles, difficulties and reasoners. Ask for fewer rows, or take another release"
        )
    counts = Counter(difficulty for _, _, difficulty in chosen)
    return Selection(frozenset(key for _, key, _ in chosen), len(ranked), dict(sorted(counts.items())))


def write_rows(table: Table, selection: Selection, path: Path) -> str:
    """Write the rows as JSONL with their ids and messages.

    Returns:
        SHA-256 of the file.

    Raises:
        BadInput: a row's messages are no conversation that ends with an answer.
    """
    digest = hashlib.sha256()
    with path.open("wb") as lines:
        for row in table.rows(("question_id", "reasoner", "messages")):
            key = _key(_good(row))
            if key in selection.keys:
                told = {"question_id": key[0], "messages": _messages(row)}
                line = json.dumps(told).encode() + b"\n"
                lines.write(line)
                digest.update(line)
    return digest.hexdigest()


def _fitting(table: Table, recipe: Recipe) -> Iterator[tuple[tuple[str, str], str]]:
    levels = {*recipe.difficulties, *recipe.mix}
    filters = (("subset", recipe.subsets), ("style", recipe.styles), ("reasoner", recipe.reasoners))
    seen: set[tuple[str, str]] = set()
    for row in table.rows(_READ):
        values = _good(row)
        difficulty = next((values[name] for name in _DIFFICULTIES if name in values), None)
        if levels and difficulty is None:
            raise row.wrong("difficulty", "is missing, and the recipe chooses by it")
        if (levels and difficulty not in levels) or any(
            allowed and values.get(name) not in allowed for name, allowed in filters
        ):
            continue
        if (key := _key(values)) in seen:
            raise row.wrong("question_id", f"has {key[0]!r} twice. Ids must be unique")
        seen.add(key)
        yield key, str(difficulty)


def _good(row: Row) -> dict[str, Any]:
    if row.problem:
        raise row.problem
    if not isinstance(row.values.get("question_id"), str):
        raise row.wrong("question_id", "is missing")
    return dict(row.values)


def _key(values: dict[str, Any]) -> tuple[str, str]:
    return values["question_id"], str(values.get("reasoner") or "")


def _rank(seed: int, key: tuple[str, str]) -> bytes:
    return hashlib.sha256(json.dumps([seed, *key]).encode()).digest()


def _mixed(ranked: Sequence[_Ranked], recipe: Recipe) -> list[_Ranked]:
    """The first of each difficulty, by the shares of the mix; where no number of rows is asked for as many as can be.

    Raises:
        BadInput: a difficulty has too few.
    """
    there = Counter(difficulty for _, _, difficulty in ranked)
    most = int(min(there[level] / share for level, share in recipe.mix.items()) + 1e-9)
    quotas = _quotas(recipe.mix, recipe.rows or most)
    for level, quota in quotas.items():
        if there[level] < max(quota, 1):
            raise BadInput(
                f"the mix asks for {max(quota, 1)} {level} rows of {recipe.set}, and there are {there[level]}. Ask for "
                f"at most {most} rows in all, or for another mix"
            )
    left = dict(quotas)
    chosen = []
    for row in ranked:
        if left.get(Difficulty(row[2]), 0):
            left[Difficulty(row[2])] -= 1
            chosen.append(row)
    return chosen


def _quotas(mix: dict[Difficulty, float], rows: int) -> dict[Difficulty, int]:
    """Whole numbers in the shares of a mix, by largest remainders."""
    quotas = {level: int(share * rows + 1e-9) for level, share in mix.items()}
    for level in sorted(mix, key=lambda one: (quotas[one] - mix[one] * rows, one))[: rows - sum(quotas.values())]:
        quotas[level] += 1
    return quotas


def _messages(row: Row) -> list[dict[str, str]]:
    found = row.values.get("messages")
    if not isinstance(found, list) or len(found) < 2:
        raise row.wrong("messages", "is no conversation. Give a list of {role, content}")
    messages = [{"role": str(one["role"]), "content": str(one["content"])} for one in found]
    if messages[-1]["role"] != "assistant":
        raise row.wrong("messages", f"ends with {messages[-1]['role']!r}. The last one must be the assistant's")
    return messages

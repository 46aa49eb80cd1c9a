"""What must hold after a run, however it went: the same release, every row accounted for, no answer paid for twice."""

from __future__ import annotations

import hashlib
import io
import json
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tasks.artifacts import Receipt
from tests.chaos.cases import ANSWERS, RELEASE

RUN = "storm"


@dataclass(frozen=True)
class Account:
    """What a run left behind.

    Attributes:
        release: every file of the release.
        stages: the manifest of every stage.
        paid: calls that were paid for, and their tokens.
        keys: how often the teacher answered which request.
    """

    release: Mapping[str, bytes]
    stages: Mapping[str, dict[str, Any]]
    paid: tuple[int, int]
    keys: Mapping[str, int]

    @classmethod
    def of(cls, store: Path, asked: Sequence[Mapping[str, Any]]) -> Account:
        folder = store / RUN / "release"
        return cls(
            release={str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()},
            stages={one.parent.name: json.loads(one.read_text()) for one in (store / RUN).glob("*/manifest.json")},
            paid=_paid(store),
            keys=Counter(str(request["key"]) for request in asked if request["answered"]),
        )

    @property
    def asked_again(self) -> int:
        """Answers beyond the first to the same request."""
        return sum(count - 1 for count in self.keys.values())


def progress(store: Path) -> dict[str, int]:
    """How far a run is: answers on disk, receipts by stage, files of the release."""
    stages = sorted(one.name for one in (store / RUN).iterdir() if (one / "receipts").is_dir())
    return {name: counted(store, name) for name in (ANSWERS, *stages, RELEASE)}


def counted(store: Path, what: str) -> int:
    """Answers on disk, receipts of a stage, or files of the release."""
    if what == ANSWERS:
        return _one(store, "SELECT count(*) FROM answers")
    if what == RELEASE:
        return sum(1 for one in (store / RUN / "release").rglob("*") if one.is_file())
    folder = store / RUN / what / "receipts"
    return sum(1 for one in folder.glob("*.json")) if folder.is_dir() else 0


def _one(store: Path, query: str) -> int:
    path = store / "answers.sqlite"
    if not path.exists():
        return 0
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as answers:
            return int(answers.execute(query).fetchone()[0] or 0)
    except sqlite3.OperationalError:  # it is being made
        return 0


def _paid(store: Path) -> tuple[int, int]:
    return (
        _one(store, "SELECT count(*) FROM usage WHERE paid"),
        _one(store, "SELECT sum(prompt_tokens + completion_tokens) FROM usage WHERE paid"),
    )


def faults(store: Path, now: Account, calm: Account, in_flight: int) -> list[str]:
    """What does not hold; empty where all does.

    Args:
        calm: of an undisturbed run.
        in_flight: answers that may have been on their way when something was killed.
    """
    return [
        *_release(now, calm),
        *_rows(store, now, calm),
        *_answers(store, now, calm, in_flight),
        *_left_over(store),
    ]


def _release(now: Account, calm: Account) -> list[str]:
    if "release.json" not in now.release:
        return ["there is no release"]
    found = [f"the release lacks {name}" for name in sorted(calm.release.keys() - now.release.keys())]
    found += [f"the release has {name} beside" for name in sorted(now.release.keys() - calm.release.keys())]
    both = calm.release.keys() & now.release.keys()
    return found + [
        f"{name} of the release differs" for name in sorted(both) if calm.release[name] != now.release[name]
    ]


def _rows(store: Path, now: Account, calm: Account) -> list[str]:
    """Manifests as the undisturbed run's, and the rows on disk as the manifests tell."""
    found = (
        [f"stages differ: {sorted(now.stages.keys() ^ calm.stages.keys())}"]
        if now.stages.keys() != calm.stages.keys()
        else []
    )
    for name in sorted(now.stages.keys() & calm.stages.keys()):
        mine, theirs = now.stages[name], calm.stages[name]
        found += [
            f"{name}: {key} is {mine[key]}, undisturbed {theirs[key]}"
            for key in ("rows_in", "rows_out", "rejected", "reasons")
            if mine[key] != theirs[key]
        ]
        if mine["rows_in"] != mine["rows_out"] + mine["rejected"]:
            found.append(f"{name}: {mine['rows_in']} rows in, {mine['rows_out']} out, {mine['rejected']} rejected")
        folder = store / RUN / name
        parts = {one.name for one in folder.glob("*.parquet")}
        if parts != {Receipt.model_validate(shard).file for shard in mine["shards"]}:
            found.append(f"{name}: parts {sorted(parts)} are not those of its manifest")
            continue
        for shard in mine["shards"]:
            found += _shard(folder, shard)
    return found


def _shard(folder: Path, shard: Mapping[str, Any]) -> list[str]:
    place = f"{folder.name}/{shard['name']}"
    file = Receipt.model_validate(shard).file
    rows, rejects = (folder / file).read_bytes(), (folder / "rejects" / file).read_bytes()
    table, rejected = pq.read_table(io.BytesIO(rows)), pq.read_table(io.BytesIO(rejects))
    found = []
    if (table.num_rows, rejected.num_rows) != (shard["rows_out"], shard["rejected"]):
        found.append(f"{place}: {table.num_rows} rows and {rejected.num_rows} rejects, its receipt says otherwise")
    if hashlib.sha256(rows + rejects).hexdigest() != shard["content"]:
        found.append(f"{place}: its content is not what its receipt vouches for")
    for name in ("attempt_id", "question_id", "id"):
        if name in table.column_names:
            twice = [key for key, count in Counter(table[name].to_pylist()).items() if count > 1]
            if name == "attempt_id" and twice:
                found.append(f"{place}: {name} {twice[0]} is there twice")
            break
    return found


def _answers(store: Path, now: Account, calm: Account, in_flight: int) -> list[str]:
    found = []
    if now.asked_again > in_flight:
        found.append(f"{now.asked_again} answers were asked for again, {in_flight} may have been in flight")
    if more := now.keys.keys() - calm.keys.keys():
        found.append(f"{len(more)} requests were made that an undisturbed run does not make")
    if now.paid != calm.paid:
        found.append(f"{now.paid} calls and tokens are booked, undisturbed {calm.paid}")
    on_disk = counted(store, ANSWERS)
    if on_disk != now.paid[0]:
        found.append(f"{on_disk} answers are on disk, {now.paid[0]} are booked")
    tokens = (
        _one(store, "SELECT count(*) FROM (SELECT key FROM usage WHERE paid GROUP BY key HAVING count(*) > 1)"),
        _one(store, "SELECT sum(tokens) FROM spent"),
    )
    if tokens != (0, now.paid[1]):
        found.append(f"{tokens[0]} answers are booked twice, {tokens[1]} tokens as spent of {now.paid[1]}")
    return found


def _left_over(store: Path) -> list[str]:
    names = (str(one.relative_to(store)) for one in store.rglob("*"))
    return [f"{name} is left over" for name in names if _is_temporary(name.rpartition("/")[2])]


def _is_temporary(name: str) -> bool:
    return name.endswith((".tmp", ".part")) or name == "unfinished.json" or name.startswith(".probe")

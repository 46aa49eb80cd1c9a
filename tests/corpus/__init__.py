"""Realistic pairs: those of the demo teacher's transcripts that are meant to pass or to fail, and ``pairs.yaml``."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from tasks.models import Pair

_WRITTEN = Path(__file__).with_name("pairs.yaml")


def transcript_entries() -> list[dict[str, Any]]:
    folder = resources.files("tasks.teachers") / "transcripts"
    files = sorted(file.name for file in folder.iterdir() if file.name.endswith(".yaml"))
    return [
        {**entry, "id": f"{name.removesuffix('.yaml')}/{entry['id']}"}
        for name in files
        for entry in yaml.safe_load((folder / name).read_text("utf-8"))
    ]


def right_pairs() -> list[Pair]:
    """Distinct pairs whose verdict is ``passed``."""
    return [*_attempts("passed"), *map(Pair.model_validate, yaml.safe_load(_WRITTEN.read_text("utf-8")))]


def wrong_pairs() -> list[Pair]:
    """Distinct pairs whose verdict is ``failed``: honest solutions with a mistake."""
    return _attempts("failed")


def _attempts(expected: str) -> list[Pair]:
    found: dict[tuple[str, str], Pair] = {}
    for entry in transcript_entries():
        attempts = entry.get("attempts") or []
        for number, attempt in enumerate(attempts, 1):
            if attempt.get("expect") == expected and "solution" in attempt:
                test = attempt.get("test") or next(other["test"] for other in attempts if "test" in other)
                pair = Pair(id=f"{entry['id']}/{number}", solution=attempt["solution"], test=test)
                found.setdefault((pair.solution, pair.test), pair)
    return list(found.values())

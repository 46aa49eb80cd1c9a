"""Releases of runs whose last stages were written by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tasks.models import ReleaseRow, Triplet
from tasks.publishing.folder import Manifest
from tasks.publishing.release import publish
from tasks.publishing.summary import summarise
from tasks.run import Run, StageName
from tasks.sets.catalogue import sets_of
from tests.publishing.rows import finish, only_rows, shards

Publish = Callable[..., Manifest]


@pytest.fixture
def publishing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Publish:
    """Publish rows as the run ``r`` into the folder ``release``."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")

    def make(
        rows: Sequence[ReleaseRow],
        converted: Sequence[ReleaseRow] = (),
        sets: Sequence[str] = (),
        folder: Path | str = tmp_path / "release",
        **release: Any,
    ) -> Manifest:
        config = only_rows(tmp_path, "r", {"path": str(folder), "title": "Small", **release}, sets)
        run = Run(config=config, teachers=config.teachers)
        plain = [Triplet(**{name: getattr(row, name) for name in Triplet.model_fields}) for row in rows]
        run.finish(StageName.TRIPLETS, shards(run, StageName.TRIPLETS, plain))
        run.finish(StageName.VERDICTS, [])
        finish(run, rows, converted)
        return publish(run, summarise(run), sets_of)

    return make

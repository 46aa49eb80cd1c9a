"""What old runs need no more: their stages, which the teachers' answers can make again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tasks.errors import RunBusy
from tasks.lease import one_writer
from tasks.run import StageName
from tasks.store import Store

ENDED = "kpis.json"
"""Written when a run has its release."""
_STAGES = frozenset(stage.value for stage in StageName)


@dataclass(frozen=True)
class OldRun:
    """A finished run with stages.

    Attributes:
        ended: when its numbers were written.
        stages: folders that it has.
        size: of these, bytes.
    """

    name: str
    ended: datetime
    stages: tuple[str, ...]
    size: int


def old_runs(store: Store, older_than: timedelta) -> Iterator[OldRun]:
    """The finished runs of a store that ended so long ago and still have stages, by name. Others are left out."""
    before = datetime.now(UTC) - older_than
    for name in store.names():
        found = store.written(name).get(ENDED)
        if found is None or not found.at:
            continue
        ended = datetime.fromtimestamp(found.at, UTC)
        stages = tuple(stage for stage in store.names(name) if stage in _STAGES)
        if stages and ended < before:
            yield OldRun(name, ended, stages, sum(store.folder_size(name, stage) for stage in stages))


def prune_run(store: Store, run: OldRun, tell: Callable[[str], None]) -> bool:
    """Remove the stages of a run; False where somebody writes it just now.

    Manifests go first: without one a stage counts as unfinished, so that a removal that breaks off leaves no stage that
    seems whole.
    """
    try:
        with one_writer(store, run.name, 0, tell):
            for stage in run.stages:
                store.remove(run.name, stage, "manifest.json")
            for stage in run.stages:
                store.remove_folder(run.name, stage)
    except RunBusy as error:
        tell(str(error))
        return False
    return True

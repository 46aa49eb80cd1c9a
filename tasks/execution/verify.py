"""The sandbox over a file of pairs: ``kodforge verify``."""

from __future__ import annotations

import logging
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tasks.artifacts import Outcome, Stage, batches
from tasks.errors import BadInput
from tasks.execution.pool import Look, SandboxPool
from tasks.files import check_suffix, read_models, row_writer
from tasks.lease import WAIT_S, one_writer
from tasks.models import Pair, PairVerdict, Verdict
from tasks.settings import Sandbox
from tasks.store import Store

_LOG = logging.getLogger(__name__)

PART = 500
COLUMNS = tuple(Pair.model_fields)


def read_pairs(path: Path) -> Iterator[Pair]:
    """The pairs of a file, in order; columns beyond those of a pair are ignored.

    Raises:
        BadInput: a column is missing or has the wrong type (names row and column), or an id occurs twice.
    """
    needed = "Needed: id, solution, test (texts); optional: entry_points, files"
    return (pair for pair, _ in read_models(path, Pair, _values, needed))


def _values(row: dict[str, Any]) -> dict[str, Any]:
    values = {name: row[name] for name in COLUMNS if row.get(name) is not None}
    if isinstance(values.get("files"), dict):
        values["files"] = [{"name": name, "content": text} for name, text in values["files"].items()]
    return values


def verify_file(
    path: Path, out: Path, settings: Sandbox, progress: Callable[[int], None] = lambda done: None, reruns: int = 0
) -> Counter[Verdict]:
    """Judge every pair of a file and write a verdict each, in order, a part in memory at a time.

    Finished parts lie in ``<out>.parts`` until all are done. After a crash the same call goes on from there; parts
    whose pairs or settings have changed are judged again.

    Args:
        progress: called with the number of pairs judged so far.
        reruns: more runs of each pass, to find flaky ones.

    Returns:
        How many pairs got which verdict.

    Raises:
        BadInput: the file cannot be used; nothing has run then and nothing is written.
        SandboxUnavailable: the sandbox failed; finished parts are kept.
        RunBusy: somebody else was still writing the same file after ten minutes.
    """
    check_suffix(out)
    if not sum(1 for _ in read_pairs(path)):  # the whole file is checked before anything runs
        raise BadInput(f"{path} has no rows")
    folder = out.with_name(f"{out.name}.parts")
    stage = Stage(Store(str(folder)), "verify", "verdicts")
    counts: Counter[Verdict] = Counter()
    receipts = []
    look = Look(coverage=settings.coverage, reruns=reruns)
    with one_writer(stage.store, stage.run, WAIT_S, _LOG.warning):
        with SandboxPool(settings) as pool:
            depends_on = [shareable_sandbox(settings), reruns, pool.backend.value, pool.image]
            for number, batch in enumerate(batches(read_pairs(path), PART)):
                pairs = [pair.model_dump(mode="json") for pair in batch]

                def judge(batch: list[Pair] = batch) -> Outcome:
                    return Outcome.of(pool.run_all(batch, look))

                receipt = stage.run_shard(f"part-{number:05d}", PairVerdict, [*depends_on, pairs], judge)
                receipts.append(receipt)
                counts.update(row.verdict for row in stage.rows(receipt, PairVerdict))
                progress(counts.total())
        with row_writer(out, PairVerdict) as write:
            for receipt in receipts:
                write(list(stage.rows(receipt, PairVerdict)))
        shutil.rmtree(folder)
    return counts


def shareable_sandbox(settings: Sandbox) -> dict[str, object]:
    """The settings that a verdict depends on."""
    return settings.model_dump(mode="json", exclude={"slots", "recycle_after", "backend"})


def verify_one(path: Path, settings: Sandbox, reruns: int = 0) -> PairVerdict:
    """The verdict on a file's only pair.

    Args:
        reruns: more runs of a pass, to find a flaky one.

    Raises:
        BadInput: the file has not exactly one pair.
    """
    pairs = list(read_pairs(path))
    if len(pairs) != 1:
        raise BadInput(f"{path} has {len(pairs)} pairs; --json judges exactly one. Use --out FILE for several")
    with SandboxPool(settings) as pool:
        return pool.run(pairs[0], Look(coverage=settings.coverage, reruns=reruns))

"""Rates read off a run that was made: what its stages took, and how its questions fared."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from statistics import fmean, pstdev
from typing import Any

from tasks.acceptance import difficulty
from tasks.artifacts import Receipt
from tasks.errors import BadInput
from tasks.forecast.work import work_of
from tasks.labeling.mending import ACCOUNT as MENDING
from tasks.models import Verdict
from tasks.run import Run, StageName
from tasks.settings import Mending
from tasks.sourcing.questions import CONTRACTS, RATINGS
from tasks.teachers.cache import Use, open_cache

_IN_A_BOX = {
    StageName.VERDICTS: "sandbox_s",
    StageName.CROSSCHECKS: "sandbox_s",
    StageName.AUDITS: "sandbox_s",
    StageName.GRADES: "sandbox_s",
    StageName.REFERENCES: "wall_s",
}
"""Stages that run code, and the column that says for how long."""
_STAGE_OF = {RATINGS: StageName.QUESTIONS, CONTRACTS: StageName.QUESTIONS, MENDING: StageName.TRIPLETS}
"""Accounts that are no stage of their own: the stage whose rows they are asked about."""
_WHOLE = {"curation": StageName.CURATED, "publishing": StageName.PLACINGS}
_LEAST = 1e-6
"""A time that was told as nothing, seconds."""


def measured_rates(
    run: Run, own_s: Mapping[StageName, float], whole_s: Mapping[str, float], boxed_s: Mapping[StageName, float]
) -> dict[str, Any]:
    """Rates of a finished run, in the form that ``read_rates`` takes as overrides.

    Args:
        own_s: seconds of each stage's own work, over all its tasks.
        whole_s: seconds of `curation` and `publishing`.
        boxed_s: seconds that each stage waited for the sandbox. They say how long boxes were taken up where shards ran
            one at a time, or where the rows of a stage do not say it.

    Raises:
        BadInput: the run has not been verified to its end.
    """
    if run.stage(StageName.TRIPLETS).manifest() is None:
        raise BadInput(
            f"run {run.config.run!r} in {run.config.store!r} has no triplets: rates can be read off a run that was "
            f"verified to its end. Name another, or leave --from out to take the rates that come with kodforge"
        )
    rows_in, rows_out = _counts(run)
    stages = {str(name): _stage(run, name, rows_in, own_s, boxed_s) for name in rows_in}
    # Of the attempts made in mending the verdicts are counted with the others.
    stages[StageName.TRIPLETS]["kept"] = _share(rows_out[StageName.TRIPLETS], _solved(run))
    whole = {
        name: {"start_s": 0.0, "row_s": seconds / rows_in[stage], "kept": _kept(name, rows_in, rows_out)}
        for name, stage in _WHOLE.items()
        if (seconds := whole_s.get(name)) and rows_in.get(stage)
    }
    return {"stages": stages, "calls": calls_of(run), "outcomes": _outcomes(run), **whole}


def calls_of(run: Run) -> dict[str, dict[str, float]]:
    """What a run asked for each row, by account."""
    rows_in, _ = _counts(run)
    return _never_asked(run, rows_in) | _calls(open_cache(run.cache_path).uses(run.account), rows_in)


def _never_asked(run: Run, rows_in: Mapping[StageName, int]) -> dict[str, dict[str, float]]:
    """Calls that only some rows need, and of which the config would have made some: none, unless some were made."""
    work = work_of(run.config)
    names = [account.name for account in work.sourcing]
    names += [work.mending] if work.rules.effort.mending is Mending.REWRITE else []
    return {name: {"per_row": 0.0} for name in names if rows_in.get(_STAGE_OF.get(name, StageName.ROWS))}


def _kept(whole: str, rows_in: Mapping[StageName, int], rows_out: Mapping[StageName, int]) -> float:
    if whole == "publishing":
        return 1.0
    last = StageName.SELECTED if rows_in.get(StageName.SELECTED) else StageName.CURATED
    return _share(rows_out[last], rows_in[StageName.CURATED])


def _counts(run: Run) -> tuple[dict[StageName, int], dict[StageName, int]]:
    """Rows in and out, of the stages that had any."""
    manifests = {name: found for name in StageName if (found := run.stage(name).manifest())}
    return (
        {name: found["rows_in"] for name, found in manifests.items() if found["rows_in"]},
        {name: found["rows_out"] for name, found in manifests.items() if found["rows_in"]},
    )


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 1.0


def _stage(
    run: Run,
    name: StageName,
    rows_in: Mapping[StageName, int],
    own_s: Mapping[StageName, float],
    boxed_s: Mapping[StageName, float],
) -> dict[str, float]:
    rows = rows_in[name]
    receipts = run.receipts(name)
    found = {
        "own_s": own_s.get(name, 0.0) / rows,
        "bytes": sum(_bytes(run, name, receipt) for receipt in receipts) / rows,
        "kept": _share(sum(receipt.rows_out for receipt in receipts), rows),
    }
    if column := _IN_A_BOX.get(name):
        times = [time for one in receipts for time in _column(run, name, one, column)]
        found["sandbox_s"] = sum(times) / rows
        found["sandbox_spread"] = _spread(times)
    if (waited := boxed_s.get(name)) and (run.config.shards_in_flight == 1 or not column):
        # What a box is taken up for: besides the program's run its making, and a core that others have meanwhile.
        found["sandbox_s"] = waited * run.config.sandbox.slots / rows
    return found


def _bytes(run: Run, name: StageName, receipt: Receipt) -> int:
    """Of a shard's rows and rejects in the store."""
    store, place = run.store, (run.config.run, name)
    return store.size(*place, receipt.file) + store.size(*place, "rejects", receipt.file)


def _column(run: Run, name: StageName, shard: Receipt, column: str) -> list[Any]:
    return list(run.stage(name).table(shard, [column])[column].to_pylist())


def _spread(values: Iterable[float]) -> float:
    logs = [math.log(value) for value in values if value > _LEAST]
    return pstdev(logs) if len(logs) > 1 else 0.0


def _calls(uses: Iterable[Use], rows_in: Mapping[StageName, int]) -> dict[str, dict[str, float]]:
    by_account: dict[str, list[Use]] = defaultdict(list)
    for use in uses:
        by_account[use.stage].append(use)
    return {
        account: {
            "per_row": len(some) / rows_in[stage],
            "prompt_tokens": fmean(use.prompt_tokens for use in some),
            "completion_tokens": fmean(use.completion_tokens for use in some),
            "spread": _spread(use.completion_tokens for use in some),
        }
        for account, some in by_account.items()
        if (stage := _STAGE_OF.get(account) or _stage_named(account)) and stage in rows_in
    }


def _stage_named(account: str) -> StageName | None:
    return StageName(account) if account in StageName.__members__.values() else None


def _tries(run: Run) -> dict[str, tuple[int, int]]:
    """Attempts that passed, and that were made, by question."""
    tries: dict[str, tuple[int, int]] = {}
    for receipt in run.receipts(StageName.VERDICTS):
        for row in run.stage(StageName.VERDICTS).table(receipt, ["question_id", "pair"]).to_pylist():
            passes, made = tries.get(row["question_id"], (0, 0))
            tries[row["question_id"]] = (passes + (row["pair"]["verdict"] == Verdict.PASSED), made + 1)
    return tries


def _solved(run: Run) -> int:
    return sum(passes > 0 for passes, _ in _tries(run).values())


def _outcomes(run: Run) -> dict[str, dict[str, float]]:
    """Labels by subset, failures included."""
    counts: dict[str, dict[str, float]] = {}
    for question, (passes, made) in _tries(run).items():
        subset, label = question.rsplit("_", 2)[0], difficulty(passes, made)
        name = "failed" if label is None else str(label)
        for place in (subset, "*"):
            of_subset = counts.setdefault(place, dict.fromkeys(("easy", "medium", "hard", "failed"), 0.0))
            of_subset[name] += 1
    return counts

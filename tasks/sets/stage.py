"""The tasks of the sets: rows are placed, and references run again."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from prefect.logging import get_run_logger

from tasks.artifacts import Outcome, Receipt
from tasks.execution.pool import shared_pool
from tasks.execution.slots import resolve_backend
from tasks.execution.verify import shareable_sandbox
from tasks.models import Candidate, Pair, PairVerdict, Placing, Reference, Reject, RejectReason, Verdict
from tasks.released import Released
from tasks.run import Run, StageName
from tasks.sets.held_out import REPORT
from tasks.sets.placing import Placings, evidence, place
from tasks.sets.rl import pick
from tasks.shards import SANDBOX, shard_task

_PAIR = ["question_id", "solution", "test", "io"]


@shard_task("place rows")
def place_rows(run: Run, parts: Sequence[Receipt]) -> list[Receipt]:
    """Put every row into a group of related ones, and hold some groups out; a shard of placings for each shard.

    Args:
        parts: the released rows.

    Raises:
        BadInput: curation has not finished in this run.
    """

    @cache
    def placings() -> Placings:
        found = place(run, parts)
        run.store.write(found.report.model_dump_json(indent=1).encode(), run.config.run, REPORT)
        get_run_logger().info("%s", found.report.message)
        return found

    receipts = []
    depends_on = [run.config.post_training.held_out, run.config.seed, *parts, *evidence(run)]
    for part in parts:

        def work(part: Receipt = part) -> Outcome:
            table = placings().tables[part.name]
            return Outcome(rows_in=table.num_rows, rows=table)

        receipts.append(run.stage(StageName.PLACINGS).run_shard(part.name, Placing, depends_on, work))
    return receipts


@shard_task("pick references")
def pick_references(run: Run) -> list[Receipt]:
    """Candidates for the set `rl`, whose references are to be run again; a shard for each shard of released rows.

    Raises:
        BadInput: post-training has not finished in this run, or the mix cannot be met and is to stop then.
    """
    released, rules = Released(run), run.config.post_training.sets.rl

    @cache
    def picked() -> dict[str, list[Candidate]]:
        if not rules.enabled:
            return {part.name: [] for part in released.parts}
        found, choice = pick(released)
        get_run_logger().info("rl: %s", choice.message)
        return {
            name: [Candidate(question_id=question_id, subset=subset) for question_id, subset in rows]
            for name, rows in found.items()
        }

    receipts = []
    depends_on = [rules, run.config.seed, *(source for part in released.parts for source in released.sources(part))]
    for part in released.parts:

        def work(part: Receipt = part) -> Outcome:
            return Outcome.of(picked()[part.name])

        receipts.append(run.stage(StageName.CANDIDATES).run_shard(part.name, Candidate, depends_on, work))
    return receipts


@shard_task("run references of {candidates.name}", SANDBOX)
def rerun_references(run: Run, rows: Sequence[Receipt], candidates: Receipt) -> Receipt:
    """Run the solution of each candidate of a shard again; one that does not pass is rejected.

    Args:
        rows: the shard of released rows, and those of the same rows told in other styles.
    """
    sandbox = run.config.sandbox

    def work() -> Outcome:
        wanted = {row.question_id: row for row in run.stage(StageName.CANDIDATES).rows(candidates, Candidate)}
        pairs = [
            Pair(id=row["question_id"], solution=row["solution"], test=row["test"], io=row["io"])
            for part in rows
            for row in run.stage(StageName(part.stage)).table(part, _PAIR).to_pylist()
            if row["question_id"] in wanted
        ]
        verdicts = shared_pool(sandbox).run_all(pairs) if pairs else []
        return Outcome.of([_reference(wanted[verdict.id], verdict) for verdict in verdicts])

    depends_on = [candidates, *rows, shareable_sandbox(sandbox), resolve_backend(sandbox).value]
    return run.stage(StageName.REFERENCES).run_shard(candidates.name, Reference, depends_on, work)


def _reference(candidate: Candidate, found: PairVerdict) -> Reference | Reject:
    if found.verdict is not Verdict.PASSED:
        reason = RejectReason(found.verdict.value)
        return Reject(id=found.id, subset=candidate.subset, reason=reason, evidence=found.reason)
    return Reference(
        question_id=found.id,
        verdict=found.verdict,
        integrity_tier=found.integrity_tier,
        wall_s=found.wall_s,
        backend=found.backend,
        image=found.image,
    )

"""Runs up to the sets: triplets of our own, and curation of them by the tasks that curate any run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prefect.logging import disable_run_logger

from tasks.artifacts import Outcome, Receipt
from tasks.curation.dedup.stage import cluster_duplicates, find_near, sign_block
from tasks.curation.stage import benchmark_fingerprint, curate_shard, examine_block
from tasks.models import (
    Call,
    Difficulty,
    Grade,
    Provenance,
    ReleaseRow,
    Response,
    SolverRate,
    Style,
    Tier,
    Triplet,
    Verdict,
)
from tasks.released import Released
from tasks.run import Run, StageName
from tasks.sets.stage import pick_references, place_rows, rerun_references
from tasks.settings import BuildConfig
from tests.publishing.rows import release_row

CALL = Call(response_id="r", model="m", template="reason@0", sampling="{}", prompt_tokens=3, completion_tokens=9)
_CURATION = {"dedup": {"semantic": False}, "decontamination": {"embedding": {}}}


def triplet(name: str, question: str, seeds: Sequence[str] = (), **columns: Any) -> Triplet:
    """A triplet that asks a question, made from seeds that are called by their paths; its tests are isolated."""
    row = release_row(name, 5)
    plain = {field: getattr(row, field) for field in Triplet.model_fields}
    sources = [Provenance(origin="o", version="1", path=path, licence="MIT") for path in seeds or [name]]
    tier = columns.pop("tier", Tier.ISOLATED)
    made = {"sources": sources, "method": columns.pop("method", "snippet"), "integrity_tier": tier}
    lineage = row.lineage.model_copy(update=made)
    metadata = row.metadata.model_copy(update={"original_instruction": question, "seed_ids": list(seeds)})
    return Triplet(**{**plain, "question": question, "lineage": lineage, "metadata": metadata, **columns})


def solved(passes: int, tries: int = 4) -> SolverRate:
    share = passes / tries
    label = None if not passes else Difficulty.EASY if share > 2 / 3 else Difficulty.MEDIUM
    return SolverRate(passes=passes, tries=tries, rate=share, low=0, high=1, difficulty=label, models=["m"])


def commit(run: Run, stage: StageName, shards: dict[str, Sequence[Any]], model: type | None = None) -> list[Receipt]:
    """Write shards of a stage, and finish it."""
    receipts = []
    for name, rows in shards.items():
        kind = model or type(rows[0])
        key = [row.model_dump(mode="json") for row in rows]
        receipts.append(run.stage(stage).run_shard(name, kind, [key], lambda rows=rows: Outcome.of(rows)))
    run.finish(stage, receipts)
    return receipts


def curated(folder: Path, shards: Sequence[Sequence[Triplet]], **settings: Any) -> Run:
    """A run whose triplets are curated."""
    settings["post_training"] = {"held_out": {"share": 0}, **settings.get("post_training", {})}
    config = BuildConfig(store=str(folder), run="r", curation=_CURATION, **settings)
    run = Run(config=config, teachers=config.teachers)
    parts = commit(run, StageName.TRIPLETS, {f"part-{n:05d}": rows for n, rows in enumerate(shards)}, Triplet)
    with disable_run_logger():
        signed = [sign_block.fn(run, StageName.TRIPLETS, 0, parts)]
        found = examine_block.fn(run, StageName.TRIPLETS, parts, signed[0], benchmark_fingerprint(run))
        edges = [find_near.fn(run, signed, 0, 1)] if any(shards) else []
        duplicates = cluster_duplicates.fn(run, signed, edges, found, [], False)
        kept = [curate_shard.fn(run, *shard, {}) for shard in zip(parts, found, duplicates, strict=True)]
    stages = {
        StageName.SIGNATURES: signed,
        StageName.EXAMINATIONS: found,
        StageName.EDGES: edges,
        StageName.DUPLICATES: duplicates,
        StageName.CURATED: kept,
    }
    for stage, receipts in stages.items():
        run.finish(stage, receipts)
    return run


def placed(run: Run) -> Run:
    """The run with its rows placed."""
    with disable_run_logger():
        run.finish(StageName.PLACINGS, place_rows.fn(run, run.receipts(StageName.CURATED)))
    return run


def retold(run: Run, style: Style = Style.COMPLETE) -> Run:
    """The run with each row told once more."""
    shards = {}
    for part in run.receipts(StageName.CURATED):
        rows = run.stage(StageName.CURATED).rows(part.name, ReleaseRow)
        shards[f"{part.name}-{style}"] = [
            row.model_copy(
                update={
                    "question_id": f"{row.question_id}_C",
                    "style": style,
                    "lineage": row.lineage.model_copy(update={"converted_from": row.question_id}),
                }
            )
            for row in rows
        ]
    commit(run, StageName.CONVERTED, shards, ReleaseRow)
    return run


def answer(row: str, number: int, passed: bool, reasoner: str = "r1", **columns: Any) -> tuple[Response, Grade]:
    """A try of a reasoning model, and its grade."""
    name = f"{row}/{reasoner}/{number}"
    code = columns.pop("code", f"def double(x):\n    return {2 if passed else 3} * x\n")
    response = Response(
        response_id=name,
        question_id=row,
        subset="Docs",
        style=Style.INSTRUCT,
        reasoner=reasoner,
        number=number,
        text=columns.pop("text", f"Here it is.\n```python\n{code}```"),
        reasoning=columns.pop("reasoning", f"Twice, try {number}."),
        finish_reason=columns.pop("finish_reason", "stop"),
        code=code,
        call=CALL,
    )
    grade = Grade(
        response_id=name,
        question_id=row,
        passed=passed,
        verdict=(Verdict.PASSED if passed else Verdict.FAILED) if code else None,
        reason="",
        integrity_tier=Tier.ISOLATED,
        alias="",
        alias_verdict=None,
        tests=[],
        wall_s=0,
        sandbox_s=0,
    )
    return response, grade


def answered(run: Run, answers: Sequence[tuple[Response, Grade]], reasoner: str = "r1") -> Run:
    """The run with answers to rows of its first shard."""
    name = f"part-00000-{reasoner}"
    commit(run, StageName.RESPONSES, {name: [response for response, _ in answers]}, Response)
    commit(run, StageName.GRADES, {name: [grade for _, grade in answers]}, Grade)
    return run


def referenced(run: Run) -> Run:
    """The run with its references run again, in the sandbox."""
    with disable_run_logger():
        picked = pick_references.fn(run)
        run.finish(StageName.CANDIDATES, picked)
        released = Released(run)
        shards = zip(released.parts, picked, strict=True)
        again = [rerun_references.fn(run, released.shards(part), one) for part, one in shards]
    run.finish(StageName.REFERENCES, again)
    return run


def without_post_training(run: Run) -> Run:
    """The run with no other styles and no answers."""
    for stage in (StageName.CONVERTED, StageName.RESPONSES, StageName.GRADES):
        run.finish(stage, [])
    return run

"""The tasks of curation besides deduplication: what is in a row, and what becomes of it."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache

from tasks.artifacts import Outcome, Receipt
from tasks.curation.contamination import BenchmarkIndex, fingerprint_of, read_benchmarks
from tasks.curation.content.scan import content_digest
from tasks.curation.corpus import read_corpus, row_ids
from tasks.curation.decisions import NO_LICENCES, curate, curate_again
from tasks.curation.dedup.semantic import Vectors
from tasks.curation.dedup.signed import vectors_of
from tasks.curation.dedup.stage import run_embedder
from tasks.curation.diversity.labels import label_digest
from tasks.curation.examining import examine
from tasks.curation.texts import RowTexts
from tasks.embedding.embedder import TextEmbedder
from tasks.licences.decision import decide
from tasks.models import DuplicateDecision, Examination, ReleaseRow, Triplet
from tasks.reviews import NO_REVIEWS, Review, Reviews, among, holding, of_inputs
from tasks.run import Run, StageName
from tasks.settings import Decontamination
from tasks.shards import shard_task


@lru_cache(maxsize=2)
def _index(decontamination: str, embedder: str, fingerprint: str) -> BenchmarkIndex:
    """One index per process, config and content of the benchmarks; what is cached by must be hashable."""
    rules = Decontamination.model_validate_json(decontamination)
    return BenchmarkIndex(read_benchmarks(rules.benchmarks), rules, _embedders.get(embedder))


_embedders: dict[str, TextEmbedder] = {}
_one_at_a_time = threading.Lock()


def benchmark_index(run: Run, fingerprint: str) -> BenchmarkIndex:
    """The benchmarks that a run is compared with, read once per process."""
    embedder = run_embedder(run)
    with _one_at_a_time:
        if embedder:
            _embedders[embedder.key] = embedder
        key = embedder.key if embedder else ""
        return _index(run.config.curation.decontamination.model_dump_json(), key, fingerprint)


def benchmark_fingerprint(run: Run) -> str:
    """Of all items of the benchmarks as they are now, and of the rules that they are compared by.

    Raises:
        BadInput: a benchmark cannot be read.
    """
    rules, embedder = run.config.curation.decontamination, run_embedder(run)
    return fingerprint_of(read_benchmarks(rules.benchmarks), rules, embedder.key if embedder else "")


@shard_task("examine {block.name}")
def examine_block(
    run: Run, source: StageName, parts: Sequence[Receipt], block: Receipt, benchmarks: str
) -> list[Receipt]:
    """Benchmark overlap, content and labels of each row of some shards; a shard of findings for each.

    Args:
        parts: the shards that were signed together.
        block: their signatures, which hold the vectors.
        benchmarks: the fingerprint of what rows are compared with.
    """
    rules = run.config.curation

    @cache
    def vectors() -> Vectors | None:
        signed = run.stage(StageName.SIGNATURES).table(block, ["vector"])
        return vectors_of(signed) if rules.by_meaning else None

    receipts, start = [], 0
    for part in parts:
        places = slice(start, start + part.rows_out)
        start += part.rows_out

        def work(part: Receipt = part, places: slice = places) -> Outcome:
            rows = [
                RowTexts(row["id"], row["question"], row["solution"], row["test"])
                for row in read_corpus(run, source, part.name).to_pylist()
            ]
            every = vectors()
            mine = None if every is None or not rows else every[places]
            return Outcome.of(examine(rows, mine, benchmark_index(run, benchmarks), rules.content))

        depends_on = [benchmarks, rules.content, content_digest(), label_digest(), part, block]
        receipts.append(run.stage(StageName.EXAMINATIONS).run_shard(part.name, Examination, depends_on, work))
    return receipts


@shard_task("curate {triplets.name}")
def curate_shard(
    run: Run,
    triplets: Receipt,
    examinations: Receipt,
    duplicates: Receipt,
    refused: dict[str, str],
    reviews: Reviews = NO_REVIEWS,
) -> Receipt:
    """Decide on one shard of triplets: train, use with caution, or out.

    Args:
        refused: licences that the policy does not let out, and why.
        reviews: what somebody decided on some rows of the run.
    """
    mine = decided_among(run, StageName.TRIPLETS, triplets, reviews)
    excludes = run.config.release.licensing.on_violation == "exclude"

    def work() -> Outcome:
        return Outcome.of(
            curate(
                run.stage(StageName.TRIPLETS).rows(triplets, Triplet),
                run.stage(StageName.DUPLICATES).rows(duplicates, DuplicateDecision),
                run.stage(StageName.EXAMINATIONS).rows(examinations, Examination),
                refused,
                excludes,
                holding(mine),
            )
        )

    depends_on = [triplets, examinations, duplicates, refused, excludes, *of_inputs(mine)]
    return run.stage(StageName.CURATED).run_shard(triplets.name, ReleaseRow, depends_on, work)


def decided_among(run: Run, stage: StageName, shard: Receipt, reviews: Reviews) -> list[Review]:
    """What somebody decided on the rows of a shard; where nobody has decided anything, it is not read."""
    if not reviews or not shard.rows_out:
        return []
    return among(reviews, row_ids(run, stage, shard))


@shard_task("curate {retold.name}")
def curate_retold(
    run: Run,
    retold: Receipt,
    benchmarks: str,
    reviews: Reviews = NO_REVIEWS,
    refused: Mapping[str, str] = NO_LICENCES,
) -> Receipt:
    """Decide on a shard of rows told in another style, by what their own text holds.

    Args:
        benchmarks: the fingerprint of what rows are compared with.
        reviews: what somebody decided on some rows of the run.
        refused: licences that the policy does not let out, and why; for rows with a review.
    """
    rules = run.config.curation
    mine = decided_among(run, StageName.RETOLD, retold, reviews)

    def work() -> Outcome:
        rows = run.stage(StageName.RETOLD).rows(retold, ReleaseRow)
        texts = [RowTexts(row.question_id, row.question, row.solution, row.test or _cases(row)) for row in rows]
        embedder = run_embedder(run)
        vectors = embedder.embed([row.question for row in rows]) if embedder and rows else None
        found = examine(texts, vectors, benchmark_index(run, benchmarks), rules.content)
        decided = holding(mine)
        return Outcome.of(
            [
                curate_again(row, one, decided.get(row.question_id), refused)
                for row, one in zip(rows, found, strict=True)
            ]
        )

    depends_on = [retold, benchmarks, rules.content, content_digest(), label_digest(), *of_inputs(mine)]
    depends_on += [refused] if mine else []
    return run.stage(StageName.CONVERTED).run_shard(retold.name, ReleaseRow, depends_on, work)


def _cases(row: ReleaseRow) -> str:
    """The inputs and outputs of a program, as tests that can be read."""
    return "".join(f"assert run({one.stdin!r}) == {one.stdout!r}\n" for one in row.io)


def refused_licences(run: Run, parts: Sequence[Receipt]) -> dict[str, str]:
    """Licences of a run's triplets that the policy rejects or doubts, and why; none where it refuses to publish."""
    if run.config.release.licensing.on_violation == "refuse":
        return {}
    return decide(run, parts).refused

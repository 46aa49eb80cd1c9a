"""The tasks of deduplication. Each reads and writes shards; any worker can take any of them, in any number."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa

from tasks.arrow import arrow_schema, packed, values
from tasks.artifacts import Outcome, Receipt
from tasks.curation.corpus import read_corpus
from tasks.curation.dedup.clusters import DIGEST, exact_edges
from tasks.curation.dedup.contradiction import contradicted
from tasks.curation.dedup.deciding import decide
from tasks.curation.dedup.near import Pairs, Positions, Sets, near_pairs
from tasks.curation.dedup.semantic import cells_for, cosine_threshold, learn_cells, place, sample_size, within_cells
from tasks.curation.dedup.signed import Signed, halves_of, vectors_of
from tasks.curation.dedup.signing import sign
from tasks.embedding.choice import embedder_of
from tasks.embedding.embedder import TextEmbedder
from tasks.models import Centroid, DuplicateDecision, Edge, Placement, Signature
from tasks.reviews import NO_REVIEWS, Decision, Reviews, ids_of
from tasks.run import Run, StageName
from tasks.shards import shard_task

ALL = "part-00000"
MAX_GROUPS = 16
"""Tasks that look for pairs of one kind: each reads the signatures of every block."""


def blocks_of(parts: Sequence[Receipt], rows: int) -> list[list[Receipt]]:
    """Shards in groups of at most ``rows`` rows, in order; a larger shard is a group of its own."""
    blocks: list[list[Receipt]] = []
    held = 0
    for part in parts:
        if not blocks or held + part.rows_out > rows:
            blocks.append([])
            held = 0
        blocks[-1].append(part)
        held += part.rows_out
    return blocks


def groups_of(blocks: int) -> int:
    """How many tasks look for the pairs of so many blocks."""
    return min(-(-blocks // 3), MAX_GROUPS)


def run_embedder(run: Run) -> TextEmbedder | None:
    """What embeds the questions of a run; None where nothing is compared by meaning."""
    rules = run.config.curation
    if not rules.by_meaning:
        return None
    return embedder_of(rules.embedder, run.teachers, run.cache_path, run.purpose(StageName.SIGNATURES))


@shard_task("sign block {block}")
def sign_block(run: Run, source: StageName, block: int, parts: Sequence[Receipt]) -> Receipt:
    """Digest, MinHash signature and vector of each row of some shards."""
    rules, embedder = run.config.curation, run_embedder(run)

    def work() -> Outcome:
        rows = pa.concat_tables([read_corpus(run, source, part.name) for part in parts])
        return Outcome(rows_in=rows.num_rows, rows=sign(rows, rules.dedup, embedder))

    signed_by = [rules.dedup.jaccard, rules.dedup.permutations, rules.dedup.across_subsets]
    depends_on = [*signed_by, embedder.key if embedder else None, *parts]
    return run.stage(StageName.SIGNATURES).run_shard(f"block-{block:05d}", Signature, depends_on, work)


@shard_task("learn cells")
def learn_centroids(run: Run, signatures: Sequence[Receipt]) -> Receipt:
    """Cells of similar vectors, learnt from a sample that does not depend on how the rows are split into blocks."""

    def work() -> Outcome:
        signed = Signed(run, signatures)
        _, first = np.unique(np.array(signed.column("exact"), DIGEST), return_index=True)
        chosen = first[: sample_size(len(signed))]  # by digest: a sample by chance, in an order of its own
        rows = np.sort(chosen)
        vectors = vectors_of(signed.take(rows, ["vector"]))[np.searchsorted(rows, chosen)]
        means = learn_cells(vectors, cells_for(len(signed)), run.config.seed)
        return Outcome(rows_in=len(means), rows=[Centroid(vector=mean.tobytes()) for mean in means])

    return run.stage(StageName.CENTROIDS).run_shard(ALL, Centroid, [run.config.seed, *signatures], work)


@shard_task("place {signatures.name}")
def place_block(run: Run, signatures: Receipt, centroids: Receipt) -> Receipt:
    """Put the vectors of a block into their cells."""

    def work() -> Outcome:
        table = run.stage(StageName.SIGNATURES).table(signatures, ["vector"])
        means = values(run.stage(StageName.CENTROIDS).table(centroids), "vector")
        cells = place(vectors_of(table), np.stack([np.frombuffer(mean, np.float32) for mean in means]))
        rows = pa.table([pa.array([row.tobytes() for row in cells], pa.binary())], schema=arrow_schema(Placement))
        return Outcome(rows_in=table.num_rows, rows=rows)

    return run.stage(StageName.PLACEMENTS).run_shard(signatures.name, Placement, [signatures, centroids], work)


@shard_task("near pairs, bands {group}")
def find_near(run: Run, signatures: Sequence[Receipt], group: int, groups: int) -> Receipt:
    """Near duplicates among all rows, by one group of the bands of their signatures."""
    rules = run.config.curation.dedup

    def work() -> Outcome:
        signed = Signed(run, signatures)
        _, distinct = exact_edges(signed.column("exact"))
        keys = []
        for name, mine, within in signed.parts(distinct):
            if len(mine):
                table = run.stage(StageName.SIGNATURES).table(name, ["bands"]).take(within)
                every = packed(table, "bands")[0].view(np.uint64).reshape(len(mine), -1)
                keys.append(every[:, group::groups].copy())

        def sets_of(rows: Positions) -> Sets:
            return signed.sets(distinct[rows])

        left, right, similarity = near_pairs(np.concatenate(keys), sets_of, rules.jaccard)
        return _edges(signed, (distinct[left], distinct[right], similarity), "near")

    shard = f"near-{group:03d}"
    depends_on = [rules.jaccard, group, groups, *signatures]
    return run.stage(StageName.EDGES).run_shard(shard, Edge, depends_on, work)


@shard_task("semantic pairs, cells {group}")
def find_semantic(
    run: Run, signatures: Sequence[Receipt], placements: Sequence[Receipt], group: int, groups: int
) -> Receipt:
    """Semantic duplicates among all rows, by one group of the cells of their vectors."""
    cosine = cosine_threshold(run.config.curation.dedup, run.config.curation.embedder)

    def work() -> Outcome:
        signed = Signed(run, signatures)
        _, distinct = exact_edges(signed.column("exact"))
        rows, cells, vectors = [distinct[:0]], [np.empty((0, 1), np.int32)], [np.empty((0, 1), np.float16)]
        for (name, mine, within), placed in zip(signed.parts(distinct), placements, strict=True):
            if not len(mine):
                continue
            lie = packed(run.stage(StageName.PLACEMENTS).table(placed).take(within), "cells")[0]
            here = lie.view(np.int32).reshape(len(mine), -1)
            chosen = np.flatnonzero((here % groups == group).any(axis=1))
            if len(chosen):
                vectors.append(halves_of(run.stage(StageName.SIGNATURES).table(name, ["vector"]).take(within[chosen])))
                cells.append(here[chosen])
                rows.append(mine[chosen])
        found = within_cells(
            np.concatenate(rows),
            np.concatenate(cells[1:] or cells),
            np.concatenate(vectors[1:] or vectors),
            group=group,
            groups=groups,
            threshold=cosine,
        )
        return _edges(signed, found, "semantic")

    shard = f"semantic-{group:03d}"
    depends_on = [cosine, group, groups, *signatures, *placements]
    return run.stage(StageName.EDGES).run_shard(shard, Edge, depends_on, work)


def _edges(signed: Signed, found: Pairs, kind: str) -> Outcome:
    """The pairs, each with whether something tells its rows apart."""
    left, right, similarity = found
    columns: dict[str, pa.Array[Any]] = {
        "left": pa.array(left),
        "right": pa.array(right),
        "kind": pa.array([kind] * len(left), pa.string()),
        "similarity": pa.array(similarity),
        "contradicted": pa.array(contradicted(signed.questions(left, right), left, right)),
    }
    return Outcome(rows_in=len(left), rows=pa.table(columns, schema=arrow_schema(Edge)))


@shard_task("cluster duplicates")
def cluster_duplicates(
    run: Run,
    signatures: Sequence[Receipt],
    edges: Sequence[Receipt],
    examinations: Sequence[Receipt],
    refused: Sequence[str],
    excludes: bool,
    reviews: Reviews = NO_REVIEWS,
) -> list[Receipt]:
    """Clusters over all pairs that were found; a shard of decisions for each shard of examinations.

    A row that will be rejected for what was found in it, or for its licence, stands for others only where all of them
    will be.

    Args:
        refused: licences whose rows will be rejected, or doubted.
        excludes: whether they are rejected.
        reviews: what somebody decided on some rows.
    """
    accepted, rejected = (ids_of(reviews, one) for one in (Decision.ACCEPT, Decision.REJECT))

    @cache
    def decisions() -> pa.Table:
        examined = pa.concat_tables(
            [run.stage(StageName.EXAMINATIONS).table(part, ["outcome", "contaminated"]) for part in examinations]
        )
        found = [run.stage(StageName.EDGES).table(part) for part in edges]
        return decide(
            Signed(run, signatures),
            pa.concat_tables([arrow_schema(Edge).empty_table(), *found]),
            examined,
            refused=frozenset(refused),
            excludes=excludes,
            across_subsets=run.config.curation.dedup.across_subsets,
            accepted=accepted,
            rejected=rejected,
        )

    receipts, start = [], 0
    for part in examinations:
        rows = slice(start, start + part.rows_out)
        start += part.rows_out

        def work(rows: slice = rows) -> Outcome:
            table = decisions().slice(rows.start, rows.stop - rows.start)
            return Outcome(rows_in=table.num_rows, rows=table)

        depends_on = [run.config.curation.dedup, sorted(refused), excludes, *signatures, *edges, *examinations]
        depends_on += [{"accepted": sorted(accepted), "rejected": sorted(rejected)}] if reviews else []
        receipts.append(run.stage(StageName.DUPLICATES).run_shard(part.name, DuplicateDecision, depends_on, work))
    return receipts

"""All pairs that were found to a decision for each row."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tasks.arrow import arrow_schema, packed, values
from tasks.curation.dedup.clusters import DIGEST, KINDS, Clusters, Edges, exact_edges, join
from tasks.curation.dedup.contradiction import contradicted
from tasks.curation.dedup.near import Positions, Sets
from tasks.curation.dedup.signed import Signed, vectors_of
from tasks.models import GRAVITY, DuplicateDecision


def decide(
    signed: Signed,
    pairs: pa.Table,
    examined: pa.Table,
    *,
    refused: Collection[str],
    excludes: bool,
    across_subsets: bool,
    accepted: Collection[str] = (),
    rejected: Collection[str] = (),
) -> pa.Table:
    """A ``DuplicateDecision`` for each row, in order.

    Args:
        pairs: the columns of ``Edge``; those that are contradicted tie nothing.
        examined: outcome and contaminated of each row.
        refused: licences whose rows will be rejected, or doubted.
        excludes: whether they are rejected.
        accepted, rejected: ids of rows that somebody decided on: the former stand for others first, the latter last.
    """
    known = signed.table(["id", "subset", "licence", "quality", "exact"])
    digests = np.array(values(known, "exact"), DIGEST)
    repeated, _ = exact_edges(digests)
    pairs = pairs.filter(~pc.field("contradicted"))
    kinds = np.array([KINDS.index(kind) for kind in values(pairs, "kind")], np.int8)
    alike = Edges(pairs["left"].to_numpy(), pairs["right"].to_numpy(), kinds)
    if not across_subsets:
        alike = _same_subset(known, alike)
    gravity = np.array([GRAVITY.index(outcome) for outcome in values(examined, "outcome")], np.int64)
    objected = np.isin(np.array(values(known, "licence"), str), sorted(refused))
    gravity[objected] = np.minimum(gravity[objected], GRAVITY.index("rejected" if excludes else "caution"))
    if accepted or rejected:
        gravity[_among(known["id"], rejected)] = -1
        out = np.array(values(examined, "contaminated"), bool) | (objected & excludes)
        gravity[_among(known["id"], accepted) & ~out] = len(GRAVITY)
    quality = np.array(values(known, "quality"), float).reshape(known.num_rows, -1 if known.num_rows else 1)

    def apart(left: Positions, right: Positions) -> NDArray[np.bool_]:
        different = np.asarray(digests[left] != digests[right])
        ours, theirs = left[different], right[different]
        different[different] = contradicted(signed.questions(ours, theirs), ours, theirs)
        return different

    clusters = join(known.num_rows, [repeated, alike], np.column_stack([gravity, quality]), apart)
    contaminated = np.array(values(examined, "contaminated"), bool)
    return _decisions(known, clusters, _similarities(signed, clusters), contaminated)


def _among(ids: pa.ChunkedArray[Any], some: Collection[str]) -> NDArray[np.bool_]:
    return np.asarray(pc.is_in(ids, value_set=pa.array(sorted(some), pa.string())), bool)


def _same_subset(known: pa.Table, edges: Edges) -> Edges:
    subsets = np.array(values(known, "subset"), str)
    same = subsets[edges.left] == subsets[edges.right]
    return Edges(edges.left[same], edges.right[same], edges.kind[same])


def _similarities(signed: Signed, clusters: Clusters) -> NDArray[np.float64]:
    """Of each row to the one that stands for it, by what ties it to its cluster."""
    similarity = np.ones(len(clusters.kind))
    compared = clusters.kind > KINDS.index("exact")
    compared[clusters.representative[compared]] = True
    rows = np.flatnonzero(compared)
    if not len(rows):
        return similarity
    table = signed.take(rows, ["shingles", "vector"])
    for kind in ("near", "semantic"):
        mine = np.flatnonzero(clusters.kind == KINDS.index(kind))
        left, right = np.searchsorted(rows, mine), np.searchsorted(rows, clusters.representative[mine])
        if kind == "near":
            similarity[mine] = Sets.of(*packed(table, "shingles")).jaccard(left, right)
        elif len(mine):
            vectors = vectors_of(table)
            similarity[mine] = np.einsum("ij,ij->i", vectors[left], vectors[right])
    return similarity


def _decisions(
    known: pa.Table, clusters: Clusters, similarity: NDArray[np.float64], contaminated: NDArray[np.bool_]
) -> pa.Table:
    ids, subsets = known["id"].combine_chunks(), known["subset"].combine_chunks()
    schema = arrow_schema(DuplicateDecision)

    def members(which: NDArray[np.bool_]) -> pa.Array[Any]:
        """Of each representative the ids of those rows of its cluster; of other rows none."""
        rows = np.flatnonzero(which)
        rows = rows[np.argsort(clusters.representative[rows], kind="stable")]
        counts = np.bincount(clusters.representative[rows], minlength=known.num_rows)
        offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]), pa.int32())
        return pa.ListArray.from_arrays(offsets, ids.take(rows)).cast(schema.field("duplicates").type)

    return pa.table(
        {
            "question_id": ids,
            "subset": subsets,
            "representative": ids.take(clusters.representative),
            "representative_subset": subsets.take(clusters.representative),
            "kind": pa.array(KINDS).take(clusters.kind),
            "similarity": pa.array(similarity),
            "cluster_size": pa.array(clusters.size),
            "duplicates": members(clusters.kind > 0),
            "contaminated": members((clusters.kind > 0) & contaminated),
        },
        schema=schema,
    )

"""A block of rows to what its questions are compared by."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa

from tasks.arrow import arrow_schema, values
from tasks.curation.dedup.near import signatures
from tasks.embedding.embedder import TextEmbedder
from tasks.models import Signature
from tasks.settings import Dedup
from tasks.shingles import canonical, normalise


def sign(rows: pa.Table, rules: Dedup, embedder: TextEmbedder | None) -> pa.Table:
    """One ``Signature`` per row, in order.

    Args:
        rows: the columns of ``CorpusRow``.
        embedder: None where nothing is compared by meaning.
    """
    questions = values(rows, "question")
    texts = [normalise(question) for question in questions]
    apart = [""] * len(texts) if rules.across_subsets else values(rows, "subset")
    exact = [_digest(f"{subset}\n{canonical(text)}") for subset, text in zip(apart, questions, strict=True)]
    sets, keys = signatures(texts, rules.jaccard, rules.permutations)
    vectors = embedder.embed(questions).astype(np.float16) if embedder else np.empty((len(texts), 0), np.float16)
    return pa.table(
        [
            rows["id"],
            rows["subset"],
            rows["question"],
            rows["licence"],
            rows["quality"],
            pa.array(exact, pa.binary()),
            pa.array([sets.row(number) for number in range(len(texts))], pa.binary()),
            pa.array([row.tobytes() for row in keys], pa.binary()),
            pa.array([row.tobytes() for row in vectors], pa.binary()),
        ],
        schema=arrow_schema(Signature),
    )


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()

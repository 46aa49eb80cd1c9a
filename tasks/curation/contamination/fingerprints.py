"""What the comparison with benchmarks depends on, as one hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import astuple

from tasks.curation.contamination.embedding import bounds_of
from tasks.curation.contamination.items import BenchmarkItem
from tasks.digests import digest_of
from tasks.settings.decontamination import Decontamination
from tasks.settings.section import fingerprint


def fingerprint_of(items: Sequence[BenchmarkItem], settings: Decontamination, embedder_name: str) -> str:
    """A short stable hash of all that decides the hits of a row: every text of the items, the ways with their bounds,
    those calibrated for the embedder among them, and the code that compares.

    Where the benchmarks lie is left out: the same items from another place are the same.

    Args:
        embedder_name: that of the embedder of the index; empty where nothing is compared by meaning.
    """
    texts = hashlib.sha256()
    for item in items:
        texts.update(json.dumps(astuple(item)).encode() + b"\n")
    return fingerprint(
        texts.hexdigest(),
        settings.model_dump(mode="json", exclude={"benchmarks", "embedding"}),
        bounds_of(settings.embedding, embedder_name) if embedder_name else None,
        embedder_name,
        digest_of("tasks.curation.contamination", (".py",)),
    )

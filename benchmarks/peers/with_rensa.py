"""Near duplicates by rensa's own LSH: ``python with_rensa.py ROWS OUT [BANDS]``.

`RMinHashDeduplicator` says which rows repeat an earlier one; each of those is joined with the candidate whose sketch is
the most like its own.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from duplicates import JACCARD, PERMUTATIONS, joined, run, shingled
from rensa import RMinHash, RMinHashDeduplicator

BATCH = 10_000


def cluster(questions: list[str]) -> list[int]:
    """The row that stands for each row."""
    bands = int(sys.argv[3]) if sys.argv[3:] else None
    index = RMinHashDeduplicator(JACCARD, PERMUTATIONS, use_lsh=True, num_bands=bands)
    sketches: list[RMinHash] = []

    def pairs() -> Iterator[tuple[int, int]]:
        for start in range(0, len(questions), BATCH):
            sets = [shingled(question) for question in questions[start : start + BATCH]]
            sketches.extend(RMinHash.from_token_sets(sets, PERMUTATIONS, 42))
            kept = index.add_pairs((str(row), sketches[row]) for row in range(start, len(sketches)))
            again = [row for row, keep in enumerate(kept, start) if not keep]
            for row, found in zip(again, index.get_duplicate_sets([sketches[row] for row in again]), strict=True):
                others = [int(other) for other in found if int(other) != row]
                if others:
                    yield row, max(others, key=lambda other: (sketches[other].jaccard(sketches[row]), -other))

    return joined(len(questions), pairs())


if __name__ == "__main__":
    run(cluster)

"""Near duplicates by datasketch: ``python with_datasketch.py ROWS OUT [BANDS ROWS_PER_BAND]``.

`MinHashLSH` for the threshold, with the bands that it chooses itself or those given; its sketches are made in bulk, by
xxhash, which is faster than its own SHA-1. Rows are joined with all that their query finds, as its documentation does.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import xxhash
from datasketch import MinHash, MinHashLSH
from duplicates import JACCARD, PERMUTATIONS, joined, run, shingled


def cluster(questions: list[str]) -> list[int]:
    """The row that stands for each row."""
    bands = (int(sys.argv[3]), int(sys.argv[4])) if sys.argv[3:] else None
    index = MinHashLSH(threshold=JACCARD, num_perm=PERMUTATIONS, params=bands)

    def pairs() -> Iterator[tuple[int, int]]:
        sets = (list(shingled(question)) for question in questions)
        sketches = MinHash.generator(sets, num_perm=PERMUTATIONS, hashfunc=xxhash.xxh32_intdigest)
        for row, sketch in enumerate(sketches):
            yield from ((other, row) for other in index.query(sketch))
            index.insert(row, sketch, check_duplication=False)

    return joined(len(questions), pairs())


if __name__ == "__main__":
    run(cluster)

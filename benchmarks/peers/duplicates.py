"""What the scripts have in common that look for duplicates: rows in, the row that stands for each row out.

Timed is all between the texts in memory and the clusters in memory. Every script is called with a JSONL file of
questions, a file for its answer, and how to compare.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

JACCARD, COSINE, PERMUTATIONS = 0.7, 0.9, 256
"""What all contenders are given."""


def shingled(text: str) -> set[bytes]:
    """Word 3-grams, as kodforge has them."""
    words = re.findall(r"\w+", text.casefold())
    return {" ".join(words[i : i + 3]).encode() for i in range(max(1, len(words) - 2))}


def joined(rows: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """The smallest row of each row's cluster."""
    parent = list(range(rows))

    def find(row: int) -> int:
        while parent[row] != row:
            parent[row] = row = parent[parent[row]]
        return row

    for left, right in pairs:
        one, other = find(left), find(right)
        parent[max(one, other)] = min(one, other)
    return [find(row) for row in range(rows)]


def run(cluster: Callable[[list[str]], Sequence[int]]) -> None:
    """Time a way to find clusters, and write down what it found."""
    rows, out = Path(sys.argv[1]), Path(sys.argv[2])
    with rows.open(encoding="utf-8") as lines:
        questions = [json.loads(line)["question"] for line in lines]
    began = time.perf_counter()
    found = cluster(questions)
    seconds = time.perf_counter() - began
    out.write_text(json.dumps({"seconds": seconds, "representatives": [int(row) for row in found]}), encoding="utf-8")

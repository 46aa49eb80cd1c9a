"""Watching a subset while it is made: how much of what is new repeats what is there.

A subset is looked at every few shards. Where too many of the latest questions are near-duplicates of earlier ones, or
of each other, it is saturated: more prompts would pay for more of the same, and are not asked.
"""

from __future__ import annotations

from collections.abc import Sequence

from rensa import RMinHash, RMinHashLSH

from tasks.shingles import shingles

_PERMUTATIONS = 64
_BANDS = 16


class Repetition:
    """The questions of one subset so far. By MinHash (Broder 1997): about 1 kB in memory for each.

    Args:
        jaccard: similarity of word 3-grams from which a question repeats another.
    """

    def __init__(self, jaccard: float) -> None:
        self._jaccard = jaccard
        self._index = RMinHashLSH(jaccard, _PERMUTATIONS, _BANDS)
        self._hashes: list[RMinHash] = []

    def share(self, questions: Sequence[str]) -> float:
        """Take in questions; the share of them that repeat one taken in before them."""
        repeated = 0
        for text in questions:
            (made,) = RMinHash.from_token_sets([sorted(shingles(text))], _PERMUTATIONS, 0)
            near = (self._hashes[number] for number in self._index.query(made))
            repeated += any(made.jaccard(other) >= self._jaccard for other in near)
            self._index.insert(len(self._hashes), made)
            self._hashes.append(made)
        return repeated / len(questions) if questions else 0.0

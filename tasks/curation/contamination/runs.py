"""Runs of tokens that texts have in common, looked up as 64-bit hashes and then compared token by token.

Names that an author was free to choose are compared by where each stood last, after Baker's parameterised matching
(Baker 1993, "A theory of parameterized pattern matching", STOC): two codes that differ by a renaming are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Codes = NDArray[np.int32]
_UNKNOWN, _LOCAL = 0, 1
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_CHUNK = 1 << 18
_BACK = np.uint64(0xC2B2AE3D27D4EB4F)


@dataclass(frozen=True)
class Stream:
    """Texts one after another as numbers.

    Attributes:
        codes: shape (n,); 0 for what no benchmark holds, and after each text.
        back: shape (n,); of a local name how many tokens ago it stood last, else 0. None where there are none.
        starts: shape (texts + 1,); where each text starts in ``codes``.
    """

    codes: Codes
    back: Codes | None
    starts: Ints


class Vocabulary:
    """The tokens of the benchmarks as numbers.

    Args:
        is_local: tells a name that its author was free to choose; None where there are none.
    """

    def __init__(self, is_local: Callable[[str], bool] | None = None) -> None:
        self._number: dict[str, int] = {}
        self._is_local = is_local

    def learn(self, texts: Iterable[Sequence[str]]) -> None:
        """Give every token a number that has none, local names apart."""
        for tokens in texts:
            for token in tokens:
                if token not in self._number and not (self._is_local and self._is_local(token)):
                    self._number[token] = len(self._number) + 2

    def flags(self, telling: Callable[[str], bool]) -> NDArray[np.bool_]:
        """For each number whether its token is telling; shape (tokens + 2,)."""
        return np.array([False, False, *(telling(token) for token in self._number)])

    def stream(self, texts: Iterable[Sequence[str]]) -> Stream:
        """The texts as numbers, a token that was not learned as 0."""
        get, local = self._number.get, self._is_local
        numbers: list[int] = []
        backs: list[int] = []
        starts = [0]
        for tokens in texts:
            if local is None:
                numbers += map(get, tokens, repeat(_UNKNOWN))
            else:
                last: dict[str, int] = {}
                for place, token in enumerate(tokens):
                    number = get(token)
                    back = 0
                    if number is None:
                        number = _UNKNOWN
                        if local(token):
                            number, back = _LOCAL, place - last.get(token, place)
                            last[token] = place
                    numbers.append(number)
                    backs.append(back)
                backs.append(0)
            numbers.append(_UNKNOWN)
            starts.append(len(numbers))
        back_array = None if local is None else np.array(backs, np.int32)
        return Stream(np.array(numbers, np.int32), back_array, np.array(starts, np.int64))


def windows(stream: Stream, size: int) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """A hash for each run of ``size`` tokens, and whether it lies within one text and is known as a whole.

    Returns:
        Two arrays of shape (n - size + 1,), empty where the stream is shorter.
    """
    count = max(0, len(stream.codes) - size + 1)
    hashes = np.zeros(count, np.uint64)
    for place in range(size):
        part = slice(place, place + count)
        term = stream.codes[part].astype(np.uint64)
        if stream.back is not None:
            back = stream.back[part]
            term += np.where(back <= place, back, 0).astype(np.uint64) * _BACK
        hashes = hashes * _MULTIPLIER + term + (term >> np.uint64(29))
    unknown = np.concatenate(([0], np.cumsum(stream.codes == _UNKNOWN)))
    return hashes, unknown[size : size + count] == unknown[:count]


def telling_windows(stream: Stream, size: int, telling: NDArray[np.bool_], share: float) -> Ints:
    """Where the runs start that say something: ``share`` of their tokens are telling, and half of all are distinct.

    A run of numbers, or of the same few words, is in many texts that have nothing to do with each other.

    Args:
        telling: shape (tokens,), which numbers of the vocabulary are those of telling tokens.
    """
    places = np.flatnonzero(windows(stream, size)[1])
    told = np.concatenate(([0], np.cumsum(telling[stream.codes])))
    places = places[told[places + size] - told[places] >= share * size]
    kept = [np.zeros(0, np.int64)]
    for start in range(0, len(places), _CHUNK):
        part = places[start : start + _CHUNK]
        tokens = np.sort(stream.codes[part[:, None] + np.arange(size)], axis=1)
        distinct = 1 + np.count_nonzero(np.diff(tokens, axis=1), axis=1)
        kept.append(part[2 * distinct >= size])
    return np.concatenate(kept)


def _same(one: Stream, at: Ints, other: Stream, there: Ints, size: int) -> NDArray[np.bool_]:
    """Which of the runs that start at these places are the same, token by token."""
    same = np.ones(len(at), np.bool_)
    for place in range(size):
        same &= one.codes[at + place] == other.codes[there + place]
        if one.back is not None and other.back is not None:
            mine, theirs = one.back[at + place], other.back[there + place]
            same &= np.where(mine <= place, mine, 0) == np.where(theirs <= place, theirs, 0)
    return same


@dataclass(frozen=True)
class Found:
    """Runs of documents found in texts, one per text, place and document, in the order of the texts and places.

    Attributes:
        text: shape (n,), number of the text in its stream.
        place: shape (n,), of the run's first token in its text.
        size: shape (n,), tokens of the run.
        document: shape (n,).
        run: shape (n,), which of the index.
    """

    text: Ints
    place: Ints
    size: Ints
    document: Ints
    run: Ints

    def longest(self, text: int, document: int) -> tuple[int, int]:
        """First and last token of the longest stretch of a text whose every run is the document's."""
        within = slice(*np.searchsorted(self.text, [text, text + 1]))
        chosen = np.flatnonzero(self.document[within] == document) + within.start
        place, end = self.place[chosen], self.place[chosen] + self.size[chosen]
        breaks = np.flatnonzero(np.diff(place) != 1) + 1
        first, last = np.concatenate(([0], breaks)), np.concatenate((breaks - 1, [len(place) - 1]))
        best = int(np.argmax(end[last] - place[first]))
        return int(place[first[best]]), int(end[last[best]]) - 1


@dataclass(frozen=True)
class Shares:
    """Pairs of a text and a document that have runs in common; all of shape (pairs,).

    Attributes:
        share: of the document's runs, 0 to 1.
        count: distinct runs.
        weight: of these runs together.
    """

    text: Ints
    document: Ints
    share: NDArray[np.float64]
    count: Ints
    weight: NDArray[np.float64]


class RunIndex:
    """Which documents hold which run of tokens.

    Args:
        stream: the documents' tokens.
        places: shape (n,), where in the stream a run starts.
        sizes: shape (n,), its tokens.
        documents: shape (n,), whose it is.
        items: shape (documents,), the item that a document belongs to.
        benchmarks: shape (items,), the benchmark that an item belongs to.
        boilerplate_from: a run in so many items of one benchmark is left out.
        weights: shape (n,), how much a run says; None: all the same, 1.
    """

    def __init__(
        self,
        stream: Stream,
        places: Ints,
        sizes: Ints,
        documents: Ints,
        items: Ints,
        benchmarks: Ints,
        boilerplate_from: int,
        weights: Ints | None = None,
    ) -> None:
        self._stream = stream
        self._weights = np.ones(len(places), np.int64)
        self._groups: list[tuple[int, NDArray[np.uint64], Ints, int]] = []
        runs = np.zeros(len(places), np.int64)
        known = 0
        for size in np.unique(sizes).tolist():
            chosen = np.flatnonzero(sizes == size)
            hashes, _ = windows(stream, size)
            unique, first, number = np.unique(hashes[places[chosen]], return_index=True, return_inverse=True)
            runs[chosen] = number.reshape(-1) + known
            self._groups.append((size, unique, places[chosen[first]], known))
            if weights is not None:
                self._weights[known : known + len(unique)] = weights[chosen[first]]
            known += len(unique)
        pairs = np.unique(np.stack([runs, documents], axis=1), axis=0)
        spread = np.unique(np.stack([pairs[:, 0], items[pairs[:, 1]]], axis=1), axis=0)
        per_benchmark, count = np.unique(
            np.stack([spread[:, 0], benchmarks[spread[:, 1]]], axis=1), axis=0, return_counts=True
        )
        boilerplate = np.zeros(known, np.bool_)
        boilerplate[per_benchmark[count >= boilerplate_from, 0]] = True
        pairs = pairs[~boilerplate[pairs[:, 0]]]
        self._documents = pairs[:, 1]
        self._first = np.searchsorted(pairs[:, 0], np.arange(known + 1))
        self.totals: Ints = np.bincount(pairs[:, 1], minlength=len(items))
        """Shape (documents,): how many runs of each can be found."""

    def find(self, stream: Stream) -> Found:
        """Every run of a document in these texts."""
        parts = [self._matches(stream, *group) for group in self._groups]
        at, runs, sizes = (np.concatenate([part[i] for part in parts] or [np.zeros(0, np.int64)]) for i in range(3))
        counts = self._first[runs + 1] - self._first[runs]
        before = np.cumsum(counts) - counts
        posting = np.repeat(self._first[runs] - before, counts) + np.arange(int(counts.sum()))
        at, runs, sizes = (np.repeat(one, counts) for one in (at, runs, sizes))
        order = np.argsort(at, kind="stable")
        at, runs, sizes, posting = at[order], runs[order], sizes[order], posting[order]
        text = np.searchsorted(stream.starts, at, side="right") - 1
        return Found(text, at - stream.starts[text], sizes, self._documents[posting], runs)

    def _matches(
        self, stream: Stream, size: int, known: NDArray[np.uint64], there: Ints, first: int
    ) -> tuple[Ints, Ints, Ints]:
        hashes, whole = windows(stream, size)
        at = np.flatnonzero(whole)
        number = np.minimum(np.searchsorted(known, hashes[at]), len(known) - 1)
        hit = known[number] == hashes[at]
        at, number = at[hit], number[hit]
        same = _same(stream, at, self._stream, there[number], size)
        at, number = at[same], number[same]
        return at, number + first, np.full(len(at), size, np.int64)

    def shares(self, found: Found, fewest: int, most: int | None) -> Shares:
        """How much of each document each text holds.

        Args:
            fewest: a document with fewer runs counts as one with so many.
            most: one with more counts as one with so many; None: no bound.
        """
        distinct = np.unique(np.stack([found.text, found.document, found.run], axis=1), axis=0)
        pairs, at, count = np.unique(distinct[:, :2], axis=0, return_inverse=True, return_counts=True)
        weight = np.bincount(at.reshape(-1), self._weights[distinct[:, 2]], len(pairs)).astype(np.float64)
        of = np.minimum(np.maximum(self.totals[pairs[:, 1]], fewest), most or np.iinfo(np.int64).max)
        return Shares(pairs[:, 0], pairs[:, 1], np.minimum(1.0, count / of), count, weight)

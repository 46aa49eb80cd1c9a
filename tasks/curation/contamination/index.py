"""Rows compared with benchmarks, by all ways that the config names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import get_args

import numpy as np

from tasks.curation.contamination.embedding import TextEmbedder, Vectors, alike, bounds_of
from tasks.curation.contamination.items import BenchmarkItem, examples, weight
from tasks.curation.contamination.lexing import (
    CODE,
    LITERALS,
    WORDS,
    Lexer,
    code_of,
    is_local,
    is_telling_code,
    is_telling_word,
    prose,
)
from tasks.curation.contamination.runs import Found, Ints, RunIndex, Stream, Vocabulary, telling_windows
from tasks.curation.texts import RowTexts
from tasks.models.curation import BenchmarkHit, Outcome, Part
from tasks.settings.decontamination import Bounds, Decontamination
from tasks.syntax import MOST_READ

MOST_HITS = 20
"""Of a row, the worst first; one way and item makes one."""
LONGEST_SPAN = 300
"""Characters of a row that are quoted."""
LIGHTEST_EXAMPLE, LIGHTEST_EXAMPLES = 3, 10
"""Letters and digits of an example that counts, and of all those found in a row together."""
STRUCTURE = 13
"""Tokens of a run of code."""
_ROWS = 2048
_EMBEDDING = "embedding"
_SEVERITY: Mapping[Outcome, int] = {"noted": 0, "caution": 1, "rejected": 2}


@dataclass(frozen=True)
class _Way:
    """A way of comparing by runs of tokens.

    Attributes:
        fewest: a document with fewer runs counts as one with so many: a share of little is no evidence.
        most: one with more counts as one with so many.
        least: so many runs of a document make a hit,
        weight: if they weigh so much together.
    """

    name: str
    bounds: Bounds
    runs: RunIndex
    fewest: int
    most: int | None = None
    least: int = 1
    weight: int = 1


@dataclass(frozen=True)
class _Reading:
    """Ways that read texts alike.

    Attributes:
        parts: the texts of a row that are read, with the part each belongs to.
        items: shape (documents,), the item of each document.
    """

    lexer: Lexer
    parts: Callable[[RowTexts], Iterator[tuple[Part, str]]]
    vocabulary: Vocabulary
    items: Ints
    ways: tuple[_Way, ...]


@dataclass(frozen=True)
class _Candidate:
    way: str
    item: int
    part: Part
    similarity: float
    outcome: Outcome
    span: Callable[[], str]


def _texts(row: RowTexts) -> Iterator[tuple[Part, str]]:
    for part in get_args(Part):
        if text := getattr(row, part):
            yield part, text[:MOST_READ]


def _code(row: RowTexts) -> Iterator[tuple[Part, str]]:
    for part, text in _texts(row):
        if part == "question":
            yield from ((part, block) for block in code_of(text))
        else:
            yield part, text


def _forms(prompt: str) -> tuple[str, str]:
    return prose(prompt), prompt


def _outcome(bounds: Bounds, similarity: float) -> Outcome | None:
    if bounds.reject_from is not None and similarity >= bounds.reject_from:
        return "rejected"
    if bounds.caution_from is not None and similarity >= bounds.caution_from:
        return "caution"
    return "noted" if bounds.noted_from is not None and similarity >= bounds.noted_from else None


def _span(found: Found, number: int, document: int, text: str, lexer: Lexer) -> str:
    """The longest stretch of a text that it has in common with a document, as it stands in the text."""
    first, last = found.longest(number, document)
    places = lexer.places(text)
    return text[places[first][0] : places[last][1]][:LONGEST_SPAN]


class BenchmarkIndex:
    """All items, indexed once for any number of rows.

    Args:
        items: of all benchmarks; without any nothing is hit.
        settings: ways and bounds.
        embedder: None leaves the embedding out.

    Attributes:
        unreachable: items that no way can find, as their texts are too short or hold nothing of their own.
    """

    def __init__(
        self, items: Sequence[BenchmarkItem], settings: Decontamination, embedder: TextEmbedder | None = None
    ) -> None:
        self.items = tuple(items)
        self._settings = settings
        names = [item.benchmark for item in items]
        numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
        self._benchmarks = np.array([numbers[name] for name in names], np.int64)
        made = (self._words(), self._structure(), self._examples()) if items else ()
        self._readings = [reading for reading in made if reading.ways]
        self._bounds = bounds_of(settings.embedding, embedder.name) if embedder else Bounds()
        self._vectors: Vectors | None = None
        if items and embedder and self._bounds.lowest is not None:
            # A question may be the prose alone, or all of the prompt.
            self._vectors = embedder.embed([text for item in items for text in _forms(item.prompts[0])])
        self.unreachable = self._out_of_reach()

    def _words(self) -> _Reading:
        texts = [
            (number, text[:MOST_READ])
            for number, item in enumerate(self.items)
            for text in (*item.prompts, *item.solutions)  # what tests say in words, many say
        ]
        given = {10: ("words_10", self._settings.words_10), 13: ("words_13", self._settings.words_13)}
        return self._in_runs(WORDS, _texts, texts, Vocabulary(), is_telling_word, 0.6, 10, given)

    def _structure(self) -> _Reading:
        texts = [
            (number, text[:MOST_READ])
            for number, item in enumerate(self.items)
            for text in (*item.solutions, *item.tests)  # the code of a prompt is a signature, as many have it
        ]
        given = {STRUCTURE: (f"structure_{STRUCTURE}", self._settings.structure)}
        return self._in_runs(CODE, _code, texts, Vocabulary(is_local), is_telling_code, 0.3, 20, given)

    def _in_runs(
        self,
        lexer: Lexer,
        parts: Callable[[RowTexts], Iterator[tuple[Part, str]]],
        texts: Sequence[tuple[int, str]],
        vocabulary: Vocabulary,
        telling: Callable[[str], bool],
        share: float,
        fewest: int,
        given: Mapping[int, tuple[str, Bounds]],
    ) -> _Reading:
        given = {size: (name, bounds) for size, (name, bounds) in given.items() if bounds.lowest is not None}
        owners = np.array([number for number, _ in texts], np.int64)
        if not given:
            return _Reading(lexer, parts, vocabulary, owners, ())
        tokens = [lexer.read(text) for _, text in texts]
        vocabulary.learn(tokens)
        stream, flags = vocabulary.stream(tokens), vocabulary.flags(telling)
        ways = []
        for size, (name, bounds) in given.items():
            places = telling_windows(stream, size, flags, share)
            sizes = np.full(len(places), size, np.int64)
            ways.append(_Way(name, bounds, self._index(stream, places, sizes, owners), fewest))
        return _Reading(lexer, parts, vocabulary, owners, tuple(ways))

    def _examples(self) -> _Reading:
        bounds, vocabulary, owners = self._settings.examples, Vocabulary(), np.arange(len(self.items))
        if bounds.lowest is None:
            return _Reading(LITERALS, _texts, vocabulary, owners, ())
        found = [(number, one) for number, item in enumerate(self.items) for one in examples(item)]
        found = [(number, one) for number, one in found if weight(one) >= LIGHTEST_EXAMPLE]
        values = [one for _, one in found]
        vocabulary.learn(values)
        stream = vocabulary.stream(values)
        # One document per item, each example a text of its own in the stream.
        runs = RunIndex(
            stream,
            stream.starts[:-1],
            np.array([len(one) for one in values], np.int64),
            np.array([number for number, _ in found], np.int64),
            owners,
            self._benchmarks,
            self._settings.boilerplate_from,
            np.array([weight(one) for one in values], np.int64),
        )
        way = _Way("examples", bounds, runs, fewest=3, most=10, least=2, weight=LIGHTEST_EXAMPLES)
        return _Reading(LITERALS, _texts, vocabulary, owners, (way,))

    def _index(self, stream: Stream, places: Ints, sizes: Ints, owners: Ints) -> RunIndex:
        documents = np.searchsorted(stream.starts, places, side="right") - 1
        limit = self._settings.boilerplate_from
        return RunIndex(stream, places, sizes, documents, owners, self._benchmarks, limit)

    def _out_of_reach(self) -> tuple[BenchmarkItem, ...]:
        reached = np.zeros(len(self.items), np.bool_)
        for reading in self._readings:
            for way in reading.ways:
                reached[reading.items[way.runs.totals >= way.least]] = True
        if self._vectors is not None:
            reached |= self._vectors.reshape(len(reached), -1).any(axis=1)
        return tuple(item for item, found in zip(self.items, reached.tolist(), strict=True) if not found)

    def hits(self, rows: Sequence[RowTexts], vectors: Vectors | None = None) -> list[list[BenchmarkHit]]:
        """What each row has in common with the benchmarks, the worst first; at most ``MOST_HITS`` each.

        Args:
            rows: any number; they are read in batches.
            vectors: of the questions, shape (n, d), by the embedder of the index; None leaves the embedding out.

        Raises:
            ValueError: there is not one vector per row.
        """
        if vectors is not None and len(vectors) != len(rows):
            raise ValueError(f"there are {len(vectors)} vectors for {len(rows)} rows")
        found: list[list[BenchmarkHit]] = []
        for start in range(0, len(rows), _ROWS):
            batch = rows[start : start + _ROWS]
            near = None if vectors is None else vectors[start : start + _ROWS]
            candidates: defaultdict[int, list[_Candidate]] = defaultdict(list)
            for reading in self._readings:
                for row, candidate in self._in_common(reading, batch):
                    candidates[row].append(candidate)
            for row, candidate in self._alike(batch, near):
                candidates[row].append(candidate)
            found += [self._worst(candidates.get(number, [])) for number in range(len(batch))]
        return found

    def _in_common(self, reading: _Reading, rows: Sequence[RowTexts]) -> Iterator[tuple[int, _Candidate]]:
        texts = [(number, *one) for number, row in enumerate(rows) for one in reading.parts(row)]
        stream = reading.vocabulary.stream(reading.lexer.read(text) for _, _, text in texts)
        for way in reading.ways:
            found = way.runs.find(stream)
            if not len(found.text):
                continue
            common = way.runs.shares(found, way.fewest, way.most)
            enough = np.flatnonzero((common.count >= way.least) & (common.weight >= way.weight))
            for pair in enough.tolist():
                number, document, share = int(common.text[pair]), int(common.document[pair]), float(common.share[pair])
                if outcome := _outcome(way.bounds, share):
                    row, part, text = texts[number]
                    span = partial(_span, found, number, document, text, reading.lexer)
                    yield row, _Candidate(way.name, int(reading.items[document]), part, share, outcome, span)

    def _alike(self, rows: Sequence[RowTexts], vectors: Vectors | None) -> Iterator[tuple[int, _Candidate]]:
        if vectors is None or self._vectors is None or self._bounds.lowest is None:
            return
        for row, form, cosine in alike(vectors, self._vectors, self._bounds.lowest):
            if outcome := _outcome(self._bounds, cosine):
                question = rows[row].question[:LONGEST_SPAN]
                yield row, _Candidate(_EMBEDDING, form // 2, "question", cosine, outcome, question.strip)

    def _worst(self, candidates: list[_Candidate]) -> list[BenchmarkHit]:
        best: dict[tuple[str, int], _Candidate] = {}
        for one in candidates:
            known = best.get((one.way, one.item))
            if known is None or one.similarity > known.similarity:
                best[one.way, one.item] = one
        ordered = sorted(best.values(), key=lambda one: (-_SEVERITY[one.outcome], -one.similarity, one.item))
        return [
            BenchmarkHit(
                benchmark=self.items[one.item].benchmark,
                item_id=self.items[one.item].item_id,
                way=one.way,
                part=one.part,
                similarity=one.similarity,
                span=one.span(),
                outcome=one.outcome,
            )
            for one in ordered[:MOST_HITS]
        ]

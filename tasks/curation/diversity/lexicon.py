"""Topics of a question by a lexicon: a table of words, phrases and calls, each with a weight (``lexicon.yaml``)."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection
from functools import lru_cache

from tasks.packaged import packaged_yaml

OTHER = "other"
"""The topic of a row for which nothing in the lexicon speaks."""
MOST_TOPICS = 3
_WORD = re.compile(r"[a-z0-9]+")
_ENOUGH = 0.5
"""Score below which a topic is not believed."""
_STRONG = 1.0
"""Weight from which it matters how often a term occurs."""
_BESIDE_MAIN = 0.5
"""Share of the main topic's score that a further one needs."""

Votes = tuple[tuple[str, float], ...]
"""Topics and weights that one term speaks for."""


class Lexicon:
    """Which term speaks for which topics, and how strongly.

    Args:
        table: topic to ``{"words": {term: weight}, "code": {name: weight}}``. A term is one or more words in lower
            case, each of letters and digits; a trailing ``*`` on its last word stands for any ending.
    """

    def __init__(self, table: dict[str, dict[str, dict[str, float]]]) -> None:
        self.topics = (*table, OTHER)
        words: defaultdict[str, dict[str, float]] = defaultdict(dict)
        code: defaultdict[str, dict[str, float]] = defaultdict(dict)
        for topic, terms in table.items():
            for term, weight in terms["words"].items():
                words[str(term)][topic] = weight
            for name, weight in terms.get("code", {}).items():
                code[name][topic] = weight
        self._words: dict[str, Votes] = {term: tuple(votes.items()) for term, votes in words.items()}
        self._code: dict[str, Votes] = {name: tuple(votes.items()) for name, votes in code.items()}
        openings: defaultdict[str, set[int]] = defaultdict(set)
        for term in self._words:
            first, *rest = term.split()
            if rest:
                openings[first].add(len(rest) + 1)
        self._lengths = {first: sorted(lengths, reverse=True) for first, lengths in openings.items()}
        self._shortest_stem = min((len(term) - 1 for term in self._words if term.endswith("*")), default=1)
        self._votes = lru_cache(maxsize=100_000)(self._look_up)

    def _look_up(self, term: str) -> tuple[str, Votes] | None:
        """The entry that covers a term best: the term itself, else its longest stem."""
        if term in self._words:
            return term, self._words[term]
        for size in range(len(term), self._shortest_stem - 1, -1):
            if votes := self._words.get(stem := f"{term[:size]}*"):
                return stem, votes
        return None

    def _terms(self, question: str) -> Counter[str]:
        """Entries found in a question. Of overlapping ones the longest that begins first counts."""
        words = _WORD.findall(question.lower())
        found: Counter[str] = Counter()
        place, end = 0, len(words)
        while place < end:
            for length in self._lengths.get(words[place], ()):
                entry = self._votes(" ".join(words[place : place + length])) if place + length <= end else None
                if entry is not None and " " in entry[0]:
                    found[entry[0]] += 1
                    place += length
                    break
            else:
                entry = self._votes(words[place])
                if entry is not None:
                    found[entry[0]] += 1
                place += 1
        return found

    def evidence(self, question: str, names: Collection[str]) -> dict[str, dict[str, float]]:
        """What speaks for each topic: term or `name` to its points. Repeats of a strong term count half, up to two.

        Args:
            names: of the solution's modules, calls, variables and skills.
        """
        found: defaultdict[str, dict[str, float]] = defaultdict(dict)
        for term, count in self._terms(question).items():
            times = 1 + min(count - 1, 2) / 2
            for topic, weight in self._words[term]:
                found[topic][term] = weight * times if weight >= _STRONG else weight
        for name in names:
            for topic, weight in self._code.get(name, ()):
                found[topic][f"`{name}`"] = weight
        return dict(found)

    def label(self, question: str, names: Collection[str]) -> list[str]:
        """At most three topics, the main one first; ``other`` where nothing speaks for any. Arguments as above."""
        scores = {topic: sum(points.values()) for topic, points in self.evidence(question, names).items()}
        ranked = sorted(scores, key=lambda topic: (-scores[topic], topic))
        if not ranked or scores[ranked[0]] < _ENOUGH:
            return [OTHER]
        least = max(_ENOUGH, _BESIDE_MAIN * scores[ranked[0]])
        return [topic for topic in ranked[:MOST_TOPICS] if scores[topic] >= least]


@lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    """The lexicon that comes with kodforge, read once per process."""
    (table,) = packaged_yaml("tasks.curation.diversity", "lexicon.yaml")
    return Lexicon(table)

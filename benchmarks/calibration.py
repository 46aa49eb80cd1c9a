"""From which similarity on two questions are one: thresholds chosen on labelled pairs, and what they are worth.

    python -m benchmarks.calibration [--answers FILE]

Thresholds are chosen on the `calibrate` half of the pairs (corpora/pairs), and everything else is reported on the
`report` half. Embedders that are not installed are left out. Prints Markdown.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from tasks.curation.dedup.contradiction import Traits, contradiction, traits
from tasks.curation.dedup.semantic import KODCODE_COSINE
from tasks.embedding.choice import embedder_of
from tasks.errors import BadInput
from tasks.intervals import wilson
from tasks.models import Row
from tasks.run import Purpose
from tasks.settings import Dedup, Embedder, EmbedderKind, Teachers
from tasks.shingles import normalise, shingles

FOLDER = Path(__file__).parent / "corpora" / "pairs"
KINDS = ("exact", "near", "paraphrased", "restaged", "same_topic", "flipped", "far")
DUPLICATES = frozenset(KINDS[:4])
FOUND_BY_WORDING = frozenset(("exact", "near"))
PRECISION = 0.95
GRID = tuple(round(step / 100, 2) for step in range(30, 100))
SHOWN = (0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
MOST_CONTENT = 2 / 3
CANDIDATES = 0.8
"""Cosine of the cheap embedder from which the dear one judges."""
CHEAP, DEAR = "wordllama, normalised", "minilm, as written"
WAYS = {
    "wordllama, as written": (EmbedderKind.WORDLLAMA, False),
    CHEAP: (EmbedderKind.WORDLLAMA, True),
    DEAR: (EmbedderKind.MINILM, False),
}
"""Models, and whether texts are normalised beforehand."""
Similarity = NDArray[np.float64]
Mask = NDArray[np.bool_]


class LabelledPair(Row):
    """Two questions, and whether they are the same task."""

    id: str
    left: str
    right: str
    kind: Literal["exact", "near", "paraphrased", "restaged", "same_topic", "flipped", "far"]
    duplicate: bool
    half: Literal["calibrate", "report"] = Field(description="All pairs with a text of one question are in one half.")


def labelled_pairs() -> list[LabelledPair]:
    """The corpus, in order."""
    lines = (FOLDER / "pairs.jsonl").read_text("utf-8").splitlines()
    return [LabelledPair.model_validate(json.loads(line)) for line in lines]


class Corpus:
    """The pairs, and every text once."""

    def __init__(self, pairs: Sequence[LabelledPair]) -> None:
        self.texts = list(dict.fromkeys(text for pair in pairs for text in (pair.left, pair.right)))
        place = {text: number for number, text in enumerate(self.texts)}
        self.left = np.array([place[pair.left] for pair in pairs])
        self.right = np.array([place[pair.right] for pair in pairs])
        self.kind = np.array([pair.kind for pair in pairs])
        self.same = np.array([pair.duplicate for pair in pairs])
        self.calibrate = np.array([pair.half == "calibrate" for pair in pairs])
        self.comparable = self.kind != "flipped"

    @cached_property
    def traits(self) -> list[Traits]:
        return [traits(text) for text in self.texts]

    @cached_property
    def sets(self) -> list[set[str]]:
        return [shingles(text) for text in self.texts]

    def jaccard(self, left: int, right: int) -> float:
        one, other = self.sets[left], self.sets[right]
        return len(one & other) / len(one | other)

    def jaccards(self) -> Similarity:
        return np.array([self.jaccard(*pair) for pair in zip(self.left, self.right, strict=True)])

    def cosines(self, vectors: NDArray[np.float32]) -> Similarity:
        """Of each pair, where ``vectors`` are those of the texts."""
        return np.asarray((vectors[self.left] * vectors[self.right]).sum(axis=1), np.float64)

    def reasons(self) -> list[str]:
        """Why each pair is of two tasks."""
        sides = zip(self.left, self.right, strict=True)
        return [contradiction(self.traits[left], self.traits[right]) for left, right in sides]

    def rates(self, called: Mask, among: Mask) -> tuple[int, int, int]:
        """Pairs rightly called duplicates, pairs called duplicates, and duplicates."""
        return int((called & self.same & among).sum()), int((called & among).sum()), int((self.same & among).sum())

    def threshold(self, similarity: Similarity, among: Mask) -> tuple[float, bool]:
        """The threshold of the largest recall at a precision of ``PRECISION`` and whether there is one; if not, that
        of the largest F0.5."""
        best = (False, -1.0, 0.0)
        for step in GRID:
            right, called, duplicates = self.rates(similarity >= step, among)
            precision, recall = right / called if called else 0.0, right / duplicates
            enough = precision >= PRECISION
            weighted = 1.25 * precision * recall / (0.25 * precision + recall) if right else 0.0
            best = max(best, (enough, recall if enough else weighted, step))
        return best[2], best[0]


def content_share(left: Traits, right: Traits, common: frozenset[str]) -> float:
    """Of the words that either question has more often than the other, the share that are not common ones."""
    changed = (left.words - right.words) + (right.words - left.words)
    return sum(count for word, count in changed.items() if word not in common) / (changed.total() or 1)


def common_words() -> frozenset[str]:
    lines = (FOLDER / "common.txt").read_text("utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


def without_common_component(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors less their mean and first principal component, of unit length.

    Source: Arora et al. 2017, "A simple but tough-to-beat baseline for sentence embeddings", ICLR.
    """
    centred = vectors - vectors.mean(axis=0)
    first = np.linalg.svd(centred, full_matrices=False)[2][:1]
    rest = centred - centred @ first.T @ first
    return np.asarray(rest / np.linalg.norm(rest, axis=1, keepdims=True), np.float32)


def share(part: int, whole: int) -> str:
    """A share with its interval."""
    if not whole:
        return "-"
    low, high = wilson(part, whole)
    return f"{part / whole:.2f} ({low:.2f}-{high:.2f})"


def table(head: Sequence[str], rows: Iterator[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|---" * len(head) + "|"
    yield from (f"| {' | '.join(row)} |" for row in rows)
    yield ""


def by_threshold(corpus: Corpus, similarities: dict[str, Similarity]) -> Iterator[str]:
    """Precision, recall and F1 on the calibrate half."""

    def rows() -> Iterator[Sequence[str]]:
        for name, similarity in similarities.items():
            for step in SHOWN:
                right, called, duplicates = corpus.rates(similarity >= step, corpus.calibrate)
                _, mild, _ = corpus.rates(similarity >= step, corpus.calibrate & corpus.comparable)
                precision, milder, recall = right / max(called, 1), right / max(mild, 1), right / duplicates
                score = 2 * right / (called + duplicates)
                yield (name, f"{step}", *(f"{number:.2f}" for number in (precision, milder, recall, score)))

    yield from table(("way", "threshold", "precision", "without flipped pairs", "recall", "F1"), rows())


def report_row(corpus: Corpus, name: str, step: float, called: Mask) -> Sequence[str]:
    """What a rule is worth on the report half."""
    report = ~corpus.calibrate
    right, all_called, duplicates = corpus.rates(called, report)
    _, mild, _ = corpus.rates(called, report & corpus.comparable)
    kinds = (f"{called[report & (corpus.kind == kind)].mean():.2f}" for kind in KINDS)
    return (name, f"{step:.2f}", share(right, all_called), share(right, mild), share(right, duplicates), *kinds)


def tasks_lost(corpus: Corpus, joined: Mask) -> tuple[int, int, int, int]:
    """What becomes of the report half's questions when each is in the data with its exact and near duplicates.

    Args:
        joined: shape (texts, texts), which texts are called duplicates.

    Returns:
        Tasks; those of which no text is left where every member of a cluster is dropped, and where the first stays;
        and the texts too many that are left in the latter case.
    """
    wording = np.isin(corpus.kind, tuple(FOUND_BY_WORDING))
    other = np.isin(corpus.kind, ("same_topic", "flipped"))
    report = ~corpus.calibrate
    texts = np.unique(np.concatenate([side[report & (wording | other)] for side in (corpus.left, corpus.right)]))
    same = report & wording
    whole = (len(corpus.texts), len(corpus.texts))
    _, task = connected_components(coo_array((np.ones(same.sum()), (corpus.left[same], corpus.right[same])), whole))
    _, cluster = connected_components(coo_array(joined[np.ix_(texts, texts)]))
    size = np.bincount(cluster)
    task = task[texts]
    alone = size[cluster] == 1
    firsts = np.zeros(len(texts), bool)
    firsts[np.unique(cluster, return_index=True)[1]] = True
    tasks = len(set(task))
    kept = len(set(task[firsts]))
    return tasks, tasks - len(set(task[alone])), tasks - kept, int(firsts.sum()) - kept


def embedded(
    texts: Sequence[str], answers: str, names: Sequence[str] = tuple(WAYS)
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Vectors of the texts by each way whose embedder is installed."""
    for name in names:
        kind, plain = WAYS[name]
        try:
            embedder = embedder_of(Embedder(kind=kind), Teachers(), answers, Purpose())
        except BadInput:
            continue
        yield name, embedder.embed([normalise(text) for text in texts] if plain else texts)


def study(corpus: Corpus, vectors: dict[str, NDArray[np.float32]]) -> Iterator[tuple[str, Similarity]]:
    """Rules that refine a cosine, as a similarity which is -1 where a rule says no."""
    consistent = np.array([not reason for reason in corpus.reasons()])
    common = common_words()
    sides = list(zip(corpus.left, corpus.right, strict=True))
    mild = np.array(
        [content_share(corpus.traits[left], corpus.traits[right], common) <= MOST_CONTENT for left, right in sides]
    )
    for name, some in vectors.items():
        yield f"{name}, common component removed", corpus.cosines(without_common_component(some))
    for name, some in vectors.items():
        yield f"{name}, uncontradicted", np.where(consistent, corpus.cosines(some), -1)
    cheap = vectors[CHEAP]
    yield (
        f"{CHEAP}, common component removed, uncontradicted",
        np.where(consistent, corpus.cosines(without_common_component(cheap)), -1),
    )
    yield (
        f"{CHEAP}, uncontradicted, edits not mostly of content words",
        np.where(consistent & mild, corpus.cosines(cheap), -1),
    )
    if DEAR in vectors:
        judged = np.where(corpus.cosines(cheap) >= CANDIDATES, corpus.cosines(vectors[DEAR]), -1)
        yield f"{DEAR}, judging what {CHEAP} finds from {CANDIDATES} on", judged
        yield "the same, uncontradicted", np.where(consistent, judged, -1)


def lines(answers: str) -> Iterator[str]:
    """The report."""
    corpus = Corpus(labelled_pairs())
    vectors = dict(embedded(corpus.texts, answers))
    near = Dedup().jaccard
    plain_ways = {"near (Jaccard)": corpus.jaccards()}
    plain_ways |= {name: corpus.cosines(some) for name, some in vectors.items()}
    counts = Counter(zip(corpus.kind.tolist(), corpus.calibrate.tolist(), strict=True))
    yield "## Pairs\n"
    yield from table(("half", *KINDS), _counted(counts))
    yield f"## Thresholds on the calibrate half, and near from {near} on or the cosine\n"
    unions = {
        f"near or {name}": np.where(plain_ways["near (Jaccard)"] >= near, 1.0, plain_ways[name]) for name in vectors
    }
    yield from by_threshold(corpus, plain_ways | unions)

    yield f"## Chosen: largest recall at precision ≥ {PRECISION} without flipped pairs, else best F0.5\n"
    chosen = {}

    def rows() -> Iterator[Sequence[str]]:
        for name, similarity in (plain_ways | unions | dict(study(corpus, vectors))).items():
            step, enough = corpus.threshold(similarity, corpus.calibrate & corpus.comparable)
            chosen[name] = step
            strict, reached = corpus.threshold(similarity, corpus.calibrate)
            note = f"{strict:.2f}, {PRECISION if reached else 'F0.5'}"
            row = report_row(corpus, name if enough else f"{name} (F0.5)", step, similarity >= step)
            yield (*row, note)
        if DEAR in vectors:
            called = plain_ways[DEAR] >= KODCODE_COSINE
            yield (*report_row(corpus, f"KodCode: {DEAR}", KODCODE_COSINE, called), "-")

    head = ("rule", "threshold", "precision", "without flipped pairs", "recall", *KINDS, "chosen with flipped pairs")
    yield from table(head, rows())

    yield "## What tells pairs apart, of the report half\n"
    reasons: dict[str, Counter[str]] = defaultdict(Counter)
    for kind, reason, calibrate in zip(corpus.kind, corpus.reasons(), corpus.calibrate, strict=True):
        if not calibrate:
            reasons[kind][reason or "nothing"] += 1
    names = ("signature", "numbers", "operators", "order", "opposites", "nothing")
    yield from table(("kind", *names), ((kind, *(str(reasons[kind][name]) for name in names)) for kind in KINDS))

    yield "## Tasks of the report half that are lost\n"
    columns = ("rule", "tasks", "lost, all dropped", "lost, one stays", "surplus texts, one stays")
    yield from table(columns, _losses(corpus, vectors, chosen, near))


def _counted(counts: Counter[tuple[str, bool]]) -> Iterator[Sequence[str]]:
    for name, calibrate in (("calibrate", True), ("report", False)):
        yield (name, *(str(counts[kind, calibrate]) for kind in KINDS))


def _losses(
    corpus: Corpus, vectors: dict[str, NDArray[np.float32]], chosen: dict[str, float], near: float
) -> Iterator[Sequence[str]]:
    cheap = vectors[CHEAP]
    cosine = cheap @ cheap.T
    words = np.array([[corpus.jaccard(one, other) for other in range(len(cheap))] for one in range(len(cheap))])
    exact = words >= 1
    plain = (words >= near) | (cosine >= chosen[CHEAP])
    judged = (words >= near) | (cosine >= chosen[f"{CHEAP}, uncontradicted"])
    for one, other in np.argwhere(judged & ~exact):
        judged[one, other] = not contradiction(corpus.traits[one], corpus.traits[other])
    rules = {f"near or {CHEAP}": plain, "the same, uncontradicted": judged}
    if DEAR in vectors:
        dear = vectors[DEAR]
        rules[f"KodCode: {DEAR}"] = dear @ dear.T >= KODCODE_COSINE
    for name, joined in rules.items():
        tasks, dropped, staying, surplus = tasks_lost(corpus, joined)
        yield (name, str(tasks), share(dropped, tasks), share(staying, tasks), str(surplus))


def main() -> None:
    """Print the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--answers", help="file in which vectors of slow embedders are kept for the next time")
    with tempfile.TemporaryDirectory() as folder:
        answers = parser.parse_args().answers or str(Path(folder) / "answers.db")
        for line in lines(answers):
            print(line)


if __name__ == "__main__":
    main()

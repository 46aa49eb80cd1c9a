"""What curation finds out about rows: duplicates, benchmark overlap, content, topics and skills."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tasks.models.vocabulary import Row

Part = Literal["question", "solution", "test"]
"""Which text of a row something was found in."""
Outcome = Literal["noted", "caution", "rejected"]
"""What follows for the row: nothing, ``use_with_caution``, or it leaves."""

GRAVITY: tuple[Outcome, ...] = ("rejected", "caution", "noted")
"""Outcomes, the gravest first."""


class CorpusRow(Row):
    """A row as curation looks at it, whether of a run or of a file."""

    id: str = Field(description="Of a run the `question_id`.")
    subset: str = Field(description="Empty where a file has none.")
    question: str = Field(description="What is asked.")
    solution: str = Field(description="Empty where a file has none.")
    test: str = Field(description="Empty where a file has none.")
    licence: str = Field(description="SPDX expression; empty where it is not known.")
    quality: list[float] = Field(description="How well it is verified, the weightiest first; more is better.")


class Signature(Row):
    """What of a row is compared with others. Arrays are bytes, little-endian."""

    id: str = Field(description="Of a run the `question_id`.")
    subset: str = Field(description="As in the row.")
    question: str = Field(description="As in the row.")
    licence: str = Field(description="SPDX expression; empty where it is not known.")
    quality: list[float] = Field(description="How well it is verified, the weightiest first; more is better.")
    exact: bytes = Field(description="Digest of the normalised question, 16 bytes.")
    shingles: bytes = Field(description="uint32 hashes of its word 3-grams, ascending.")
    bands: bytes = Field(description="uint64 keys of the bands of its MinHash signature.")
    vector: bytes = Field(description="float16, of unit length; empty where nothing is compared by meaning.")


class Centroid(Row):
    """The middle of one cell of vectors."""

    vector: bytes = Field(description="float32.")


class Placement(Row):
    """The cells that a row's vector lies in."""

    cells: bytes = Field(description="int32, the nearest first.")


class Edge(Row):
    """Two questions that are alike, by their numbers in the order of the stage."""

    left: int = Field(description="Of the one question.")
    right: int = Field(description="Of the other one.")
    kind: Literal["near", "semantic"] = Field(description="How they are alike: by words, or by meaning.")
    similarity: float = Field(description="Jaccard of word 3-grams for `near`, cosine for `semantic`.")
    contradicted: bool = Field(description="Something tells them apart: they are related tasks, not duplicates.")


class DuplicateDecision(Row):
    """What deduplication found about one row. A representative names itself."""

    question_id: str = Field(description="Of a file the `id`.")
    subset: str = Field(description="As in the row.")
    representative: str = Field(description="Id of the row that stands for it.")
    representative_subset: str = Field(description="The subset of that row.")
    kind: Literal["", "exact", "near", "semantic"] = Field(
        description="How the row is tied to its cluster most closely; empty for a representative."
    )
    similarity: float = Field(
        description="To the representative: Jaccard of word 3-grams for `near`, cosine for `semantic`, else 1."
    )
    cluster_size: int = Field(description="Rows of the cluster, this one included.")
    duplicates: list[str] = Field(description="Of a representative: ids of the rows that it stands for.")
    contaminated: list[str] = Field(
        description="Of a representative: ids of those of them that are rejected for what they share with a benchmark."
    )


class BenchmarkHit(Row):
    """One benchmark item that a row overlaps with, by one way of comparing."""

    benchmark: str = Field(description="As in `humaneval`.")
    item_id: str = Field(description="As the benchmark names it.")
    way: str = Field(description="As in `words_10`, `words_13`, `structure_13`, `examples`, `embedding`.")
    part: Part = Field(description="Of the row.")
    similarity: float = Field(description="0 to 1: share of the item's n-grams or examples, or cosine.")
    span: str = Field(description="What the row has in common with the item, as it stands in the row.")
    outcome: Outcome = Field(description="What follows for the row.")


class ContentFinding(Row):
    """Something in a row's text that a reader should know of. What is secret is never quoted."""

    rule: str = Field(description="As in `secret`, `email`, `network`, `deletes_files`, `offensive`.")
    part: Part = Field(description="Of the row.")
    line: int = Field(description="1-based, within the part.")
    evidence: str = Field(description="What was found, masked where it is a secret or personal.")
    outcome: Outcome = Field(description="What follows for the row.")


class Labels(Row):
    """What a row is about. The first topic is the main one."""

    topics: list[str] = Field(description="What it is about, by a lexicon; the main one first.")
    skills: list[str] = Field(description="What its solution uses, by its syntax tree.")
    libraries: list[str] = Field(description="Top-level modules beyond the standard library.")
    language: str = Field(description="ISO 639-1 code of the question's prose.")
    words: int = Field(description="Of the question.")
    structure: str = Field(description="Hash of the shape of the solution's syntax tree, names and values left out.")


class Examination(Row):
    """All that was found in a row by itself."""

    id: str = Field(description="Of a run the `question_id`.")
    hits: list[BenchmarkHit] = Field(description="The strongest first.")
    content: list[ContentFinding] = Field(description="What was found in its texts.")
    labels: Labels
    outcome: Outcome = Field(description="The gravest of all that was found.")
    contaminated: bool = Field(description="A hit is grave enough to reject the row.")

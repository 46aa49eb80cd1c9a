"""What becomes of verified rows: duplicates, contamination, content, and the mix that is kept."""

from __future__ import annotations

from pydantic import Field

from tasks.settings.content import Content
from tasks.settings.decontamination import Decontamination
from tasks.settings.embedding import Embedder
from tasks.settings.mix import Drift, Mix
from tasks.settings.place import Place
from tasks.settings.section import Section


class Dedup(Section):
    """When two questions are one. Of each cluster of duplicates the best verified row stays."""

    jaccard: float = Field(
        0.7, gt=0, le=1, description="Similarity of word 3-grams from which two questions are near duplicates."
    )
    permutations: int = Field(256, ge=16, le=1024, description="Of the MinHash signature.")
    semantic: bool = Field(True, description="Compare questions by their embeddings too.")
    cosine: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Similarity of embeddings from which two questions are semantic duplicates. Empty: as calibrated "
        "for the embedder.",
    )
    across_subsets: bool = Field(True, description="Compare the questions of different subsets with one another.")
    block_rows: int = Field(
        50_000, ge=100, le=1_000_000, description="Rows that one task signs; whole shards, so it may be a few less."
    )


class Curation(Section):
    """Duplicates, benchmark contamination, doubtful content, and the mix of what is kept."""

    embedder: Embedder = Embedder()
    dedup: Dedup = Dedup()
    decontamination: Decontamination = Decontamination()
    content: Content = Content()
    mix: Mix = Mix()
    drift: Drift = Drift()
    review: Place = Field(
        "",
        description="File or URL of decisions by hand, as `kodforge browse` writes them: JSON lines with question_id, "
        "decision (accept, reject), note. Empty: none.",
    )

    @property
    def by_meaning(self) -> bool:
        """Whether questions are embedded: for duplicates, or for benchmarks."""
        given = self.decontamination.embedding
        return self.dedup.semantic or given is None or given.lowest is not None

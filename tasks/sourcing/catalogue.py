"""The catalogue of the twelve subsets: which method makes each, and from which seeds.

Source: Xu et al. 2025, arXiv 2503.02951, section 3.1 and table 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from tasks.errors import BadInput
from tasks.models import Seed, Subset
from tasks.settings import SeedOptions
from tasks.sourcing import documents, prefill, seed_questions, snippets


class Method(StrEnum):
    """How a question is synthesised."""

    PREFILL = "prefill"
    SEED_QUESTIONS = "seed_questions"
    SNIPPET = "snippet"
    DOCUMENTS = "documents"
    INSTRUCT_FILTER = "instruct_filter"


Reader = Callable[[Subset, SeedOptions], Iterator[Seed]]

READERS: dict[Method, Reader] = {
    Method.PREFILL: prefill.read_seeds,
    Method.SEED_QUESTIONS: seed_questions.read_seeds,
    Method.SNIPPET: snippets.read_seeds,
    Method.DOCUMENTS: documents.read_seeds,
}


@dataclass(frozen=True)
class Entry:
    """One subset. ``paper_count`` is what KodCode made of it; ``seeds`` are used unless the config names others."""

    method: Method
    paper_count: int
    seeds: SeedOptions = field(default_factory=SeedOptions)
    seeds_per_prompt: int = 1
    origin: str = ""


CATALOGUE: dict[Subset, Entry] = {
    Subset.PREFILL: Entry(Method.PREFILL, 43_000, origin="none: the model completes an open user turn"),
    Subset.LEETCODE: Entry(Method.SEED_QUESTIONS, 27_000, seeds_per_prompt=3, origin="LeetCode problems"),
    Subset.CODEFORCES: Entry(Method.SEED_QUESTIONS, 33_000, origin="Codeforces problems"),
    Subset.APPS: Entry(Method.SEED_QUESTIONS, 21_000, origin="APPS, train split"),
    Subset.TACO: Entry(Method.SEED_QUESTIONS, 81_000, origin="TACO, train split"),
    Subset.CODE_CONTESTS: Entry(Method.SEED_QUESTIONS, 36_000, origin="CodeContests"),
    Subset.ALGORITHM: Entry(Method.SNIPPET, 31_000, origin="TheAlgorithms/Python"),
    Subset.DATA_STRUCTURE: Entry(
        Method.SNIPPET, 34_000, SeedOptions(packages=["algorithms"]), origin="keon/algorithms"
    ),
    Subset.DOCS: Entry(
        Method.DOCUMENTS, 43_000, SeedOptions(packages=["pandas", "numpy"]), origin="docs of Python libraries"
    ),
    Subset.FILTER: Entry(Method.INSTRUCT_FILTER, 77_000, origin="none: instructions of open models, rated"),
    Subset.PACKAGE: Entry(Method.SEED_QUESTIONS, 7_000, origin="Package Instruct"),
    Subset.EVOL: Entry(Method.SEED_QUESTIONS, 13_000, origin="Evol Instruct"),
}


def seed_options(subset: Subset, given: SeedOptions) -> SeedOptions:
    """The config's seed options, completed from the catalogue."""
    if given.packages or given.path:
        return given
    return CATALOGUE[subset].seeds.model_copy(update={"include": given.include or CATALOGUE[subset].seeds.include})


def read_seeds(subset: Subset, given: SeedOptions) -> list[Seed]:
    """All seeds of a subset.

    Raises:
        BadInput: the method is not available, the seeds cannot be read, or there are none.
    """
    entry = CATALOGUE[subset]
    if entry.method not in READERS:
        raise BadInput(
            f"subset {subset} needs the method {entry.method}, which this version does not run yet. "
            f"Leave it out of `subsets`, or name the others in `only`"
        )
    options = seed_options(subset, given)
    if entry.method is not Method.PREFILL and not (options.packages or options.path):
        raise BadInput(
            f"subset {subset} has no seeds ({entry.origin} is not shipped). Give a Parquet or JSONL file: "
            f"--set subsets.{subset}.seeds.path=FILE"
        )
    seeds = list(READERS[entry.method](subset, options))
    if not seeds:
        raise BadInput(
            f"subset {subset}: no seeds in {options.path or ', '.join(options.packages)} "
            f"(include: {options.include or 'everything'}). Widen `include` or give another source"
        )
    return seeds

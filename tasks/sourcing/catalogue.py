"""The catalogue of subsets: which method makes each, from which seeds, by which prompt and teacher, with which filters.

Source of the twelve: Xu et al. 2025, arXiv 2503.02951, section 3.1 and table 1. A package may bring more: an entry
point of the group ``kodforge.sources`` whose name is the subset and whose object is an ``Entry``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache, partial
from importlib import metadata

from tasks.errors import BadInput
from tasks.licences.expressions import UNKNOWN_LICENCE
from tasks.models import Reject, Seed, Subset
from tasks.settings import Granularity, Role, SeedOptions
from tasks.sourcing import apis, documents, feedback, own_code, prefill, seed_questions, snippets

GROUP = "kodforge.sources"


class Method(StrEnum):
    """How a question is synthesised."""

    PREFILL = "prefill"
    SEED_QUESTIONS = "seed_questions"
    SNIPPET = "snippet"
    DOCUMENTS = "documents"
    INSTRUCT_FILTER = "instruct_filter"


class Operator(StrEnum):
    """Ways to evolve a question (Evol-Instruct, Xu et al. 2023, arXiv 2304.12244, for code)."""

    DEEPEN = "deepen"
    CONSTRAIN = "constrain"
    CONCRETISE = "concretise"
    BROADEN = "broaden"


Reader = Callable[[str, SeedOptions], Iterator[Seed | Reject]]
"""From a subset's name and its options to its seeds, in an order that is always the same, one at a time. It raises
``BadInput`` before the first seed where the options are wrong."""


@dataclass(frozen=True)
class Filters:
    """What a subset asks of its seeds and questions beyond what all must meet (``licences``, ``questions``).

    Attributes:
        rated: a rater grades each question, and those below ``questions.keep_quality`` or outside
            ``questions.keep_categories`` go.
        abstains: the author may say BAD_DOCUMENT.
        screened: seeds with secrets or personal data go.
        hides: nothing of the seeds' text may show in the question, unless ``seeds.hide_code`` is off.
    """

    rated: bool = False
    abstains: bool = False
    screened: bool = False
    hides: bool = False

    def __str__(self) -> str:
        return ", ".join(name for name, on in vars(self).items() if on)


@dataclass(frozen=True)
class Entry:
    """One subset.

    Attributes:
        template: name of the prompt.
        read: reads its seeds.
        target: how many questions to make where the config does not say: KodCode's own count.
        origin: what KodCode took, for people.
        licence: of the seeds, SPDX, where they come from ``seeds`` and do not tell themselves.
        role: the teacher that writes the question.
        seeds: where its seeds come from unless the config says.
        operators: one of them, at random, goes into each prompt.
        brings_seeds: ``read`` needs neither packages nor a path.
    """

    method: Method
    template: str
    read: Reader
    target: int
    origin: str
    licence: str = UNKNOWN_LICENCE
    role: Role = Role.AUTHOR
    seeds: SeedOptions = field(default_factory=SeedOptions)
    seeds_per_prompt: int = 1
    operators: tuple[str, ...] = ()
    filters: Filters = field(default_factory=Filters)
    brings_seeds: bool = False

    @property
    def opens_turn(self) -> bool:
        """Whether a model continues an open user turn, which the catalogue's other methods do not ask of it."""
        return self.method in (Method.PREFILL, Method.INSTRUCT_FILTER)


def _published(target: int, origin: str, format_: str, hub: str = "", seeds_per_prompt: int = 1) -> Entry:
    """A subset whose seeds are the questions of a published data set."""
    return Entry(
        Method.SEED_QUESTIONS,
        "seed_questions",
        partial(seed_questions.read_seeds, usual=format_),
        target,
        origin,
        seed_questions.FORMATS[format_].licence,
        seeds=SeedOptions(path=f"hf://datasets/{hub}") if hub else SeedOptions(),
        seeds_per_prompt=seeds_per_prompt,
    )


_WITH_PARQUET = "@refs%2Fconvert%2Fparquet"
"""The branch that the hub keeps of data sets that are published as a script."""

_BUILT_IN: dict[str, Entry] = {
    Subset.PREFILL: Entry(
        Method.PREFILL,
        "prefill",
        prefill.read_seeds,
        43_000,
        "none: a model completes an open user turn",
        licence="Apache-2.0",
        role=Role.INSTRUCTOR,
        brings_seeds=True,
    ),
    Subset.LEETCODE: _published(27_000, "LeetCode problems", "leetcode", seeds_per_prompt=3),
    Subset.CODEFORCES: _published(33_000, "Codeforces problems", "codeforces", "open-r1/codeforces/data"),
    Subset.APPS: _published(21_000, "APPS, train split", "apps", f"codeparrot/apps{_WITH_PARQUET}/all/train"),
    Subset.TACO: _published(81_000, "TACO, train split", "taco", f"BAAI/TACO{_WITH_PARQUET}/ALL/train"),
    Subset.CODE_CONTESTS: _published(
        36_000, "CodeContests, train split", "code_contests", "deepmind/code_contests/data"
    ),
    Subset.ALGORITHM: Entry(
        Method.SNIPPET,
        "snippet",
        snippets.read_seeds,
        31_000,
        "TheAlgorithms/Python (a checkout of it, by path); pygorithm where none is given",
        licence="MIT",
        seeds=SeedOptions(packages=["pygorithm"], granularity=Granularity.BOTH),
    ),
    Subset.DATA_STRUCTURE: Entry(
        Method.SNIPPET,
        "snippet",
        snippets.read_seeds,
        34_000,
        "keon/algorithms",
        licence="MIT",
        seeds=SeedOptions(packages=["algorithms"]),
    ),
    Subset.DOCS: Entry(
        Method.DOCUMENTS,
        "document",
        documents.read_seeds,
        43_000,
        "docs of Python libraries",
        licence="BSD-3-Clause",
        seeds=SeedOptions(packages=["pandas", "numpy"]),
        filters=Filters(abstains=True),
    ),
    Subset.FILTER: Entry(
        Method.INSTRUCT_FILTER,
        "instruct",
        prefill.read_no_seeds,
        77_000,
        "none: instructions of open models, rated",
        licence="Apache-2.0",
        role=Role.INSTRUCTOR,
        filters=Filters(rated=True),
        brings_seeds=True,
    ),
    Subset.PACKAGE: Entry(
        Method.SEED_QUESTIONS,
        "package",
        apis.read_seeds,
        7_000,
        "Package Instruct (a file of it, by path); the APIs of packages where none is given",
        licence="BSD-3-Clause",
        seeds=SeedOptions(packages=["pandas", "numpy"]),
    ),
    Subset.EVOL: Entry(
        Method.SEED_QUESTIONS,
        "evolve",
        partial(seed_questions.read_seeds, usual="evol_instruct"),
        13_000,
        "Evol Instruct",
        licence=seed_questions.FORMATS["evol_instruct"].licence,
        seeds=SeedOptions(path="hf://datasets/theblackcat102/evol-codealpaca-v1"),
        operators=tuple(Operator),
    ),
    Subset.OWN_CODE: Entry(
        Method.SNIPPET,
        "own_code",
        own_code.read_seeds,
        1_000,
        "not in KodCode: a repository of yours",
        filters=Filters(abstains=True, screened=True, hides=True),
    ),
    Subset.FEEDBACK: Entry(
        Method.SEED_QUESTIONS,
        "feedback",
        feedback.read_seeds,
        1_000,
        "not in KodCode: a file of your model's failures",
        filters=Filters(screened=True),
    ),
}


@cache
def catalogue() -> dict[str, Entry]:
    """Every subset by name: those that come with kodforge, then those of installed packages.

    Raises:
        BadInput: a package's entry is none, or has a name that is taken or cannot be a subset's.
    """
    found = dict(_BUILT_IN)
    for point in metadata.entry_points(group=GROUP):
        try:
            entry = point.load()
        except Exception as error:
            raise BadInput(f"the source {point.name!r} ({point.value}) cannot be loaded: {error}. Mend it") from error
        if not isinstance(entry, Entry):
            raise BadInput(
                f"the source {point.name!r} ({point.value}) is no catalogue Entry but {type(entry).__name__}"
            )
        if point.name in found or not re.fullmatch(r"[A-Z][A-Za-z0-9_]*", point.name):
            raise BadInput(f"the source {point.name!r} ({point.value}) needs a name of its own, as in My_Source")
        found[point.name] = entry
    return found


def entry_of(subset: str) -> Entry:
    """The entry of a subset.

    Raises:
        BadInput: there is none of that name.
    """
    if (entry := catalogue().get(subset)) is None:
        raise BadInput(f"there is no subset {subset!r}. Known are {', '.join(catalogue())} (kodforge sources)")
    return entry


def seed_options(subset: str, given: SeedOptions) -> SeedOptions:
    """The config's seed options, completed from the catalogue."""
    usual = entry_of(subset).seeds
    changes: dict[str, object] = {}
    if not given.packages and not given.path:
        changes = {"packages": usual.packages, "path": usual.path}
    for name in ("granularity", "include", "exclude", "format"):
        if not getattr(given, name) and (changes or name in ("granularity", "format")):
            changes[name] = getattr(usual, name)
    return given.model_copy(update=changes)


def _licensed(seed: Seed, licence: str) -> Seed:
    if seed.source.licence != UNKNOWN_LICENCE:
        return seed
    return seed.model_copy(update={"source": seed.source.model_copy(update={"licence": licence})})


def read_seeds(subset: str, given: SeedOptions) -> Iterator[Seed | Reject]:
    """The seeds of a subset, one at a time, and rejects for those that cannot be read.

    Raises:
        BadInput: there is no such subset, the seeds cannot be read, or there are none. What can be known without
            reading them all is known before the first one.
    """
    entry = entry_of(subset)
    options = seed_options(subset, given)
    if not entry.brings_seeds and not (options.packages or options.path):
        raise BadInput(
            f"subset {subset} has no seeds ({entry.origin}: none is shipped). Give a path: "
            f"--set subsets.{subset}.seeds.path=PATH"
        )
    is_ours = not given.packages and not given.path
    count = 0
    for count, seed in enumerate(entry.read(subset, options), 1):  # noqa: B007 - counts
        yield _licensed(seed, entry.licence) if is_ours and isinstance(seed, Seed) else seed
    if not count:
        raise BadInput(
            f"subset {subset}: no seeds in {options.path or ', '.join(options.packages)} "
            f"(include: {options.include or 'everything'}). Widen `include` or give another source"
        )

"""What is sourced: subsets, their seeds, and what a question must be like."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from tasks.settings.section import Section


class Granularity(StrEnum):
    """What of a code file is a seed."""

    FILES = "files"
    FUNCTIONS = "functions"
    BOTH = "both"


class SeedOptions(Section):
    """Where a subset's seeds come from; what is left out comes from the catalogue."""

    packages: list[str] = Field([], description="Installed distributions whose files or docstrings are read.")
    path: str = Field(
        "",
        description="File of rows (Parquet, Arrow, JSONL, JSON or CSV, also .zst and .gz), or folder, git checkout or "
        "archive of code or pages; a path, an fsspec URL, or hf://datasets/OWNER/NAME.",
    )
    include: list[str] = Field([], description="Globs over paths or qualified names; empty takes all.")
    exclude: list[str] = Field([], description="Globs over paths or qualified names that are left out.")
    format: str = Field("", description="Published data set whose columns `path` has. Empty: as the catalogue says.")
    columns: dict[str, str] = Field({}, description="Column mapping of `path`: ours to theirs.")
    on_bad_row: Literal["stop", "skip"] = Field(
        "stop", description="What becomes of a row without what it must have: an error, or it is passed over."
    )
    granularity: Granularity | None = Field(None, description="Of code. Empty: as the catalogue says.")
    prefixes: list[str] = Field([], description="Beginnings of questions, for the prefill method.")
    libraries: list[str] = Field(
        [], description="Requirements (name==version) that solutions may use, where the seeds do not tell."
    )
    licence: str = Field("", description="SPDX expression for what `path` holds, where it does not tell itself.")
    hide_code: bool = Field(True, description="Own code only: keep its text out of the questions.")


class SubsetOptions(Section):
    """How much of a subset to make."""

    count: int | None = Field(
        None, ge=1, le=10_000_000, description="Questions to ask for. Empty: as many as KodCode has of it."
    )
    seeds: SeedOptions = SeedOptions()


class Licences(Section):
    """Which seeds may be used."""

    allow: list[str] = Field(
        [], description="SPDX ids. A seed needs one of each that its expression joins by AND. Empty: every known one."
    )
    unknown: Literal["reject", "keep"] = Field(
        "reject", description="What becomes of seeds whose licence is not known (LicenseRef-unknown)."
    )


class Quality(StrEnum):
    """Grades of a question, as the rater gives them."""

    VERY_POOR = "very poor"
    POOR = "poor"
    AVERAGE = "average"
    GOOD = "good"
    EXCELLENT = "excellent"


class Category(StrEnum):
    """Kinds of coding task, as the rater names them."""

    ALGORITHM = "Algorithm Implementation"
    FUNCTION = "Function Generation"
    CLASS = "Class Design"
    DATA_STRUCTURE = "Data Structure"
    DEBUGGING = "Debugging"
    REFACTORING = "Refactoring"
    OPTIMISATION = "Optimization"
    COMPLETION = "Code Completion"
    EXPLANATION = "Code Explanation"
    TRANSLATION = "Code Translation"
    TESTING = "Testing"
    DATA_ANALYSIS = "Data Analysis"
    VISUALISATION = "Visualization"
    MACHINE_LEARNING = "Machine Learning"
    WEB = "Web Development"
    DATABASE = "Database"
    FILES = "File Handling"
    NETWORK = "Networking"
    CONCURRENCY = "Concurrency"
    OTHER = "Other"


class QuestionRules(Section):
    """What a question must be like; what is not becomes a reject with its reason."""

    languages: list[str] = Field(["en"], description="ISO 639-1 codes of the languages to keep. Empty: all.")
    min_characters: int = Field(30, ge=1, le=100_000, description="Of a question.")
    max_characters: int = Field(8000, ge=1, le=1_000_000, description="Of a question.")
    repair: bool = Field(
        True, description="Ask the author once for the signature that a question does not state; else it is rejected."
    )
    max_quoted_tokens: int = Field(
        40, ge=5, le=10_000, description="Tokens in a row that a question may share with its seed."
    )
    keep_quality: list[Quality] = Field(
        [Quality.GOOD, Quality.EXCELLENT], description="Of questions that are rated (Filter)."
    )
    keep_categories: list[Category] = Field(
        [Category.ALGORITHM, Category.FUNCTION], description="Of questions that are rated (Filter)."
    )


class Diversity(Section):
    """How a subset is kept from asking for the same thing again and again."""

    max_topic_share: float = Field(
        0.25,
        gt=0,
        le=1,
        description="Of a subset's prompts that one topic may lead, where the others have seeds enough.",
    )
    near_duplicate_jaccard: float = Field(
        0.7, gt=0, le=1, description="MinHash similarity of word 3-grams from which a new question repeats an old one."
    )
    stop_at_share: float = Field(
        0.6,
        gt=0,
        le=1,
        description="Repetitions among the latest questions from which a subset asks no more; 1: never.",
    )
    look_every: int = Field(8, ge=1, le=10_000, description="Shards of a subset between two looks at its repetitions.")

"""Closed sets of values, and what every row is."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = "kodforge-6"
"""Written into every manifest; a change of any row's columns changes it and makes shards stale."""


class Subset(StrEnum):
    """The subsets that come with kodforge: the twelve of KodCode (Xu et al. 2025, arXiv 2503.02951, table 1), then two
    over material of the user's own. A plugin may bring others, so rows hold the name as a plain string."""

    PREFILL = "Prefill"
    LEETCODE = "Leetcode"
    CODEFORCES = "Codeforces"
    APPS = "Apps"
    TACO = "Taco"
    CODE_CONTESTS = "Code_Contests"
    ALGORITHM = "Algorithm"
    DATA_STRUCTURE = "Data_Structure"
    DOCS = "Docs"
    FILTER = "Filter"
    PACKAGE = "Package"
    EVOL = "Evol"
    OWN_CODE = "Own_Code"
    FEEDBACK = "Feedback"


class Verdict(StrEnum):
    """What the sandbox found out about one (solution, tests) pair. Closed: infrastructure trouble is
    never a verdict but the exception ``SandboxUnavailable``."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"
    NO_TESTS = "no_tests"
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out_of_memory"
    OUTPUT_LIMIT = "output_limit"
    KILLED = "killed"
    TAMPERED = "tampered"
    FLAKY = "flaky"


class RejectReason(StrEnum):
    """Why a row left the pipeline. Closed: the funnel of a run is a table over these values."""

    # the seed
    INVALID_SEED = "invalid_seed"
    UNKNOWN_LICENCE = "unknown_licence"
    LICENCE_NOT_ALLOWED = "licence_not_allowed"
    SECRET = "secret"  # noqa: S105 - a reason
    PERSONAL_DATA = "personal_data"
    # the teacher's reply
    MALFORMED_REPLY = "malformed_reply"
    TRUNCATED_REPLY = "truncated_reply"
    TEACHER_REFUSED = "teacher_refused"
    CONTEXT_OVERFLOW = "context_overflow"
    TEACHER_FAILED = "teacher_failed"
    BUDGET_EXHAUSTED = "budget_exhausted"
    ABSTAINED = "abstained"
    # the question
    EMPTY_QUESTION = "empty_question"
    REFUSAL = "refusal"
    WRONG_LANGUAGE = "wrong_language"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    QUOTES_SEED = "quotes_seed"
    LEAKS_SOLUTION = "leaks_solution"
    LOW_QUALITY = "low_quality"
    WRONG_CATEGORY = "wrong_category"
    NO_CONTRACT = "no_contract"
    SATURATED = "saturated"
    # every attempt went wrong; the reason is the commonest outcome among them
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"
    NO_TESTS = "no_tests"
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out_of_memory"
    OUTPUT_LIMIT = "output_limit"
    KILLED = "killed"
    TAMPERED = "tampered"
    FLAKY = "flaky"
    # attempts passed, and none of them proved enough; the reason is that of the best one
    VACUOUS_TESTS = "vacuous_tests"
    LOW_COVERAGE = "low_coverage"
    WEAK_TESTS = "weak_tests"
    FEW_TESTS = "few_tests"
    FEW_ASSERTS = "few_asserts"
    DUPLICATE_TESTS = "duplicate_tests"
    TRIVIAL_ASSERTS = "trivial_asserts"
    COPIED_SOLUTION = "copied_solution"
    WRONG_TESTS = "wrong_tests"
    COLLUSION = "collusion"
    CONTRADICTS_REFERENCE = "contradicts_reference"
    UNSTATED_NAME = "unstated_name"
    # an item of a benchmark
    MISSING_LIBRARY = "missing_library"
    FED_BACK = "fed_back"
    # a row told in another style
    NOT_CONVERTIBLE = "not_convertible"
    UNCHANGED = "unchanged"
    LEAKS_TESTS = "leaks_tests"
    WRONG_EXAMPLES = "wrong_examples"
    # curation
    EXACT_DUPLICATE = "exact_duplicate"
    NEAR_DUPLICATE = "near_duplicate"
    SEMANTIC_DUPLICATE = "semantic_duplicate"
    CONTAMINATED = "contaminated"
    UNSAFE_CONTENT = "unsafe_content"
    LICENCE_REFUSED = "licence_refused"
    OVER_TARGET = "over_target"
    REVIEWED = "reviewed"


NOT_ASKED = frozenset({RejectReason.TEACHER_FAILED, RejectReason.BUDGET_EXHAUSTED})
"""No answer of a teacher stands behind these: a later run asks again."""
UNPROVEN = frozenset(
    {
        RejectReason.VACUOUS_TESTS,
        RejectReason.LOW_COVERAGE,
        RejectReason.WEAK_TESTS,
        RejectReason.FEW_TESTS,
        RejectReason.FEW_ASSERTS,
        RejectReason.DUPLICATE_TESTS,
        RejectReason.TRIVIAL_ASSERTS,
        RejectReason.COPIED_SOLUTION,
        RejectReason.WRONG_TESTS,
        RejectReason.COLLUSION,
        RejectReason.CONTRADICTS_REFERENCE,
        RejectReason.UNSTATED_NAME,
    }
)
"""Questions that an attempt passed the tests of, none of which proved enough."""


class Difficulty(StrEnum):
    """KodCode's label: the share of attempts that pass, easy above 2/3, hard below 1/3."""

    EASY = "easy"
    MEDIUM = "medium"
    HARD = "hard"


class Style(StrEnum):
    """How a row asks: in words, by a stub to be completed, or for a program that reads stdin and writes stdout."""

    INSTRUCT = "instruct"
    COMPLETE = "complete"
    ONLINE_JUDGE = "online_judge"


class Split(StrEnum):
    """`evaluation` is held out: no other split has a row that is about the same task."""

    TRAIN = "train"
    USE_WITH_CAUTION = "use_with_caution"
    EVALUATION = "evaluation"


class Tier(StrEnum):
    """How far a verdict can be trusted.

    ``isolated``: the solution ran in a process of its own, could not read the tests, and nothing of it compared.
    ``shared``: tests and solution ran in one process, or the solution's own code took part in the comparison.
    """

    ISOLATED = "isolated"
    SHARED = "shared"


class PeerKind(StrEnum):
    """Where a solution in the cross-checks comes from: an attempt, a solver that saw no tests, a seed's own code."""

    ATTEMPT = "attempt"
    SOLVER = "solver"
    REFERENCE = "reference"


class Asking(StrEnum):
    """`chat`: a user's turn. `completion`: raw text to go on with, for base models."""

    CHAT = "chat"
    COMPLETION = "completion"


class Row(BaseModel):
    """A row of a shard: plain values only, nothing beyond the declared columns."""

    model_config = ConfigDict(extra="forbid")


class Reject(Row):
    """A row that left the pipeline at one stage, and the evidence."""

    id: str = Field(description="Of the row, or of what was to become one.")
    subset: str = Field(description="As in the catalogue.")
    reason: RejectReason
    evidence: str = Field(description="What was found, in words.")
    response_id: str = Field("", description="Key of the response cache; empty where no teacher was asked.")

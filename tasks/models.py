"""The rows of every stage, in one place.

Stages do not import each other; what passes between them is one of these rows in a Parquet shard.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

SCHEMA_VERSION = "kodforge-3"
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
    VACUOUS_TESTS = "vacuous_tests"
    LOW_COVERAGE = "low_coverage"
    # curation
    EXACT_DUPLICATE = "exact_duplicate"
    NEAR_DUPLICATE = "near_duplicate"
    CONTAMINATED = "contaminated"


NOT_ASKED = frozenset({RejectReason.TEACHER_FAILED, RejectReason.BUDGET_EXHAUSTED})
"""No answer of a teacher stands behind these: a later run asks again."""


class Difficulty(StrEnum):
    """KodCode's label: the share of attempts that pass, easy above 2/3, hard below 1/3."""

    EASY = "easy"
    MEDIUM = "medium"
    HARD = "hard"


class Split(StrEnum):
    TRAIN = "train"
    USE_WITH_CAUTION = "use_with_caution"


class Tier(StrEnum):
    """How far a verdict can be trusted.

    ``isolated``: the solution ran in a process of its own, could not read the tests, and nothing of it compared.
    ``shared``: tests and solution ran in one process, or the solution's own code took part in the comparison.
    """

    ISOLATED = "isolated"
    SHARED = "shared"


class Row(BaseModel):
    """A row of a shard: plain values only, nothing beyond the declared columns."""

    model_config = ConfigDict(extra="forbid")


class Provenance(Row):
    """Where a seed comes from. ``licence`` is an SPDX id, or ``LicenseRef-unknown``."""

    origin: str
    version: str
    path: str
    licence: str


class Seed(Row):
    seed_id: str
    subset: str
    text: str = Field(description="The page, the code, the question, or the prefix of an open user turn.")
    title: str = Field(description="What identifies the seed to a reader: a path, a qualified name, a title.")
    topic: str = Field("", description="What quotas count: a folder, a tag, a module; empty where nothing tells.")
    context: str = Field("", description="What the prompt tells beside the text: conventions, a wrong answer.")
    libraries: list[str] = Field([], description="Requirements (`name==version`) that its solutions may need.")
    source: Provenance


class SeedGroup(Row):
    """The seeds of one prompt: one row asks the teacher for one question."""

    question_id: str
    subset: str
    number: int = Field(description="0-based position within the subset; also offsets the sampling seed.")
    operator: str = Field("", description="How the seed is to be evolved; empty where the subset has no operators.")
    seeds: list[Seed]


class Call(Row):
    """One answered teacher call, as lineage: with it the answer is found again in the response cache."""

    response_id: str = Field(description="Key of the response cache; empty where no teacher was asked.")
    model: str
    template: str = Field(description="`name@hash` of the prompt template.")
    sampling: str = Field(description="Sampling parameters as canonical JSON, the seed included.")
    prompt_tokens: int
    completion_tokens: int


class Rating(Row):
    """What the rater said of a question."""

    quality: str
    category: str
    call: Call


class Question(Row):
    question_id: str
    subset: str
    method: str = Field(description="How it was synthesised: a key of the catalogue's methods.")
    number: int
    operator: str = ""
    question: str
    contract: list[str] = Field(
        default=[], description="Signatures that it states, or `stdin/stdout`; empty where it need not state any."
    )
    seeds: list[Seed]
    call: Call
    contract_call: Call | None = Field(None, description="The call that completed the contract, where one was needed.")
    rating: Rating | None = None


class Attempt(Row):
    attempt_id: str = Field(description="`<question_id>/<attempt>`")
    question_id: str
    attempt: int = Field(description="1-based.")
    solution: str
    test: str
    call: Call


class PairFile(Row):
    """A further file beside solution.py and test_solution.py. ``name`` is a plain file name."""

    name: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")
    content: str


class ProgramRun(Row):
    """One input of a program and the output it must give."""

    stdin: str
    stdout: str


class Pair(Row):
    """One solution and what it is judged by, a pytest file or inputs and outputs: the input columns of
    ``kodforge verify``."""

    id: str
    solution: str
    test: str = ""
    io: list[ProgramRun] = Field(default=[], description="Runs of the solution as a program, in place of tests.")
    entry_points: list[str] = Field(default=[], description="Names the tests must import from `solution`.")
    files: list[PairFile] = []

    @model_validator(mode="after")
    def _has_something_to_be_judged_by(self) -> Self:
        if not self.test and not self.io:
            raise ValueError("give tests or io")
        return self


class TestOutcome(Row):
    test_id: str
    outcome: Literal["passed", "failed", "error", "skipped"]
    duration_s: float
    message: str = Field(description="What failed, empty for a passed test.")


class Coverage(Row):
    """Of the solution under its tests, counted by coverage.py; shares are 1.0 where nothing is to cover."""

    statements: int = Field(ge=0)
    statements_hit: int = Field(ge=0)
    branches: int = Field(ge=0)
    branches_hit: int = Field(ge=0)

    @property
    def statement_share(self) -> float:
        return self.statements_hit / self.statements if self.statements else 1.0

    @property
    def branch_share(self) -> float:
        return self.branches_hit / self.branches if self.branches else 1.0


class PairVerdict(Row):
    """The outcome of running one pair: the columns of ``kodforge verify``."""

    id: str
    verdict: Verdict
    reason: str = Field(description="One sentence: why this verdict.")
    integrity_tier: Tier
    tier_reason: str = Field(description="Why the tier is not `isolated`; empty where it is.")
    tests: list[TestOutcome]
    coverage: Coverage | None
    imported: list[str] = Field(description="Top-level modules that they name, or that came with these.")
    wall_s: float
    cpu_s: float
    peak_mb: float
    output: str = Field(description="Captured stdout and stderr, capped.")
    backend: str
    image: str = Field(description="Digest of what ran: the Docker image, or the bubblewrap environment.")


class AttemptVerdict(Row):
    """A verdict and the negative control of one attempt."""

    attempt_id: str
    question_id: str
    attempt: int
    pair: PairVerdict
    entry_points: list[str] = Field(description="Names that the tests import from the solution and use.")
    control: Verdict | None = Field(
        description="Verdict of the same tests against a stub of the solution; None where not run. "
        "`passed` means that the tests are vacuous."
    )


class DuplicateDecision(Row):
    """What deduplication found about one triplet. A representative names itself."""

    question_id: str
    representative: str
    kind: Literal["", "exact", "near"]
    similarity: float


class TestInfo(Row):
    """An entry point that the tests really use (KodCode lists every function, helpers included)."""

    docstring: str
    function_declaration: str
    function_name: str
    parameter_list: str


class Trial(Row):
    """One attempt as released. ``test_result`` is the verdict, or the reject reason of the reply."""

    file_source: str
    solution_code: str
    test_code: str
    test_coverage: float | None
    test_result: str
    response_id: str


class Metadata(Row):
    original_instruction: str
    prompt_id: str
    row_id: int
    seed_ids: list[str]


class Lineage(Row):
    """From a released row back to everything that made it."""

    method: str
    sources: list[Provenance]
    libraries: list[str]
    operator: str
    question_call: Call
    contract_call: Call | None
    rating: Rating | None
    solution_call: Call
    sandbox_backend: str
    sandbox_image: str
    integrity_tier: Tier
    control: Verdict | None
    tests_passed: list[str]


class Triplet(Row):
    """A verified question, solution and tests: the columns of KodCode-V1 plus lineage."""

    version: str
    style: Literal["instruct", "complete", "online_judge"]
    subset: str
    question_id: str
    question: str
    solution: str
    test: str
    test_info: list[TestInfo]
    gpt_pass_sequence: list[int]
    gpt_pass_trial_num: int
    gpt_difficulty: Difficulty
    gpt_pass_percentage: float
    trials: list[Trial]
    chosen_trial: int = Field(description="1-based position in `trials`.")
    statement_coverage: float | None
    branch_coverage: float | None
    metadata: Metadata
    licence: str = Field(description="SPDX expression over the seeds' licences.")
    lineage: Lineage


class ReleaseRow(Triplet):
    """A triplet that stays in the dataset, with what curation found."""

    split: Split
    benchmark_similarity: float = Field(
        description="Largest share of one benchmark item's n-grams that the row contains, 0 to 1."
    )
    benchmark_item: str
    benchmark_span: str
    duplicates: list[str] = Field(description="Question ids of the rows that this one stands for.")
    filter_reason: str = Field(description="Why the row is in `use_with_caution`; empty in `train`.")


class Reject(Row):
    """A row that left the pipeline at one stage, and the evidence."""

    id: str
    subset: str
    reason: RejectReason
    evidence: str
    response_id: str = ""

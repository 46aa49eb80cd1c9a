"""Rows to label: one question, its attempts and their verdicts."""

from tasks.labeling.triplets import Try, collect_tries
from tasks.models import (
    Attempt,
    AttemptVerdict,
    Call,
    Cell,
    Control,
    Coverage,
    CrossCheck,
    PairVerdict,
    Peer,
    PeerKind,
    Provenance,
    Question,
    Reject,
    RejectReason,
    Seed,
    Subset,
    TestOutcome,
    Tier,
    Verdict,
)

QUESTION_ID = "Docs_00000001_I"
CALL = Call(response_id="r", model="m", template="solve@0", sampling="{}", prompt_tokens=1, completion_tokens=1)
SOLUTION = "def double(x):\n    return 2 * x\n"
TEST = """from solution import double


def test_one():
    assert double(1) == 2


def test_three():
    assert double(3) == 6
"""


def question(text: str = "Write `double(x)`.") -> Question:
    seed = Seed(
        seed_id="s",
        subset=Subset.DOCS,
        text="t",
        title="t",
        libraries=["pandas==3.0"],
        source=Provenance(origin="pandas", version="3.0", path="p", licence="BSD-3-Clause"),
    )
    return Question(
        question_id=QUESTION_ID,
        subset=Subset.DOCS,
        method="documents",
        number=1,
        question=text,
        seeds=[seed],
        call=CALL,
    )


def attempt(number: int, solution: str = SOLUTION, test: str = TEST, mends: str = "") -> Attempt:
    return Attempt(
        attempt_id=f"{QUESTION_ID}/{number}",
        question_id=QUESTION_ID,
        attempt=number,
        solution=solution,
        test=test,
        mends=mends,
        call=CALL,
    )


def verdict(
    number: int,
    outcome: Verdict = Verdict.PASSED,
    branches_hit: int = 4,
    controls: dict[str, Verdict] | None = None,
    failed: tuple[str, ...] = (),
) -> AttemptVerdict:
    pair = PairVerdict(
        id=str(number),
        verdict=outcome,
        reason=f"because {outcome}",
        integrity_tier=Tier.SHARED,
        tier_reason="",
        imported=[],
        tests=[TestOutcome(test_id=name, outcome="failed", duration_s=0, message="") for name in failed],
        coverage=Coverage(statements=4, statements_hit=4, branches=4, branches_hit=branches_hit),
        flaky_over=[],
        wall_s=0,
        cpu_s=0,
        peak_mb=0,
        sandbox_s=0,
        output="",
        backend="b",
        image="i",
    )
    found = {"raises": Verdict.FAILED} if controls is None and outcome is Verdict.PASSED else controls or {}
    return AttemptVerdict(
        attempt_id=f"{QUESTION_ID}/{number}",
        question_id=QUESTION_ID,
        attempt=number,
        pair=pair,
        entry_points=["double"],
        controls=[Control(stub=name, verdict=one) for name, one in found.items()],
        sandbox_s=0,
    )


def tries(
    *verdicts: AttemptVerdict, unusable: tuple[int, ...] = (), attempts: tuple[Attempt, ...] | None = None
) -> list[Try]:
    rejects = {
        f"{QUESTION_ID}/{number}": Reject(
            id=f"{QUESTION_ID}/{number}",
            subset=Subset.DOCS,
            reason=RejectReason.MALFORMED_REPLY,
            evidence="prose",
        )
        for number in unusable
    }
    made = attempts or tuple(attempt(found.attempt) for found in verdicts)
    return collect_tries(made, verdicts, rejects)[QUESTION_ID]


def matrix(cells: dict[str, dict[str, str]], tests: dict[str, list[str]]) -> CrossCheck:
    """Cross-checks written as ``{solution: {tests: failed}}``: names separated by blanks, ``-`` not to be compared."""

    def full(name: str) -> str:
        return f"{QUESTION_ID}/{name}"

    found = []
    for solution, row in cells.items():
        for name, told in row.items():
            failed = told.split() if told != "-" else []
            outcome = None if told == "-" else Verdict.FAILED if failed else Verdict.PASSED
            found.append(
                Cell(
                    solution=full(solution),
                    tests=full(name),
                    verdict=outcome,
                    failed=tests[name] if failed == ["all"] else failed,
                    alias="",
                    reason=told,
                )
            )
    peers = [
        Peer(
            id=full(name),
            kind=PeerKind(name.partition("/")[0]) if "/" in name else PeerKind.ATTEMPT,
            model="m",
            same_as="",
        )
        for name in cells
    ]
    return CrossCheck(question_id=QUESTION_ID, peers=peers, cells=found, sandbox_s=0)

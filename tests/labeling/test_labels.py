"""Difficulty, the choice of the attempt, and what the row says of its entry points."""

import json

import pytest

from tasks.acceptance import settled
from tasks.labeling.difficulty import difficulty
from tasks.labeling.signatures import entry_point_info, state_entry_points
from tasks.labeling.triplets import collect_tries, label
from tasks.models import (
    Attempt,
    AttemptVerdict,
    Call,
    Coverage,
    PairVerdict,
    Provenance,
    Question,
    Reject,
    RejectReason,
    Seed,
    Subset,
    Tier,
    Triplet,
    Verdict,
)
from tasks.settings import Verification

CALL = Call(response_id="r", model="m", template="solve@0", sampling="{}", prompt_tokens=1, completion_tokens=1)
RULES = Verification(attempts=4)


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
        question_id="Docs_00000001_I",
        subset=Subset.DOCS,
        method="documents",
        number=1,
        question=text,
        seeds=[seed],
        call=CALL,
    )


def attempt(number: int, solution: str = "def double(x):\n    return 2 * x\n") -> Attempt:
    return Attempt(
        attempt_id=f"Docs_00000001_I/{number}",
        question_id="Docs_00000001_I",
        attempt=number,
        solution=solution,
        test="from solution import double\n\ndef test_it():\n    assert double(1) == 2\n",
        call=CALL,
    )


def verdict(number: int, outcome: Verdict, branches_hit: int = 4, control: Verdict | None = Verdict.FAILED):
    pair = PairVerdict(
        id=str(number),
        verdict=outcome,
        reason=f"because {outcome}",
        integrity_tier=Tier.SHARED,
        tier_reason="",
        imported=[],
        tests=[],
        coverage=Coverage(statements=4, statements_hit=4, branches=4, branches_hit=branches_hit),
        wall_s=0,
        cpu_s=0,
        peak_mb=0,
        output="",
        backend="b",
        image="i",
    )
    return AttemptVerdict(
        attempt_id=f"Docs_00000001_I/{number}",
        question_id="Docs_00000001_I",
        attempt=number,
        pair=pair,
        entry_points=["double"],
        control=control,
    )


def tries(*verdicts: AttemptVerdict, unusable: tuple[int, ...] = ()):
    rejects = {
        f"Docs_00000001_I/{number}": Reject(
            id=f"Docs_00000001_I/{number}",
            subset=Subset.DOCS,
            reason=RejectReason.MALFORMED_REPLY,
            evidence="prose",
        )
        for number in unusable
    }
    return collect_tries([attempt(found.attempt) for found in verdicts], verdicts, rejects)["Docs_00000001_I"]


@pytest.mark.parametrize(
    ("passes", "attempts", "label"),
    [
        (3, 3, "easy"),
        (2, 3, "medium"),
        (1, 3, "medium"),
        (7, 10, "easy"),
        (6, 10, "medium"),
        (3, 10, "hard"),
        (1, 4, "hard"),
    ],
)
def test_difficulty_by_the_share_of_passing_attempts(passes, attempts, label):
    assert difficulty(passes, attempts) == label


@pytest.mark.parametrize(("passes", "attempts"), [(0, 3), (4, 3)])
def test_difficulty_of_the_impossible_is_an_error(passes, attempts):
    with pytest.raises(ValueError, match=f"got {passes} of {attempts}"):
        difficulty(passes, attempts)


def test_best_covered_attempt_is_kept_and_all_trials_stay():
    row = label(
        question(),
        tries(
            verdict(1, Verdict.PASSED, 3),
            verdict(2, Verdict.PASSED, 4),
            verdict(3, Verdict.FAILED),
            unusable=(4,),
        ),
        RULES,
    )
    assert isinstance(row, Triplet)
    assert row.chosen_trial == 2
    assert row.gpt_pass_sequence == [1, 1, 0, 0]
    assert [trial.test_result for trial in row.trials] == ["passed", "passed", "failed", "malformed_reply"]
    assert row.gpt_difficulty == "medium"
    assert row.branch_coverage == 1.0
    assert row.licence == "BSD-3-Clause"
    assert row.lineage.libraries == ["pandas==3.0"]


def test_no_passing_attempt_is_a_reject_with_the_commonest_reason_and_every_outcome():
    row = label(
        question(),
        tries(verdict(1, Verdict.TIMEOUT), verdict(2, Verdict.FAILED), verdict(3, Verdict.FAILED)),
        RULES,
    )
    assert isinstance(row, Reject)
    assert row.reason is RejectReason.FAILED
    assert [entry["outcome"] for entry in json.loads(row.evidence)] == ["timeout", "failed", "failed"]


def test_tests_that_pass_a_stub_do_not_count():
    row = label(question(), tries(verdict(1, Verdict.PASSED, control=Verdict.PASSED)), RULES)
    assert isinstance(row, Reject)
    assert row.reason is RejectReason.VACUOUS_TESTS


def test_coverage_gate_is_enforced():
    found = tries(verdict(1, Verdict.PASSED, branches_hit=2))
    assert isinstance(label(question(), found, RULES), Triplet)
    row = label(question(), found, Verification(min_branch_coverage=0.75))
    assert isinstance(row, Reject)
    assert row.reason is RejectReason.LOW_COVERAGE
    assert "0.50 (gate 0.75)" in row.evidence


def test_settled_counts_passes_only_where_the_config_says_so():
    passed = [verdict(1, Verdict.PASSED)]
    assert not settled(passed, Verification())
    assert settled(passed, Verification(stop_after_passes=1))
    assert not settled([verdict(1, Verdict.PASSED, control=Verdict.PASSED)], Verification(stop_after_passes=1))


SOLUTION = '''
def helper(x): ...

def solve(items: list[int], *, limit: int = 3) -> int:
    """Count."""
    return helper(items)

class Box:
    def __init__(self, size: int) -> None: ...
    def put(self, item: str) -> bool: ...
    def _hide(self): ...
'''


def test_entry_points_are_those_the_tests_use_with_their_declarations():
    info = entry_point_info(SOLUTION, ["solve", "Box", "LIMIT"])
    assert [item.function_name for item in info] == ["solve", "Box"]
    assert info[0].function_declaration == "def solve(items: list[int], *, limit: int=3) -> int:"
    assert info[0].docstring == "Count."
    assert info[0].parameter_list == "(items: list[int], *, limit: int=3)"
    assert "def put(self, item: str) -> bool: ..." in info[1].function_declaration
    assert "_hide" not in info[1].function_declaration


def test_question_that_does_not_name_its_entry_point_is_completed():
    info = entry_point_info(SOLUTION, ["solve"])
    assert state_entry_points("Write `solve(items)`.", info) == "Write `solve(items)`."
    completed = state_entry_points("Count items. Do not resolve them.", info)
    assert completed.endswith("```python\ndef solve(items: list[int], *, limit: int=3) -> int:\n```")


def test_completed_question_keeps_the_original_instruction():
    row = label(question("Twice as much."), tries(verdict(1, Verdict.PASSED)), RULES)
    assert isinstance(row, Triplet)
    assert "def double(x):" in row.question
    assert row.metadata.original_instruction == "Twice as much."

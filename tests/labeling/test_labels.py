"""The choice of the attempt, what the gates make of it, and what the row says of its entry points."""

import json

from tasks.labeling.triplets import label, licence_of
from tasks.models import Audit, Mutant, Mutation, Reject, RejectReason, Triplet, Verdict
from tasks.settings import Gate, Gates, Verification
from tasks.signatures import entry_point_info
from tests.labeling.rows import QUESTION_ID, attempt, matrix, question, tries, verdict

RULES = Verification(attempts=4)


def audit(number: int, killed: int, run: int = 10) -> dict[str, Audit]:
    survivors = [Mutant(line=2, operator="AOR", before="2 * x", after="2 + x")] * (run - killed)
    name = f"{QUESTION_ID}/{number}"
    found = Mutation(made=run, run=run, killed=killed, timed_out=0, survivors=survivors)
    return {name: Audit(attempt_id=name, question_id=QUESTION_ID, attempt=number, mutation=found, sandbox_s=0)}


def value(row: Triplet, check: str):
    return next(one for one in row.quality if one.check == check)


def test_of_equal_attempts_the_best_covered_is_kept_and_all_trials_stay():
    row = label(
        question(),
        tries(verdict(1, branches_hit=3), verdict(2), verdict(3, Verdict.FAILED), unusable=(4,)),
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


def test_tests_that_catch_more_mutants_win_over_better_coverage():
    row = label(question(), tries(verdict(1), verdict(2, branches_hit=4)), RULES, audits={**audit(1, 7), **audit(2, 9)})
    assert isinstance(row, Triplet)
    assert row.chosen_trial == 2
    assert row.mutation_score == 0.9
    assert "9 of 10 mutants" in value(row, "mutation_score").why
    assert "line 2: '2 * x' to '2 + x'" in value(row, "mutation_score").why


def test_an_attempt_in_doubt_loses_to_one_that_is_not():
    row = label(question(), tries(verdict(1), verdict(2)), RULES, audits={**audit(1, 4), **audit(2, 6)})
    assert isinstance(row, Triplet)
    assert row.chosen_trial == 2


def test_no_passing_attempt_is_a_reject_with_the_commonest_reason_and_every_outcome():
    row = label(
        question(), tries(verdict(1, Verdict.TIMEOUT), verdict(2, Verdict.FAILED), verdict(3, Verdict.FAILED)), RULES
    )
    assert isinstance(row, Reject)
    assert row.reason is RejectReason.FAILED
    assert [entry["outcome"] for entry in json.loads(row.evidence)] == ["timeout", "failed", "failed"]


def test_tests_that_pass_a_stub_do_not_count():
    row = label(question(), tries(verdict(1, controls={"raises": Verdict.FAILED, "returns 2": Verdict.PASSED})), RULES)
    assert isinstance(row, Reject)
    assert row.reason is RejectReason.VACUOUS_TESTS
    assert "returns 2" in row.evidence


def test_coverage_gate_is_enforced():
    found = tries(verdict(1, branches_hit=2))
    row = label(question(), found, Verification(gates=Gates(branch_coverage=Gate(reject_below=0.75))))
    assert isinstance(row, Reject)
    assert row.reason is RejectReason.LOW_COVERAGE
    assert "0.50 (gate 0.75)" in row.evidence
    assert isinstance(label(question(), found, Verification(gates=Gates(branch_coverage=Gate()))), Triplet)


def test_weak_tests_are_rejected_or_doubted_by_bounds_that_may_change_afterwards():
    found, score = tries(verdict(1)), audit(1, 2)
    row = label(question(), found, RULES, audits=score)
    assert isinstance(row, Reject)
    assert row.reason is RejectReason.WEAK_TESTS
    lax = Verification(gates=Gates(mutation_score=Gate(reject_below=0.1, caution_below=0.6)))
    kept = label(question(), found, lax, audits=score)
    assert isinstance(kept, Triplet)
    assert value(kept, "mutation_score").outcome == "caution"


def test_an_attempt_that_was_not_put_to_mutants_does_not_slip_past_the_gate():
    row = label(question(), tries(verdict(1), verdict(2)), RULES, audits=audit(1, 2))
    assert isinstance(row, Reject)
    assert row.reason is RejectReason.WEAK_TESTS
    kept = label(question(), tries(verdict(1), verdict(2)), RULES, audits=audit(1, 9))
    assert isinstance(kept, Triplet) and kept.chosen_trial == 1


def test_what_was_not_measured_rejects_nothing():
    row = label(question(), tries(verdict(1)), RULES)
    assert isinstance(row, Triplet)
    assert {one.check for one in row.quality if one.outcome == "not measured"} == {
        "agreement",
        "support",
        "reference",
        "mutation_score",
    }


def test_tests_that_the_consensus_fails_are_wrong_though_their_own_solution_passes():
    own = "from solution import double\n\n\ndef test_odd():\n    assert double(1) == 3\n"
    checked = matrix(
        {
            "1": {"1": "", "2": "", "3": "test_odd"},
            "2": {"1": "", "2": "", "3": "test_odd"},
            "3": {"1": "test_one", "2": "test_one", "3": ""},
        },
        {},
    )
    made = (attempt(1), attempt(2), attempt(3, "def double(x):\n    return 3\n", own))
    row = label(question(), tries(verdict(1), verdict(2), verdict(3), attempts=made), RULES, checked)
    assert isinstance(row, Triplet)
    assert row.chosen_trial in (1, 2)
    assert row.trials[2].test_result == "wrong_tests"
    assert row.gpt_pass_sequence == [1, 1, 1], "KodCode's label knows nothing of the others"
    assert [one.value for one in row.trials[2].quality if one.check == "support"] == [0.0]


def test_the_solver_has_a_rate_an_interval_and_a_label_of_its_own():
    checked = matrix({"1": {"1": ""}, "solver/1": {"1": ""}, "solver/2": {"1": "test_one"}, "solver/3": {"1": "-"}}, {})
    row = label(question(), tries(verdict(1)), RULES, checked, unsolved=1)
    assert isinstance(row, Triplet) and row.solver is not None
    assert (row.solver.passes, row.solver.tries, row.solver.rate, row.solver.difficulty) == (1, 4, 0.25, "hard")
    assert 0.04 < row.solver.low < 0.05 and 0.69 < row.solver.high < 0.70
    assert row.solver.models == ["m"]
    assert row.gpt_difficulty == "easy"


def test_a_solver_that_gave_no_solution_at_all_has_a_rate_too():
    row = label(question(), tries(verdict(1)), RULES, matrix({"1": {"1": ""}}, {}), unsolved=4)
    assert isinstance(row, Triplet) and row.solver is not None
    assert (row.solver.passes, row.solver.tries, row.solver.difficulty) == (0, 4, None)


def test_sets_of_parameters_count_as_tests():
    many = "import pytest\nfrom solution import double\n\n\n@pytest.mark.parametrize('n', [1, 2, 3])\n"
    many += "def test_it(n):\n    assert double(n) == n + n\n"
    row = label(question(), tries(verdict(1), attempts=(attempt(1, test=many),)), RULES)
    assert isinstance(row, Triplet)
    assert value(row, "tests").value == 3


def test_mended_tests_stand_without_counting_as_a_pass_unless_they_cover_less():
    made = (attempt(1), attempt(2, mends=f"{QUESTION_ID}/1"))
    found = tries(verdict(1, Verdict.FAILED), verdict(2), attempts=made)
    row = label(question(), found, RULES)
    assert isinstance(row, Triplet)
    assert (row.chosen_trial, row.gpt_pass_sequence, row.gpt_difficulty) == (2, [0], "hard")
    assert row.trials[1].mends == f"{QUESTION_ID}/1"
    less = tries(verdict(1, Verdict.FAILED), verdict(2, branches_hit=3), attempts=made)
    gone = label(question(), less, RULES)
    assert isinstance(gone, Reject)
    assert "4 statements and 3 branches" in gone.evidence


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


def test_licence_with_a_choice_is_bracketed_beside_others():
    asked = question()
    seeds = [
        seed.model_copy(update={"source": seed.source.model_copy(update={"licence": licence})})
        for seed, licence in zip(asked.seeds * 2, ["Apache-2.0 OR MIT", "CC-BY-ND-4.0"], strict=False)
    ]
    assert licence_of(asked.model_copy(update={"seeds": seeds})) == "(Apache-2.0 OR MIT) AND CC-BY-ND-4.0"
    assert licence_of(asked.model_copy(update={"seeds": seeds[:1]})) == "Apache-2.0 OR MIT"

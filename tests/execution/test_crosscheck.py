"""Every solution under every attempt's tests, and mutants under their own, in real boxes."""

from __future__ import annotations

from tasks.execution.crosscheck import Entry, entrants, entrants_of, matrices
from tasks.execution.mutation.run import audit_tests, candidates
from tasks.execution.pool import SandboxPool
from tasks.execution.stage import judge_attempts
from tasks.models import PeerKind, Solution, Verdict
from tasks.settings import EFFORTS, Rigour
from tests.labeling.rows import CALL, QUESTION_ID, attempt, question, verdict

RIGHT = "def double(x):\n    return x * 2\n"
WRONG = "def double(x):\n    return x ** 2\n"
HANGS = "def double(x):\n    while x > 2:\n        pass\n    return 2 * x\n"
OTHER_NAME = "def twice(value, times=2):\n    return value * times\n"
OTHER_ARGUMENTS = "def twice(value, times):\n    return value * times\n"
ONE = "from solution import double\n\n\ndef test_two():\n    assert double(2) == 4\n"
MORE = f"{ONE}\n\ndef test_three():\n    assert double(3) == 6\n"
EFFORT = EFFORTS[Rigour.STANDARD].model_copy(update={"reruns": 1})


def cells(pool, solutions, tests, verdicts=None):
    made = [attempt(number, test=test) for number, test in enumerate(tests, 1)]
    (found,) = matrices([Entry(QUESTION_ID, entrants(solutions), made, verdicts or {})], pool)
    return {(cell.solution, cell.tests.rpartition("/")[2]): cell for cell in found.cells}, found


def test_each_cell_says_which_tests_do_not_pass(pool):
    found, check = cells(
        pool,
        [("right", PeerKind.ATTEMPT, "m", RIGHT), ("wrong", PeerKind.ATTEMPT, "m", WRONG)],
        [ONE, MORE],
    )
    assert {place: (cell.verdict, cell.failed) for place, cell in found.items()} == {
        ("right", "1"): (Verdict.PASSED, []),
        ("right", "2"): (Verdict.PASSED, []),
        ("wrong", "1"): (Verdict.PASSED, []),
        ("wrong", "2"): (Verdict.FAILED, ["test_three"]),
    }
    assert check.sandbox_s > 0


def test_a_run_that_breaks_off_fails_what_it_did_not_pass(pool):
    found, _ = cells(pool, [("hangs", PeerKind.SOLVER, "m", HANGS)], [MORE])
    assert found["hangs", "1"].verdict is Verdict.TIMEOUT
    assert "test_three" in found["hangs", "1"].failed


def test_a_slow_solver_has_the_whole_limit_and_one_that_hangs_only_once(pool):
    slow = f"import time\n\n\n{RIGHT.replace('return', 'time.sleep(2.4); return')}"
    made = [attempt(number, RIGHT, test) for number, test in enumerate((ONE, MORE), 1)]
    known = {one.attempt_id: one for one in judge_attempts(made, pool, False, EFFORT)}
    solvers = [("slow", PeerKind.SOLVER, "m", slow), ("hangs", PeerKind.SOLVER, "m", HANGS.replace("2:", "0:"))]
    with SandboxPool(pool.settings.model_copy(update={"wall_s": 8})) as patient:
        found, _ = cells(patient, solvers, [ONE, f"{ONE}\n# as before\n"], known)
    assert {place: cell.verdict for place, cell in found.items()} == {
        ("slow", "1"): Verdict.PASSED,
        ("slow", "2"): Verdict.PASSED,
        ("hangs", "1"): Verdict.TIMEOUT,
        ("hangs", "2"): Verdict.TIMEOUT,
    }


def test_a_solution_without_the_name_is_not_compared_but_a_reference_is_by_its_only_function(pool):
    found, _ = cells(
        pool,
        [
            ("solver", PeerKind.SOLVER, "m", OTHER_NAME),
            ("reference", PeerKind.REFERENCE, "m", OTHER_NAME),
            ("stranger", PeerKind.REFERENCE, "m", OTHER_ARGUMENTS),
            ("broken", PeerKind.SOLVER, "m", "def double(:"),
        ],
        [MORE],
    )
    assert (found["solver", "1"].verdict, found["solver", "1"].reason) == (None, "the solution has no double")
    assert (found["reference", "1"].verdict, found["reference", "1"].alias) == (Verdict.PASSED, "double = twice")
    assert found["stranger", "1"].verdict is None
    assert "takes other arguments" in found["stranger", "1"].reason
    assert found["broken", "1"].reason == "the solution does not parse"


def test_what_is_known_or_the_same_code_runs_once(pool):
    made = [attempt(1, RIGHT, ONE), attempt(2, f"# a comment\n{RIGHT}", ONE)]
    judged = {one.attempt_id: one for one in judge_attempts(made, pool, True, EFFORT)}
    (found,) = matrices([Entry(QUESTION_ID, entrants_of(question(), made, []), made, judged)], pool)
    assert [peer.same_as for peer in found.peers] == ["", f"{QUESTION_ID}/1"]
    assert found.sandbox_s == 0
    assert {cell.verdict for cell in found.cells} == {Verdict.PASSED}


def test_references_and_solvers_take_part():
    asked = question()
    asked.seeds[0].reference = OTHER_NAME
    solved = Solution(solution_id="q/solver/1", question_id=QUESTION_ID, number=1, solution=RIGHT, call=CALL)
    kinds = [(one.peer.id, one.peer.kind) for one in entrants_of(asked, [attempt(1)], [solved])]
    assert kinds == [
        (f"{QUESTION_ID}/1", PeerKind.ATTEMPT),
        ("q/solver/1", PeerKind.SOLVER),
        (f"{QUESTION_ID}/reference/1", PeerKind.REFERENCE),
    ]


def test_a_pass_is_put_to_its_stubs(pool):
    idle = "from solution import double\n\n\ndef test_it():\n    assert double(0) == 0\n"
    strict, weak = judge_attempts([attempt(1, RIGHT, MORE), attempt(2, RIGHT, idle)], pool, True, EFFORT)
    assert len(strict.controls) >= 3
    assert {control.verdict for control in strict.controls} == {Verdict.FAILED}
    assert "returns 0" in {control.stub for control in weak.controls if control.verdict is Verdict.PASSED}
    assert strict.sandbox_s > strict.pair.sandbox_s


def test_mutants_that_the_tests_miss_are_named(pool):
    made = [attempt(1, RIGHT, ONE), attempt(2, RIGHT, MORE)]
    verdicts = judge_attempts(made, pool, True, EFFORT)
    weak, strong = audit_tests(list(zip(made, verdicts, strict=True)), pool, EFFORT, seed=0)
    assert weak.mutation.run == weak.mutation.made > 1
    assert {(one.line, one.before) for one in weak.mutation.survivors} == {(2, "return x * 2")}
    assert strong.mutation.score == 1.0 > weak.mutation.score
    assert strong.mutation.survivors == []


def test_mutants_that_do_not_end_are_caught_soon(pool):
    solution = "def double(x):\n    n = 0\n    while n < x:\n        n += 1\n    return 2 * n\n"
    made = attempt(1, solution, MORE)
    (judged,) = judge_attempts([made], pool, True, EFFORT)
    (found,) = audit_tests([(made, judged)], pool, EFFORT, seed=0)
    assert found.mutation.timed_out >= 1
    assert found.sandbox_s < 2.5 * found.mutation.timed_out + 10


def test_time_and_number_of_mutants_are_bounded(pool):
    made = attempt(1, RIGHT, MORE)
    (judged,) = judge_attempts([made], pool, True, EFFORT)
    few = EFFORT.model_copy(update={"mutants": 2})
    (found,) = audit_tests([(made, judged)], pool, few, seed=0)
    assert (found.mutation.run, found.mutation.made > 2) == (2, True)
    many = attempt(1, f"{RIGHT}\n" + "".join(f"x{n} = {n} + {n} * 2\n" for n in range(40)), MORE)
    short = EFFORT.model_copy(update={"mutation_s": 1e-9, "mutants": 100})
    (found,) = audit_tests([(many, judged)], pool, short, seed=0)
    assert 5 <= found.mutation.run < 20 < found.mutation.made


def test_candidates_are_the_best_covered_passes():
    judged = [verdict(1, branches_hit=2), verdict(2), verdict(3, Verdict.FAILED), verdict(4)]
    assert [one.attempt for one in candidates(judged, 2)] == [2, 4]
    assert [one.attempt for one in candidates(judged, 9)] == [2, 4, 1]
    assert [one.attempt for one in candidates(judged, 2, {f"{QUESTION_ID}/2"})] == [4, 1]
    vacuous = [verdict(1, controls={"raises": Verdict.PASSED}), verdict(2, branches_hit=1)]
    assert [one.attempt for one in candidates(vacuous, 1)] == [2]


def test_a_solution_that_looks_for_its_tests_gains_no_mutation_score(pool):
    spy = "import os\n\nif os.path.exists('test_' + 'solution.py'):\n    raise SystemError\n\n\n" + RIGHT
    made = [attempt(1, RIGHT, ONE), attempt(2, spy, ONE)]
    both = list(zip(made, judge_attempts(made, pool, True, EFFORT), strict=True))
    honest, spying = audit_tests([one for one in both if one[1].pair.verdict is Verdict.PASSED], pool, EFFORT, seed=0)
    assert "return x * 2" in {one.before for one in spying.mutation.survivors}
    assert spying.mutation.score < 1.0
    assert honest.mutation.score is not None

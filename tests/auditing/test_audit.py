"""`kodforge audit` over files of several kinds: what it finds in the sandbox, and what a later change of gates does."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from flows.audit_pairs import audit_pairs
from flows.cli import app
from tasks.auditing.audit import Auditing, audit_file
from tasks.auditing.pairs import read_groups
from tasks.auditing.report import audit_report, escape
from tasks.errors import BadInput
from tasks.models import RejectReason, Verdict
from tasks.settings import Effort, Gate, Gates, Rigour, Sandbox, Verification

SETTINGS = Auditing(
    verification=Verification(rigour=Rigour.AUDIT, effort={"mutants": 30}),
    sandbox=Sandbox(backend="bubblewrap", slots=2, wall_s=3, memory_mb=256),
)
CLAMP = """def clamp(x, low, high):
    if x < low:
        return low
    if x > high:
        return high
    return x
"""
SAME = "def clamp(x, low, high):\n    return max(low, min(x, high))\n"
WRONG = "def clamp(x, low, high):\n    return min(x, high)\n"
GOOD = """from solution import clamp


def test_below():
    assert clamp(-5, 0, 10) == 0


def test_inside():
    assert clamp(4, 0, 10) == 4


def test_above():
    assert clamp(15, 0, 10) == 10


def test_at_the_edges():
    assert clamp(0, 0, 10) == 0
    assert clamp(10, 0, 10) == 10
"""
LIE = """from solution import clamp


def test_below():
    assert clamp(-5, 0, 10) == -5


def test_above():
    assert clamp(15, 0, 10) == 10
"""
WEAK = """from solution import clamp


def test_inside():
    assert clamp(4, 0, 10) == 4


def test_it():
    assert clamp(5, 0, 10) == 5
"""
IDLE = "from solution import clamp\n\n\ndef test_it():\n    clamp(1, 2, 3)\n    assert True\n"


def row(name: str, solution: str, test: str, **more: str) -> dict[str, str]:
    return {"id": name, "question_id": "clamp", "solution": solution, "test": test, **more}


ROWS = [
    row("good", CLAMP, GOOD, reference="def limit(value, lo, hi):\n    return sorted([lo, value, hi])[1]\n"),
    row("other", SAME, GOOD.replace("-5", "-7").replace("15", "11")),
    row("colluding", WRONG, LIE),
    row("lying", SAME + "\n", GOOD.replace("== 4", "== 5")),
    row("weak", CLAMP + "\n\n", WEAK),
    row("idle", CLAMP, IDLE),
]


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))
    return path


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("audit")
    pairs, out = write(folder / "pairs.jsonl", ROWS), folder / "audit.parquet"
    return {one.id: one for one in audit_file(pairs, out, SETTINGS)}, out


def measured(found, check: str):
    return next(one for one in found.quality if one.check == check)


def test_good_tests_are_accepted_with_all_that_speaks_for_them(audited):
    rows, _ = audited
    good = rows["good"]
    assert (good.decision, good.reason, good.verdict) == ("accept", None, Verdict.PASSED)
    assert {one.after for one in good.survivors} == {"if x <= low:", "if x >= high:"}, "which no test could tell apart"
    assert measured(good, "agreement").value == 1.0
    assert measured(good, "reference").value == 1.0, "the reference is called by the name that the tests use"
    assert measured(good, "support").value == 1.0
    assert rows["other"].decision == "accept"


def test_a_solution_that_only_its_own_tests_accept_is_found_and_its_wrong_test_named(audited):
    found = audited[0]["colluding"]
    assert (found.verdict, found.decision, found.reason) == (Verdict.PASSED, "reject", RejectReason.WRONG_TESTS)
    assert found.wrong_tests == ["test_below"]
    assert measured(found, "support").value == 0.0
    assert measured(found, "reference").value == 0.0


def test_a_wrong_test_of_a_right_solution_is_named(audited):
    found = audited[0]["lying"]
    assert (found.verdict, found.reason) == (Verdict.FAILED, RejectReason.FAILED)
    assert found.wrong_tests == ["test_inside"]


def test_weak_and_idle_tests_do_not_pass_for_good_ones(audited):
    weak, idle = audited[0]["weak"], audited[0]["idle"]
    assert weak.decision != "accept"
    assert measured(weak, "mutation_score").value < measured(audited[0]["good"], "mutation_score").value
    assert weak.survivors
    assert (idle.decision, idle.reason) == ("reject", RejectReason.VACUOUS_TESTS)
    assert measured(idle, "telling_asserts").value == 0.0


def test_other_gates_change_the_decisions_and_run_nothing(audited, tmp_path):
    _, out = audited
    nowhere = Sandbox(backend="docker", image="no-such-image")
    lax = Auditing(
        verification=Verification(
            gates=Gates(mutation_score=Gate(), branch_coverage=Gate(), statement_coverage=Gate(), stubs_caught=Gate())
        ),
        sandbox=nowhere,
    )
    rows = {one.id: one for one in audit_file(out, tmp_path / "again.parquet", lax)}
    assert rows["weak"].decision == "accept"
    assert rows["idle"].reason is RejectReason.TRIVIAL_ASSERTS
    assert rows["lying"].reason is RejectReason.FAILED
    strict = Auditing(verification=Verification(gates=Gates(mutation_score=Gate(reject_below=1.01))), sandbox=nowhere)
    rows = {one.id: one for one in audit_file(out, tmp_path / "strict.parquet", strict)}
    assert rows["good"].reason is RejectReason.WEAK_TESTS


def test_the_report_counts_what_the_rows_say(audited):
    rows = list(audited[0].values())
    told = audit_report("pairs.jsonl", rows, SETTINGS.verification.gates)
    assert "6 pairs of 1 questions" in told
    assert "| accept | 2 |" in told
    assert "wrong\\_tests" in told or "wrong_tests" in told
    assert "test\\_below" in told


def test_nothing_of_a_row_is_markup_in_the_report():
    assert escape("a | b\n# <script>`x`") == "a \\| b \\# \\<script\\>\\`x\\`"


def test_kodcode_files_have_trials_and_tests_that_import_nothing(tmp_path):
    bare = GOOD.replace("from solution import clamp\n\n\n", "")
    trials = {
        "trial_1": {"solution_code": CLAMP, "test_code": bare},
        "trial_2": {"solution_code": SAME, "test_code": GOOD},
        "trial_3": {"solution_code": WRONG, "test_code": LIE},
        "trial_4": None,
    }
    table = pa.Table.from_pylist([{"question_id": "Q_1_I", "solution": CLAMP, "test": bare, "trials": trials}])
    pq.write_table(table, tmp_path / "kodcode.parquet")
    (group,) = read_groups(tmp_path / "kodcode.parquet")
    assert [trial.id for trial in group.trials] == ["Q_1_I/trial/2", "Q_1_I/trial/3"]
    (found,) = audit_file(tmp_path / "kodcode.parquet", tmp_path / "out.jsonl", SETTINGS)
    assert (found.id, found.decision, found.star_import, found.peers) == ("Q_1_I", "accept", True, 2)
    assert measured(found, "agreement").value == 1.0


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([], "has no rows"),
        ([{"id": "a", "solution": "x = 1"}], "row 1: column 'test'"),
        ([{"solution": "x", "test": "y"}], "row 1: column 'id'"),
        ([row("a", "x = 1", "y"), row("a", "x = 1", "y")], "row 2: id 'a' occurs twice"),
        (
            [row("a", "", ""), {**row("b", "", ""), "question_id": "b"}, row("c", "", "")],
            "Sort the file by question_id",
        ),
    ],
)
def test_bad_files_are_refused_before_anything_runs(tmp_path, rows, told):
    with pytest.raises(BadInput, match=told):
        audit_file(write(tmp_path / "pairs.jsonl", rows), tmp_path / "out.parquet", SETTINGS)
    assert not (tmp_path / "out.parquet").exists()


def test_the_command_writes_rows_and_report_and_shows_the_tables(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")
    pairs = write(tmp_path / "pairs.jsonl", ROWS[:3])
    options = ["--out", str(tmp_path / "a.parquet"), "--report", str(tmp_path / "a.md"), "--rigour", "standard"]
    sets = [
        "--backend",
        "bubblewrap",
        "--jobs",
        "2",
        "--set",
        "sandbox.wall_s=10",
        "--set",
        "verification.effort.mutants=5",
    ]
    done = CliRunner().invoke(app, ["audit", str(pairs), *options, *sets])
    assert done.exit_code == 0, done.output
    assert "reject" in done.output and "mutation score" in done.output
    assert "Pairs worth a look" in (tmp_path / "a.md").read_text()
    assert pq.read_table(tmp_path / "a.parquet").num_rows == 3


def test_the_command_names_a_setting_that_is_none(tmp_path):
    pairs = write(tmp_path / "pairs.jsonl", ROWS[:1])
    sets = ["--set", "verification.gates.mutation=1"]
    done = CliRunner().invoke(app, ["audit", str(pairs), "--out", str(tmp_path / "a.parquet"), *sets])
    assert isinstance(done.exception, BadInput)
    assert "verification.gates.mutation" in str(done.exception)


def test_the_flow_is_the_same_in_the_ui(tmp_path):
    quick = Auditing(verification=Verification(rigour=Rigour.FAST), sandbox=SETTINGS.sandbox)
    counts = audit_pairs(write(tmp_path / "pairs.jsonl", ROWS[:2]), tmp_path / "out.parquet", quick)
    assert sum(counts.values()) == 2


LADDER = "def f(x):\n    if x == 0:\n        return 0\n" + "".join(
    f"    elif x == {n}:\n        return {n}\n" for n in range(1, 400)
)
UNION = "def f(x: " + "|".join(["int"] * 700) + ") -> int:\n    return x\n"
PLAIN = "from solution import f\n\n\ndef test_f():\n    assert f(1) == 1\n\n\ndef test_two():\n    assert f(2) == 2\n"
ODD = {
    "a deep ladder": (LADDER, PLAIN),
    "a long union": (UNION, PLAIN),
    "parametrize of no name": (
        UNION,
        "import pytest\nfrom solution import f\n\n\n@pytest.mark.parametrize(1, [1])\ndef test_f(): f(1)\n",
    ),
    "too deep to parse": (LADDER, f"from solution import f\nx = {'-' * 20000}1\ndef test_f():\n    assert f(1) == 1\n"),
    "a ladder of tests": (
        LADDER,
        PLAIN + "\n\nif 0:\n    pass\n" + "".join(f"elif {n}:\n    pass\n" for n in range(1, 1500)),
    ),
    "nothing": ("", ""),
    "no text": (None, None),
}


def test_a_row_that_nobody_can_read_fails_no_other(tmp_path):
    rows = [{"id": name, "solution": solution, "test": test} for name, (solution, test) in ODD.items()]
    good = {"id": "good", "solution": "def f(x):\n    return x\n", "test": PLAIN}
    quick = SETTINGS.model_copy(update={"verification": Verification(rigour=Rigour.AUDIT, effort={"mutants": 3})})
    found = {one.id: one for one in audit_file(write(tmp_path / "p.jsonl", [*rows, good]), tmp_path / "o.jsonl", quick)}
    assert set(found) == {*ODD, "good"}
    assert found["good"].verdict is Verdict.PASSED
    assert found["a deep ladder"].verdict is Verdict.PASSED
    assert found["a long union"].verdict is Verdict.PASSED
    assert {found[name].verdict for name in ("nothing", "no text")} <= {Verdict.NO_TESTS, Verdict.ERROR}


@pytest.mark.parametrize(
    ("test", "starts"),
    [
        ("def test_solution():\n    assert add(1) == 2\n", "from solution import *\n\ndef test_solution"),
        (
            '"""Doc."""\nfrom __future__ import annotations\nx = 1\n',
            '"""Doc."""\nfrom __future__ import annotations\nfrom sol',
        ),
        ("import solution\n", "import solution"),
        ("def broken(:", "def broken(:"),
    ],
)
def test_a_star_import_comes_only_where_nothing_is_imported_and_where_it_may_stand(tmp_path, test, starts):
    (group,) = read_groups(write(tmp_path / "p.jsonl", [{"id": "a", "solution": "x = 1", "test": test}]))
    assert group.pairs[0].test.startswith(starts)


def test_nothing_of_a_row_is_obeyed_by_a_terminal():
    assert "\x1b" not in escape("\x1b]0;owned\x07\x1b[2J")


def test_an_audit_asks_nobody_and_so_needs_no_cross_checks():
    effort = Auditing.model_validate({"verification": {"effort": {"cross_checks": False}}}).verification.effort
    assert (effort.solver_tries, effort.cross_checks, effort.mutants) == (0, False, 100)


def test_effort_of_a_rigour_is_overridden_value_by_value():
    effort = Verification(rigour=Rigour.AUDIT, effort={"mutants": 3}).effort
    assert isinstance(effort, Effort)
    assert (effort.mutants, effort.reruns) == (3, 5)
    with pytest.raises(ValueError, match="finds no wrong test"):
        Verification(effort={"cross_checks": False})
    with pytest.raises(ValueError, match="none of the solver's solutions"):
        Verification(rigour="fast", effort={"solver_tries": 2})

"""From evidence to a verdict: passed needs complete positive evidence."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from tasks.execution.protocol import Evidence
from tasks.execution.verdicts import judge
from tasks.models import Verdict


def report(test_id: str = "test_a", when: str = "call", outcome: str = "passed", **more: Any) -> dict[str, Any]:
    found = {"duration_s": 0.1, "message": "", "exception": "", "wasxfail": False}
    return {**found, "test_id": test_id, "when": when, "outcome": outcome, **more}


def phases(test_id: str = "test_a", **call: Any) -> list[dict[str, Any]]:
    return [report(test_id, "setup"), report(test_id, "call", **call), report(test_id, "teardown")]


def evidence(**changes: Any) -> Evidence:
    good: dict[str, Any] = {
        "type": "evidence",
        "id": "x",
        "ended": True,
        "exit_code": 0,
        "signal": None,
        "timed_out": False,
        "output_exceeded": False,
        "leftover_processes": 0,
        "clean": True,
        "exitstatus": 0,
        "collected": ["test_a"],
        "collect_error": "",
        "reports": phases(),
        "coverage": None,
        "malformed_evidence": False,
        "output": "",
        "wall_s": 1.0,
        "cpu_s": 1.0,
        "peak_mb": 1.0,
    }
    return Evidence.model_validate({**good, **changes})


def test_complete_evidence_passes():
    assert judge(["test_a"], evidence())[0] is Verdict.PASSED


def test_nothing_expected_is_no_tests():
    assert judge([], evidence(collected=[], reports=[]))[0] is Verdict.NO_TESTS


def test_parametrised_instances_count_for_their_function():
    both = ["test_a[1-2]", "test_a[x::y]"]
    found = evidence(collected=both, reports=phases(both[0]) + phases(both[1]))
    assert judge(["test_a"], found)[0] is Verdict.PASSED


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"ended": False}, Verdict.TAMPERED),
        ({"ended": False, "exit_code": None, "signal": int(signal.SIGSEGV)}, Verdict.KILLED),
        ({"ended": False, "exit_code": None, "signal": int(signal.SIGKILL), "timed_out": True}, Verdict.TIMEOUT),
        ({"ended": False, "exit_code": None, "signal": int(signal.SIGXCPU)}, Verdict.TIMEOUT),
        ({"output_exceeded": True}, Verdict.OUTPUT_LIMIT),
        ({"malformed_evidence": True}, Verdict.TAMPERED),
        ({"exitstatus": 1}, Verdict.ERROR),
        ({"leftover_processes": 1}, Verdict.ERROR),
        ({"collected": None, "reports": []}, Verdict.ERROR),
        ({"collected": [], "reports": []}, Verdict.ERROR),
        ({"collect_error": "E   NameError: x"}, Verdict.ERROR),
        ({"collect_error": "MemoryError"}, Verdict.OUT_OF_MEMORY),
        ({"reports": phases(outcome="failed")}, Verdict.FAILED),
        ({"reports": phases(outcome="failed", exception="_ArrayMemoryError")}, Verdict.OUT_OF_MEMORY),
        ({"reports": phases(outcome="skipped")}, Verdict.SKIPPED),
        ({"reports": phases(wasxfail=True)}, Verdict.SKIPPED),
        ({"reports": [report(when="setup", outcome="failed"), report(when="teardown")]}, Verdict.ERROR),
        ({"reports": [report(when="setup"), report(when="call")]}, Verdict.ERROR),
        ({"reports": phases() + phases()}, Verdict.ERROR),
        ({"reports": phases() + phases("test_b")}, Verdict.TAMPERED),
        ({"reports": []}, Verdict.TAMPERED),
        ({"collected": ["test_a", "test_a"]}, Verdict.TAMPERED),
    ],
)
def test_anything_less_does_not(changes, verdict):
    assert judge(["test_a"], evidence(**changes))[0] is verdict


def test_expected_test_that_was_not_collected_is_named():
    verdict, reason, _ = judge(["test_a", "test_b"], evidence())
    assert verdict is Verdict.ERROR
    assert "test_b" in reason


def test_outcomes_carry_duration_and_what_failed():
    _, reason, (test,) = judge(["test_a"], evidence(reports=phases(outcome="failed", message="E  assert 1 == 2")))
    assert (test.outcome, test.message) == ("failed", "E  assert 1 == 2")
    assert test.duration_s == pytest.approx(0.3)
    assert "assert 1 == 2" in reason

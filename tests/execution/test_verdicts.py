"""From evidence to a verdict: passed needs complete positive evidence."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest

from tasks.execution.facts import Facts, read_facts
from tasks.execution.protocol import Evidence
from tasks.execution.verdicts import judge, judge_output, outcomes_of
from tasks.models import Verdict

TOKEN = "t0k3n"


def report(test_id: str = "test_a", when: str = "call", outcome: str = "passed", **more: Any) -> dict[str, Any]:
    found = {"duration_s": 0.1, "message": "", "exception": "", "wasxfail": False}
    return {**found, "test_id": test_id, "when": when, "outcome": outcome, **more}


def phases(test_id: str = "test_a", **call: Any) -> list[dict[str, Any]]:
    return [report(test_id, "setup"), report(test_id, "call", **call), report(test_id, "teardown")]


def said(*facts: dict[str, Any]) -> str:
    return "".join(json.dumps({"token": TOKEN, **fact}) + "\n" for fact in facts)


def evidence(**changes: Any) -> Evidence:
    good: dict[str, Any] = {
        "number": 1,
        "exit_code": 0,
        "signal": None,
        "solution_end": None,
        "timed_out": False,
        "output_exceeded": False,
        "leftover_processes": 0,
        "clean": True,
        "said": "",
        "output": "",
        "errors": "",
        "wall_s": 1.0,
        "cpu_s": 1.0,
        "peak_mb": 1.0,
    }
    return Evidence.model_validate({**good, **changes})


def facts(collected=("test_a",), reports=None, collect_error="", exitstatus=0, ended=True, stopped=None) -> Facts:
    lines: list[dict[str, Any]] = [] if collected is None else [{"collected": list(collected)}]
    lines += [{"collect_error": collect_error}] if collect_error else []
    lines += phases() if reports is None else reports
    lines += [{"stopped": stopped, "why": "so"}] if stopped else []
    end = {"ended": True, "exitstatus": exitstatus, "coverage": None, "imported": []}
    return read_facts(said(*lines, *([end] if ended else [])), TOKEN)


def verdict(what: Facts | None = None, expected=("test_a",), **changes: Any) -> Verdict:
    return judge(expected, evidence(**changes), facts() if what is None else what)[0]


def test_complete_evidence_passes():
    assert verdict() is Verdict.PASSED


def test_nothing_expected_is_no_tests():
    assert verdict(facts(collected=[], reports=[]), expected=[]) is Verdict.NO_TESTS


def test_parametrised_instances_count_for_their_function():
    both = ["test_a[1-2]", "test_a[x::y]"]
    assert verdict(facts(both, phases(both[0]) + phases(both[1]))) is Verdict.PASSED


@pytest.mark.parametrize(
    ("what", "changes", "expected"),
    [
        (facts(ended=False), {}, Verdict.TAMPERED),
        (facts(), {"exit_code": 70}, Verdict.TAMPERED),
        (facts(ended=False), {"exit_code": None, "signal": int(signal.SIGSEGV)}, Verdict.KILLED),
        (facts(), {"exit_code": None, "signal": int(signal.SIGKILL), "timed_out": True}, Verdict.TIMEOUT),
        (facts(ended=False), {"exit_code": None, "signal": int(signal.SIGXCPU)}, Verdict.TIMEOUT),
        (facts(), {"output_exceeded": True}, Verdict.OUTPUT_LIMIT),
        (facts(exitstatus=1), {}, Verdict.ERROR),
        (facts(), {"leftover_processes": 1}, Verdict.ERROR),
        (facts(collected=None, reports=[]), {}, Verdict.ERROR),
        (facts(collected=[], reports=[]), {}, Verdict.ERROR),
        (facts(collect_error="E   NameError: x"), {}, Verdict.ERROR),
        (facts(collect_error="MemoryError"), {}, Verdict.OUT_OF_MEMORY),
        (facts(reports=phases(outcome="failed")), {}, Verdict.FAILED),
        (facts(reports=phases(outcome="failed", exception="_ArrayMemoryError")), {}, Verdict.OUT_OF_MEMORY),
        (facts(reports=phases(outcome="skipped")), {}, Verdict.SKIPPED),
        (facts(reports=phases(wasxfail=True)), {}, Verdict.SKIPPED),
        (facts(reports=[report(when="setup", outcome="failed"), report(when="teardown")]), {}, Verdict.ERROR),
        (facts(reports=[report(when="setup"), report(when="call")]), {}, Verdict.ERROR),
        (facts(reports=phases() + phases()), {}, Verdict.ERROR),
        (facts(reports=phases() + phases("test_b")), {}, Verdict.TAMPERED),
        (facts(reports=[]), {}, Verdict.TAMPERED),
        (facts(collected=["test_a", "test_a"]), {}, Verdict.TAMPERED),
        (facts(stopped="gone", ended=False), {"solution_end": {"exit_code": 0, "signal": None}}, Verdict.TAMPERED),
        (facts(stopped="gone", ended=False), {"solution_end": {"exit_code": None, "signal": 11}}, Verdict.KILLED),
        (facts(stopped="gone", ended=False), {"solution_end": {"exit_code": None, "signal": 9}}, Verdict.TAMPERED),
        (facts(stopped="malformed", ended=False), {}, Verdict.TAMPERED),
    ],
)
def test_anything_less_does_not(what, changes, expected):
    assert verdict(what, **changes) is expected


GENUINE = said({"collected": ["test_a"]}, *phases(), {"ended": True, "exitstatus": 0, "coverage": None, "imported": []})


@pytest.mark.parametrize(
    "forged",
    [
        GENUINE.replace(TOKEN, "guess"),
        GENUINE + said(report()),
        GENUINE + "noise\n",
        said({"collected": ["test_b"]}) + GENUINE,
        GENUINE.replace('"passed"', '"fine"'),
        GENUINE.replace("0.1", '"0.1"'),
        GENUINE.replace('["test_a"]', '"test_a"'),
        GENUINE.replace('"exitstatus": 0', '"exitstatus": null'),
        GENUINE.replace('"imported": []', '"imported": [1]'),
        said({"collected": ["test_a"], "more": 1}) + GENUINE,
        "[" * 100_000 + "\n" + GENUINE,
        "null\n" + GENUINE,
        json.dumps({"token": None}) + "\n" + GENUINE,
        said({"stopped": "plain", "why": "x"}) + GENUINE,
    ],
)
def test_forged_lines_are_noticed(forged):
    assert verdict(read_facts(forged, TOKEN)) is Verdict.TAMPERED


def test_genuine_lines_are_taken():
    assert verdict(read_facts(GENUINE, TOKEN)) is Verdict.PASSED


def test_expected_test_that_was_not_collected_is_named():
    found, reason = judge(["test_a", "test_b"], evidence(), facts())
    assert found is Verdict.ERROR
    assert "test_b" in reason


def test_test_that_is_defined_twice_is_named():
    found = judge(["test_a", "test_b", "test_b"], evidence(), facts(["test_a", "test_b"], phases() + phases("test_b")))
    assert found == (Verdict.ERROR, "test_b is defined twice: its first body would never run")


def test_outcomes_carry_duration_and_what_failed():
    failed = facts(reports=phases(outcome="failed", message="E  assert 1 == 2"))
    (test,) = outcomes_of(failed.reports)
    assert (test.outcome, test.message) == ("failed", "E  assert 1 == 2")
    assert test.duration_s == pytest.approx(0.3)
    assert "assert 1 == 2" in judge(["test_a"], evidence(), failed)[1]


@pytest.mark.parametrize(
    ("output", "changes", "expected"),
    [
        ("1 2\n3\n", {}, Verdict.PASSED),
        ("1 2  \n3\n\n", {}, Verdict.PASSED),
        ("1 2\n4\n", {}, Verdict.FAILED),
        ("1 2\n", {}, Verdict.FAILED),
        ("1 2\n3\n3\n", {}, Verdict.FAILED),
        (" 1 2\n3\n", {}, Verdict.FAILED),
        ("1 2\n3\n", {"exit_code": 1}, Verdict.FAILED),
        ("1 2\n3\n", {"exit_code": 1, "errors": "MemoryError\n"}, Verdict.OUT_OF_MEMORY),
        ("1 2\n3\n", {"exit_code": None, "signal": 11}, Verdict.KILLED),
        ("1 2\n3\n", {"timed_out": True}, Verdict.TIMEOUT),
        ("1 2\n3\n", {"output_exceeded": True}, Verdict.OUTPUT_LIMIT),
        ("1 2\n3\n", {"leftover_processes": 1}, Verdict.ERROR),
    ],
)
def test_output_of_programs(output, changes, expected):
    assert judge_output("1 2\n3", evidence(output=output, **changes))[0] is expected

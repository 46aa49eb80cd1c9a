"""From evidence to a verdict: pure functions, run on the host.

``passed`` needs complete positive evidence. pytest's exit status alone proves nothing: a solution that calls
``os._exit(0)`` turns it into success.
"""

from __future__ import annotations

import signal
from collections import defaultdict
from collections.abc import Sequence
from typing import Literal

from tasks.execution.protocol import Evidence, Report
from tasks.models import TestOutcome, Verdict

_PHASES = ["setup", "call", "teardown"]


def _function(test_id: str) -> str:
    """The id without the parameters of one instance: ``test_x[1-2]`` is an instance of ``test_x``."""
    return test_id.partition("[")[0]


def test_outcomes(reports: Sequence[Report]) -> list[TestOutcome]:
    """One outcome per test, in order of first appearance."""
    phases: dict[str, list[Report]] = defaultdict(list)
    for report in reports:
        phases[report.test_id].append(report)
    outcomes = []
    for test_id, group in phases.items():
        bad = next((report for report in group if report.outcome == "failed"), None)
        skipped = next((report for report in group if report.outcome == "skipped" or report.wasxfail), None)
        outcome: Literal["passed", "failed", "error", "skipped"]
        if bad is not None:
            outcome = "failed" if bad.when == "call" else "error"
        elif skipped is not None:
            outcome = "skipped"
        else:
            outcome = "passed" if [report.when for report in group] == _PHASES else "error"
        worst = bad or skipped
        outcomes.append(
            TestOutcome(
                test_id=test_id,
                outcome=outcome,
                duration_s=sum(report.duration_s for report in group),
                message=worst.message if worst else "",
            )
        )
    return outcomes


def judge(expected: Sequence[str], evidence: Evidence) -> tuple[Verdict, str, list[TestOutcome]]:
    """The verdict on one case, one sentence on why, and the outcome of each test.

    Args:
        expected: ids that a parse of the tests expects to be collected.
    """
    tests = test_outcomes(evidence.reports)
    verdict, reason = _judge(expected, evidence, tests)
    return verdict, reason, tests


def _judge(expected: Sequence[str], evidence: Evidence, tests: Sequence[TestOutcome]) -> tuple[Verdict, str]:
    exceptions = {report.exception for report in evidence.reports}
    out_of_memory = "MemoryError" in evidence.collect_error or any(name.endswith("MemoryError") for name in exceptions)
    if evidence.timed_out:
        return Verdict.TIMEOUT, f"still running after {evidence.wall_s:.1f} s"
    if evidence.output_exceeded:
        return Verdict.OUTPUT_LIMIT, "wrote more output than allowed"
    if evidence.malformed_evidence:
        return Verdict.TAMPERED, "something but the recorder wrote to the evidence"
    if evidence.signal is not None:
        if evidence.signal == signal.SIGXCPU:
            return Verdict.TIMEOUT, "used up its CPU time"
        return Verdict.KILLED, f"killed by {_signal_name(evidence.signal)}"
    if not evidence.ended:
        if out_of_memory:
            return Verdict.OUT_OF_MEMORY, "ran out of memory"
        return (
            Verdict.TAMPERED,
            f"the process ended by itself with exit code {evidence.exit_code}, before its tests did",
        )
    if out_of_memory:
        return Verdict.OUT_OF_MEMORY, "ran out of memory"
    if evidence.collect_error:
        return Verdict.ERROR, f"the tests could not be collected: {_last_line(evidence.collect_error)}"
    if evidence.collected is None:
        return (
            Verdict.ERROR,
            f"pytest stopped before it had collected the tests, with status {evidence.exitstatus}",
        )
    if not expected:
        return Verdict.NO_TESTS, "the tests define no test function"
    return _judge_tests(expected, evidence, tests)


def _judge_tests(expected: Sequence[str], evidence: Evidence, tests: Sequence[TestOutcome]) -> tuple[Verdict, str]:
    collected = evidence.collected or []
    if missing := sorted(set(expected) - {_function(test_id) for test_id in collected}):
        return Verdict.ERROR, f"{missing[0]} is in the file but was not collected"
    by_outcome = {
        outcome: [test for test in tests if test.outcome == outcome] for outcome in ("failed", "error", "skipped")
    }
    if failed := by_outcome["failed"]:
        return (
            Verdict.FAILED,
            f"{len(failed)} of {len(tests)} tests failed, first {failed[0].test_id}: " + _last_line(failed[0].message),
        )
    if errors := by_outcome["error"]:
        return Verdict.ERROR, f"{errors[0].test_id} did not run its course: {_last_line(errors[0].message)}"
    if skipped := by_outcome["skipped"]:
        return Verdict.SKIPPED, f"{len(skipped)} of {len(tests)} tests were skipped or expected to fail"
    if len(set(collected)) != len(collected) or [test.test_id for test in tests] != collected:
        return Verdict.TAMPERED, "the tests that reported are not those that were collected"
    if evidence.exitstatus != 0:
        return Verdict.ERROR, f"pytest ended with status {evidence.exitstatus}"
    if evidence.leftover_processes:
        return Verdict.ERROR, f"left {evidence.leftover_processes} processes running"
    return Verdict.PASSED, f"all {len(tests)} tests passed"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip()[:300] if lines else ""

"""From evidence to a verdict: pure functions, run on the host.

``passed`` needs complete positive evidence. pytest's exit status alone proves nothing: a solution that calls
``os._exit(0)`` turns it into success.
"""

from __future__ import annotations

import signal
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Literal

from tasks.execution.facts import Facts, Report
from tasks.execution.protocol import End, Evidence
from tasks.models import TestOutcome, Verdict

_PHASES = ["setup", "call", "teardown"]
_NO_MEMORY = 72
"""Exit code of a solution's process that had no memory left to say so."""


def _function(test_id: str) -> str:
    """The id without the parameters of one instance: ``test_x[1-2]`` is an instance of ``test_x``."""
    return test_id.partition("[")[0]


def outcomes_of(reports: Sequence[Report]) -> list[TestOutcome]:
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


def judge(expected: Sequence[str], evidence: Evidence, facts: Facts) -> tuple[Verdict, str]:
    """The verdict on one case, and one sentence on why.

    Args:
        expected: ids that a parse of the tests expects to be collected, more than once what is defined so often.
    """
    if twice := next((test_id for test_id, times in Counter(expected).items() if times > 1), None):
        return Verdict.ERROR, f"{twice} is defined twice: its first body would never run"
    if found := _limits(evidence):
        return found
    if not facts.genuine:
        return Verdict.TAMPERED, "something but the recorder wrote to the evidence"
    exceptions = {report.exception for report in facts.reports}
    out_of_memory = "MemoryError" in facts.collect_error or any(name.endswith("MemoryError") for name in exceptions)
    if facts.stopped is not None and (found := _stopped(facts.stopped.stopped, facts.stopped.why, evidence)):
        return found
    if evidence.signal is not None:
        return _killed(evidence.signal, "the tests' process" if evidence.solution_end else "the process")
    if out_of_memory:
        return Verdict.OUT_OF_MEMORY, "ran out of memory"
    if facts.ended is None or evidence.exit_code != 0:
        return (
            Verdict.TAMPERED,
            f"the process ended by itself with exit code {evidence.exit_code}, before its tests did",
        )
    if facts.collect_error:
        return Verdict.ERROR, f"the tests could not be collected: {what_failed(facts.collect_error)}"
    if facts.collected is None:
        return (
            Verdict.ERROR,
            f"pytest stopped before it had collected the tests, with status {facts.ended.exitstatus}",
        )
    if not expected:
        return Verdict.NO_TESTS, "the tests define no test function"
    return _judge_tests(expected, evidence, facts, facts.ended.exitstatus)


def _limits(evidence: Evidence) -> tuple[Verdict, str] | None:
    if evidence.timed_out:
        return Verdict.TIMEOUT, f"still running after {evidence.wall_s:.1f} s"
    if evidence.output_exceeded:
        return Verdict.OUTPUT_LIMIT, "wrote more output than allowed"
    return None


def _killed(number: int, who: str) -> tuple[Verdict, str]:
    if number == signal.SIGXCPU:
        return Verdict.TIMEOUT, "used up its CPU time"
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    return Verdict.KILLED, f"{who} was killed by {name}"


def _stopped(kind: str, why: str, evidence: Evidence) -> tuple[Verdict, str] | None:
    """The verdict where the tests' process gave up."""
    end = evidence.solution_end or End(exit_code=None, signal=None)
    if kind == "unportable":
        return Verdict.ERROR, why
    if kind == "gone" and end.signal is not None and end.signal != signal.SIGKILL:
        return _killed(end.signal, "the solution's process")
    if kind == "gone" and end.exit_code == _NO_MEMORY:
        return Verdict.OUT_OF_MEMORY, "the solution's process ran out of memory"
    if kind == "gone":
        ended = f"with exit code {end.exit_code}" if end.exit_code is not None else "its channel"
        return Verdict.TAMPERED, f"the solution's process ended by itself {ended}, before the tests did"
    return Verdict.TAMPERED, f"the solution's process sent what it never sends: {why}"


def _judge_tests(expected: Sequence[str], evidence: Evidence, facts: Facts, exitstatus: int) -> tuple[Verdict, str]:
    tests = outcomes_of(facts.reports)
    collected = facts.collected or []
    if missing := sorted(set(expected) - {_function(test_id) for test_id in collected}):
        return Verdict.ERROR, f"{missing[0]} is in the file but was not collected"
    by_outcome = {
        outcome: [test for test in tests if test.outcome == outcome] for outcome in ("failed", "error", "skipped")
    }
    if failed := by_outcome["failed"]:
        return (
            Verdict.FAILED,
            f"{len(failed)} of {len(tests)} tests failed, first {failed[0].test_id}: " + what_failed(failed[0].message),
        )
    if errors := by_outcome["error"]:
        return Verdict.ERROR, f"{errors[0].test_id} did not run its course: {what_failed(errors[0].message)}"
    if skipped := by_outcome["skipped"]:
        return Verdict.SKIPPED, f"{len(skipped)} of {len(tests)} tests were skipped or expected to fail"
    if len(set(collected)) != len(collected) or [test.test_id for test in tests] != collected:
        return Verdict.TAMPERED, "the tests that reported are not those that were collected"
    if exitstatus != 0:
        return Verdict.ERROR, f"pytest ended with status {exitstatus}"
    if evidence.leftover_processes:
        return Verdict.ERROR, f"left {evidence.leftover_processes} processes running"
    return Verdict.PASSED, f"all {len(tests)} tests passed"


def judge_output(expected: str, evidence: Evidence) -> tuple[Verdict, str]:
    """The verdict on one run of a program: exit code 0, and the expected output.

    As judges of programming contests do it, white space at the end of a line and empty lines at the end do not count.
    """
    if found := _limits(evidence):
        return found
    if evidence.signal is not None:
        return _killed(evidence.signal, "the program")
    if evidence.exit_code != 0:
        if "MemoryError" in last_line(evidence.errors):
            return Verdict.OUT_OF_MEMORY, "ran out of memory"
        return Verdict.FAILED, f"the program ended with {evidence.exit_code}: {last_line(evidence.errors)}"
    if evidence.leftover_processes:
        return Verdict.ERROR, f"left {evidence.leftover_processes} processes running"
    wanted, found_lines = _lines(expected), _lines(evidence.output)
    if wanted == found_lines:
        return Verdict.PASSED, "the output is as expected"
    at = next((n for n, pair in enumerate(zip(wanted, found_lines, strict=False)) if pair[0] != pair[1]), None)
    if at is None:
        return Verdict.FAILED, f"the output has {len(found_lines)} lines, expected are {len(wanted)}"
    return Verdict.FAILED, f"line {at + 1} of the output is {found_lines[at][:100]!r}, expected is {wanted[at][:100]!r}"


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().split("\n")]


def what_failed(message: str) -> str:
    """What a message says on the error, on one line, cut to 300 characters."""
    errors = [line[1:] for line in message.splitlines() if line.startswith("E ")]  # pytest's way to mark it
    return " ".join((errors[0] if errors else message).split())[:300]


def last_line(text: str) -> str:
    """The last line that says something, cut to 300 characters."""
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip()[:300] if lines else ""

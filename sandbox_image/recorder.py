"""What the tests' process says of each test, and of what failed in it."""

from __future__ import annotations

import json
import linecache
import random
import traceback
from typing import Any

import pytest

from sandbox_image.children import EVIDENCE_FD, TESTS, write_all

TEST_FILE = "test_solution.py"
TEST_PATH = f"{TESTS}/{TEST_FILE}"
_MESSAGE = 2000


class Recorder:
    """A pytest plugin that sends each fact as a line with the case's token.

    The token keeps accidents and simple forgeries out of the evidence. Where tests and solution share a process it is
    no boundary.
    """

    def __init__(self) -> None:
        self._token = ""
        self._order = 0
        self._in_phase = False

    def begin(self, token: str, order: int) -> None:
        """Set the token, and the order in which tests run (0: as written)."""
        self._token, self._order = token, order

    def order(self, tests: list[Any]) -> None:
        """Put tests into the order in which they run.

        An odd order is the one before it turned round: of any two tests each comes first in one of the two.
        """
        if shuffled := self._order & ~1:
            random.Random(shuffled).shuffle(tests)
        if self._order & 1:
            tests.reverse()

    def send(self, *facts: dict[str, Any]) -> None:
        """Write facts to the evidence."""
        lines = [json.dumps({"token": self._token, **fact}) + "\n" for fact in facts]
        write_all(EVIDENCE_FD, "".join(lines).encode("utf-8", "backslashreplace"))

    def ran(self, test_id: str, duration_s: float, error: BaseException | None) -> None:
        """The three phases of a test that ran without pytest."""
        call = {
            "outcome": "failed" if error else "passed",
            "message": what_failed(error) if error else "",
            "exception": type(error).__name__ if error else "",
        }
        fine = {"outcome": "passed", "message": "", "exception": ""}
        phases = (("setup", 0.0, fine), ("call", duration_s, call), ("teardown", 0.0, fine))
        self.send(
            *(
                {"test_id": test_id, "when": when, "duration_s": seconds, "wasxfail": False, **how}
                for when, seconds, how in phases
            )
        )

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        self.order(items)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.send({"collected": [item.nodeid.partition("::")[2] for item in session.items]})

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.send({"collect_error": str(report.longrepr)[-_MESSAGE:]})

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self) -> Any:
        self._in_phase = True
        try:
            return (yield)
        finally:
            self._in_phase = False

    pytest_runtest_setup = pytest_runtest_teardown = pytest_runtest_call

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
        """Send what came of a phase. A report from within one is a subtest's: it says only what went wrong."""
        outcome = yield
        report = outcome.get_result()
        wasxfail = hasattr(report, "wasxfail")
        if self._in_phase and report.passed and not wasxfail:
            return
        self.send(
            {
                "test_id": item.nodeid.partition("::")[2],
                "when": report.when,
                "outcome": report.outcome,
                "duration_s": 0.0 if self._in_phase else call.duration,
                "message": what_failed(call.excinfo.value) if call.excinfo else "",
                "exception": call.excinfo.typename if call.excinfo else "",
                "wasxfail": wasxfail,
            }
        )


def what_failed(error: BaseException) -> str:
    """The line of the tests, and the error with what pytest found out about its assertion."""
    lines = [line for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == TEST_PATH]
    what = "".join(traceback.format_exception_only(error)).strip()
    if what == "AssertionError" and lines:
        what = f"{what}: {linecache.getline(TEST_PATH, lines[-1]).strip()}"
    return (f"line {lines[-1]}: {what}" if lines else what)[:_MESSAGE]

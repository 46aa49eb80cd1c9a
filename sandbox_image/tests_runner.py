"""The tests' half of a case: pytest, or without pytest what does as well.

pytest is imported, configured and given a session before any child is forked, since its start-up would cost three
times as much as all else. That takes some of its private functions; the version is pinned.
"""

from __future__ import annotations

import ast
import contextlib
import json
import os
import random
import sys
import time
import traceback
import types
import unittest
from collections.abc import Callable
from typing import Any, NoReturn

import pytest
from _pytest.assertion.rewrite import rewrite_asserts
from _pytest.config import _prepareconfig
from _pytest.main import Session

from sandbox_image.channel import Channel
from sandbox_image.children import CHANNEL_FD, EVIDENCE_FD, TESTS, Zygote, start_measure, write_all, write_files
from sandbox_image.tests_side import Client, install

TEST_FILE = "test_solution.py"
STOPPED = 71
_PATH = f"{TESTS}/{TEST_FILE}"
_MESSAGE = 2000

_ARGUMENTS = (
    "-q",
    "--noconftest",
    "--capture=no",
    "--tb=line",
    "-c/dev/null",
    "--strict-markers",
    f"--rootdir={TESTS}",
    f"--confcutdir={TESTS}",
    *(f"-pno:{name}" for name in ("cacheprovider", "doctest", "faulthandler", "junitxml", "pastebin", "stepwise")),
    *(f"-pno:{name}" for name in ("unraisableexception", "threadexception", "setuponly", "setupplan")),
    TEST_FILE,
)


class Recorder:
    """A pytest plugin that sends each fact as a line with the case's token.

    The token keeps accidents and simple forgeries out of the evidence. Where tests and solution share a process it is
    no boundary.
    """

    def __init__(self) -> None:
        self._token = ""
        self._order_seed: int | None = None

    def begin(self, token: str, order_seed: int | None) -> None:
        """Set the token, and the order in which tests run (None: as written)."""
        self._token, self._order_seed = token, order_seed

    def order(self, tests: list[Any]) -> None:
        """Put tests into the order in which they run."""
        if self._order_seed is not None:
            random.Random(self._order_seed).shuffle(tests)

    def send(self, *facts: dict[str, Any]) -> None:
        """Write facts to the evidence."""
        lines = [json.dumps({"token": self._token, **fact}) + "\n" for fact in facts]
        write_all(EVIDENCE_FD, "".join(lines).encode("utf-8", "backslashreplace"))

    def ran(self, test_id: str, duration_s: float, error: BaseException | None) -> None:
        """The three phases of a test that ran without pytest."""
        call = {
            "outcome": "failed" if error else "passed",
            "message": _what_failed(error) if error else "",
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

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
        outcome = yield
        report = outcome.get_result()
        self.send(
            {
                "test_id": item.nodeid.partition("::")[2],
                "when": report.when,
                "outcome": report.outcome,
                "duration_s": call.duration,
                "message": _what_failed(call.excinfo.value) if call.excinfo else "",
                "exception": call.excinfo.typename if call.excinfo else "",
                "wasxfail": hasattr(report, "wasxfail"),
            }
        )


class Prepared:
    """All that can be done before a case is known. ``TESTS`` must be there, and be the working directory."""

    def __init__(self) -> None:
        self.recorder = Recorder()
        config = _prepareconfig(list(_ARGUMENTS), [self.recorder])
        config._do_configure()
        self.session = Session.from_config(config)
        config.hook.pytest_sessionstart(session=self.session)

    def run_session(self) -> int:
        """Collect and run the tests; pytest's exit status."""
        session, hook = self.session, self.session.config.hook
        try:
            hook.pytest_collection(session=session)
            hook.pytest_runtestloop(session=session)
            failed = bool(session.testsfailed)
            status = pytest.ExitCode.TESTS_FAILED if failed else pytest.ExitCode.OK
        except Session.Failed:
            status = pytest.ExitCode.TESTS_FAILED
        except (KeyboardInterrupt, pytest.exit.Exception):
            status = pytest.ExitCode.INTERRUPTED
        except BaseException as error:
            print(f"{type(error).__name__}: {error}")
            status = pytest.ExitCode.INTERNAL_ERROR
        with contextlib.suppress(Exception):  # the summary of an interrupted session is in want of what is not there
            hook.pytest_sessionfinish(session=session, exitstatus=status)
        return int(status)


def _what_failed(error: BaseException) -> str:
    """The line of the tests, and the error with what pytest found out about its assertion."""
    lines = [line for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == _PATH]
    what = "".join(traceback.format_exception_only(error)).strip()
    return (f"line {lines[-1]}: {what}" if lines else what)[:_MESSAGE]


class _NotPlain(Exception):
    """The tests need pytest after all."""


_NEEDS_PYTEST = (
    _NotPlain,
    KeyboardInterrupt,
    GeneratorExit,
    unittest.SkipTest,
    pytest.skip.Exception,
    pytest.xfail.Exception,
    pytest.exit.Exception,
)


def run_plain(recorder: Recorder, test: str, expected: list[str]) -> int:
    """Run tests that use nothing of pytest but its helpers: functions without arguments, called one after another.

    A case costs a third of what it costs under pytest, and its asserts are pytest's. Where something happens that
    means more to pytest than passed or failed, it gives up, and the host runs the tests again under pytest.

    Returns:
        pytest's exit status for the same.
    """
    module = types.ModuleType("test_solution")
    module.__file__ = _PATH
    sys.modules["test_solution"] = module
    failed = False
    try:
        try:
            exec(_rewritten(test), module.__dict__)
        except BaseException as error:
            if isinstance(error, _NEEDS_PYTEST) or not isinstance(error, Exception):
                raise _NotPlain(f"{type(error).__name__} from the tests' own lines") from error
            recorder.send({"collect_error": _what_failed(error)})
            return int(pytest.ExitCode.INTERRUPTED)
        tests = [(test_id, _find(module, test_id)) for test_id in expected]
        recorder.order(tests)
        recorder.send({"collected": [test_id for test_id, _ in tests]})
        for test_id, call in tests:
            found: BaseException | None = None
            started = time.perf_counter()
            try:
                call()
            except _NEEDS_PYTEST:
                raise
            except BaseException as error:
                found = error
                failed = True
            recorder.ran(test_id, time.perf_counter() - started, found)
    except _NEEDS_PYTEST as error:
        recorder.send({"stopped": "plain", "why": repr(error)[:300]})
        os._exit(STOPPED)
    return int(pytest.ExitCode.TESTS_FAILED if failed else pytest.ExitCode.OK)


def _rewritten(test: str) -> types.CodeType:
    """The tests, with asserts that say what they compared."""
    source = test.encode()
    tree = ast.parse(source)
    rewrite_asserts(tree, source, _PATH, None)
    return compile(tree, _PATH, "exec", dont_inherit=True)


def _find(module: types.ModuleType, test_id: str) -> Callable[[], object]:
    """What to call for a test: a function of the module, or a method of a fresh object of a class of it.

    Raises:
        _NotPlain: it is something else by now.
    """
    owner, _, name = test_id.rpartition("::")
    if not owner:
        found = getattr(module, name, None)
    else:
        kind: Any = getattr(module, owner, None)
        if type(kind) is not type:
            raise _NotPlain(f"{owner} is no plain class")
        found = vars(kind).get(name)
    if type(found) is not types.FunctionType or found.__module__ != module.__name__:
        raise _NotPlain(f"{test_id} is no plain function")
    function: types.FunctionType = found
    return (lambda: function(kind())) if owner else function


def _run(prepared: Prepared, case: dict[str, Any]) -> int:
    if case["plain"]:
        return run_plain(prepared.recorder, case["test"], case["expected"])
    return prepared.run_session()


def run_together(zygote: Zygote, prepared: Prepared, case: dict[str, Any]) -> NoReturn:
    """The shared tier: tests and solution in this process."""
    write_files({**case["files"], TEST_FILE: case["test"]})
    sys.path.insert(0, TESTS)
    recorder = prepared.recorder
    recorder.begin(case["token"], case["seed"])
    measure = start_measure(case)
    status = _run(prepared, case)
    covered = measure.stop(f"{TESTS}/solution.py") if measure else None
    recorder.send({"ended": True, "exitstatus": status, "coverage": covered, "imported": zygote.imported()})
    os._exit(0)


def run_apart(zygote: Zygote, prepared: Prepared, case: dict[str, Any]) -> NoReturn:
    """The isolated tier: the solution is in a process of its own."""
    write_files({TEST_FILE: "" if case["plain"] else case["test"]})
    recorder = prepared.recorder
    recorder.begin(case["token"], case["seed"])

    def stop(kind: str, why: str) -> NoReturn:
        recorder.send({"stopped": kind, "why": why})
        os._exit(STOPPED)

    client = Client(Channel(CHANNEL_FD), stop)
    install(client, _PATH)
    status = _run(prepared, case)
    said = client.finish() if "solution" in sys.modules else {}
    imported = sorted({*zygote.imported(), *map(str, said.get("imported", []))})
    recorder.send(
        {
            "ended": True,
            "exitstatus": status,
            "coverage": said.get("coverage"),
            "imported": imported,
            "judged": client.judged,
        }
    )
    os._exit(0)

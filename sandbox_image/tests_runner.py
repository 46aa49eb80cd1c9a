"""The tests' half of a case: pytest, or without pytest what does as well.

pytest is imported, configured and given a session before any child is forked, since its start-up would cost three
times as much as all else. That takes some of its private functions; the version is pinned.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any, NoReturn

import pytest
from _pytest.config import _prepareconfig
from _pytest.main import Session

from sandbox_image.channel import Channel
from sandbox_image.children import FROM_OTHER_FD, TESTS, TO_OTHER_FD, Zygote, start_measure, write_files
from sandbox_image.plain_tests import STOPPED, run_plain
from sandbox_image.recorder import TEST_FILE, TEST_PATH, Recorder
from sandbox_image.tests_side import Client, install

_ARGUMENTS = (
    "-q",
    "--noconftest",
    "--capture=no",
    "--tb=line",
    "-c/dev/null",
    f"--rootdir={TESTS}",
    f"--confcutdir={TESTS}",
    *(f"-pno:{name}" for name in ("cacheprovider", "doctest", "faulthandler", "junitxml", "pastebin", "stepwise")),
    *(f"-pno:{name}" for name in ("unraisableexception", "threadexception", "setuponly", "setupplan")),
    TEST_FILE,
)


class Prepared:
    """All that can be done before a case is known. ``TESTS`` must be there, and be the working directory."""

    def __init__(self) -> None:
        self.recorder = Recorder()
        config = _prepareconfig(list(_ARGUMENTS), [self.recorder])
        config._do_configure()
        self.session = Session.from_config(config)
        config.hook.pytest_sessionstart(session=self.session)

    def run_session(self, first_failure: bool) -> int:
        """Collect and run the tests, to the first failure only if so asked; pytest's exit status."""
        session, hook = self.session, self.session.config.hook
        session.config.option.maxfail = int(first_failure)
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


def _run(prepared: Prepared, case: dict[str, Any]) -> int:
    if case["plain"]:
        tests = (case["test"], case["expected"], case["first_failure"])
        return run_plain(prepared.recorder, prepared.session.config, *tests)
    return prepared.run_session(case["first_failure"])


def run_together(zygote: Zygote, prepared: Prepared, case: dict[str, Any]) -> NoReturn:
    """The shared tier: tests and solution in this process."""
    write_files({**case["files"], TEST_FILE: case["test"]})
    sys.path.insert(0, TESTS)
    recorder = prepared.recorder
    recorder.begin(case["token"], case["conditions"]["order"])
    measure = start_measure(case, TESTS)
    status = _run(prepared, case)
    covered = measure.stop() if measure else None
    recorder.send({"ended": True, "exitstatus": status, "coverage": covered, "imported": zygote.imported()})
    os._exit(0)


def run_apart(zygote: Zygote, prepared: Prepared, case: dict[str, Any]) -> NoReturn:
    """The isolated tier: the solution is in a process of its own."""
    write_files({} if case["plain"] else {TEST_FILE: case["test"]})
    recorder = prepared.recorder
    recorder.begin(case["token"], case["conditions"]["order"])

    def stop(kind: str, why: str) -> NoReturn:
        recorder.send({"stopped": kind, "why": why})
        os._exit(STOPPED)

    client = Client(Channel(FROM_OTHER_FD, TO_OTHER_FD), frozenset(case["star"]), stop)
    install(client, None if case["plain"] else TEST_PATH)
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

"""What the children of a box do: run tests with pytest, serve a solution to tests elsewhere, run a program.

pytest is imported, configured and given a session before any child is forked, since its start-up would cost three
times as much as all else. That takes some of its private functions; the version is pinned.
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import random
import sys
import time
import types
from collections.abc import Callable
from typing import Any, NoReturn

import pytest
from _pytest.config import _prepareconfig
from _pytest.main import Session

from sandbox_image.channel import Channel, Gone
from sandbox_image.measure import Measure
from sandbox_image.solution_side import Server
from sandbox_image.tests_side import Client, install

WORK = "/work"
TESTS = f"{WORK}/tests"
SOLUTION = f"{WORK}/solution"
TEST_FILE = "test_solution.py"
STOPPED, NO_MEMORY = 71, 72
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
        self.order_seed: int | None = None
        self._pipe, self._token = -1, ""

    def begin(self, pipe: int, token: str, order_seed: int | None) -> None:
        """Say where the facts go, and in which order tests run (None: as written)."""
        self._pipe, self._token, self.order_seed = pipe, token, order_seed

    def send(self, fact: dict[str, Any]) -> None:
        data = json.dumps({"token": self._token, **fact}).encode("utf-8", "backslashreplace") + b"\n"
        while data:
            data = data[os.write(self._pipe, data) :]

    def passed(self, test_id: str, duration_s: float) -> None:
        """The three phases of a test that passed without pytest."""
        common = {"test_id": test_id, "outcome": "passed", "message": "", "exception": "", "wasxfail": False}
        for when, seconds in (("setup", 0.0), ("call", duration_s), ("teardown", 0.0)):
            self.send({**common, "when": when, "duration_s": seconds})

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if self.order_seed is not None:
            random.Random(self.order_seed).shuffle(items)

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
                "message": "" if report.passed else str(report.longrepr)[-_MESSAGE:],
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
        self.measure = Measure()
        self.modules = frozenset(sys.modules)

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

    def imported(self) -> list[str]:
        """Top-level modules that were imported since."""
        before = {name.partition(".")[0] for name in self.modules}
        names = {name.partition(".")[0] for name in sys.modules} - before - {"solution", "test_solution"}
        return sorted(name for name in names if name[:1].isalpha())


def streams(pipe_in: int = 0) -> None:
    """Text streams of the child's own, over its descriptors 0 to 2."""
    sys.stdin = open(pipe_in, closefd=False, errors="replace")  # noqa: SIM115
    sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), "utf-8", "backslashreplace", write_through=True)
    sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), "utf-8", "backslashreplace", write_through=True)


def reseed(seed: int | None) -> None:
    """Start the random generators: always alike, so that a verdict comes out again, or as a seed says.

    A run with a seed looks for flakiness, and lies in another time zone as well.
    """
    random.seed(seed or 0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(seed or 0)
    if seed is not None:
        os.environ["TZ"] = f"KF{seed % 23 - 11}"
        time.tzset()


def write_files(folder: str, files: dict[str, str]) -> None:
    for name, text in files.items():
        with open(f"{folder}/{name}", "wb") as file:
            file.write(text.encode("utf-8", "surrogatepass"))


def run_plain(recorder: Recorder, test: str, expected: list[str]) -> int:
    """Run tests that use nothing of pytest but its helpers: functions without arguments, called one after another.

    It only ever finds that all is well. At the first thing that is not, it gives up, and the host runs the tests again
    under pytest, which says what is wrong. A case costs a third of what it costs under pytest.
    """

    def give_up(why: object) -> NoReturn:
        recorder.send({"stopped": "plain", "why": repr(why)[:300]})
        os._exit(STOPPED)

    module = types.ModuleType("test_solution")
    module.__file__ = f"{TESTS}/{TEST_FILE}"
    sys.modules["test_solution"] = module
    try:
        exec(compile(test, module.__file__, "exec", dont_inherit=True), module.__dict__)
        tests = [_find(module, test_id) for test_id in expected]
        recorder.send({"collected": expected})
        for test_id, call in zip(expected, tests, strict=True):
            started = time.perf_counter()
            call()
            recorder.passed(test_id, time.perf_counter() - started)
    except BaseException as error:
        give_up(error)
    return 0


def _find(module: types.ModuleType, test_id: str) -> Callable[[], object]:
    """What to call for a test: a function of the module, or a method of a fresh object of a class of it."""
    owner, _, name = test_id.rpartition("::")
    if not owner:
        found = getattr(module, name)
    else:
        kind = getattr(module, owner)
        found = vars(kind)[name]
        if type(kind) is not type:
            raise TypeError(f"{owner} is no plain class")
    if type(found) is not types.FunctionType or found.__module__ != module.__name__:
        raise TypeError(f"{test_id} is no plain function")
    return found if not owner else lambda: found(kind())


def _run(prepared: Prepared, case: dict[str, Any]) -> int:
    if case["plain"]:
        return run_plain(prepared.recorder, case["test"], case["expected"])
    return prepared.run_session()


def run_together(prepared: Prepared, case: dict[str, Any], evidence: int) -> NoReturn:
    """The shared tier: tests and solution in this process."""
    write_files(".", {**case["files"], TEST_FILE: case["test"]})
    sys.path.insert(0, TESTS)
    recorder = prepared.recorder
    recorder.begin(evidence, case["token"], case["seed"])
    if case["coverage"]:
        prepared.measure.start()
    status = _run(prepared, case)
    covered = prepared.measure.stop(f"{TESTS}/solution.py") if case["coverage"] else None
    recorder.send({"ended": True, "exitstatus": status, "coverage": covered, "imported": prepared.imported()})
    os._exit(0)


def run_tests(prepared: Prepared, case: dict[str, Any], evidence: int, channel: Channel) -> NoReturn:
    """The tests' half of the isolated tier."""
    write_files(".", {TEST_FILE: "" if case["plain"] else case["test"]})
    recorder = prepared.recorder
    recorder.begin(evidence, case["token"], case["seed"])

    def stop(kind: str, why: str) -> NoReturn:
        recorder.send({"stopped": kind, "why": why})
        os._exit(STOPPED)

    client = Client(channel, stop)
    install(client, f"{TESTS}/{TEST_FILE}")
    status = _run(prepared, case)
    said = client.finish() if "solution" in sys.modules else {}
    imported = sorted({*prepared.imported(), *map(str, said.get("imported", []))})
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


def serve_solution(prepared: Prepared, case: dict[str, Any], channel: Channel) -> NoReturn:
    """The solution's half of the isolated tier."""
    write_files(".", case["files"])
    sys.path.insert(0, SOLUTION)
    if case["coverage"]:
        prepared.measure.start()

    def finish() -> dict[str, Any]:
        covered = prepared.measure.stop(f"{SOLUTION}/solution.py") if case["coverage"] else None
        return {"coverage": covered, "imported": prepared.imported()}

    try:
        Server(channel, finish).serve()
    except Gone:
        os._exit(0)
    except MemoryError:
        os._exit(NO_MEMORY)
    os._exit(0)


def run_program(case: dict[str, Any]) -> NoReturn:
    """A program that reads standard input and writes standard output; its exit code is what it exits with."""
    write_files(".", case["files"])
    sys.path.insert(0, SOLUTION)
    sys.argv = ["solution.py"]
    main = types.ModuleType("__main__")
    main.__file__ = "solution.py"
    sys.modules["__main__"] = main
    status = 0
    try:
        with open("solution.py", "rb") as file:
            exec(compile(file.read(), "solution.py", "exec", dont_inherit=True), main.__dict__)
    except SystemExit as leave:
        if isinstance(leave.code, str):
            print(leave.code, file=sys.stderr)
        status = leave.code if isinstance(leave.code, int) else int(leave.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 1
    with contextlib.suppress(Exception):
        sys.stdout.flush()
    os._exit(status & 0xFF)


def freeze() -> None:
    """Keep the collector from touching, and so copying, what the children share."""
    gc.collect()
    gc.freeze()

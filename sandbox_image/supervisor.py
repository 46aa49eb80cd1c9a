"""The trusted process inside the box: it forks a child per case, watches it, and reports raw evidence.

It judges nothing; the host does. Frames on stdin and stdout are a 4-byte big-endian length and JSON. The supervisor
is PID 1 of the box's own pid namespace, single-threaded, and imports pytest once, so that a case costs a fork.

Standard library, pytest and coverage only: nothing of the project is in the box.
"""

from __future__ import annotations

import ctypes
import errno
import gc
import importlib
import io
import json
import os
import resource
import secrets
import select
import shutil
import signal
import struct
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

import pytest

WORK = "/work"
SCRATCH = ("/tmp", "/dev/shm")  # noqa: S108 - the box's own, on tmpfs
CASE_UID = int(sys.argv[1]) if len(sys.argv) > 1 else 64_000
"""Each box has its own, so that process limits of two boxes do not add up."""
MAX_FRAME = 64 << 20
MAX_EVIDENCE = 4 << 20
SHORTEST_POLL_S, LONGEST_POLL_S = 0.0005, 0.02
PRELOADABLE = ("numpy", "pandas")
"""Libraries that are slow to import; the supervisor imports them once a case needs them, before it forks."""

PYTEST_ARGUMENTS = (
    "-q",
    "--noconftest",
    "--capture=no",
    "--tb=line",
    "-c/dev/null",
    "--strict-markers",
    *(f"-pno:{name}" for name in ("cacheprovider", "doctest", "faulthandler", "junitxml", "pastebin")),
    *(f"-pno:{name}" for name in ("unraisableexception", "threadexception", "stepwise", "legacypath")),
)


def read_exactly(size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        chunk = os.read(0, size - len(data))
        if not chunk:
            os._exit(0)  # the host is gone; the box goes with it
        data += chunk
    return bytes(data)


def read_frame() -> Any:
    (size,) = struct.unpack(">I", read_exactly(4))
    if size > MAX_FRAME:
        os._exit(3)
    return json.loads(read_exactly(size))


def write_frame(frame: dict[str, Any]) -> None:
    data = json.dumps(frame).encode("utf-8", "backslashreplace")
    data = struct.pack(">I", len(data)) + data
    while data:
        data = data[os.write(1, data) :]


class Recorder:
    """A pytest plugin that sends each fact as a line with the case's token.

    The token keeps accidental and simple forgeries out of the evidence; it is no boundary.
    """

    def __init__(self, send: Callable[[dict[str, Any]], None]) -> None:
        self._send = send

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._send({"collected": [item.nodeid.partition("::")[2] for item in session.items]})

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._send({"collect_error": str(report.longrepr)[-2000:]})

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
        outcome = yield
        report = outcome.get_result()
        self._send(
            {
                "test_id": item.nodeid.partition("::")[2],
                "when": report.when,
                "outcome": report.outcome,
                "duration_s": call.duration,
                "message": "" if report.passed else str(report.longrepr)[-2000:],
                "exception": call.excinfo.typename if call.excinfo else "",
                "wasxfail": hasattr(report, "wasxfail"),
            }
        )


def sender(pipe: int, token: str) -> Callable[[dict[str, Any]], None]:
    def send(fact: dict[str, Any]) -> None:
        data = json.dumps({"token": token, **fact}).encode("utf-8", "backslashreplace") + b"\n"
        while data:
            data = data[os.write(pipe, data) :]

    return send


def limit(case: dict[str, Any]) -> None:
    limits = case["limits"]
    with open("/proc/self/statm", encoding="ascii") as statm:
        already = int(statm.read().split()[0]) * resource.getpagesize()
    memory = already + (limits["memory_mb"] << 20)  # on top of the interpreter and what was preloaded
    disk = limits["disk_mb"] << 20
    cpu = int(limits["wall_s"]) + 2
    for kind, value in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, disk),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 256),
        (resource.RLIMIT_NPROC, limits["processes"]),
        (resource.RLIMIT_CPU, cpu),
    ):
        resource.setrlimit(kind, (value, value))


def coverage_of(measured: Any, path: str) -> dict[str, int] | None:
    """Statement and branch counts of one file; None where coverage has no data for it."""
    import coverage  # noqa: PLC0415

    try:
        _, statements, _, missing, _ = measured.analysis2(path)
        branches = measured.branch_stats(path)
    except coverage.CoverageException:
        return None
    return {
        "statements": len(statements),
        "statements_hit": len(statements) - len(missing),
        "branches": sum(total for total, _ in branches.values()),
        "branches_hit": sum(taken for _, taken in branches.values()),
    }


def child(case: dict[str, Any], folder: str, output: int, evidence: int) -> None:
    """Run the case's tests. Only the last line ends the child on the supervisor's own path."""
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.setsid()
    os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
    evidence = os.dup2(evidence, 200)
    os.closerange(3, 200)
    os.closerange(201, 256)
    os.chdir(folder)
    if os.getuid() == 0:
        os.setgroups([])
        os.setresgid(CASE_UID, CASE_UID, CASE_UID)
        os.setresuid(CASE_UID, CASE_UID, CASE_UID)
    limit(case)
    sys.path.insert(0, folder)
    os.environ["HOME"] = folder
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), "utf-8", "backslashreplace", write_through=True)
    sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), "utf-8", "backslashreplace", write_through=True)
    send = sender(evidence, case["token"])
    arguments = [*PYTEST_ARGUMENTS, f"--rootdir={folder}", f"--confcutdir={folder}", "test_solution.py"]
    measured = None
    if case["coverage"]:
        import coverage  # noqa: PLC0415

        measured = coverage.Coverage(
            data_file=None, branch=True, include=[f"{folder}/solution.py"], config_file=False, messages=False
        )
        measured.start()
    status = int(pytest.main(arguments, plugins=[Recorder(send)]))
    covered = None
    if measured is not None:
        measured.stop()
        covered = coverage_of(measured, f"{folder}/solution.py")
    send({"ended": True, "exitstatus": status, "coverage": covered})
    os._exit(0)


def processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and name != "1"]


def kill_all() -> None:
    """End every process of the box but this one, and reap them."""
    while True:
        try:
            os.kill(-1, signal.SIGKILL)
        except ProcessLookupError:
            pass
        except PermissionError:
            for pid in processes():
                os.kill(pid, signal.SIGKILL)
        try:
            while True:
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    break
        except ChildProcessError:
            return
        time.sleep(0.001)


def wipe(folder: str) -> bool:
    """Remove all that a case left in a folder; whether nothing stayed."""
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            os.unlink(entry.path)
    return not os.listdir(folder)


def parse_evidence(data: bytes, token: str) -> tuple[dict[str, Any], bool]:
    """The facts a child sent, and whether anything in them is not as the recorder sends it."""
    facts: dict[str, Any] = {"collected": None, "reports": [], "collect_error": "", "end": None}
    malformed = False
    for line in data.split(b"\n"):
        if not line:
            continue
        try:
            fact = json.loads(line)
            genuine = isinstance(fact, dict) and fact.pop("token", None) == token
        except ValueError:
            genuine = False
        if not genuine or facts["end"] is not None:
            malformed = True
        elif "ended" in fact:
            facts["end"] = fact
        elif "collected" in fact:
            malformed |= facts["collected"] is not None
            facts["collected"] = fact["collected"]
        elif "collect_error" in fact:
            facts["collect_error"] += fact["collect_error"]
        else:
            facts["reports"].append(fact)
    return facts, malformed


class Stream:
    """The reading end of a pipe from the child, with all it said up to a cap."""

    def __init__(self, cap: int) -> None:
        self.source, self.sink = os.pipe()
        self.cap, self.data, self.open = cap, bytearray(), True

    @property
    def exceeded(self) -> bool:
        return len(self.data) > self.cap

    def read(self) -> None:
        chunk = os.read(self.source, 65_536)
        self.open = bool(chunk)
        self.data += chunk

    def drain(self) -> None:
        """Take what the child wrote just before it ended, and close."""
        os.set_blocking(self.source, False)
        try:
            while self.open and not self.exceeded:
                self.read()
        except BlockingIOError:
            pass
        os.close(self.source)


def watch(pid: int, streams: tuple[Stream, Stream], wall_s: float) -> tuple[int, resource.struct_rusage, bool]:
    """Wait for the child, reading all it says; kill it at the deadline or when it says too much.

    Returns:
        Wait status, resource usage, and whether it ran out of time.
    """
    deadline = time.monotonic() + wall_s
    poll_s = SHORTEST_POLL_S
    timed_out = False
    while not timed_out and not any(stream.exceeded for stream in streams):
        ready, _, _ = select.select([stream.source for stream in streams if stream.open], [], [], poll_s)
        for stream in streams:
            if stream.source in ready:
                stream.read()
        poll_s = SHORTEST_POLL_S if ready else min(poll_s * 1.5, LONGEST_POLL_S)
        done, status, usage = os.wait4(pid, os.WNOHANG)
        if done:
            return status, usage, False
        timed_out = time.monotonic() >= deadline
    os.kill(pid, signal.SIGKILL)
    _, status, usage = os.wait4(pid, 0)
    return status, usage, timed_out


def prepare(case: dict[str, Any], folder: str) -> None:
    """Lay out the case's files, and import what is slow to import before the fork."""
    os.mkdir(folder, 0o755)
    for name, text in case["files"].items():
        with open(f"{folder}/{name}", "wb") as file:
            file.write(text.encode("utf-8", "surrogatepass"))
    if os.getuid() == 0:
        os.chown(folder, CASE_UID, CASE_UID)
    for name in PRELOADABLE:
        if name in case["preload"] and name not in sys.modules:
            importlib.import_module(name)
            gc.freeze()
    case["token"] = secrets.token_hex(16)


def run(case: dict[str, Any], number: int) -> dict[str, Any]:
    """Run one case to its end and return the evidence."""
    folder = f"{WORK}/{number}"
    prepare(case, folder)
    limits = case["limits"]
    output, evidence = Stream(limits["output_kb"] << 10), Stream(MAX_EVIDENCE)
    started = time.monotonic()
    pid = os.fork()
    if pid == 0:
        try:
            child(case, folder, output.sink, evidence.sink)
        except BaseException:
            os.write(2, traceback.format_exc().encode())
        finally:
            os._exit(70)
    os.close(output.sink)
    os.close(evidence.sink)
    status, usage, timed_out = watch(pid, (output, evidence), limits["wall_s"])
    wall = time.monotonic() - started
    leftover = len(processes())
    kill_all()
    output.drain()
    evidence.drain()
    wiped = [wipe(place) for place in (WORK, *SCRATCH) if os.path.isdir(place)]
    facts, malformed = parse_evidence(bytes(evidence.data), case["token"])
    end = facts["end"]
    return {
        "type": "evidence",
        "id": case["id"],
        "ended": end is not None and os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0,
        "exit_code": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
        "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
        "timed_out": timed_out,
        "output_exceeded": output.exceeded or evidence.exceeded,
        "leftover_processes": leftover,
        "clean": all(wiped),
        "exitstatus": end["exitstatus"] if end else None,
        "collected": facts["collected"],
        "collect_error": facts["collect_error"],
        "reports": facts["reports"],
        "coverage": end["coverage"] if end else None,
        "malformed_evidence": malformed,
        "output": output.data[: output.cap].decode("utf-8", "replace"),
        "wall_s": wall,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss / 1024,
    }


def main() -> None:
    # A case must not be able to read this process's memory or open its descriptors through /proc.
    ctypes.CDLL(None, use_errno=True).prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    try:
        import coverage  # noqa: F401, PLC0415
    except ImportError as error:
        raise SystemExit(f"the box has no coverage: {error}") from error
    os.umask(0o022)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    gc.collect()
    gc.freeze()
    write_frame({"type": "ready", "python": sys.version.split()[0]})
    number = 0
    while True:
        case = read_frame()
        number += 1
        try:
            evidence = run(case, number)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EAGAIN, errno.ENOMEM):
                raise
            os._exit(4)  # the box cannot go on; the host starts another
        write_frame(evidence)


if __name__ == "__main__":
    main()

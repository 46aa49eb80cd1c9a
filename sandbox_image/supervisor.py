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
    *(f"-pno:{name}" for name in ("unraisableexception", "threadexception", "stepwise", "legacypath", "debugging")),
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
    sys.stdin = open(0, closefd=False)  # noqa: SIM115, PTH123
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


def wipe(folder: str) -> None:
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            os.unlink(entry.path)


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


def run(case: dict[str, Any], number: int) -> dict[str, Any]:
    """Run one case to its end and return the evidence."""
    folder = f"{WORK}/{number}"
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
    limits = case["limits"]
    output_read, output_write = os.pipe()
    evidence_read, evidence_write = os.pipe()
    started = time.monotonic()
    pid = os.fork()
    if pid == 0:
        try:
            child(case, folder, output_write, evidence_write)
        except BaseException:
            os.write(2, traceback.format_exc().encode())
        finally:
            os._exit(70)
    os.close(output_write)
    os.close(evidence_write)

    streams = {output_read: bytearray(), evidence_read: bytearray()}
    caps = {output_read: limits["output_kb"] << 10, evidence_read: MAX_EVIDENCE}
    open_streams = set(streams)
    deadline = started + limits["wall_s"]
    timed_out = exceeded = False
    status, usage = None, None
    poll_s = 0.0005
    while status is None:
        now = time.monotonic()
        if now >= deadline:
            timed_out = True
            break
        ready, _, _ = select.select(list(open_streams), [], [], min(poll_s, deadline - now))
        for stream in ready:
            chunk = os.read(stream, 65_536)
            if not chunk:
                open_streams.discard(stream)
            streams[stream] += chunk
            exceeded |= len(streams[stream]) > caps[stream]
        if exceeded:
            break
        if not open_streams:
            time.sleep(poll_s)
        poll_s = min(poll_s * 1.5, 0.02) if not ready else 0.0005
        done, code, used = os.wait4(pid, os.WNOHANG)
        if done:
            status, usage = code, used
    wall = time.monotonic() - started
    if status is None:
        os.kill(pid, signal.SIGKILL)
        _, status, usage = os.wait4(pid, 0)
    leftover = len(processes())
    kill_all()
    for stream in open_streams:  # what the child wrote just before it ended is still in the pipe
        os.set_blocking(stream, False)
        try:
            while len(streams[stream]) <= caps[stream] and (chunk := os.read(stream, 65_536)):
                streams[stream] += chunk
        except BlockingIOError:
            pass
        exceeded |= len(streams[stream]) > caps[stream]
    os.close(output_read)
    os.close(evidence_read)
    for place in (WORK, *SCRATCH):
        if os.path.isdir(place):
            wipe(place)
    facts, malformed = parse_evidence(bytes(streams[evidence_read]), case["token"])
    end = facts["end"]
    return {
        "type": "evidence",
        "id": case["id"],
        "ended": end is not None and os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0,
        "exit_code": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
        "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
        "timed_out": timed_out,
        "output_exceeded": exceeded,
        "leftover_processes": leftover,
        "exitstatus": end["exitstatus"] if end else None,
        "collected": facts["collected"],
        "collect_error": facts["collect_error"],
        "reports": facts["reports"],
        "coverage": end["coverage"] if end else None,
        "malformed_evidence": malformed,
        "output": streams[output_read][: caps[output_read]].decode("utf-8", "replace"),
        "wall_s": wall,
        "cpu_s": usage.ru_utime + usage.ru_stime if usage else 0.0,
        "peak_mb": usage.ru_maxrss / 1024 if usage else 0.0,
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

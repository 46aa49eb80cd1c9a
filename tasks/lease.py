"""One writer per run: who writes says so in ``<store>/<run>/writer.json``, and others wait.

On a local folder the operating system locks that file, and lets go of it when the process ends, however it ends. On an
object store, which knows no locks, the writer renews the file every few seconds: one that has not changed for a while
is of a writer that is gone. Neither needs a Prefect server: two servers over one store exclude each other as well, and
one that restarts forgets nothing.

Two writers would ask teachers twice. Should they meet all the same, as where tasks of a flow that was killed go on on
a cluster, each commit is whole, and what was made of other inputs is not put in its place (``tasks.artifacts``).
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import BinaryIO

from prefect.runtime import flow_run
from pydantic import BaseModel, ConfigDict, ValidationError

from tasks.errors import RunBusy
from tasks.store import Store

FILE = "writer.json"
BEAT_S = 10.0
"""Between two renewals."""
WAIT_S = 600.0
"""For another writer, where no config says how long."""
GONE_S = 35.0
"""Without a renewal, after which a writer counts as gone: three were missed."""
SETTLE_S = 1.0
"""Until of two that took a free run at once the later one has written."""
_POLL_S = 1.0
_TELL_EVERY_S = 60.0
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP)


class Writer(BaseModel):
    """Who writes a run.

    Attributes:
        host: with the namespace of its process ids, so that they mean something.
        beat: how often it was renewed.
    """

    model_config = ConfigDict(frozen=True)

    token: str
    flow_run: str = ""
    name: str = ""
    host: str
    pid: int
    since: datetime
    beat: int = 0

    @classmethod
    def here(cls) -> Writer:
        """This process, and the flow run that it is in."""
        host = f"{socket.gethostname()}/{os.stat('/proc/self/ns/pid').st_ino}"
        known = {"flow_run": flow_run.id or "", "name": flow_run.name or ""}
        return cls(token=uuid.uuid4().hex, host=host, pid=os.getpid(), since=datetime.now(UTC), **known)

    def __str__(self) -> str:
        who = f"flow run {self.name!r} ({self.flow_run})" if self.flow_run else "a process without a flow run"
        return f"{who} on {self.host.partition('/')[0]}, process {self.pid}, since {self.since:%Y-%m-%d %H:%M:%S} UTC"

    def is_over(self, other: Writer) -> bool:
        """Whether it is known to be gone: it is an earlier attempt of the same flow run, or its process has ended."""
        if self.flow_run and self.flow_run == other.flow_run:
            return True
        return self.host == other.host and not os.path.exists(f"/proc/{self.pid}")


class _Lease:
    """A run that this process may write."""

    def __init__(self, place: tuple[str, str]) -> None:
        self.place = place
        self.taken = threading.Event()


_held: ContextVar[_Lease | None] = ContextVar("lease", default=None)


def check_lease() -> None:
    """See that the run is still this flow run's to write; of one without a lease nothing is known.

    Raises:
        RunBusy: another flow run has taken it, as this one could not renew its lease in time.
    """
    lease = _held.get()
    if lease and lease.taken.is_set():
        store, run = lease.place
        raise RunBusy(
            f"run {run!r} in {store!r} was taken by another flow run, since this one could not renew {FILE} for "
            f"{GONE_S:.0f} s. What was done is kept, and the other one goes on with it"
        )


@contextmanager
def one_writer(store: Store, run: str, wait_s: float, tell: Callable[[str], None]) -> Iterator[None]:
    """Write a run alone; a flow within one that does already is one with it.

    Args:
        wait_s: how long to wait for another writer.
        tell: takes a line for the log, now and then, while it waits.

    Raises:
        RunBusy: the other one was not done by then.
        BadInput: the store cannot be written.
    """
    place = (store.url, run)
    outer = _held.get()
    if outer and outer.place == place:
        yield
        return
    me, lease, queue = Writer.here(), _Lease(place), _Queue(store, run, wait_s, tell)
    with (_locked if store.is_local else _renewed)(store, run, me, queue, lease):
        token = _held.set(lease)
        try:
            yield
        finally:
            _held.reset(token)


def writer_of(store: Store, run: str) -> Writer | None:
    """Who writes a run at the moment, which is told without waiting and hinders nobody; None where nobody does.

    Raises:
        StoreUnavailable: the store cannot be reached.
    """
    writer = _read(store, run)
    if writer is None or writer.is_over(Writer.here()):
        return None
    is_held = _is_locked(store.path(run, FILE)) if store.is_local else None
    return writer if (_is_renewed(store, run) if is_held is None else is_held) else None


def _is_locked(path: str) -> bool | None:
    """Whether somebody has a file locked; None on a filesystem that knows no locks."""
    try:
        with open(path, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return None
    return False


def _is_renewed(store: Store, run: str) -> bool:
    """Whether a writer has renewed its file lately; also where the store does not tell when."""
    written = store.written(run).get(FILE)
    return written is not None and (not written.at or time.time() - written.at < GONE_S)


class _Queue:
    """Waiting for another writer, for a bounded time."""

    def __init__(self, store: Store, run: str, wait_s: float, tell: Callable[[str], None]) -> None:
        self._store, self._run, self._wait_s, self._tell = store, run, wait_s, tell
        self._began = time.monotonic()
        self._tell_at = self._began

    def again(self, writer: Writer | None) -> None:
        """Wait a little.

        Raises:
            RunBusy: for long enough.
        """
        passed = time.monotonic() - self._began
        who = f"run {self._run!r} in {self._store.url!r} is being written by {writer or 'another process'}"
        if passed >= self._wait_s:
            raise RunBusy(
                f"{who}; waited {passed:.0f} s, as long as it may (`busy_wait_s` of a run). Start this again when that "
                f"one is done: it then does what is left. Or cancel that one in the Prefect UI, or have this one write "
                f"elsewhere: --set run=… of a run, another file where it makes one"
            )
        if time.monotonic() >= self._tell_at:
            self._tell(f"{who}: waiting for it, up to {self._wait_s - passed:.0f} s more")
            self._tell_at = time.monotonic() + _TELL_EVERY_S
        time.sleep(min(_POLL_S, self._wait_s - passed))


@contextmanager
def _locked(store: Store, run: str, me: Writer, queue: _Queue, lease: _Lease) -> Iterator[None]:
    path = store.path(run, FILE)
    while True:
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            file = open(path, "a+b")  # noqa: SIM115 - closed below, which lets go of the lock
        except OSError:
            store.check_writable()
            raise
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                queue.again(_read(store, run))
                continue
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    raise
                with _renewed(store, run, me, queue, lease):
                    yield
                return
            if not _is_at(path, file):  # removed with its folder by the one before
                continue
            file.truncate(0)
            file.write(me.model_dump_json().encode())
            file.flush()
            try:
                yield
            finally:
                file.truncate(0)
            return


def _is_at(path: str, file: BinaryIO) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _read(store: Store, run: str) -> Writer | None:
    """Who says to write a run; None where nobody does, or is about to."""
    found = store.find(run, FILE)
    try:
        return Writer.model_validate_json(found) if found else None
    except ValidationError:  # on a local folder it is written in place
        return None


@contextmanager
def _renewed(store: Store, run: str, me: Writer, queue: _Queue, lease: _Lease) -> Iterator[None]:
    seen: Writer | None = None
    seen_at = time.monotonic()
    while True:
        writer = _read(store, run)
        if writer and writer != seen:
            seen, seen_at = writer, time.monotonic()
        if writer and not writer.is_over(me) and time.monotonic() - seen_at < GONE_S:
            queue.again(writer)
            continue
        store.write(me.model_dump_json().encode(), run, FILE)
        time.sleep(SETTLE_S)
        found = _read(store, run)
        if found and found.token == me.token:
            break
    ended = threading.Event()
    thread = threading.Thread(target=_renew, args=(store, run, me, lease, ended), daemon=True, name="lease")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        if not lease.taken.is_set():
            with suppress(Exception):  # where the store is away it runs out by itself
                store.remove(run, FILE)


def _renew(store: Store, run: str, me: Writer, lease: _Lease, ended: threading.Event) -> None:
    beat = 0
    while not ended.wait(BEAT_S):
        try:
            found = _read(store, run)
            if found and found.token != me.token:
                lease.taken.set()
                return
            beat += 1
            store.write(me.model_copy(update={"beat": beat}).model_dump_json().encode(), run, FILE)
        except Exception:  # noqa: S112 - the work finds out for itself what ails the store, and tells it better
            continue

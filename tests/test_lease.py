"""One writer per run, on a local folder and on an object store."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import uuid
from datetime import UTC, datetime

import pytest
import s3fs

from tasks import lease
from tasks.errors import RunBusy
from tasks.lease import FILE, Writer, check_lease, one_writer, writer_of
from tasks.store import Store
from tests.stores.s3 import client, environment, s3_server


@pytest.fixture(scope="module")
def s3():
    with s3_server() as address, pytest.MonkeyPatch.context() as patch:
        for name, value in environment(address).items():
            patch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()  # whose server may be that of other tests, and gone
        client(address).create_bucket(Bucket="leases")
        yield
        s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture(params=["local", "s3"])
def store(request, tmp_path, monkeypatch):
    monkeypatch.setattr(lease, "BEAT_S", 0.1)
    monkeypatch.setattr(lease, "SETTLE_S", 0.05)
    monkeypatch.setattr(lease, "_POLL_S", 0.05)
    monkeypatch.setattr(lease, "GONE_S", 2.0)
    if request.param == "local":
        return Store(str(tmp_path))
    request.getfixturevalue("s3")
    return Store(f"s3://leases/{uuid.uuid4().hex}")


def elsewhere(**changes: object) -> Writer:
    here = Writer.here()
    return here.model_copy(update={"token": uuid.uuid4().hex, "host": "another/1", **changes})


def test_second_writer_waits_until_the_first_is_done(store):
    holds, leave, told, order = threading.Event(), threading.Event(), [], []

    def first() -> None:
        with one_writer(store, "r", 0, told.append):
            holds.set()
            leave.wait()
            order.append("first")

    def tell(line: str) -> None:
        told.append(line)
        leave.set()

    thread = threading.Thread(target=first)
    thread.start()
    holds.wait()
    with (
        pytest.raises(RunBusy, match=f"process {os.getpid()}.*busy_wait_s.*--set run="),
        one_writer(store, "r", 0, tell),
    ):
        pass
    with one_writer(store, "other", 0, tell):  # another run is nobody's business
        assert not told
    with one_writer(store, "r", 60, tell):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]
    assert "is being written by" in told[0]


def test_flow_within_a_writer_is_one_with_it(store):
    with one_writer(store, "r", 0, print), one_writer(store, "r", 0, print):
        check_lease()
    with one_writer(store, "r", 0, print):
        check_lease()


def test_who_writes_is_told_without_hindering_anybody(store):
    assert writer_of(store, "r") is None
    with one_writer(store, "r", 0, print):
        found = writer_of(store, "r")
        assert found is not None and found.pid == os.getpid()
        assert writer_of(store, "other") is None
    assert writer_of(store, "r") is None
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    dead = Writer.here().model_copy(update={"pid": ended.pid})
    store.write(dead.model_dump_json().encode(), "r", FILE)
    assert writer_of(store, "r") is None


def test_writer_elsewhere_writes_as_long_as_it_holds_or_renews_its_file(store, monkeypatch):
    store.write(elsewhere().model_dump_json().encode(), "r", FILE)
    assert (writer_of(store, "r") is None) == store.is_local  # where there are locks, nobody has this one
    monkeypatch.setattr(lease, "GONE_S", -10.0)
    assert writer_of(store, "r") is None


@pytest.mark.parametrize("store", ["s3"], indirect=True)
def test_writer_that_is_known_to_be_gone_is_not_waited_for(store):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    here = Writer.here()
    dead = here.model_copy(update={"token": "t", "pid": ended.pid})
    store.write(dead.model_dump_json().encode(), "r", FILE)
    with one_writer(store, "r", 0, print):
        pass
    assert store.find("r", FILE) is None
    mine = Writer(token="t", flow_run="f", host=socket.gethostname(), pid=1, since=datetime.now(UTC))
    assert mine.is_over(elsewhere(flow_run="f"))
    assert not mine.is_over(elsewhere(flow_run="g"))


@pytest.mark.parametrize("store", ["s3"], indirect=True)
def test_writer_that_renews_no_longer_counts_as_gone(store):
    told: list[str] = []
    store.write(elsewhere().model_dump_json().encode(), "r", FILE)
    with one_writer(store, "r", 60, told.append):
        check_lease()
    assert len(told) == 1


@pytest.mark.parametrize("store", ["s3"], indirect=True)
def test_writer_that_was_replaced_finds_out(store):
    with one_writer(store, "r", 0, print):
        usurper = elsewhere().model_dump_json().encode()
        taken = threading.Event()

        def look() -> None:
            while not taken.wait(0.05):
                store.write(usurper, "r", FILE)

        thread = threading.Thread(target=look)
        thread.start()
        lease_of = lease._held.get()
        assert lease_of is not None
        assert lease_of.taken.wait(30)
        taken.set()
        thread.join()
        with pytest.raises(RunBusy, match="taken by another flow run"):
            check_lease()
    assert store.find("r", FILE) == usurper

"""A store on S3: what is read and written, what fails for good, and what passes."""

from __future__ import annotations

import threading
import uuid

import pytest
from fsspec.config import conf
from prefect.blocks.system import Secret

from tasks import filesystems
from tasks.errors import BadInput, StoreFull, StoreUnavailable
from tasks.filesystems import use_options
from tasks.store import Store
from tests.stores.s3 import KEY, REGION, SECRET, Fault, client


@pytest.mark.parametrize("prefix", ["", "/deep/er"])
def test_files_are_written_read_listed_and_removed(bucket, prefix):
    store = Store(f"s3://{bucket}{prefix}")
    store.check_writable()
    assert store.names("run") == []
    assert store.find("run", "a.json") is None
    store.write(b"1", "run", "a.json")
    store.write(b"2", "run", "deep", "b.json")
    assert store.names("run") == ["a.json", "deep"]
    assert store.read("run", "a.json") == b"1"
    with store.open("run", "deep", "b.json") as file:
        assert file.read() == b"2"
    store.remove("run", "a.json")
    store.remove("run", "a.json")
    assert not store.exists("run", "a.json")
    assert store.names("run") == ["deep"]
    with pytest.raises(StoreUnavailable, match=r"a.json' is gone, although it was written"):
        store.read("run", "a.json")


def test_what_another_client_wrote_is_seen_at_once(bucket, s3):
    store = Store(f"s3://{bucket}/p")
    store.write(b"1", "run", "a")
    assert store.names("run") == ["a"]
    client(s3).put_object(Bucket=bucket, Key="p/run/b", Body=b"2")
    assert store.names("run") == ["a", "b"]
    client(s3).delete_object(Bucket=bucket, Key="p/run/a")
    assert store.names("run") == ["b"]
    assert not store.exists("run", "a") and store.find("run", "a") is None


@pytest.mark.parametrize("kind", ["s3", "local", "memory"])
def test_of_several_that_create_a_file_one_succeeds(far, tmp_path, kind):
    place = f"{uuid.uuid4().hex}/x"
    store = Store({"s3": f"s3://{far}/p", "local": str(tmp_path), "memory": f"memory://{place}"}[kind])
    together, made = threading.Barrier(6), []

    def create(number):
        together.wait()
        if store.create(str(number).encode(), "run", "claim"):
            made.append(number)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    if kind != "memory":  # which checks before it writes
        assert len(made) == 1
    assert int(store.read("run", "claim")) in made
    assert not store.create(b"x", "run", "claim")
    assert store.names("run") == ["claim"]


FAULTS = {
    "throttled": Fault(503),
    "failing": Fault(500, "InternalError"),
    "torn before": Fault(reset="before"),
    "torn after": Fault(reset="after"),
    "slow": Fault(delay_s=0.2),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failure_that_passes_is_not_noticed(far, proxy, fault):
    store = Store(f"s3://{far}/p")
    for work in (
        lambda: store.write(b"data", "a"),
        lambda: store.read("a") == b"data" or pytest.fail("other bytes"),
        lambda: store.names() == ["a"] or pytest.fail("other names"),
        lambda: store.remove("a"),
    ):
        proxy.faults.append(FAULTS[fault])
        work()
        assert not proxy.faults
    assert store.names() == []


def test_a_store_that_keeps_failing_is_told_and_worth_a_retry(far, proxy):
    store = Store(f"s3://{far}/p")
    proxy.always = Fault(503)
    with pytest.raises(StoreUnavailable, match=r"failed to write '.*/p/run/a'.*run the same command again"):
        store.write(b"data", "run", "a")
    proxy.always = None
    assert store.names("run") == []


@pytest.mark.parametrize(
    ("code", "status", "why"),
    [
        ("AccessDenied", 403, "the key may not do this"),
        ("InvalidAccessKeyId", 403, "the key is not known there"),
        ("SignatureDoesNotMatch", 403, "the secret does not belong to the key"),
        ("ExpiredToken", 400, "the token has expired"),
        ("AuthorizationHeaderMalformed", 400, "the region is another"),
    ],
)
def test_what_no_retry_mends_is_bad_input(far, proxy, code, status, why):
    proxy.always = Fault(status, code)
    with pytest.raises(BadInput, match=why) as caught:
        Store(f"s3://{far}/p").check_writable()
    assert "AWS_" in str(caught.value) and SECRET not in str(caught.value)
    assert sum(proxy.asked.values()) <= 2


@pytest.mark.parametrize(("code", "status"), [("XMinioStorageFull", 507), ("QuotaExceeded", 403)])
def test_a_store_without_space_is_told(far, proxy, code, status):
    proxy.always = Fault(status, code)
    with pytest.raises(StoreFull, match=r"the store is full.*goes on where it stopped"):
        Store(f"s3://{far}/p").write(b"data", "a")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("s3://no-such-bucket-of-kodforge/p", "there is no such bucket"),
        ("s3://Not_A_Name!/p", "no name of a bucket"),
        ("s4://bucket/p", "cannot be opened"),
    ],
)
def test_a_place_that_is_none_is_refused_before_any_work(bucket, url, why):
    with pytest.raises(BadInput, match=why):
        Store(url).check_writable()


def test_a_bucket_that_goes_in_mid_run_is_told(bucket, s3):
    store = Store(f"s3://{bucket}/p")
    store.write(b"1", "a")
    client(s3).delete_object(Bucket=bucket, Key="p/a")
    client(s3).delete_bucket(Bucket=bucket)
    for work in (lambda: store.find("a"), store.names, lambda: store.write(b"1", "a")):
        with pytest.raises(BadInput, match="there is no such bucket"):
            work()


def test_without_a_key_it_is_said_how_to_give_one(bucket, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(BadInput, match=r"there is no key.*AWS_"):
        Store(f"s3://{bucket}/p").check_writable()


@pytest.fixture
def fresh_options(monkeypatch):
    """No options of stores but those that the test gives."""
    monkeypatch.setattr(filesystems, "_applied", set())
    monkeypatch.setitem(conf, "s3", {})


def test_keys_come_from_a_block(prefect_here, bucket, s3, fresh_options, monkeypatch, caplog):
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    options = {"key": KEY, "secret": SECRET, "endpoint_url": s3, "client_kwargs": {"region_name": REGION}}
    Secret(value={"s3": options}).save("lab-store")
    monkeypatch.setenv(filesystems.BLOCK, "lab-store")
    store = Store(f"s3://{bucket}/p")
    store.write(b"1", "a")
    assert client(s3).get_object(Bucket=bucket, Key="p/a")["Body"].read() == b"1"
    assert SECRET not in caplog.text + repr(store) + str(vars(store))


@pytest.mark.parametrize("value", ["no json {", '["a"]', {"s3": "key"}])
def test_a_block_that_holds_no_options_is_told_and_not_shown(prefect_here, fresh_options, value):
    Secret(value=value).save("wrong-store", overwrite=True)
    with pytest.raises(BadInput, match="'wrong-store' holds no options of stores by their protocol") as caught:
        use_options("wrong-store")
    assert str(value) not in str(caught.value)
    with pytest.raises(BadInput, match="there is no Prefect Secret block 'none-such'"):
        use_options("none-such")

"""A real S3 API, a bucket of its own for each test, and a proxy that fails."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
import s3fs

from tests.stores.s3 import Proxy, client, environment, proxied, s3_server


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The address of the server."""
    with s3_server() as address:
        yield address


@pytest.fixture
def bucket(s3: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of an empty bucket, which this process reaches by its environment."""
    yield from _bucket(s3, s3, monkeypatch)


@pytest.fixture
def proxy(s3: str) -> Iterator[Proxy]:
    with proxied(s3) as made:
        yield made


@pytest.fixture
def far(s3: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """As ``bucket``, through the proxy."""
    yield from _bucket(s3, proxy.url, monkeypatch)


def _bucket(server: str, address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name, value in environment(address).items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    name = f"b-{uuid.uuid4().hex[:12]}"
    client(server).create_bucket(Bucket=name)
    yield name
    s3fs.S3FileSystem.clear_instance_cache()

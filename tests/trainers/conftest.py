"""Trainers in environments of their own load what was exported, with a real sandbox behind their rewards.

`make test-trainers` makes the environments and names their folder in KODFORGE_TRAINERS; without it nothing here is
collected.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tasks.exports.export import export
from tasks.settings.exports import ExportFormat
from tests.exports.releases import SOLUTION, fenced, write_release

TRAINERS = os.environ.get("KODFORGE_TRAINERS", "")
collect_ignore_glob = [] if TRAINERS else ["test_*.py"]
PROGRAMS = Path(__file__).parent / "programs"
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "WANDB_MODE": "disabled", "CUDA_VISIBLE_DEVICES": ""}
USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
Run = Callable[..., str]


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_release(tmp_path_factory.mktemp("release"))


@pytest.fixture
def exported(release: Path, tmp_path: Path) -> Callable[[ExportFormat], Path]:
    """The folder of an export, alone in a folder of its own."""

    def one(to: ExportFormat) -> Path:
        folder = tmp_path / to.replace("-", "_") / "kodforge_code"
        export(str(release), to, folder)
        return folder

    return one


@pytest.fixture(scope="session")
def rewards() -> Iterator[dict[str, str]]:
    """A rewards server with a real sandbox, as the environment variables that name it."""
    command = [sys.executable, "-m", "flows.cli", "serve-rewards", "--port", "0", "--jobs", "2"]
    environment = {**os.environ, "KODFORGE_REWARDS_KEY": "secret", "COLUMNS": "200", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
        try:
            said = server.stdout.readline()
            address = re.search(r"http://[\d.]+:\d+", said)
            assert address, said
            yield {"KODFORGE_REWARDS_URL": address[0], "KODFORGE_REWARDS_KEY": "secret"}
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(60)


class Model(http.server.BaseHTTPRequestHandler):
    """An OpenAI-compatible endpoint that answers every question with one piece of code."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        said = {"role": "assistant", "content": f"Here it is.\n\n{fenced(SOLUTION)}"}
        about = {"id": "1", "created": 0, "model": "m"}
        choice = {"index": 0, "finish_reason": "stop"}
        if asked.get("stream"):
            chunk = {**about, "object": "chat.completion.chunk", "choices": [{**choice, "delta": said}], "usage": USAGE}
            kind, body = "text/event-stream", f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n"
        else:
            whole = {**about, "object": "chat.completion", "choices": [{**choice, "message": said}], "usage": USAGE}
            kind, body = "application/json", json.dumps(whole)
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        server.shutdown()


@pytest.fixture(scope="module")
def run(request: pytest.FixtureRequest, rewards: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run a program of a trainer's environment; what it wrote. The environment is that of the test module."""
    cache = tmp_path_factory.mktemp("cache")
    binaries = Path(TRAINERS).absolute() / request.module.TRAINER / "bin"

    def one(*command: str | Path, cwd: Path, **environment: str) -> str:
        path = {"PATH": f"{binaries}:{os.environ['PATH']}", "HF_HOME": str(cache), "PYTHONSAFEPATH": ""}
        told = cache / "output.txt"
        with told.open("w") as output:  # a pipe would wait for what a trainer leaves behind, too
            process = subprocess.Popen(
                list(map(str, command)),
                cwd=cwd,
                env={**os.environ, **OFFLINE, **rewards, **path, **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                status = process.wait(900)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        said = told.read_text(errors="replace")
        assert status == 0, said[-20000:]
        return said

    return one


@pytest.fixture(scope="module")
def tiny_model(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of two layers with random weights, and a tokenizer that was made from the rows."""
    folder = tmp_path_factory.mktemp("tiny")
    run("python", PROGRAMS / "tiny_model.py", folder, cwd=folder)
    return folder

"""A checkpoint behind an OpenAI-compatible endpoint on loopback, for as long as it is evaluated."""

from __future__ import annotations

import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tasks.errors import TeacherUnavailable
from tasks.settings import Serving, Training
from tasks.training.process import interpreter, last_words, start, stop

TRANSFORMERS_SERVE = ("fastapi", "uvicorn", "openai")
"""What `transformers serve` needs beside what training needs."""


@contextmanager
def served(model: Path | str, name: str, log: Path, serving: Serving, training: Training) -> Iterator[str]:
    """Serve weights; yields the base URL, as in ``http://127.0.0.1:43210/v1``.

    Args:
        model: a folder, which the server's working directory has under ``name``; or a hub id, which ``name`` must be.
        name: what requests call the model. Answers are kept by it, so no two models may share one.
        log: what the server prints goes there.

    Raises:
        BadInput: the command cannot be started.
        TeacherUnavailable: the server ended or was not ready in time; its last words are in the message.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    places = {"python": interpreter(training), "model": str(model), "name": name, "port": port}
    with tempfile.TemporaryDirectory(prefix="kodforge-serving-") as folder, log.open("wb") as words:
        if isinstance(model, Path):
            (Path(folder) / name).symlink_to(model.absolute(), target_is_directory=True)
        command = [part.format(**places) for part in serving.command]
        process = start(command, words, training.threads, folder)
        try:
            deadline = time.monotonic() + serving.start_s
            while not _ready(f"http://127.0.0.1:{port}{serving.health}"):
                if process.poll() is not None:
                    raise TeacherUnavailable(
                        f"the server of {name} ended with status {process.returncode} as it started. Check "
                        f"serving.command; its log is {log} and ends:\n{last_words(log)}"
                    )
                if time.monotonic() > deadline:
                    raise TeacherUnavailable(
                        f"the server of {name} was not ready within serving.start_s, {serving.start_s:g} s. Its log is "
                        f"{log} and ends:\n{last_words(log)}"
                    )
                time.sleep(0.3)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            stop(process)


def _ready(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == 200
    except httpx.TransportError:
        return False

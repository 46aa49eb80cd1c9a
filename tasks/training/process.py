"""The host's side of a training: a process of its own, its log, and what its end means."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tasks.errors import BadInput, KodforgeError
from tasks.settings import Training

TRAINER = Path(__file__).with_name("trainer.py")
LIBRARIES = ("torch", "transformers", "trl", "peft", "datasets", "accelerate")
_TAIL_LINES = 15


class TrainingFailed(KodforgeError):
    """The process that trains ended before it was done; its last words are in the message."""


@dataclass(frozen=True)
class Step:
    """One optimiser step. ``loss`` is the mean over the tokens of its completions, in nats."""

    step: int
    steps: int
    loss: float
    learning_rate: float
    grad_norm: float
    seconds: float


def interpreter(training: Training) -> str:
    """The Python that trains and serves."""
    return training.python or sys.executable


@cache
def check_interpreter(python: str, needed: tuple[str, ...] = LIBRARIES) -> None:
    """See that an interpreter has what training needs, without importing it.

    Raises:
        BadInput: it cannot be started, or a library is missing.
    """
    code = (
        "import importlib.util, sys; print([n for n in sys.argv[1:] if importlib.util.find_spec(n) is None]); "
        "print(sys.version_info >= (3, 10))"
    )
    try:
        done = subprocess.run([python, "-c", code, *needed], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise BadInput(
            f"training.python is {python!r}, which cannot be started ({error}). Give the path of a Python interpreter"
        ) from error
    missing = json.loads(done.stdout.splitlines()[0].replace("'", '"'))
    if missing:
        where = "this Python" if python == sys.executable else python
        raise BadInput(
            f"training needs {', '.join(missing)}, which {where} has not. Install it: pip install 'kodforge[train]', "
            f"or name an interpreter that has it: --set training.python=/path/to/python"
        )


def check_program(command: Sequence[str], setting: str) -> None:
    """See that a command's program is there; one that begins with the interpreter is, and so is none.

    Raises:
        BadInput: it is not.
    """
    if command and command[0] != "{python}" and shutil.which(command[0]) is None:
        raise BadInput(f"{setting} begins with {command[0]!r}, which is not installed. Install it, or give its path")


def run_trainer(job: dict[str, Any], folder: Path, training: Training, stepped: Callable[[Step], None]) -> None:
    """Train in a process of its own; what it prints goes to ``trainer.log`` in the folder.

    Args:
        job: as ``trainer.py`` describes it.
        folder: the job's ``out``.
        stepped: called with each optimiser step, soon after it.

    Raises:
        TrainingFailed: the process ended before it was done.
    """
    python = interpreter(training)
    path = folder / "job.json"
    path.write_text(json.dumps(job, indent=1))
    command = [part.format(python=python) for part in training.launcher] or [python]
    log = folder / "log.jsonl"
    seen = len(read_log(log))
    with (folder / "trainer.log").open("ab") as words:
        process = start([*command, str(TRAINER), str(path)], words, training.threads)
        try:
            while process.poll() is None:
                time.sleep(0.2)
                seen = _tell(log, seen, stepped)
        finally:
            stop(process)
    _tell(log, seen, stepped)
    if process.returncode or not (folder / "training.json").is_file():
        raise TrainingFailed(_why(process.returncode, folder / "trainer.log"))
    shutil.rmtree(folder / "states", ignore_errors=True)


def start(
    command: list[str], words: Any, threads: int | None = None, folder: str | None = None
) -> subprocess.Popen[bytes]:
    """Start a process in a group of its own, without the keys of this one's environment.

    Raises:
        BadInput: there is no such program.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KODFORGE_", "PREFECT_"))}
    if threads:
        kept |= {"OMP_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "false"}
    try:
        return subprocess.Popen(
            command, stdout=words, stderr=words, stdin=subprocess.DEVNULL, env=kept, cwd=folder, start_new_session=True
        )
    except OSError as error:
        raise BadInput(f"{command[0]!r} cannot be started: {error}. Check training.launcher and serving.command") from (
            error
        )


def stop(process: subprocess.Popen[bytes], patience_s: float = 10) -> None:
    """End a process and all that it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(patience_s)
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def last_words(log: Path) -> str:
    """The end of what a process printed."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() if log.is_file() else []
    return "\n".join(lines[-_TAIL_LINES:])


def _why(status: int, log: Path) -> str:
    if status == -signal.SIGKILL:
        return (
            f"the training was killed, most likely for want of memory. Lower training.device_batch or training.tokens, "
            f"or turn training.gradient_checkpointing on. Its log is {log}"
        )
    return f"the training ended with status {status}. Its log is {log} and ends:\n{last_words(log)}"


def read_log(log: Path) -> list[Step]:
    """The steps of a training so far; a line that is still being written is left out."""
    if not log.is_file():
        return []
    return [Step(**json.loads(line)) for line in log.read_text(encoding="utf-8").split("\n")[:-1]]


def _tell(log: Path, seen: int, stepped: Callable[[Step], None]) -> int:
    steps = read_log(log)
    for step in steps[seen:]:
        stepped(step)
    return len(steps)

"""The libraries inside the box, from the same pins for every backend; bubblewrap sees them in a folder of its own."""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib import resources
from pathlib import Path

from uv import find_uv_bin

from tasks.errors import SandboxUnavailable

BOX_PACKAGE = Path(str(resources.files("sandbox_image")))
REQUIREMENTS = BOX_PACKAGE / "requirements.txt"
LAYERS = BOX_PACKAGE / "layers"
_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def cache_folder() -> Path:
    """Where site folders are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kodforge"


def run_command(command: list[str], doing: str) -> str:
    """What a command prints.

    Raises:
        SandboxUnavailable: it failed.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SandboxUnavailable(f"{doing} failed: {(done.stderr or done.stdout).strip()[-1500:]}")
    return done.stdout.strip()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Two processes that need the same folder make it once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _requirements(layers: Sequence[str]) -> list[Path]:
    return [REQUIREMENTS, *(LAYERS / f"{layer}.txt" for layer in layers)]


@cache
def site_folder(python: str = _PYTHON, layers: tuple[str, ...] = ()) -> Path:
    """The box's own libraries, installed on first use.

    Args:
        python: version, such as ``3.12``.
        layers: optional libraries beside the usual ones.

    Raises:
        SandboxUnavailable: they cannot be installed.
    """
    pins = hashlib.sha256(b"".join(path.read_bytes() for path in _requirements(layers))).hexdigest()[:12]
    folder = cache_folder() / f"site-{python}-{platform.machine()}-{pins}"
    with _locked(folder.with_suffix(".lock")):
        if folder.is_dir():
            return folder
        for stale in folder.parent.glob(f"{folder.name}.*/"):  # of a process that was killed: the lock is ours
            shutil.rmtree(stale, ignore_errors=True)
        partial = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
        try:
            # One after another: only the usual libraries have hashes, as a layer may come from an index of its own.
            for path in _requirements(layers):
                run_command(
                    [
                        *(find_uv_bin(), "pip", "install", "--quiet", "--target", str(partial)),
                        *("--python", sys.executable, "--python-version", python, "--only-binary", ":all:"),
                        *("--link-mode", "copy", "-r", str(path)),
                        *(["--require-hashes"] if path == REQUIREMENTS else ["--constraint", str(REQUIREMENTS)]),
                    ],
                    f"installing the sandbox's libraries of {path.name}",
                )
            if python == _PYTHON:
                # The box sees them read-only; without .pyc each case would compile what it imports.
                compile_all = ["compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash", "."]
                subprocess.run([sys.executable, "-m", *compile_all], cwd=partial, check=False, capture_output=True)
            partial.chmod(0o755)
            partial.rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return folder


@cache
def site_digest(layers: tuple[str, ...] = ()) -> str:
    """What a verdict of the bubblewrap backend records: pins, supervisor and interpreter."""
    pins = b"".join(path.read_bytes() for path in _requirements(layers))
    content = pins + supervisor_digest().encode() + sys.version.encode()
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def supervisor_digest() -> str:
    """Tells an image that was built with another supervisor from one that fits this version of the host's side."""
    modules = sorted(BOX_PACKAGE.glob("*.py"))
    return hashlib.sha256(b"".join(path.name.encode() + path.read_bytes() for path in modules)).hexdigest()

"""The libraries inside the box: a site folder for bubblewrap, an image for Docker, both from the same pins."""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import resources
from pathlib import Path

import docker
from docker.errors import DockerException, ImageNotFound
from uv import find_uv_bin

from tasks.errors import BadInput, SandboxUnavailable

BOX_PACKAGE = Path(str(resources.files("sandbox_image")))
REQUIREMENTS = BOX_PACKAGE / "requirements.txt"
DOCKERFILE = BOX_PACKAGE / "Dockerfile"
DEBOOTSTRAP = "debootstrap"
SUPERVISOR_LABEL = "kodforge.supervisor"


def cache_folder() -> Path:
    """Where site folders are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kodforge"


def _run(command: list[str], doing: str) -> str:
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


@cache
def site_folder(python: str = f"{sys.version_info.major}.{sys.version_info.minor}") -> Path:
    """The box's own libraries for a Python version such as ``3.12``, installed on first use.

    Raises:
        SandboxUnavailable: they cannot be installed.
    """
    pins = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
    folder = cache_folder() / f"site-{python}-{platform.machine()}-{pins}"
    with _locked(folder.with_suffix(".lock")):
        if folder.is_dir():
            return folder
        partial = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
        try:
            _run(
                [
                    *(find_uv_bin(), "pip", "install", "--quiet", "--target", str(partial)),
                    *("--python", sys.executable, "--python-version", python, "--only-binary", ":all:"),
                    *("--link-mode", "copy", "--require-hashes", "-r", str(REQUIREMENTS)),
                ],
                "installing the sandbox's libraries",
            )
            if python == f"{sys.version_info.major}.{sys.version_info.minor}":
                # The box sees them read-only; without .pyc each case would compile what it imports.
                compile_all = [
                    sys.executable,
                    "-m",
                    "compileall",
                    "-q",
                    "--invalidation-mode",
                    "unchecked-hash",
                    ".",
                ]
                subprocess.run(compile_all, cwd=partial, check=False, capture_output=True)
            partial.chmod(0o755)
            partial.rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return folder


@cache
def site_digest() -> str:
    """What a verdict of the bubblewrap backend records: pins, supervisor and interpreter."""
    content = REQUIREMENTS.read_bytes() + supervisor_digest().encode() + sys.version.encode()
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def supervisor_digest() -> str:
    """Tells an image that was built with another supervisor from one that fits this version of the host's side."""
    modules = sorted(BOX_PACKAGE.glob("*.py"))
    return hashlib.sha256(b"".join(path.name.encode() + path.read_bytes() for path in modules)).hexdigest()


def docker_client() -> docker.DockerClient:
    """Raises:
    SandboxUnavailable: no daemon answers.
    """
    try:
        client = docker.from_env(timeout=120)
        client.ping()
    except DockerException as error:
        raise SandboxUnavailable(
            f"no Docker daemon answers ({error}). Start one, or set sandbox.backend to bubblewrap"
        ) from error
    return client


def _debian_base(client: docker.DockerClient) -> str:
    """Import a minimal Debian with Python 3 as an image; for where no registry answers."""
    tag = "kodforge-base:debian"
    try:
        client.images.get(tag)
    except ImageNotFound:
        tool = next((name for name in ("mmdebstrap", "debootstrap") if shutil.which(name)), None)
        if tool is None:
            raise BadInput(
                "neither mmdebstrap nor debootstrap is installed. Install one (apt-get install mmdebstrap)"
            ) from None
        with tempfile.TemporaryDirectory() as folder:
            archive = Path(folder) / "root.tar"
            packages = "--include=python3,libstdc++6,ca-certificates"
            if tool == "mmdebstrap":
                _run([tool, "--variant=minbase", packages, "bookworm", str(archive)], "making a Debian base")
            else:
                root = Path(folder) / "root"
                _run([tool, "--variant=minbase", packages, "bookworm", str(root)], "making a Debian base")
                _run(["tar", "-C", str(root), "-cf", str(archive), "."], "packing the Debian base")
            _run(["docker", "import", str(archive), tag], "importing the Debian base")
    return tag


def build_image(base: str, tag: str) -> str:
    """Build the sandbox image and return its id.

    Args:
        base: an image with Python 3, or ``debootstrap``.

    Raises:
        SandboxUnavailable: no daemon, no such base image, or the build failed.
    """
    client = docker_client()
    try:
        image = _debian_base(client) if base == DEBOOTSTRAP else base
        if base != DEBOOTSTRAP:
            try:
                client.images.get(image)
            except ImageNotFound:
                client.images.pull(image)
        version = client.containers.run(
            image,
            ["-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            entrypoint="python3",
            remove=True,
            network_mode="none",
        )
        with tempfile.TemporaryDirectory() as folder:
            context = Path(folder)
            shutil.copytree(site_folder(version.decode().strip()), context / "site")
            shutil.copytree(
                BOX_PACKAGE, context / "code" / BOX_PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__")
            )
            shutil.copy(DOCKERFILE, context)
            built, _ = client.images.build(
                path=folder,
                tag=tag,
                buildargs={"BASE": image},
                rm=True,
                network_mode="none",
                labels={SUPERVISOR_LABEL: supervisor_digest()},
            )
    except DockerException as error:
        raise SandboxUnavailable(
            f"the image {tag!r} cannot be built from {base!r}: {error}. Where no registry answers, use "
            f"`kodforge sandbox build --base debootstrap`"
        ) from error
    return str(built.id)

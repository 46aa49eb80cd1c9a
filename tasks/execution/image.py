"""The sandbox image: which daemon has it, whether it fits, and how it is built."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import docker
from docker.context import ContextAPI
from docker.errors import DockerException, ImageNotFound

from tasks.errors import BadInput, SandboxUnavailable
from tasks.execution.environment import BOX_PACKAGE, run_command, site_folder, supervisor_digest

DOCKERFILE = BOX_PACKAGE / "Dockerfile"
DEBOOTSTRAP = "debootstrap"
_SUPERVISOR, _LAYERS = "kodforge.supervisor", "kodforge.layers"
_TIMEOUT_S = 120


def docker_client() -> docker.DockerClient:
    """A client of the daemon that the ``docker`` command would use: DOCKER_HOST, DOCKER_CONTEXT, the current context.

    Raises:
        SandboxUnavailable: no daemon answers.
    """
    where = "DOCKER_HOST"
    try:
        if os.environ.get("DOCKER_HOST"):
            client = docker.from_env(timeout=_TIMEOUT_S, use_ssh_client=True)
        else:
            client, where = _client_of_context()
        client.ping()
    except DockerException as error:
        raise SandboxUnavailable(
            f"no Docker daemon answers at {where} ({error}). Start one, or set sandbox.backend to bubblewrap"
        ) from error
    return client


def _client_of_context() -> tuple[docker.DockerClient, str]:
    name = os.environ.get("DOCKER_CONTEXT", "")
    context = ContextAPI.get_context(name or None)
    if context is None:
        raise SandboxUnavailable(
            f"there is no Docker context {name!r}. `docker context ls` lists them; they are found only where Docker's "
            f"config folder has a config.json, which may be {{}}"
        )
    if context.Name == "default":
        return docker.from_env(timeout=_TIMEOUT_S), "the default context"
    options: dict[str, Any] = {"tls": context.TLSConfig} if context.TLSConfig else {}
    client = docker.DockerClient(context.Host, timeout=_TIMEOUT_S, use_ssh_client=True, **options)
    return client, f"context {context.Name!r}"


def image_id(image: str, layers: Sequence[str] = ()) -> str:
    """The id of a sandbox image that fits this version.

    Raises:
        SandboxUnavailable: no daemon, no such image, or one built with another supervisor or without the layers.
    """
    wanted = "".join(f" --layer {layer}" for layer in layers)
    build = f"kodforge sandbox build{wanted} (--base debootstrap where no registry answers)"
    try:
        found = docker_client().images.get(image)
    except ImageNotFound as error:
        raise SandboxUnavailable(f"Docker has no image {image!r}. Build it: {build}") from error
    except DockerException as error:
        raise SandboxUnavailable(f"Docker fails: {error}") from error
    if found.labels.get(_SUPERVISOR) != supervisor_digest():
        raise SandboxUnavailable(
            f"the image {image!r} was built by another version of kodforge. Build it anew: {build}"
        )
    if missing := sorted({*layers} - {*found.labels.get(_LAYERS, "").split(",")}):
        raise SandboxUnavailable(f"the image {image!r} has no layer {missing[0]!r}. Build it: {build}")
    return str(found.id)


def has_image(image: str, layers: Sequence[str] = ()) -> bool:
    """Whether a daemon answers and has a fitting image."""
    try:
        image_id(image, layers)
    except SandboxUnavailable:
        return False
    return True


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
                run_command([tool, "--variant=minbase", packages, "bookworm", str(archive)], "making a Debian base")
            else:
                root = Path(folder) / "root"
                run_command([tool, "--variant=minbase", packages, "bookworm", str(root)], "making a Debian base")
                run_command(["tar", "-C", str(root), "-cf", str(archive), "."], "packing the Debian base")
            run_command(["docker", "import", str(archive), tag], "importing the Debian base")
    return tag


def build_image(base: str, tag: str, layers: tuple[str, ...] = ()) -> str:
    """Build the sandbox image and return its id.

    Args:
        base: an image with Python 3, or ``debootstrap``.
        layers: optional libraries, such as ``torch``.

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
            shutil.copytree(site_folder(version.decode().strip(), layers), context / "site")
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
                labels={_SUPERVISOR: supervisor_digest(), _LAYERS: ",".join(layers)},
            )
    except DockerException as error:
        raise SandboxUnavailable(
            f"the image {tag!r} cannot be built from {base!r}: {error}. Where no registry answers, use "
            f"`kodforge sandbox build --base debootstrap`"
        ) from error
    return str(built.id)

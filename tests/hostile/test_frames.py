"""What a box may send: anything. The host takes genuine frames, and calls all others trouble with the sandbox."""

from __future__ import annotations

import json
import os
import pickle
import random
import struct
import subprocess
import sys
import time

import pytest

from tasks.errors import SandboxUnavailable
from tasks.execution.box import Box, PipeTransport
from tasks.execution.protocol import Case, Kind, Limits

READY = {"python": "3.12.1"}
DONE = {
    **{"number": 1, "exit_code": 0, "signal": None, "solution_end": None, "timed_out": False},
    **{"output_exceeded": False, "leftover_processes": 0, "clean": True},
    **{"wall_s": 1.0, "cpu_s": 1.0, "peak_mb": 1.0},
}
CASE = Case(files={}, limits=Limits(wall_s=0.1, memory_mb=64, output_kb=1, processes=1, disk_mb=1))


def framed(content: object, kind: bytes = b"D") -> bytes:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return struct.pack(">cI", kind, len(data)) + data


def box_that_says(data: bytes, tmp_path) -> Box:
    """A process in the place of a box, which sends given bytes and then waits."""
    path = tmp_path / "said"
    path.write_bytes(data)
    script = f"import sys, time; sys.stdout.buffer.write(open({str(path)!r}, 'rb').read()); "
    script += "sys.stdout.flush(); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    return Box(PipeTransport(process, "false"))


def answer(data: bytes, tmp_path):
    box = box_that_says(framed(READY, b"R") + data, tmp_path)
    try:
        return box.run(Kind.APART, CASE)
    finally:
        box.close()


def test_genuine_frames_are_taken(tmp_path):
    data = framed(b"one ", b"O") + framed(b"fact", b"S") + framed(b"two\xff", b"O") + framed(DONE)
    evidence = answer(data, tmp_path)
    assert (evidence.exit_code, evidence.output, evidence.said) == (0, "one two\N{REPLACEMENT CHARACTER}", "fact")


@pytest.mark.parametrize(
    "data",
    [
        struct.pack(">cI", b"D", 1 << 20),
        struct.pack(">cI", b"S", 0xFFFFFFFF) + b"x" * 100,
        framed(b"x" * 1025, b"O"),
        framed(b"x" * 700, b"O") * 2,
        framed(b"x", b"?"),
        framed(READY, b"R"),
        framed(b""),
        framed(b"null"),
        framed(b"[" * 50_000),
        framed(b"\xff\xfe"),
        framed(b"{"),
        framed(pickle.dumps(DONE)),
        framed([DONE]),
        framed({**DONE, "number": 2}),
        framed({**DONE, "exit_code": "0"}),
        framed({**DONE, "timed_out": 0}),
        framed({**DONE, "wall_s": None}),
        framed({**DONE, "verdict": "passed"}),
        framed({name: value for name, value in DONE.items() if name != "clean"}),
    ],
    ids=range(19),
)
def test_any_other_frame_is_trouble_with_the_sandbox(data, tmp_path):
    with pytest.raises(SandboxUnavailable):
        answer(data, tmp_path)


def test_truncated_frames_do_not_hang(tmp_path, monkeypatch):
    monkeypatch.setattr("tasks.execution.box.GRACE_S", 0.2)
    whole = framed(b"said", b"S") + framed(DONE)
    for cut in (0, 1, 4, 5, 7, 9, 13, 14, len(whole) - 1):
        started = time.monotonic()
        with pytest.raises(SandboxUnavailable):
            answer(whole[:cut], tmp_path)
        assert time.monotonic() - started < 10


def test_mutated_frames_never_do_more_than_raise(tmp_path):
    """Each byte may change: what comes out is evidence of the right shape, or SandboxUnavailable."""
    dice = random.Random(7)
    genuine = json.dumps(DONE).encode()
    mutated = []
    for _ in range(300):
        data = bytearray(genuine)
        for _ in range(dice.randint(1, 4)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        mutated.append(bytes(data))
    box = box_that_says(framed(READY, b"R") + b"".join(map(framed, mutated)), tmp_path)
    taken = 0
    try:
        for _ in mutated:
            box.cases = 0
            try:
                taken += box.run(Kind.APART, CASE).clean is True
            except SandboxUnavailable:
                continue
    finally:
        box.close()
    assert taken < len(mutated)


def test_a_box_that_says_nothing_does_not_come_up(tmp_path, monkeypatch):
    monkeypatch.setattr("tasks.execution.box.START_S", 0.5)
    with pytest.raises(SandboxUnavailable):
        box_that_says(b"", tmp_path)


def test_no_descriptor_is_left_open(tmp_path):
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        with pytest.raises(SandboxUnavailable):
            answer(framed(b"{"), tmp_path)
    assert len(os.listdir("/proc/self/fd")) <= before + 2

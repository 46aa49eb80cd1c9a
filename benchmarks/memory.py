"""Memory and descriptors of this process and of the boxes that it has started."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import psutil

MB = 1 << 20


@dataclass(frozen=True)
class Held:
    """What is held at a moment.

    Attributes:
        own_mb: resident memory of this process.
        boxes_mb: memory of its child processes, pages that several share counted once (proportional set size).
        descriptors: open files of this process.
        processes: its children and theirs.
    """

    own_mb: float
    boxes_mb: float
    descriptors: int
    processes: int


def held() -> Held:
    """What this process and the bubblewrap boxes under it hold now; a Docker box is no child of this process."""
    own = psutil.Process()
    children = own.children(recursive=True)
    boxes = 0.0
    for child in children:
        with contextlib.suppress(psutil.Error):
            boxes += child.memory_full_info().pss
    return Held(own.memory_info().rss / MB, boxes / MB, own.num_fds(), len(children))

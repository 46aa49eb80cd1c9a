"""Somebody else who writes a run."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tasks.lease import one_writer
from tasks.store import Store


@contextmanager
def written_by_another(store: Path, run: str) -> Iterator[None]:
    """Another thread holds a run, which a flow within this one would be one with."""
    with ThreadPoolExecutor(1) as thread:
        held = one_writer(Store(str(store)), run, 0, print)
        thread.submit(held.__enter__).result()
        try:
            yield
        finally:
            thread.submit(held.__exit__, None, None, None).result()

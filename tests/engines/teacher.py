"""A teacher that takes its time, for many requests at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.teachers.test_client import Server, good

TOKENS = 4
"""That an answer takes, prompt and completion."""


@contextmanager
def patient(seconds: float, asked: Callable[[], None] = lambda: None) -> Iterator[Server]:
    """Answers each request after so many seconds.

    Args:
        asked: called as a request comes.
    """

    def behave(prompt: str, visit: int) -> tuple[int, dict[str, str], bytes]:
        asked()
        time.sleep(seconds)
        return good(prompt, visit)

    server = Server(behave)
    try:
        yield server
    finally:
        server.server.shutdown()

"""Task runs that failed for good: which, and why."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.errors import KodforgeError
from tasks.redaction import cause
from tasks.shards import failed_in


@dataclass(frozen=True)
class Failure:
    """One task run and its cause."""

    task: str
    cause: str


def failures_of(error: BaseException | None) -> list[Failure]:
    """The failed task runs behind the error of a flow run, as far as it knows them."""
    if error is None:
        return []
    several = error.causes if isinstance(error, KodforgeError) else ()
    found = [Failure(failed_in(one), cause(one)) for one in several]
    return found or ([Failure(failed_in(error), cause(error))] if failed_in(error) else [])

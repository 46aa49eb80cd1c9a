"""A demo teacher that can be made to refuse what it is asked, and to answer again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tasks.teachers.demo import DemoTeacher, running
from tasks.teachers.transcripts import packaged

OVERLOADED, REFUSED = 503, 401


class MoodyTeacher(DemoTeacher):
    """Answers as the demo teacher; while ``refuses_with`` is a status, requests for completions get that instead."""

    def __init__(self) -> None:
        super().__init__(packaged(), faults=False)
        self.refuses_with = 0

    def _respond(self, request: Request, raw: bytes, key: str) -> tuple[Response, bool]:
        if not self.refuses_with:
            return super()._respond(request, raw, key)
        return JSONResponse({"error": {"message": "out of order", "type": "server_error"}}, self.refuses_with), False


@contextmanager
def moody_teacher() -> Iterator[tuple[MoodyTeacher, str]]:
    """The teacher and its base URL."""
    teacher = MoodyTeacher()
    with running(teacher) as url:
        yield teacher, url

"""Endpoints that are started and stopped with the run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tasks.settings import Endpoint, EndpointKind, Teachers
from tasks.teachers import demo, local
from tasks.teachers.chat_templates import with_user_turn
from tasks.teachers.transcripts import packaged


def _start(endpoint: Endpoint, stack: ExitStack) -> Endpoint:
    match endpoint.kind:
        case EndpointKind.DEMO:
            url, model = stack.enter_context(demo.running(demo.DemoTeacher(packaged()))), demo.MODEL
        case EndpointKind.LOCAL:
            url, model = stack.enter_context(local.running()), local.MODEL
        case EndpointKind.OPENAI:
            return with_user_turn(endpoint)
    started = {"kind": EndpointKind.OPENAI, "base_url": url, "model": endpoint.model or model}
    return with_user_turn(endpoint.model_copy(update=started))


@contextmanager
def managed(teachers: Teachers) -> Iterator[Teachers]:
    """The endpoints with those of kind ``demo`` and ``local`` started; they stop when the block ends.

    Raises:
        BadInput: the local model's wheels are missing.
        TeacherUnavailable: a server does not start.
    """
    with ExitStack() as stack:
        yield teachers.at({place: _start(endpoint, stack) for place, endpoint in teachers.roles.items()})

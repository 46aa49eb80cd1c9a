"""Flows as all of kodforge's are: tagged, failing with their cause, and with advice on their page where they do.

``flow`` takes the place of Prefect's own.
"""

from __future__ import annotations

import contextlib
import inspect
import logging
import shlex
import sys
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import prefect
from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate
from prefect.client.schemas.objects import FlowRun, State
from prefect.context import FlowRunContext
from prefect.logging.loggers import flow_run_logger
from prefect.states import Failed

from flows.orchestration.advice import Ended, advise, as_line, as_markdown
from flows.orchestration.failures import failures_of
from tasks.errors import KodforgeError
from tasks.metrics import flush_metrics
from tasks.redaction import cause, redact, redacted
from tasks.settings import BuildConfig
from tasks.unread import outlive_readers

P = ParamSpec("P")
R = TypeVar("R")

PROJECT = "kodforge"
"""The tag of every flow run."""
BACKFILLED = " (backfill)"
"""Ends the name of a flow run that makes up for a day."""
ADVICE = "what-to-do-next"
"""Key of the artifact."""
_MOST_SUBSETS = 5
"""More are not told by tags."""
_log = logging.getLogger(__name__)


def flow(*, name: str, flow_run_name: Any, **options: Any) -> Callable[[Callable[P, R]], Flow[P, R]]:
    """Make a function a Prefect flow.

    Args:
        name, flow_run_name, options: as of Prefect's ``flow``.
    """

    def decorate(body: Callable[P, R]) -> Flow[P, R]:
        @wraps(body)
        def told(*args: P.args, **kwargs: P.kwargs) -> R:
            outlive_readers()
            tag_run(name)
            try:
                return body(*args, **kwargs)
            except KodforgeError as error:  # an error on purpose says all that there is to say, without a traceback
                redact(error)
                return cast("R", Failed(message=cause(error), data=error))
            except Exception as error:
                redact(error)
                raise
            except BaseException:  # SIGTERM, say, after which the process ends at once
                flush_metrics()
                raise

        # Prefect makes a JSON schema of the parameters of each flow that is imported; of a run's config this takes a
        # second in all. Nothing reads it: who deploys a flow makes another, of the signature below.
        told.__signature__ = inspect.Signature()  # type: ignore[attr-defined]
        hooks: dict[str, Any] = {f"on_{event}": [tell_what_to_do] for event in ("failure", "crashed", "cancellation")}
        made: Flow[P, R] = prefect.flow(name=name, flow_run_name=flow_run_name, **hooks, **options)(told)
        # With the types themselves: Prefect would look their names up in the module of ``told``, not in the flow's.
        told.__signature__ = made.__signature__ = inspect.signature(body, eval_str=True)  # type: ignore[attr-defined]
        return made

    return decorate


@contextlib.contextmanager
def harmless(what: str) -> Iterator[None]:
    """What is only told must not stop the work it tells of."""
    try:
        yield
    except Exception as error:  # whatever it is: the server may be away, the parameters of another version
        _log.debug("%s: %r", what, error)


def tag_run(flow_name: str) -> None:
    """Tag the flow run of this context by what it is, beside the tags that it has."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return
    with harmless("the flow run could not be tagged"), get_client(sync_client=True) as client:
        wanted = sorted({*context.flow_run.tags, PROJECT, f"flow:{flow_name}", *_tags_of(context.flow_run)})
        client.update_flow_run(context.flow_run.id, tags=wanted)
        context.flow_run.tags = wanted  # which the events of its task runs tell, too


def _tags_of(run: FlowRun) -> Iterator[str]:
    """Run, profile and subsets, so that the UI finds all flow runs of one of them."""
    if config := config_of(run):
        yield f"run:{run_name(run)}"
        yield f"profile:{Path(config.profile).stem}"
        if len(config.selected) <= _MOST_SUBSETS:
            yield from (f"subset:{subset}" for subset in config.selected)


def config_of(run: FlowRun) -> BuildConfig | None:
    """The config of a flow run over a run; None where it has another."""
    given = run.parameters.get("config")
    if given is None and isinstance(run.parameters.get("run"), dict):
        given = run.parameters["run"].get("config")
    with contextlib.suppress(ValueError):
        return given if isinstance(given, BuildConfig) else BuildConfig.model_validate(given)
    return None


def run_name(run: FlowRun) -> str:
    """The run's own name, as in the name of each of its flow runs: with the day in it, where it has one."""
    return run.name.removesuffix(BACKFILLED).rpartition(" ")[2]


def tell_what_to_do(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """State hook: put on the flow run's page, and into its log, what to do next.

    A worker calls it, too, of flow runs whose process is gone, so that nothing is taken from a run's context; it names
    the arguments.
    """
    with harmless("the advice could not be told"):
        ended = _ended(flow_run, state)
        advice = advise(ended)
        flow_run_logger(flow_run, flow).error("%s", as_line(ended, advice))
        with get_client(sync_client=True) as client:
            client.create_artifact(
                ArtifactCreate(
                    key=ADVICE,
                    type="markdown",
                    description=advice.title,
                    data=as_markdown(ended, advice),
                    flow_run_id=flow_run.id,
                )
            )


def _ended(run: FlowRun, state: State[Any]) -> Ended:
    error = error_of(state)
    config = config_of(run)
    interrupted = isinstance(error, KeyboardInterrupt) or "interrupt" in (state.message or "").lower()
    return Ended(
        name=run.name,
        run_id=str(run.id),
        error=error if isinstance(error, Exception) else None,
        message=redacted(state.message or ""),
        stopped=state.is_cancelling() or state.is_cancelled() or interrupted,
        failures=failures_of(error),
        is_part=run.parent_task_run_id is not None,
        from_deployment=run.deployment_id is not None,
        command="" if run.deployment_id else _command(),
        profile=config.profile if config else "",
        folder=f"{config.store}/{run_name(run)}" if config else "",
    )


def error_of(state: State[Any]) -> BaseException | None:
    """The exception of a state that has one in this process."""
    found = getattr(state.data, "result", state.data)
    return found if isinstance(found, BaseException) else None


def _command() -> str:
    """The command that this process was started with, if it is kodforge's."""
    if not sys.argv[0].endswith(("kodforge", "cli.py")):
        return ""
    return redacted(shlex.join(["kodforge", *sys.argv[1:]]))

"""What to do next where a run has not ended well: told by the kind of its cause, and by how it was started."""

from __future__ import annotations

import errno
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from flows.orchestration.chains import ShardsFailed
from flows.orchestration.failures import Failure
from tasks.errors import (
    AnswersUnavailable,
    BadInput,
    KodforgeError,
    RunBusy,
    SandboxUnavailable,
    StoreFull,
    StoreUnavailable,
    TargetsMissed,
    TeacherMisconfigured,
    TeacherStopped,
    TeacherUnavailable,
)
from tasks.redaction import cause, one_line

MOST_FAILURES = 50
"""Rows of the table of failed shards."""


@dataclass(frozen=True)
class Ended:
    """A flow run that did not end well, as far as it is known.

    Attributes:
        name: as in ``build pilot``.
        run_id: of the flow run.
        error: None where its process is gone.
        message: of its state.
        stopped: it was cancelled or interrupted by somebody.
        failures: the task runs that failed for good.
        is_part: another flow run started it, and is the one to start again.
        from_deployment: a worker ran it.
        command: what it was started with on a console; empty where that is not known.
        profile: of its config; empty where it has none.
        folder: where its artifacts are; empty where it has none.
    """

    name: str
    run_id: str
    error: BaseException | None = None
    message: str = ""
    stopped: bool = False
    failures: Sequence[Failure] = ()
    is_part: bool = False
    from_deployment: bool = False
    command: str = ""
    profile: str = ""
    folder: str = ""


@dataclass(frozen=True)
class Advice:
    """What happened, and what to do.

    Attributes:
        again: whether starting the run again as it is can help, once the steps are done.
    """

    title: str
    cause: str
    steps: list[str] = field(default_factory=list)
    again: bool = True


_OUT_OF_MEMORY = re.compile(r"(?i)status code -9\b|sigkill|out of memory|oomkilled|exit code 137")
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}
_REACH = ("See that the store, or the database of answers, can be reached from the machine that ran this.",)
_STEPS: dict[type[BaseException], tuple[str, ...]] = {
    BadInput: (
        "Mend what the cause names: a setting, or a file of yours.",
        "Check all of it without a run: {doctor}.",
        "Start it with the mended setting. A retry takes the settings as they were, and helps only where a file was "
        "mended.",
    ),
    TeacherMisconfigured: (
        "Check the model's name, the address, and the key: the environment variable or the Prefect Secret block that "
        "`teachers` names, as the worker sees it.",
        "Ask the endpoint for a sign of life: {doctor}.",
    ),
    TeacherUnavailable: (
        "Look whether the endpoint is up, and whether the machine that ran this reaches it.",
        "Where it answers 429 or 503, ask it more slowly: lower `max_in_flight`, or set `limits`, of that teacher.",
        "Ask it for a sign of life: {doctor}.",
    ),
    SandboxUnavailable: (
        "Look at the sandbox: `docker info` where the backend is Docker (is the daemon up, is the image "
        "`kodforge-sandbox` there?); bubblewrap needs user namespaces.",
        "Try both: {doctor}. `kodforge sandbox build` makes the image.",
    ),
    StoreFull: (
        "Make space where the store is{folder}: earlier versions of releases lie beside them, finished runs that "
        "nobody needs in folders of their own.",
        "Keep the file of answers: it holds what was paid for.",
    ),
    StoreUnavailable: _REACH,
    AnswersUnavailable: _REACH,
    RunBusy: ("Wait until the flow run that writes the same run has ended, or name this one otherwise (`run`).",),
    TargetsMissed: (
        "Look at the artifact `kpis`. The release is published and stands: only targets of `kpis.targets` are missed.",
    ),
    KodforgeError: ("Mend what the cause names.",),
    Exception: ("Read the traceback under Logs: this is none of the errors that are known, and may be a defect.",),
}
"""By kind of cause, the nearest first."""
_NOT_AGAIN = (BadInput, TargetsMissed)


def advise(ended: Ended) -> Advice:
    """What to do about a run, by the first cause that is known."""
    error = root_of(ended.error) if ended.error else None
    if ended.stopped or isinstance(error, TeacherStopped):
        told = one_line(ended.message) or "it was stopped"
        return Advice(f"{ended.name} was stopped", told, ["Nothing has to be mended: it goes on where it was stopped."])
    if error is None:
        return _crashed(ended)
    full = isinstance(error, OSError) and error.errno in _NO_SPACE
    kind = StoreFull if full else next(kind for kind in type(error).__mro__ if kind in _STEPS)
    values = {
        "doctor": f"`kodforge doctor{f' --profile {ended.profile}' if ended.profile else ''}`",
        "folder": f" (`{ended.folder}`)" if ended.folder else "",
    }
    steps = [step.format(**values) for step in _STEPS[kind]]
    return Advice(f"{ended.name} failed", cause(error), steps, again=not issubclass(kind, _NOT_AGAIN))


def _crashed(ended: Ended) -> Advice:
    """Nothing is known but the message: the process is gone, or could not tell what happened."""
    told = one_line(ended.message) or "its process ended without a word"
    title = f"{ended.name} crashed"
    if _OUT_OF_MEMORY.search(told):
        steps = [
            "Its process was killed, most likely because memory ran out (`dmesg` on that machine would name it). "
            "Give it more memory, or take less: lower `shards_in_flight`, `shard_size`, `sandbox.slots` or "
            "`sandbox.memory_mb`.",
        ]
    else:
        steps = ["Look whether the worker and its machine are up (Work Pools), and at the end of its log."]
    return Advice(title, told, steps)


def root_of(error: BaseException) -> BaseException:
    """The error that a failure of shards came from, if that is known."""
    return error.__cause__ if isinstance(error, ShardsFailed) and error.__cause__ else error


def how_to_go_on(ended: Ended, advice: Advice) -> list[str]:
    """How the run is started again: in the UI, and by a command."""
    if ended.is_part:
        return ["Start the run that this one is a part of again (Parent Run, at the top of this page)."]
    ways = []
    if ended.from_deployment and advice.again:
        ways.append(
            f"In the UI: ⋮ at the top of this page, Retry. On a console: `prefect flow-run retry {ended.run_id}`"
        )
    if ended.from_deployment and not advice.again:
        ways.append("In the UI: Deployments, this deployment, Run, Custom run")
    if ended.command:
        ways.append(
            f"On the console, {'the same command' if advice.again else 'with other settings'}: `{ended.command}`"
        )
    return ways or ["Start it again the way it was started."]


def as_markdown(ended: Ended, advice: Advice) -> str:
    """The advice as an artifact."""
    parts = [f"## {advice.title}", f"**Cause:** {_plain(advice.cause)}"]
    if ended.failures:
        parts.append(failures_as_markdown(ended.failures))
    parts += ["### What to do next", "\n".join(f"{n}. {step}" for n, step in enumerate(advice.steps, start=1))]
    parts.append("\n".join(f"- {way}" for way in how_to_go_on(ended, advice)))
    kept = "### What is kept\n\nFinished shards and every answer of a teacher: going on pays for nothing twice."
    if ended.folder:
        kept += (
            f"\n\n- artifacts: `{ended.folder}/<stage>/`"
            f"\n- rejected rows with their reasons: `{ended.folder}/<stage>/rejects/`"
        )
    return "\n\n".join([*parts, kept])


def failures_as_markdown(failures: Sequence[Failure]) -> str:
    """A table of failed task runs and their causes."""
    rows = [f"| {_plain(one.task) or '?'} | {_plain(one.cause)} |" for one in failures[:MOST_FAILURES]]
    more = len(failures) - MOST_FAILURES
    rows += [f"| … | and {more} more |"] if more > 0 else []
    return "\n".join(["| task run | cause |", "|---|---|", *rows])


def as_line(ended: Ended, advice: Advice) -> str:
    """The advice as one line of the log."""
    return f"{advice.title}: {advice.cause}. What to do next: {' '.join([*advice.steps, *how_to_go_on(ended, advice)])}"


def _plain(text: str) -> str:
    """A text that Markdown shows as it is, in a table too."""
    return re.sub(r"([\\`*_|<>\[\]])", r"\\\1", text)

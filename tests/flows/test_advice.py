"""What a run that ended badly tells to do: by the cause, and by the way it was started."""

from __future__ import annotations

import errno

import pytest

from flows.orchestration.advice import Ended, advise, as_line, as_markdown
from flows.orchestration.chains import ShardsFailed
from flows.orchestration.failures import Failure, failures_of
from tasks.errors import (
    BadInput,
    RunBusy,
    SandboxUnavailable,
    StoreFull,
    TargetsMissed,
    TeacherMisconfigured,
    TeacherStopped,
    TeacherUnavailable,
)

RUN = "0b2c"


def ended(error: BaseException | None = None, **values: object) -> Ended:
    return Ended(**{"name": "build pilot", "run_id": RUN, "error": error, "profile": "pilot", **values})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (BadInput("no seeds"), "A retry takes the settings as they were"),
        (TeacherMisconfigured("answers 401"), "Check the model's name, the address, and the key"),
        (TeacherUnavailable("http 503"), "`max_in_flight`"),
        (SandboxUnavailable("no daemon"), "`docker info`"),
        (StoreFull("disk"), "Make space"),
        (OSError(errno.ENOSPC, "No space left on device"), "Make space"),
        (RunBusy("held by"), "Wait until"),
        (TargetsMissed("yield"), "stands"),
        (ZeroDivisionError("division by zero"), "traceback"),
    ],
)
def test_each_cause_has_steps_of_its_own(error, told):
    text = as_markdown(ended(error), advise(ended(error)))
    assert told in text
    assert type(error).__name__ in text


def test_the_cause_behind_failed_shards_decides():
    cause = SandboxUnavailable("no daemon")
    cause.add_note("in task run execute part-00002-try-01")
    failed = ShardsFailed("1 of 4 shards failed", [cause])
    failed.__cause__ = cause
    here = ended(failed, failures=failures_of(failed))
    text = as_markdown(here, advise(here))
    assert "`docker info`" in text
    assert "| execute part-00002-try-01 | SandboxUnavailable: no daemon |" in text


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("Flow run process exited with non-zero status code -9.", "memory ran out"),
        ("Flow run infrastructure exited with non-zero status code 1.", "the worker and its machine"),
        ("", "its process ended without a word"),
    ],
)
def test_a_crash_is_told_by_its_message(message, told):
    assert told in as_markdown(ended(message=message), advise(ended(message=message)))


@pytest.mark.parametrize("here", [ended(stopped=True, message="cancelled"), ended(TeacherStopped("stopped"))])
def test_what_was_stopped_has_nothing_to_mend(here):
    assert advise(here).title == "build pilot was stopped"


def test_the_way_to_go_on_is_that_of_how_it_was_started():
    deployed = ended(TeacherUnavailable("x"), from_deployment=True)
    assert f"prefect flow-run retry {RUN}" in as_line(deployed, advise(deployed))
    mistaken = ended(BadInput("x"), from_deployment=True)
    assert "Custom run" in as_line(mistaken, advise(mistaken))
    console = ended(TeacherUnavailable("x"), command="kodforge run --profile pilot")
    assert "the same command: `kodforge run --profile pilot`" in as_line(console, advise(console))
    part = ended(TeacherUnavailable("x"), is_part=True, from_deployment=True)
    assert "Parent Run" in as_line(part, advise(part))


def test_many_failures_are_cut():
    here = ended(TeacherUnavailable("x"), failures=[Failure(f"part {n}", "why | so") for n in range(60)])
    text = as_markdown(here, advise(here))
    assert "and 10 more" in text
    assert "why \\| so" in text

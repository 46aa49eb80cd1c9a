"""What a task says of its shards: in its final state, and in the log; and that Prefect's own waits say why."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from prefect import flow, task_engine
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import TaskRunContext
from prefect.states import Failed

from tasks.artifacts import Commit, Outcome, Receipt, Stage
from tasks.errors import BadInput, TeacherUnavailable
from tasks.models import Reject, RejectReason
from tasks.retries import Retries, can_help
from tasks.shards import NAMED_ROWS, SANDBOX, TEACHER, failed_in, named, shard_task, spent_of, summary_of
from tasks.store import Store
from tasks.timings import Spent


def receipt(name: str, rows_in: int = 5, **reasons: int) -> Receipt:
    rejected = sum(reasons.values())
    counts = {"rows_in": rows_in, "rows_out": rows_in - rejected, "rejected": rejected, "reasons": reasons}
    return Receipt(stage="attempts", name=name, fingerprint="f", content="c", complete=True, **counts)


def test_a_shard_is_told_with_its_rows_and_where_its_time_went():
    told = summary_of([Commit(receipt("part-00000", malformed_reply=1), reused=False)], Spent(12.04, 8.0, 3.9))
    assert told == (
        "attempts part-00000: 5 rows in, 4 out, 1 rejected (1 malformed_reply); 12.0 s (teacher 8.0, sandbox 3.9)"
    )
    assert spent_of(told) == Spent(12.0, 8.0, 3.9)
    assert spent_of(f"{told}; before that, try 1 of 4 failed: OSError: 9.9 s") == Spent(12.0, 8.0, 3.9)


def test_several_shards_are_summed_up_and_earlier_ones_counted():
    commits = [Commit(receipt("part-00000"), reused=True), Commit(receipt("part-00001", failed=2), reused=False)]
    assert summary_of(commits, Spent(0.31)) == (
        "attempts 2 shards: 1 of them done by an earlier run, 10 rows in, 8 out, 2 rejected (2 failed); 0.3 s"
    )


def test_a_shard_that_was_done_takes_no_time():
    told = summary_of([Commit(receipt("part-00000"), reused=True)], Spent(0.2))
    assert told == "attempts part-00000: done by an earlier run, 5 rows in, 5 out"
    assert spent_of(told) == Spent()


def test_only_the_first_rejects_are_named():
    reason = RejectReason.MALFORMED_REPLY
    rejects = [Reject(id=f"Docs_{n}", subset="Docs", reason=reason, evidence="a prompt") for n in range(NAMED_ROWS + 2)]
    assert named(rejects).startswith("Docs_0 (malformed_reply), Docs_1 (malformed_reply)")
    assert named(rejects).endswith("and 2 more")
    assert "a prompt" not in named(rejects)


AT_ONCE: Retries = {"retries": 2, "retry_delay_seconds": [0.01], "retry_condition_fn": can_help}
_failures: list[Exception] = []


@shard_task("count {shard}", retries=AT_ONCE)
def count_rows(stage: Stage, shard: str) -> Receipt:
    """Fails as often as it was told to."""
    if _failures:
        raise _failures.pop(0)
    return stage.run_shard(shard, Reject, [1], lambda: Outcome(rows_in=0, rows=[]))


def test_the_final_state_tells_what_happened(tmp_path):
    stage = Stage(Store(str(tmp_path)), "run", "attempts")
    away, wrong = TeacherUnavailable("https://me:secret-word@host answers 503"), BadInput("no such file")
    states: list[State] = []

    @flow(name="counting", validate_parameters=False)
    def counting() -> None:
        for failures in ([away, away], [], [wrong], [away, away, away]):
            _failures[:] = failures
            future = count_rows.submit(stage, "part-00000")
            future.wait()
            states.append(future.state)
        _failures.clear()
        assert count_rows(stage, "part-00000").rows_in == 0  # called as any task, it gives the value

    counting()
    mended, done, refused, failed = states
    assert mended.name == "Completed"
    assert mended.message.startswith("attempts part-00000: 0 rows in, 0 out; ")
    assert "; before that, try 1 of 3 failed: TeacherUnavailable: https://***@host answers 503; try 2" in mended.message
    assert (done.name, done.type.value) == ("Cached", "COMPLETED")
    assert done.message == "attempts part-00000: done by an earlier run, 0 rows in, 0 out"
    assert refused.is_failed()
    assert failed.is_failed()
    with pytest.raises(BadInput) as raised:
        refused.result()
    assert failed_in(raised.value) == "count part-00000"
    assert "secret-word" not in failed.message


def test_a_wait_says_what_it_waits_for():
    """Prefect's engine has no place for a message, so that ours is put into the name that it makes the state by."""
    task_run = TaskRun(task_key="t", dynamic_key="0", run_count=1)
    state = Failed(data=TeacherUnavailable("503"))
    assert can_help(count_rows, task_run, state)
    assert task_engine.AwaitingRetry().message == "try 1 of 3 failed: TeacherUnavailable: 503"
    assert not can_help(count_rows, task_run, Failed(data=BadInput("no")))


@shard_task("judge", SANDBOX)
def tags_of_this_run() -> list[str]:
    context = TaskRunContext.get()
    assert context is not None
    return list(context.task_run.tags)


@flow(name="limited")
def limited() -> list[list[str]]:
    return [tags_of_this_run(), tags_of_this_run.submit().result()]


def test_a_task_has_its_tag_where_there_is_a_limit_for_it(prefect_here):
    with get_client(sync_client=True) as client, ExitStack() as limits:  # the server is that of all tests

        def limit(tag: str) -> None:
            client.create_concurrency_limit(tag=tag, concurrency_limit=1)
            limits.callback(client.delete_concurrency_limit_by_tag, tag)

        assert limited() == [[], []]
        limit(TEACHER)
        assert limited() == [[], []]
        limit(SANDBOX)
        assert limited() == [[SANDBOX], [SANDBOX]]

"""Shards that are written twice: by two workers at once, by one that is killed, by one that returns late."""

from __future__ import annotations

import threading

import pytest

from tasks.artifacts import Outcome, Stage
from tasks.models import Seed
from tasks.store import Store
from tests.test_artifacts import reject, seed


@pytest.fixture(params=["local", "s3"])
def place(request, tmp_path):
    return str(tmp_path / "store") if request.param == "local" else f"s3://{request.getfixturevalue('bucket')}/store"


def outcome(number: int) -> Outcome:
    """All that a writer of this number makes: its rows and its rejects tell of it."""
    return Outcome(number + 1, [seed(number)], [reject(number) for _ in range(number)])


def whole(stage: Stage) -> int:
    """Whose shard it is, of which rows, rejects and receipt all are."""
    receipt = stage.done("part-00000")
    (row,) = stage.rows("part-00000", Seed)
    number = receipt.rejected
    assert row == seed(number)
    assert stage.rejects("part-00000") == [reject(number)] * number
    return number


def test_a_shard_of_two_workers_is_one_of_theirs(place):
    together, failed = threading.Barrier(4), []

    def work(number):
        def done():
            together.wait()
            return outcome(number)

        try:
            Stage(Store(place), "run", "questions").run_shard("part-00000", Seed, [number], done)
        except BaseException as error:
            failed.append(error)
            raise

    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    assert not failed
    stage = Stage(Store(place), "run", "questions")
    assert whole(stage) in range(4)
    stage.finish([stage.done("part-00000")], "")
    assert [name for name in stage.store.names("run", "questions") if name.endswith(".parquet")] == [
        stage.done("part-00000").file
    ]
    assert len(stage.store.names("run", "questions", "rejects")) == 1


class Killed(BaseException):
    pass


@pytest.mark.parametrize("writes", range(4))
def test_a_worker_that_is_killed_leaves_the_shard_before_or_its_own(place, monkeypatch, writes):
    stage = Stage(Store(place), "run", "questions")
    stage.run_shard("part-00000", Seed, [0], lambda: outcome(0))
    left, real = [writes], Store.write

    def write(*given):
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        real(*given)

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(Store, "write", write)
        stage.run_shard("part-00000", Seed, [1], lambda: outcome(1))
        raise Killed
    assert whole(stage) == (1 if writes >= 3 else 0)
    stage.run_shard("part-00000", Seed, [0], lambda: outcome(0))
    assert whole(stage) == 0


def test_a_worker_that_returns_after_its_files_are_gone_is_done_again(place):
    stage = Stage(Store(place), "run", "questions")
    late = stage.run_shard("part-00000", Seed, [0], lambda: outcome(0))
    stage.run_shard("part-00000", Seed, [1], lambda: outcome(1))
    stage.store.write(late.model_dump_json().encode(), "run", "questions", "receipts", "part-00000.json")
    stage.run_shard("part-00000", Seed, [0], lambda: outcome(0))
    assert whole(stage) == 0

"""Chains of tasks: bounded, ordered within a shard, and a failing shard does not stop the others."""

from __future__ import annotations

import threading
import time

import pytest
from prefect import flow, task

from flows.orchestration.chains import ShardsFailed, run_chains
from tasks.artifacts import Receipt
from tasks.errors import StoreFull

pytestmark = pytest.mark.usefixtures("prefect_here")


def receipt(name: str) -> Receipt:
    return Receipt(stage="s", name=name, fingerprint="", content="", rows_in=0, rows_out=0, rejected=0, reasons={})


def test_chains_overlap_up_to_the_bound_and_keep_their_order():
    lock, under_way, most, order = threading.Lock(), set(), [0], []

    @task
    def step(chain: int, number: int) -> Receipt:
        with lock:
            under_way.add(chain)
            most[0] = max(most[0], len(under_way))
            order.append((chain, number))
        time.sleep(0.02)
        with lock:
            under_way.discard(chain)
        return receipt(f"{chain}-{number}")

    def chain(number: int):
        first = yield step.submit(number, 0)
        assert first.name == f"{number}-0"
        yield step.submit(number, 1)

    finished = []

    @flow
    def all_of_them() -> list[str]:
        return [done.name for done in run_chains([chain(n) for n in range(6)], 2, finished.append)]

    assert all_of_them() == [f"{n}-{k}" for n in range(6) for k in range(2)]
    assert most[0] == 2
    assert finished == [1, 2, 3, 4, 5, 6]
    assert all(order.index((n, 0)) < order.index((n, 1)) for n in range(6))


def test_failing_shard_leaves_the_others_finished():
    done = []

    @task
    def step(number: int) -> Receipt:
        if number == 1:
            raise OSError("disk full")
        done.append(number)
        return receipt(str(number))

    def chain(number: int):
        yield step.submit(number)

    @flow
    def all_of_them() -> None:
        run_chains([chain(n) for n in range(4)], 2)

    with pytest.raises(ShardsFailed, match=r"1 of 4 shards failed.*disk full"):
        all_of_them()
    assert sorted(done) == [0, 2, 3]


def test_where_the_disk_is_full_no_other_shard_is_begun():
    begun = []

    @task
    def step(number: int) -> Receipt:
        begun.append(number)
        if number == 1:
            raise StoreFull("no space")
        return receipt(str(number))

    def chain(number: int):
        yield step.submit(number)

    @flow
    def all_of_them() -> None:
        run_chains([chain(n) for n in range(20)], 1)

    with pytest.raises(StoreFull, match="no space"):
        all_of_them()
    assert begun == [0, 1]

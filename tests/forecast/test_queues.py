"""Queues, whose ends are told when things come, agree with SimPy's own resources, where each call is an event."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import simpy

from tasks.forecast.queues import Queue


def by_events(servers: int, batches: list[tuple[float, list[float]]]) -> list[float]:
    """When the last of each batch ends."""
    env = simpy.Environment()
    resource = simpy.Resource(env, servers)
    ends = [0.0] * len(batches)

    def call(number: int, duration: float) -> Iterator[simpy.Event]:
        with resource.request() as turn:
            yield turn
            yield env.timeout(duration)
        ends[number] = max(ends[number], env.now)

    def come(number: int, at: float, durations: list[float]) -> Iterator[simpy.Event]:
        yield env.timeout(at)
        for duration in durations:
            env.process(call(number, duration))

    for number, (at, durations) in enumerate(batches):
        env.process(come(number, at, durations))
    env.run()
    return ends


@pytest.mark.parametrize("servers", [1, 3, 16])
def test_batches_end_as_they_do_call_by_call(servers):
    draw = np.random.default_rng(servers)
    at = np.sort(draw.uniform(0, 50, 30))
    batches = [(float(moment), draw.lognormal(0, 0.6, int(draw.integers(1, 40))).tolist()) for moment in at]
    queue = Queue(servers)
    assert [queue.serve(moment, durations) for moment, durations in batches] == pytest.approx(
        by_events(servers, batches)
    )
    assert queue.busy_s == pytest.approx(sum(sum(durations) for _, durations in batches))
    assert queue.served == sum(len(durations) for _, durations in batches)


def test_no_more_begin_in_a_second_than_may():
    queue = Queue(servers=100, per_s=2)
    assert queue.serve(0.0, [1.0] * 21) == pytest.approx(11.0)


def test_what_is_heavy_takes_more_of_the_pace():
    tokens = Queue(servers=100, per_s=1000)
    assert tokens.serve(0.0, [1.0] * 3, [5000, 5000, 5000]) == pytest.approx(11.0)


def test_waiting_is_what_nobody_was_free_for():
    queue = Queue(servers=1)
    queue.serve(0.0, [2.0, 2.0])
    assert queue.waited_s == pytest.approx(2.0)

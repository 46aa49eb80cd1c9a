"""How fast an endpoint is asked: allowances, pauses and requests in flight, on a clock that the test moves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.teachers.limits import Allowance, Bucket, InFlight, duration_s, retry_after_s


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@given(
    st.integers(1, 10_000),
    st.lists(st.tuples(st.floats(0, 5), st.integers(1, 500)), min_size=1, max_size=200),
)
def test_no_more_is_taken_in_any_minute_than_allowed(per_minute, wishes):
    """A minute's takings stay within the allowance, a second's worth and one request, whatever is asked and when."""
    clock = Clock()
    bucket = Bucket(per_minute, clock)
    taken = []
    for pause, amount in wishes:
        clock.now += pause
        while wait := bucket.wait_s(amount):
            clock.now += wait
        bucket.take(amount)
        taken.append((clock.now, amount))
    largest = max(amount for _, amount in taken)
    for start, _ in taken:
        minute = sum(amount for at, amount in taken if start <= at < start + 60)
        assert minute <= per_minute * (61 / 60) + largest + 1


def test_requests_are_spread_evenly():
    clock = Clock()
    allowance = Allowance(requests_per_minute=60, clock=clock)
    for _ in range(121):
        clock.now += allowance.wait_s(1)
        allowance.take(1)
    assert clock.now == pytest.approx(120, abs=1)


def test_tokens_that_were_not_used_are_given_back():
    clock = Clock()
    allowance = Allowance(tokens_per_minute=6000, clock=clock)
    allowance.take(1000)
    assert allowance.wait_s(100) == pytest.approx(10)
    allowance.correct(-1000)
    assert allowance.wait_s(100) == 0


def test_headers_of_the_server_set_what_is_not_configured_and_lower_what_is():
    clock = Clock()
    allowance = Allowance(requests_per_minute=6000, clock=clock)
    allowance.hear({"x-ratelimit-limit-requests": "60", "x-ratelimit-limit-tokens": "100000"})
    allowance.take(1)
    assert allowance.wait_s(1) == pytest.approx(1)
    allowance.hear({"x-ratelimit-limit-requests": "1000000"})
    clock.now += 1
    allowance.take(1)
    assert allowance.wait_s(1) < 0.02


def test_nothing_goes_while_nothing_remains():
    clock = Clock()
    allowance = Allowance(clock=clock)
    allowance.hear({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1m30s"})
    assert allowance.wait_s(1) == pytest.approx(90)
    clock.now += 90
    assert allowance.wait_s(1) == 0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-3"}, 0),
        ({"retry-after": "1e99"}, 600),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({}, None),
    ],
)
def test_pause_that_a_server_asks_for(headers, seconds):
    found = retry_after_s(headers)
    assert found == seconds


def test_pause_until_a_date():
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=100))
    for text in (at, at.replace("+0000", "-0000"), at.replace("+0000", "GMT"), at.replace(" +0000", "")):
        assert retry_after_s({"retry-after": text}) == pytest.approx(100, abs=5), text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("6m0s", 360), ("20ms", 0.02), ("1h2m3.5s", 3723.5), ("1.5", 1.5), ("", None), ("later", None)],
)
def test_durations_as_servers_write_them(text, seconds):
    assert duration_s(text) == seconds


def test_requests_in_flight_fall_at_once_and_grow_back_slowly():
    clock = Clock()
    flight = InFlight(100, clock)
    clock.now = 1
    for _ in range(50):
        flight.congested(sent_at=0.5)  # all of them were sent before the first cut
    assert flight.limit == 70
    clock.now = 2
    flight.congested(sent_at=1.5)
    assert flight.limit == 49
    for _ in range(49):
        flight.succeeded()
    assert flight.limit == 49 + 0 or flight.limit == 50
    for _ in range(100_000):
        flight.succeeded()
    assert flight.limit == 100


def test_one_request_may_always_be_in_flight():
    clock = Clock()
    flight = InFlight(4, clock)
    for _ in range(50):
        clock.now += 1
        flight.congested(sent_at=clock.now - 0.5)
    assert flight.limit == 1

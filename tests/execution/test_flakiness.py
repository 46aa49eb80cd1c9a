"""Passes that do not last: each way to be flaky is found by re-runs and named, in both tiers and of programs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tasks.execution.pool import Look, SandboxPool
from tasks.models import Pair, PairVerdict, Tier, Verdict
from tasks.settings import Backend, Sandbox, TierChoice
from tests.conftest import LIMITS, sandbox_settings

TIERS = {Tier.ISOLATED: TierChoice.AUTO, Tier.SHARED: TierChoice.SHARED}
LETTERS = "{'a', 'b', 'c', 'd', 'e', 'f', 'g'}"


@pytest.fixture(scope="module", params=TIERS)
def pools(request: pytest.FixtureRequest) -> Iterator[SandboxPool]:
    """A pool of each tier."""
    settings = sandbox_settings(Backend.BUBBLEWRAP).model_copy(update={"slots": 1, "tier": TIERS[request.param]})
    with SandboxPool(settings) as pool:
        yield pool


def asserting(*asserts: str) -> str:
    lines = [f"def test_{number}():\n    assert {each}\n" for number, each in enumerate(asserts)]
    return "\n\n".join(["import solution\nfrom solution import f\n", *lines])


def judged(pool: SandboxPool, solution: str, test: str, reruns: int = 2) -> PairVerdict:
    found = pool.run(Pair(id="x", solution=solution, test=test), Look(reruns=reruns))
    assert found.integrity_tier is (Tier.SHARED if pool.settings.tier is TierChoice.SHARED else Tier.ISOLATED)
    return found


def what_it_gives(pool: SandboxPool, solution: str) -> str:
    """The ``repr`` of what ``f`` gives as the pair is written."""
    pair = Pair(id="x", solution=f"{solution}\nprint(repr(f()))\n", test=asserting("True"))
    return pool.run(pair).output.strip()


def flaky_over_one(found: PairVerdict, over: str, reason: str) -> None:
    assert (found.verdict, found.flaky_over) == (Verdict.FLAKY, [over]), found.reason
    assert found.reason.startswith(f"passed, but {reason} failed: "), found.reason
    assert found.sandbox_s > found.wall_s > 0


@pytest.mark.parametrize("solution", [f"def f():\n    return str({LETTERS})\n", "def f():\n    return hash('a')\n"])
def test_hash_seed(pools, solution):
    found = judged(pools, solution, asserting(f"f() == {what_it_gives(pools, solution)}"))
    flaky_over_one(found, "hash seed", "under another hash seed")


@pytest.mark.parametrize(
    "solution",
    [
        "import random\ndef f():\n    return random.random()\n",
        "import numpy\ndef f():\n    return float(numpy.random.random())\n",
    ],
)
def test_random_seed(pools, solution):
    found = judged(pools, solution, asserting(f"f() == {what_it_gives(pools, solution)}"))
    flaky_over_one(found, "random seed", "under another random seed")
    within = judged(pools, solution, asserting("0 <= f() < 1"))
    assert within.verdict is Verdict.PASSED


@pytest.mark.parametrize("reruns", [1, 2])
def test_order_of_tests_that_share_a_global(pools, reruns):
    solution = "seen = []\ndef f(x):\n    seen.append(x)\n    return len(seen)\n"
    found = judged(pools, solution, asserting("f(1) == 1", "f(2) > 1"), reruns)
    flaky_over_one(found, "order", "under another order of tests")


def test_order_under_pytest(pools):
    solution = "seen = []\ndef f(x):\n    seen.append(x)\n    return len(seen)\n"
    test = "import unittest\nfrom solution import f\nclass F(unittest.TestCase):\n"
    test += "".join(f"    def test_{n}(self):\n        self.assertEqual(f(0), {n + 1})\n" for n in range(3))
    found = judged(pools, solution, test)
    assert (found.verdict, found.flaky_over) == (Verdict.FLAKY, ["order"]), found.reason


@pytest.mark.parametrize(
    "now",
    [
        "datetime.datetime.now().year",
        "datetime.datetime.now(datetime.timezone.utc).month",
        "datetime.date.today().year",
        "time.gmtime().tm_year",
        "time.localtime().tm_mon",
        "int(time.strftime('%Y'))",
        "int(time.time() / 10_000_000)",
        "int(early() / 10_000_000)",
        "time.timezone",
    ],
)
def test_clock(pools, now):
    solution = f"import datetime, time\nfrom time import time as early\ndef f():\n    return {now}\n"
    found = judged(pools, solution, asserting(f"f() == {what_it_gives(pools, solution)}"), reruns=1)
    flaky_over_one(found, "clock", "at another time and in another time zone")


def test_both_halves_of_a_pair_have_the_same_clock(pools):
    solution = "import time\ndef f():\n    return time.time_ns()\n"
    test = (
        "import time\nfrom solution import f\n\n\ndef test_f():\n    for _ in range(100):\n"
        "        before, now, after = time.time_ns(), f(), time.time_ns()\n        assert before <= now <= after\n"
    )
    found = judged(pools, solution, test, reruns=5)
    assert found.verdict is Verdict.PASSED, found.reason


@pytest.mark.parametrize(
    "solution",
    [
        "import os\ndef f():\n    return os.urandom(1)[0] < 8\n",
        "import uuid\ndef f():\n    return uuid.uuid4().bytes[0] < 8\n",
        "import time\ndef f():\n    return time.time_ns() // 1000 % 256 < 8\n",
    ],
)
def test_repetition(pools, solution):
    """One run in 32 passes."""
    for _ in range(1000):
        found = judged(pools, solution, asserting("f()"), reruns=4)
        if found.verdict is not Verdict.FAILED:
            break
    assert (found.verdict, found.flaky_over) == (Verdict.FLAKY, ["repetition"]), found.reason
    assert found.reason.startswith("passed, but when run again failed: "), found.reason


def test_two_conditions_that_each_do_are_both_named(pools):
    solution = f"import random\ndef f():\n    return str({LETTERS})\ndef g():\n    return random.random()\n"
    drawn = what_it_gives(pools, "import random\ndef f():\n    return random.random()\n")
    found = judged(pools, solution, asserting(f"f() == {what_it_gives(pools, solution)}", f"solution.g() == {drawn}"))
    assert (found.verdict, found.flaky_over) == (Verdict.FLAKY, ["hash seed", "random seed"])
    assert found.reason.startswith(
        "passed, but under another hash seed or under another random seed failed: 1 of 2 tests failed, first test_0: "
    )


def test_a_combination_that_does_what_none_does_alone(pools):
    solution = (
        "import datetime, random\ndraw = random.random()\ndef f():\n    return datetime.date.today().year, draw\n"
    )
    (year, drawn) = what_it_gives(pools, solution).strip("()").split(", ")
    found = judged(pools, solution, asserting(f"f()[0] == {year} or f()[1] == {drawn}"))
    assert (found.verdict, found.flaky_over) == (Verdict.FLAKY, ["combination"])
    assert found.reason.startswith(
        "passed, but under another hash seed, random seed, order and clock together failed: "
    )


def test_steady_pairs_stay_passed(pools):
    solution = (
        "import datetime, random, time\ntime.sleep(0.05)\ndef f(x):\n    assert datetime.datetime.now().year > 2000\n"
        "    return sorted({'b', 'a'}), x, 0 <= random.random() < 1\n"
    )
    test = asserting("f(1) == (['a', 'b'], 1, True)", "f(2) == (['a', 'b'], 2, True)", "f(3)[0] == ['a', 'b']")
    found = judged(pools, solution, test, reruns=5)
    assert (found.verdict, found.flaky_over, found.reason) == (Verdict.PASSED, [], "all 3 tests passed")
    assert found.sandbox_s > found.wall_s + 5 * 0.05


def test_only_a_pass_is_run_again(pools):
    found = judged(pools, "def f():\n    return 1\n", asserting("f() == 2"), reruns=5)
    assert (found.verdict, found.flaky_over) == (Verdict.FAILED, [])
    assert found.sandbox_s == found.wall_s


@pytest.mark.parametrize(
    ("over", "solution"),
    [
        ("hash seed", "print(hash('a') % 1000)\n"),
        ("random seed", "import random\nprint(random.randint(0, 10**9))\n"),
        ("clock", "import datetime\nprint(datetime.datetime.now().year)\n"),
        (None, "print(sorted({'b', 'a'}))\n"),
    ],
)
def test_programs(over, solution):
    with SandboxPool(Sandbox(backend="bubblewrap", **LIMITS)) as pool:
        first = pool.run(Pair(id="x", solution=solution, io=[{"stdin": "", "stdout": "?"}]))
        io = [{"stdin": "", "stdout": first.output}]
        found = pool.run(Pair(id="x", solution=solution, io=io), Look(reruns=1))
    assert found.verdict is (Verdict.FLAKY if over else Verdict.PASSED), found.reason
    assert found.flaky_over == ([over] if over else [])


def test_coverage_and_outcomes_are_those_of_the_first_run(pools):
    solution = "seen = []\ndef f(x):\n    seen.append(x)\n    if not seen:\n        return 0\n    return len(seen)\n"
    pair = Pair(id="x", solution=solution, test=asserting("f(1) == 1", "f(2) > 1"))
    found = pools.run(pair, Look(coverage=True, reruns=1))
    assert found.verdict is Verdict.FLAKY
    assert [test.outcome for test in found.tests] == ["passed", "passed"]
    assert found.coverage.statements_hit == 5

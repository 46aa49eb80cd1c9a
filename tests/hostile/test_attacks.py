"""Every attack on both backends and in both tiers: its verdict, and a next case that is untouched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.execution.pool import Look, SandboxPool
from tasks.models import Pair, Tier, Verdict
from tasks.settings import Backend, TierChoice
from tests.conftest import sandbox_settings
from tests.hostile.attacks import ALL, GOOD, TEST, Attack

TIERS = {Tier.ISOLATED: TierChoice.AUTO, Tier.SHARED: TierChoice.SHARED}


@pytest.fixture(scope="module", params=[Backend.BUBBLEWRAP, Backend.DOCKER])
def pools(request: pytest.FixtureRequest) -> Iterator[dict[Tier, SandboxPool]]:
    """A backend's pools with one slot, so that the next case meets the box of the attack."""
    settings = sandbox_settings(request.param).model_copy(update={"slots": 1})
    made = {tier: SandboxPool(settings.model_copy(update={"tier": choice})) for tier, choice in TIERS.items()}
    yield made
    for pool in made.values():
        pool.close()


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("attack", ALL, ids=lambda attack: attack.name)
def test_attack_gets_its_verdict_and_the_next_case_is_untouched(pools, attack: Attack, tier: Tier):
    pair = Pair(id="attack", solution=attack.solution, test=attack.test)
    found = pools[tier].run(pair, Look(wall_s=attack.wall_s))
    assert found.verdict in attack.expected(tier), found.reason
    after = pools[tier].run(Pair(id="after", solution=GOOD, test=TEST))
    assert after.verdict is Verdict.PASSED, after.reason
    assert not Path("/usr/planted").exists()


def test_there_are_enough_of_them():
    assert len({attack.name for attack in ALL}) == len(ALL) >= 120


def test_a_pass_in_the_weaker_tier_is_marked(pools):
    """What fools the shared tier must not be able to choose it."""
    fooled = [attack for attack in ALL if Verdict.PASSED in attack.expected(Tier.SHARED) and attack.shared]
    assert fooled
    for attack in fooled:
        found = pools[Tier.SHARED].run(Pair(id="x", solution=attack.solution, test=attack.test))
        assert (found.integrity_tier, found.tier_reason) == (Tier.SHARED, "asked for")
        assert (
            pools[Tier.ISOLATED].run(Pair(id="x", solution=attack.solution, test=attack.test)).verdict
            is not Verdict.PASSED
        )


PLANT = """
import os
for place in ("/tmp", "/dev/shm", "."):
    open(f"{place}/planted", "w").write("x")
for place in ("/", "/dev", "/dev/pts", "/dev/mqueue", "/work", "/opt"):
    try:
        open(f"{place}/planted", "w").write("x")
    except OSError:
        pass
os.environ["PLANTED"] = "x"
import math
math.planted = True
def f(x):
    return x + 1
"""
LOOK = """
import math, os
def f(x):
    places = ("/tmp", "/dev/shm", ".", "/", "/dev", "/dev/pts", "/dev/mqueue", "/work", "/opt")
    found = [place for place in places if os.path.exists(f"{place}/planted")]
    return found or os.environ.get("PLANTED") or getattr(math, "planted", None) or x + 1
"""


def test_nothing_of_a_case_reaches_the_next(pools):
    pool = pools[Tier.ISOLATED]
    for _ in range(3):
        assert pool.run(Pair(id="plant", solution=PLANT, test=TEST)).verdict is Verdict.PASSED
        found = pool.run(Pair(id="look", solution=LOOK, test=TEST))
        assert found.verdict is Verdict.PASSED, found.reason


def test_the_heap_holds_nothing_of_earlier_cases(pools):
    """The same tests come again with each attempt: no memory of a later solution may hold them."""
    secret = "correct horse battery staple"
    test = f'from solution import f\n\ndef test_f():\n    assert f("x") == "{secret}"\n'
    right = f'def f(x):\n    return "{secret}"\n'
    thief = """
import re
def f(x):
    for line in open("/proc/self/maps"):
        low, high = (int(part, 16) for part in line.split()[0].split("-"))
        if "rw" in line.split()[1]:
            with open("/proc/self/mem", "rb") as memory:
                memory.seek(low)
                found = re.search(b"correct horse b" + b"attery ([a-z]+)", memory.read(high - low))
                if found:
                    return "correct horse battery " + found.group(1).decode()
    return x
"""
    pool = pools[Tier.ISOLATED]
    for _ in range(3):
        assert pool.run(Pair(id="right", solution=right, test=test)).verdict is Verdict.PASSED
        found = pool.run(Pair(id="thief", solution=thief, test=test))
        assert found.verdict is Verdict.FAILED, found.reason

"""Completions of every style to rewards, in the real sandbox."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import numpy as np
import pytest

from tasks.errors import BadInput
from tasks.models import Verdict
from tasks.rewards.rewarder import Rewarder
from tasks.rewards.scoring import RewardSettings
from tasks.settings import Backend, TierChoice
from tests.rewards.material import COMPLETE, ENDLESS, HALF, INSTRUCT, JUDGE, RIGHT, STUB, TEST, WRONG, settings_for


@pytest.fixture(scope="module", params=[Backend.BUBBLEWRAP, Backend.DOCKER])
def rewarder(request: pytest.FixtureRequest) -> Iterator[Rewarder]:
    with Rewarder(settings_for(request.param)) as made:
        yield made


@pytest.fixture(scope="module")
def sharing() -> Iterator[Rewarder]:
    with Rewarder(settings_for(mode="share", no_code=-0.5, timeout=-0.2)) as made:
        yield made


FENCED = f"Here it is:\n\n```python\n{RIGHT}```\n\nIt adds one."
PROGRAM = "```python\nprint(int(input()) + 1)\n```"
STYLES = {
    "code alone": (INSTRUCT, RIGHT, 1),
    "prose and fence": (INSTRUCT, FENCED, 1),
    "thought before": (INSTRUCT, f"<think>Let me see.\n```python\n{WRONG}```\n</think>\n{FENCED}", 1),
    "thought whose begin the template gave": (INSTRUCT, f"Let me see.\n</think>\n\n{FENCED}", 1),
    "right in the thought, wrong in the answer": (INSTRUCT, f"<think>\n{FENCED}\n</think>\n```python\n{WRONG}```", 0),
    "fences right beside the thought": (INSTRUCT, f"<think>\n```python\n{WRONG}```</think>```python\n{RIGHT}```", 1),
    "thought without end": (INSTRUCT, f"<think>Let me see.\n{FENCED}", 0),
    "wrong": (INSTRUCT, WRONG, 0),
    "partly right": (INSTRUCT, HALF, 0),
    "another name": (INSTRUCT, RIGHT.replace("f(", "g("), 0),
    "does not parse": (INSTRUCT, "```python\ndef f(x) return x + 1\n```", 0),
    "a whole function for a stub": (COMPLETE, FENCED, 1),
    "the body for a stub": (COMPLETE, "```python\n    return x + 1\n```", 1),
    "the body without its indentation": (COMPLETE, "```python\nreturn x + 1\n```", 1),
    "a wrong body": (COMPLETE, "```python\n    return x - 1\n```", 0),
    "a stub alone": (COMPLETE | {"question": STUB}, "    return x + 1\n", 1),
    "a program": (JUDGE, PROGRAM, 1),
    "a wrong program": (JUDGE, PROGRAM.replace("+ 1", "+ 2"), 0),
    "a program that prints too much": (JUDGE, "```python\nx = int(input('x? '))\nprint(x + 1)\n```", 0),
    "prose": (INSTRUCT, "I am sorry, I cannot do that.", 0),
    "nothing": (INSTRUCT, "", 0),
    "another alphabet": (INSTRUCT, f"Готово 🎉\n```python\n# один\n{RIGHT}```", 1),
    "half a surrogate pair": (INSTRUCT, f"```python\n# \ud83d\n{RIGHT}```", 1),
    "a NUL": (INSTRUCT, f"```python\n{RIGHT}# \0\n```", 0),
    "Windows lines": (INSTRUCT, FENCED.replace("\n", "\r\n"), 1),
}


@pytest.mark.parametrize("name", STYLES)
def test_completion_gets_its_reward(rewarder, name):
    row, completion, value = STYLES[name]
    found = rewarder.reward([completion], [row])[0]
    assert (found.value, found.passed) == (value, value == 1), found


def test_a_batch_keeps_its_order_and_tells_of_each_test(rewarder):
    found = rewarder.reward([WRONG, PROGRAM, RIGHT, "no"], [INSTRUCT, JUDGE, INSTRUCT, INSTRUCT])
    assert [one.value for one in found] == [0, 1, 1, 0]
    assert [test.outcome for test in found[1].tests] == ["passed"] * 3
    assert "assert 1 == 2" in found[0].tests[0].message
    assert [one.verdict for one in found] == [Verdict.FAILED, Verdict.PASSED, Verdict.PASSED, None]


def test_tests_that_import_nothing_see_what_the_completion_defines(rewarder):
    row = {"test": "def test_f():\n    assert abs(f(1) - 2) < 1e-9\n"}
    judging = "def f(x):\n    return 100\n\n\ndef abs(x):\n    return 0\n"
    assert [one.value for one in rewarder.reward([RIGHT, WRONG, judging], [row] * 3)] == [1, 0, 0]


def test_an_empty_batch_has_no_rewards(rewarder):
    assert rewarder.reward([], []) == []


def test_messages_are_read_as_trainers_send_them(rewarder):
    spoken = [{"role": "assistant", "content": FENCED}]
    parts = [{"role": "assistant", "content": [{"type": "text", "text": RIGHT}]}]
    later = [{"role": "assistant", "content": WRONG}, {"role": "user", "content": "Again."}, *spoken]
    silent = [{"role": "assistant", "content": None}]
    found = rewarder.reward([spoken, parts, later, silent, []], [INSTRUCT] * 5)
    assert [one.value for one in found] == [1, 1, 1, 0, 0]


def test_rows_may_come_from_a_table(rewarder):
    row = {"test": TEST, "io": None, "entry_points": np.array(["f"]), "files": None, "difficulty": "easy"}
    assert rewarder.reward([RIGHT], [row])[0].passed


def test_the_same_code_runs_once_in_a_batch(rewarder):
    found = rewarder.reward([RIGHT, FENCED, RIGHT], [INSTRUCT, INSTRUCT, dict(INSTRUCT)])
    assert [(one.value, one.cached) for one in found] == [(1, False), (1, True), (1, True)]


def test_a_share_of_the_tests_is_worth_something_where_that_is_asked_for(sharing):
    found = sharing.reward([RIGHT, HALF, WRONG, "```python\nprint(2)\n```"], [INSTRUCT] * 3 + [JUDGE])
    assert [one.value for one in found] == [1, 0.5, 0, pytest.approx(1 / 3)]
    assert [one.passed for one in found] == [True, False, False, False]
    assert [test.outcome for test in found[1].tests] == ["passed", "failed"]


def test_penalties_are_as_they_are_set(sharing):
    hangs_once = "```python\nx = int(input())\nwhile x == 5:\n    pass\nprint(x + 1)\n```"
    found = sharing.reward(["", ENDLESS, hangs_once], [INSTRUCT, INSTRUCT, JUDGE])
    assert [one.verdict for one in found] == [None, Verdict.TIMEOUT, Verdict.TIMEOUT]
    assert [one.value for one in found] == [-0.5, -0.2, pytest.approx(1 / 3 - 0.2)]


def test_tampering_never_pays(sharing, rewarder):
    leave = "import os\n\n\ndef f(x):\n    os._exit(0)\n"
    assert (found := rewarder.reward([leave], [INSTRUCT])[0]).value == 0 and found.verdict is Verdict.TAMPERED
    assert sharing.reward([leave], [INSTRUCT])[0].value == -0.5


def test_a_guess_that_passes_now_and_then_is_worth_nothing_when_it_is_run_again():
    guess = "import time\n\n\ndef f(x):\n    return x + 1 if time.gmtime().tm_year < YEAR else x\n"
    guess = guess.replace("YEAR", str(time.gmtime().tm_year + 1))
    with Rewarder(settings_for(reruns=1)) as rewarder:
        found = rewarder.reward([guess, RIGHT], [INSTRUCT, INSTRUCT])
    assert [(one.value, one.verdict) for one in found] == [(0, Verdict.FLAKY), (1, Verdict.PASSED)]


def test_what_is_kept_is_bounded_and_need_not_run_again():
    other = RIGHT + "# another\n"
    with Rewarder(settings_for(cached=1)) as rewarder:
        told = [rewarder.reward([code], [INSTRUCT])[0].cached for code in (RIGHT, RIGHT, other, RIGHT)]
        again = [rewarder.reward([ENDLESS], [INSTRUCT])[0].cached for _ in range(2)]
    assert told == [False, True, False, False]
    assert again == [False, False]  # it may have been the machine that was slow


BAD_ROWS = {
    "nothing to judge by": ({}, "give test or io"),
    "no tests": ({"test": "x = 1\n"}, "define no test function"),
    "tests that do not parse": ({"test": "def test_x(:\n"}, "do not parse"),
    "tests that do not use the entry point": (INSTRUCT | {"entry_points": ["g"]}, "entry point g"),
    "tests that reach into the solution": (
        {"test": "import solution\nsolution.y = 1\n\n\ndef test_x():\n    pass\n"},
        "isolated",
    ),
    "a completion without its stub": ({"test": TEST, "style": "complete"}, "needs its question"),
    "a style that is none": (INSTRUCT | {"style": "poem"}, "style"),
    "a file outside": (INSTRUCT | {"files": [{"name": "../x", "content": ""}]}, "files.0.name"),
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_a_row_that_cannot_judge_is_named_before_anything_runs(rewarder, name):
    row, why = BAD_ROWS[name]
    with pytest.raises(BadInput, match="row 1 cannot judge") as error:
        rewarder.reward([RIGHT, RIGHT], [INSTRUCT, row])
    assert why in str(error.value)
    with pytest.raises(BadInput, match=r"2 completions and 1 rows"):
        rewarder.reward([RIGHT, RIGHT], [INSTRUCT])


def test_tests_that_cannot_be_isolated_judge_where_that_is_accepted():
    row = {"test": "import solution\n\n\ndef test_f(monkeypatch):\n    assert solution.f(1) == 2\n"}
    shared = settings_for().sandbox.model_copy(update={"tier": TierChoice.AUTO})
    with Rewarder(settings_for().model_copy(update={"sandbox": shared})) as rewarder:
        assert rewarder.reward([RIGHT], [row])[0].value == 1


def test_settings_given_in_part_keep_the_isolated_tier():
    sandbox = RewardSettings.model_validate({"sandbox": {"wall_s": 3}}).sandbox
    assert (sandbox.tier, sandbox.wall_s, sandbox.coverage) == (TierChoice.ISOLATED, 3, False)


def test_a_cancelled_batch_begins_nothing_more():
    sleeps = [f"import time\n\n\ndef f(x):\n    time.sleep(0.3)\n    return x + {n}\n" for n in range(40)]

    async def leave(rewarder: Rewarder) -> list[float]:
        batch = asyncio.create_task(rewarder.areward(sleeps, [INSTRUCT] * len(sleeps)))
        await asyncio.sleep(0.5)
        batch.cancel()
        with pytest.raises(asyncio.CancelledError):
            await batch
        return [one.value for one in await rewarder.areward([RIGHT], [INSTRUCT])]

    with Rewarder(settings_for(cached=100)) as rewarder:
        assert asyncio.run(leave(rewarder)) == [1]
        assert len(rewarder._known) < 10


def test_a_completion_that_repeats_itself_is_read_in_no_time(rewarder):
    long = [
        "```\n" * 100_000,
        "```python\nx = (\n```\n" * 20_000,
        "<think>" * 70_000,
        "def f(x):\n" * 40_000,
        "(" * 400_000,
    ]
    found = rewarder.reward([*long, "a" * 600_000], [INSTRUCT] * 6)
    assert [one.value for one in found] == [0] * 6

"""The reward function as trainers call it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tasks import rewards
from tests.rewards.material import COMPLETE, HALF, INSTRUCT, JUDGE, RIGHT, TEST, WRONG, served, settings_for

PROGRAM = "```python\nprint(int(input()) + 1)\n```"


@pytest.fixture(scope="module")
def rewarder() -> Iterator[rewards.Rewarder]:
    with rewards.Rewarder(settings_for()) as made:
        yield made


@pytest.fixture(params=["here", "elsewhere"])
def judge(request, rewarder, monkeypatch) -> Iterator[None]:
    """The sandbox of this process, and one behind a server that the environment names."""
    rewards.use(None)
    if request.param == "here":
        rewards.use(rewarder)
        yield
    else:
        with served(rewarder, key="s3cret") as url:
            monkeypatch.setenv("KODFORGE_REWARDS_URL", f"{url}, {url}/")
            monkeypatch.setenv("KODFORGE_REWARDS_KEY", "s3cret")
            yield
    rewards.use(None)


@pytest.fixture
def nobody() -> Iterator[None]:
    """A server that does not answer."""
    with rewards.RewardClient("http://127.0.0.1:9", patience_s=0) as client:
        rewards.use(client)
        yield
    rewards.use(None)


@pytest.mark.usefixtures("judge")
def test_trl_gets_a_number_per_completion_from_the_columns_of_the_data_set():
    said = [[{"role": "assistant", "content": text}] for text in (RIGHT, HALF, PROGRAM, "```python\nreturn x + 1\n```")]
    prompts = [[{"role": "user", "content": COMPLETE["question"]}]] * 4
    columns = {
        "test": [TEST, TEST, "", TEST],
        "io": [None, None, JUDGE["io"], None],
        "style": ["instruct", "instruct", "online_judge", "complete"],
        "difficulty": ["easy"] * 4,
        "trainer_state": object(),
        "log_metric": print,
    }
    found = rewards.kodforge_reward(prompts=prompts, completions=said, completion_ids=[[1]] * 4, **columns)
    assert found == [1, 0, 1, 1]


@pytest.mark.usefixtures("judge")
def test_trl_without_conversations():
    assert rewards.kodforge_reward(["?"] * 2, [RIGHT, WRONG], test=[TEST] * 2) == [1, 0]
    assert rewards.kodforge_reward([COMPLETE["question"]], ["    return x + 1"], test=[TEST], style=["complete"]) == [1]


@pytest.mark.usefixtures("judge")
def test_a_data_set_without_tests_is_refused():
    with pytest.raises(rewards.BadInput, match="no column test or io"):
        rewards.kodforge_reward(["?"], [RIGHT], answer=["2"])
    with pytest.raises(rewards.BadInput, match="row 0 cannot judge"):
        rewards.kodforge_reward(["?"], [RIGHT], test=[""])


@pytest.mark.usefixtures("judge")
def test_verl_gets_scores_one_by_one_and_all_at_once():
    row = json.dumps(INSTRUCT)
    right = {"score": 1.0, "acc": 1.0, "verdict": "passed"}
    wrong = {"score": 0.0, "acc": 0.0, "verdict": "failed"}
    none = {"score": 0.0, "acc": 0.0, "verdict": "no_code"}
    assert rewards.compute_score("kodforge", RIGHT, row, {"index": 1}) == right
    assert rewards.compute_score(data_source="kodforge", solution_str=WRONG, ground_truth=INSTRUCT) == wrong
    found = rewards.compute_scores(["kodforge"] * 3, [RIGHT, WRONG, ""], [row] * 3, extra_infos=[{}] * 3)
    assert found == [right, wrong, none]
    for nonsense in ("x", "[1]"):
        with pytest.raises(rewards.BadInput, match="row that should judge"):
            rewards.compute_score("kodforge", RIGHT, nonsense)


@pytest.mark.usefixtures("judge")
def test_verifiers_awaits_many_at_once():
    async def score() -> list[float]:
        said = [[{"role": "assistant", "content": text}] for text in (RIGHT, WRONG) * 8]
        return await asyncio.gather(*(rewards.rubric_reward(one, json.dumps(INSTRUCT), state={}) for one in said))

    assert asyncio.run(score()) == [1, 0] * 8


def test_a_process_that_was_forked_has_a_judge_of_its_own():
    program = """
import os, sys
from tasks import rewards
row = '''%s'''
assert rewards.compute_score("", "def f(x): return x + 1", {"test": row})["score"] == 1
if not (child := os.fork()):
    os._exit(int(rewards.compute_score("", "def f(x): return x + 1", {"test": row})["score"]))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) - 1)
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", program % TEST], check=True, timeout=120)


@pytest.mark.usefixtures("nobody")
def test_trl_leaves_out_what_no_sandbox_judged():
    assert rewards.kodforge_reward(["?"] * 2, [RIGHT, WRONG], test=[TEST] * 2) == [None, None]
    with pytest.raises(rewards.SandboxUnavailable, match="serve-rewards"):
        rewards.compute_score("kodforge", RIGHT, INSTRUCT)


def test_a_trainer_beside_a_server_needs_httpx_and_pydantic_alone():
    program = """
import sys
import httpx, pydantic
httpx.Client().close()
class Model(pydantic.BaseModel): pass
before = {name.partition(".")[0] for name in sys.modules}
from tasks.rewards import RewardClient, Reward, kodforge_reward, compute_score, compute_scores, rubric_reward
RewardClient("http://127.0.0.1:9").close()
after = {name.partition(".")[0] for name in sys.modules}
print(sorted(after - before - {"kodforge", "tasks"} - set(sys.stdlib_module_names)))
"""
    found = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert found.stdout == "[]\n"


@pytest.mark.parametrize("urls", ["", [], "127.0.0.1:8321", ["http://127.0.0.1:8321", "ftp://127.0.0.1"]])
def test_an_address_that_is_none_is_refused(urls):
    with pytest.raises(rewards.BadInput, match=r"http://10\.0\.0\.5:8321"):
        rewards.RewardClient(urls)

"""The reward functions that lie beside exported rows: against a server, and with kodforge installed."""

from __future__ import annotations

import ast
import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tasks import rewards
from tasks.exports import kodforge_reward as exported
from tasks.exports.format import REWARD_FILE, reward_file
from tasks.rewards.rewarder import Rewarder
from tests.exports.releases import SOLUTION, STUB, assistant, fenced, rl
from tests.rewards.material import served, settings_for

PROGRAM = fenced("print(2 * int(input()))\n")
ANSWERS = [
    (rl(0), fenced(SOLUTION), 1.0),
    (rl(0), fenced("def double(x):\n    return x\n"), 0.0),
    (rl(0), "I would multiply by two.", 0.0),
    (rl(0), fenced("import os\nos._exit(0)\n"), 0.0),
    (rl(1), f"<think>\nEasy.\n</think>\n\n{PROGRAM}", 1.0),
    (rl(1), fenced(SOLUTION), 0.0),
    (rl(2), fenced(f"{STUB}    return x + x\n"), 1.0),
]
ROWS, COMPLETIONS, VALUES = (list(column) for column in zip(*ANSWERS, strict=True))


def columns(rows: list[dict]) -> dict[str, list]:
    return {name: [row[name] for row in rows] for name in exported.COLUMNS}


@pytest.fixture(scope="module")
def rewarder() -> Iterator[Rewarder]:
    with Rewarder(settings_for()) as one:
        yield one


@pytest.fixture(params=["server", "kodforge installed"])
def judged(request, rewarder, monkeypatch) -> Iterator[None]:
    """Rewards from a server, and from a sandbox of this process."""
    if request.param == "server":
        with served(rewarder, key="secret") as url:
            monkeypatch.setenv(exported.URL, url)
            monkeypatch.setenv(exported.KEY, "secret")
            yield
    else:
        monkeypatch.delenv(exported.URL, raising=False)
        rewards.use(rewarder)
        yield
        rewards.use(None)


def test_answers_of_every_style_are_rewarded(judged):
    assert exported.kodforge_reward([row["prompt"] for row in ROWS], COMPLETIONS, **columns(ROWS)) == VALUES


def test_each_trainer_gets_the_same_rewards(judged):
    row, answer, value = ANSWERS[0]
    conversation = [[assistant("Let me see."), assistant(answer)]]
    assert exported.kodforge_reward([row["prompt"]], conversation, **columns([row])) == [value]
    score = exported.compute_score("kodforge/Prefill", answer, json.dumps(row), {"index": 0})
    assert score == {"score": value, "acc": value, "verdict": "passed"}
    assert asyncio.run(exported.rubric_reward(answer, row)) == value


def test_an_answer_without_code_has_a_verdict_as_well(judged):
    """Trainers make columns of it."""
    assert exported.compute_score("kodforge", "none", json.dumps(rl(0)))["verdict"] == "no_code"


class Stand(BaseHTTPRequestHandler):
    """A server that answers as told, one answer after the other."""

    answers: list[tuple[int, dict]]
    asked: list[dict]

    def do_POST(self) -> None:
        type(self).asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        self.send_response(status)
        self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None:
        pass


REWARD = {"value": 1.0, "passed": True, "verdict": "passed", "reason": "", "tests": [], "wall_s": 0.1, "cached": False}


@pytest.fixture
def stand(monkeypatch) -> Iterator[type[Stand]]:
    handler = type("Handler", (Stand,), {"answers": [(200, {"rewards": [REWARD]})], "asked": []})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv(exported.URL, f"http://127.0.0.1:{server.server_address[1]}/")
        yield handler
        server.shutdown()


def test_a_busy_server_is_asked_again(stand):
    stand.answers = [(429, {}), (503, {}), (200, {"rewards": [REWARD]})]
    assert exported.kodforge_reward([""], ["x"], **columns([rl(0)])) == [1.0]
    assert len(stand.asked) == 3


def test_a_request_that_is_refused_stops_the_training(stand):
    stand.answers = [(401, {"detail": "the key is wrong"})]
    with pytest.raises(exported.RewardRefused, match=r"401: .*the key is wrong.*Check KODFORGE_REWARDS_KEY"):
        exported.kodforge_reward([""], ["x"], **columns([rl(0)]))
    assert len(stand.asked) == 1


def test_a_row_travels_once_for_all_its_completions(stand):
    stand.answers = [(200, {"rewards": [REWARD] * 64}), (200, {"rewards": [REWARD] * 6})]
    rows = [rl(3 * (number // 10)) for number in range(70)]
    assert exported.kodforge_reward([""] * 70, ["x"] * 70, **columns(rows)) == [1.0] * 70
    assert [len(body["rows"]) for body in stand.asked] == [7, 1]
    assert stand.asked[0]["row_of"] == [number // 10 for number in range(64)]


def test_a_sandbox_that_cannot_be_had_says_nothing_of_an_answer(monkeypatch, caplog):
    monkeypatch.setenv(exported.URL, "http://127.0.0.1:9, http://127.0.0.1:9")
    monkeypatch.setattr(exported, "TRIES", 2)
    assert exported.kodforge_reward([""], ["x"], **columns([rl(0)])) == [None]
    assert "no rewards for 1 completions: http://127.0.0.1:9/v1/rewards" in caplog.text
    with pytest.raises(exported.RewardUnavailable):
        exported.compute_score("kodforge", "x", json.dumps(rl(0)))


def test_the_file_needs_nothing_but_python(tmp_path):
    (tmp_path / REWARD_FILE).write_text(reward_file())
    imported = {
        name.name.partition(".")[0] if isinstance(node, ast.Import) else str(node.module).partition(".")[0]
        for node in ast.parse(reward_file()).body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    assert imported <= sys.stdlib_module_names
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", "import sys; sys.path.insert(0, '.'); import kodforge_reward"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr

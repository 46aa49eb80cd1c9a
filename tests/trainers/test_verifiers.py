"""verifiers plays the environment: its own evaluation, a model at an endpoint, answers judged in the sandbox."""

from __future__ import annotations

import json

from tasks.settings.exports import ExportFormat
from tests.exports.releases import SETS

TRAINER = "verifiers"


def test_an_evaluation_rewards_what_passes_the_tests(exported, run, endpoint):
    folder = exported(ExportFormat.VERIFIERS)
    rows = [row for file in SETS["rl"]["train"] for row in file]
    run(
        "vf-eval", "@", "eval.toml", "--model", "m", "--client.base-url", endpoint, "-n", str(len(rows)), "-r", "1",
        cwd=folder, PYTHONPATH=str(folder), PRIME_API_KEY="none", OPENAI_API_KEY="none",
    )  # fmt: skip
    (file,) = folder.rglob("traces.jsonl")
    episodes = [json.loads(line) for line in file.read_text().splitlines()]
    found = {}
    for episode in episodes:
        (trace,) = episode["traces"]
        found[trace["task"]["data"]["id"]] = trace["rewards"]["tests_pass"]["score"]
    assert found == {row["question_id"]: 0.0 if row["io"] else 1.0 for row in rows}


def test_load_environment_gives_the_environment(exported, run):
    folder = exported(ExportFormat.VERIFIERS)
    program = "import kodforge_code as k; env = k.load_environment(); print(len(list(env.taskset)))"
    assert run("python", "-c", program, cwd=folder).splitlines()[-1] == "8"

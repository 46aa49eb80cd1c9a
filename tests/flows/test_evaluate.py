"""`kodforge evaluate` as a user calls it: a model over HTTP, a result, a comparison, failures to learn from."""

from __future__ import annotations

import json

import pytest

from tests.commands import refusal
from tests.evaluation import benchmarks as rows
from tests.evaluation.benchmarks import WHOLE, WRONG, written
from tests.evaluation.model_server import answering
from tests.processes import sets
from tests.writing import written_by_another


def right(text: str) -> str:
    return f"```python\n{text}```"


@pytest.fixture
def items(tmp_path):
    named = [rows.OWN | {"id": f"ours-{n}", "prompt": f"{n}: {rows.OWN['prompt']}"} for n in range(12)]
    return written(tmp_path / "items.jsonl", *named)


def test_a_model_that_got_better_is_told_from_chance_and_its_failures_are_kept(kodforge, items, tmp_path):
    better = False
    files = {name: tmp_path / name for name in ("first.json", "second.json", "report.md", "failures.jsonl")}

    def answers(prompt: str, seed: int) -> str:
        return right(WHOLE if better or prompt.startswith("0:") else WRONG)

    with answering(answers) as model:
        options = sets(evaluation__model__base_url=model.url, evaluation__model__model="tiny", sandbox__slots=2)
        arguments = ["evaluate", items, *options, *sets(store=tmp_path / "store", shard_size=5)]
        first = kodforge(*arguments, "--out", str(files["first.json"]), "--feedback", str(files["failures.jsonl"]))
        assert first.returncode == 0, first.stdout[-2000:] + first.stderr[-2000:]
        assert "8.3%" in first.stdout
        asked = len(model.asked)
        better = True
        options = [*arguments, "--out", str(files["second.json"]), "--report", str(files["report.md"])]
        again = kodforge(*options, "--against", str(files["first.json"]))
        assert again.returncode == 0, again.stdout[-2000:] + again.stderr[-2000:]
        assert len(model.asked) == asked == 12  # the same config: all of it was answered

        other = kodforge(*options, "--against", str(files["first.json"]), *sets(seed=1))
        assert other.returncode == 0, other.stdout[-2000:] + other.stderr[-2000:]
    result = json.loads(files["second.json"].read_text())
    assert result["scores"][0]["value"] == 1
    report = files["report.md"].read_text()
    assert "pass@1 is better by 91.7 points" in report
    assert "12 items with equal content" in report
    lines = [json.loads(line) for line in files["failures.jsonl"].read_text().splitlines()]
    assert [row["id"] for row in lines] == [f"ours-{n}" for n in range(1, 12)]
    shards = sorted(
        path.name[: len("part-00000")]
        for path in (tmp_path / "store/evaluation/items.jsonl-tiny/verdicts").glob("part-*.parquet")
    )
    assert shards == ["part-00000", "part-00001", "part-00002"]


def test_a_broken_item_is_named_by_the_check_which_then_fails(kodforge, tmp_path):
    good, broken = rows.OWN, rows.OWN | {"id": "broken", "canonical_solution": WRONG}
    weak = rows.OWN | {
        "id": "weak",
        "test": "from solution import overlapping\n\n\ndef test_a():\n    overlapping([])\n",
    }
    out = tmp_path / "check.json"
    path = written(tmp_path / "items.jsonl", good, broken, weak)
    done = kodforge("evaluate", path, "--check", "--out", str(out), *sets(store=tmp_path / "store"))
    assert done.returncode == 1
    assert "2 of 3 canonical solutions pass" in done.stdout
    check = json.loads(out.read_text())
    assert list(check["broken"]) == ["broken"]
    assert check["vacuous"]["weak"]
    assert "Traceback" not in done.stderr


def test_two_evaluations_do_not_share_a_folder_at_once(prefect_server, items, tmp_path, monkeypatch):
    monkeypatch.setattr("flows.evaluate.WAIT_S", 0)
    with answering(lambda prompt, seed: right(WHOLE)) as model:
        options = sets(evaluation__model__base_url=model.url, evaluation__model__model="tiny", store=tmp_path / "store")
        with written_by_another(tmp_path / "store", "evaluation/items.jsonl-tiny"):
            assert "is being written by" in refusal(prefect_server, "evaluate", str(items), *options)
            assert model.asked == []


def test_public_benchmarks_are_not_fed_back(kodforge, tmp_path):
    options = sets(evaluation__model__base_url="http://127.0.0.1:9/v1", evaluation__model__model="tiny")
    done = kodforge("evaluate", "humaneval", "--feedback", str(tmp_path / "failures.jsonl"), *options)
    assert done.returncode == 1
    assert "--feedback is refused" in done.stderr
    assert not (tmp_path / "failures.jsonl").exists()

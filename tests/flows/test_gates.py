"""Another gate, another policy: what runs again, and what is asked of a teacher."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.processes import running_teacher, sets

pytestmark = pytest.mark.slow
"""All of them look at a run with every check. What another gate runs again is in test_changed_parameters.py, too."""
SMALL = {
    "run": "gates",
    "only": "[Prefill,Leetcode]",
    "subsets__Prefill__count": 12,
    "subsets__Leetcode__count": 6,
    "teachers__author__kind": "openai",
    "sandbox__backend": "bubblewrap",
    "report": "false",
}


def stamps(store: Path, *stages: str) -> dict[str, int]:
    return {
        str(path.relative_to(store)): path.stat().st_mtime_ns
        for stage in stages
        for path in (store / "gates" / stage).rglob("*.parquet")
    }


def rows(store: Path, stage: str) -> list[dict]:
    return [
        row for path in sorted((store / "gates" / stage).glob("*.parquet")) for row in pq.read_table(path).to_pylist()
    ]


@pytest.fixture(scope="module")
def built(kodforge, tmp_path_factory):
    folder = tmp_path_factory.mktemp("gates")
    with running_teacher(folder) as teacher:
        options = sets(**SMALL, teachers__author__base_url=teacher.url, store=folder / "store")
        done = kodforge("run", *options)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        yield folder / "store", options, teacher


def test_another_gate_asks_no_teacher_and_runs_nothing_again(kodforge, built):
    store, options, teacher = built
    found = ("questions", "attempts", "verdicts", "solutions", "crosschecks", "audits")
    before, asked = stamps(store, *found), len(teacher.requests())
    triplets = {row["question_id"]: row for row in rows(store, "triplets")}
    gates = sets(verification__gates__mutation_score__reject_below=1.01)
    done = kodforge("run", *options, *gates)
    told = done.stdout + done.stderr
    assert stamps(store, *found) == before
    assert len([one for one in teacher.requests() if one["path"] != "/v1/models"]) == asked
    left = {row["question_id"] for row in rows(store, "triplets")}
    measured = {name for name, row in triplets.items() if row["mutation_score"] is not None}
    assert measured and not left & measured, told[-2000:]
    reasons = json.loads((store / "gates/triplets/manifest.json").read_text())["reasons"]
    assert reasons["weak_tests"] >= len(measured)
    assert kodforge("run", *options).returncode == 0
    assert {row["question_id"]: row for row in rows(store, "triplets")} == triplets


def test_inspect_says_why_in_words(kodforge, built):
    store, options, _ = built
    row = next(row for row in rows(store, "triplets") if row["mutation_score"] is not None and row["solver"])
    told = kodforge("inspect", row["question_id"], *options).stdout
    for words in (
        "Of ",
        "that stood, attempt",
        "mutants of the solution",
        "the tests fail against all",
        "saw no tests",
    ):
        assert words in told, told


def test_the_adaptive_policy_spends_less_on_easy_questions(kodforge, built, tmp_path):
    store, options, _ = built
    fixed = {row["question_id"]: len(row["gpt_pass_sequence"]) for row in rows(store, "triplets")}
    assert set(fixed.values()) == {4}
    policy = sets(store=tmp_path, verification__policy="adaptive", verification__least_attempts=2)
    done = kodforge("run", *options, *policy, *sets(verification__confidence=0.75))
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    made = {row["question_id"]: row["gpt_pass_sequence"] for row in rows(tmp_path, "triplets")}
    assert {len(passes) for passes in made.values() if set(passes) == {1}} <= {2, 3}
    assert any(len(passes) > 2 for passes in made.values() if 0 in passes)


def test_a_shard_whose_questions_are_all_rejected_stops_nothing(kodforge, built, tmp_path):
    _, options, _ = built
    small = sets(store=tmp_path, only="[Docs]", subsets__Docs__count=6, shard_size=1, verification__attempts=1)
    done = kodforge("run", *options, *small)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    asked = json.loads((tmp_path / "gates/questions/manifest.json").read_text())
    assert 0 in [shard["rows_out"] for shard in asked["shards"]], "no shard without a question: choose other seeds"


def test_fast_runs_neither_mutants_nor_cross_checks(kodforge, built, tmp_path):
    _, options, _ = built
    effort = sets(
        store=tmp_path,
        verification__rigour="fast",
        verification__effort__cross_checks="false",
        verification__effort__mutants=0,
        verification__effort__solver_tries=0,
        verification__effort__mending="none",
    )
    done = kodforge("run", *options, *effort)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert not rows(tmp_path, "audits") and not rows(tmp_path, "crosschecks") and not rows(tmp_path, "solutions")
    unmeasured = {one["check"] for row in rows(tmp_path, "triplets") for one in row["quality"] if one["value"] is None}
    assert {"mutation_score", "agreement", "support", "reference"} <= unmeasured

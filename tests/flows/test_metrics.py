"""A real run, followed by an OpenTelemetry collector: its numbers are those of the run's own books."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from flows.console.options import load_config
from tasks.models import AttemptVerdict
from tasks.run import Run, StageName
from tasks.teachers.usage import usage_of
from tests.metrics.collector import Collector, collecting
from tests.processes import ROOT, UNCHECKED, running_teacher, sets

KEY = "sk-of-the-metrics-test"
SMALL = {
    "run": "metered",
    "shard_size": 5,
    "only": "[Prefill,Leetcode]",
    "subsets__Prefill__count": 9,
    "subsets__Leetcode__count": 8,
    "verification__attempts": 2,
    "teachers__author__kind": "openai",
    "teachers__author__api_key_env": "TEACHER_KEY",
    "teachers__author__prices__input": 1,
    "teachers__author__prices__output": 2,
    "budget__usd": 20,
    "teachers__reasoners": "{}",
    **UNCHECKED,
}


def exporting(collector: Collector) -> dict[str, str]:
    return {
        "TEACHER_KEY": KEY,
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_METRIC_EXPORT_INTERVAL": "60000",  # so that what is there came with the end of the process
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=night",
    }


@pytest.fixture(scope="module")
def followed(kodforge, tmp_path_factory):
    """A run that was followed to its end, and what its collector has."""
    folder = tmp_path_factory.mktemp("followed")
    os.environ["TEACHER_KEY"] = KEY
    with running_teacher(folder, "--key-env", "TEACHER_KEY") as teacher, collecting() as collector:
        options = sets(**SMALL, teachers__author__base_url=teacher.url, store=folder / "store")
        done = kodforge("run", *options, env=exporting(collector))
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        config = load_config("demo", [word for word in options if word != "--set"])
        yield Run(config=config, teachers=config.teachers), collector
    del os.environ["TEACHER_KEY"]


def test_tokens_cost_and_requests_are_those_of_the_usage_table(followed):
    run, collector = followed
    used = usage_of(run).total
    assert used.calls
    assert collector.by("kodforge.teacher.requests", "outcome")["answered"] == used.calls
    tokens = collector.by("gen_ai.client.token.usage", "gen_ai.token.type")
    assert tokens == {"input": used.prompt_tokens, "output": used.completion_tokens}
    assert sum(collector.by("kodforge.teacher.cost.usd", "stage").values()) == pytest.approx(used.usd)
    assert collector.by("kodforge.budget.spent", "unit") == {"usd": pytest.approx(used.usd)}
    assert collector.by("kodforge.budget.limit", "run") == {"metered": 20}
    calls = Counter()
    for row in usage_of(run).rows:
        calls[row.stage] += row.calls
    assert collector.by("kodforge.teacher.requests", "stage", outcome="answered") == calls


def test_failed_tries_are_counted_beside_the_answers(followed):
    _, collector = followed
    tries = collector.by("gen_ai.client.operation.duration.count", "error.type")
    answered = collector.by("kodforge.teacher.requests", "outcome")["answered"]
    assert tries.pop("") == answered
    failed = collector.by("kodforge.teacher.failed_tries", "kind")
    assert failed
    assert {kind: tries[kind] for kind in failed} == failed
    assert set(collector.by("kodforge.teacher.waiting", "stage").values()) == {0}
    assert set(collector.by("kodforge.teacher.in_flight", "stage").values()) == {0}


def test_rows_rejects_and_verdicts_are_those_of_the_manifests(followed):
    run, collector = followed
    reasons, verdicts = Counter(), Counter()
    for name in StageName:
        manifest = run.stage(name).manifest()
        if manifest is None or not manifest["shards"]:
            continue
        rows = collector.by("kodforge.rows", "direction", stage=name.value)
        assert rows == {"in": manifest["rows_in"], "out": manifest["rows_out"]}, name
        ended = {"done": len(manifest["shards"]), "failed": 0}
        assert collector.by("kodforge.shards", "outcome", stage=name.value) == ended, name
        reasons.update(manifest["reasons"])
    assert collector.by("kodforge.rejects", "reason") == reasons
    for receipt in run.receipts(StageName.VERDICTS):
        rows = run.stage(StageName.VERDICTS).rows(receipt.name, AttemptVerdict)
        verdicts.update(row.pair.verdict.value for row in rows)
    assert collector.by("kodforge.verdicts", "verdict") == verdicts


def test_who_exports_is_told_and_nothing_that_is_private(followed):
    run, collector = followed
    (about,) = collector.resources.values()
    assert about["service.name"] == "kodforge"
    assert about["deployment.environment.name"] == "night"
    assert about["service.instance.id"].rpartition(":")[2].isdigit()
    assert KEY.encode() not in collector.exported
    assert run.config.store.encode() not in collector.exported
    question = run.stage(StageName.QUESTIONS).table(run.receipts(StageName.QUESTIONS)[0].name).to_pylist()[0]
    assert question["question_id"].encode() not in collector.exported
    assert question["question"][:40].encode() not in collector.exported


def test_a_run_that_is_stopped_exports_what_it_did(prefect_server, tmp_path):
    with running_teacher(tmp_path, "--latency", "0.2") as teacher, collecting() as collector:
        options = sets(**{**SMALL, "teachers__author__api_key_env": '""'}, store=tmp_path / "store")
        process = subprocess.Popen(
            [sys.executable, "-m", "flows.cli", "run", *options, *sets(teachers__author__base_url=teacher.url)],
            cwd=ROOT,
            env={**prefect_server.env, **exporting(collector)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 180
        while len(teacher.requests()) < 10 and time.monotonic() < deadline:
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        assert collector.by("kodforge.teacher.requests", "outcome")["answered"] >= 1


@pytest.mark.slow
def test_a_collector_that_is_away_costs_a_run_a_few_seconds_at_most(kodforge, tmp_path):
    """It says so in the log, and the run goes on."""
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text('{"id": "one", "solution": "x = 1\\n", "test": "def test_x():\\n    from solution import x\\n"}\n')
    env = {"OTEL_METRICS_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    out = tmp_path / "verdicts.parquet"
    done = kodforge("verify", str(pairs), "--out", str(out), "--backend", "bubblewrap", env=env)
    assert done.returncode == 0, done.stderr
    assert out.exists()

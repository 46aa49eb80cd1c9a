"""Metrics as Prometheus reads them: real pages, the alert rules, the dashboard."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import Counter

import pyarrow.parquet as pq
import pytest
import yaml

from tests.metrics.exposition import ROOT, dashboard, environment, names, python, samples
from tests.ports import free_port

RULES = ROOT / "deployments/prometheus/rules.yaml"
PAIRS = [
    {"id": "right", "solution": "def double(x):\n    return 2 * x\n"},
    {"id": "wrong", "solution": "def double(x):\n    return x\n"},
    {"id": "broken", "solution": "def double(x:\n"},
    {"id": "endless", "solution": "def double(x):\n    while True: pass\n"},
]
TEST = "from solution import double\n\n\ndef test_double():\n    assert double(2) == 4\n"
_VERIFY = """
import sys, urllib.request
from pathlib import Path
from tasks.execution.pool import SandboxPool
from tasks.execution.verify import verify_file
from tasks.settings import Sandbox

settings = Sandbox(backend="bubblewrap", slots=2, wall_s=2)
verify_file(Path(sys.argv[1]), Path(sys.argv[2]), settings, lambda done: None, 0)
with SandboxPool(settings):
    print(urllib.request.urlopen("http://127.0.0.1:%s/metrics" % sys.argv[3]).read().decode())
"""
_TWO = """
import logging, sys, urllib.request
logging.basicConfig(level="INFO")
from tasks import metrics

metrics.start_metrics()
metrics.VERDICTS.add(1, {"verdict": "passed"})
print(urllib.request.urlopen("http://127.0.0.1:%d/metrics" % (int(sys.argv[1]) + 1)).read().decode())
"""


def test_the_page_has_the_verdicts_of_the_file(tmp_path):
    pairs, out, port = tmp_path / "pairs.jsonl", tmp_path / "verdicts.parquet", free_port()
    pairs.write_text("".join(json.dumps({**pair, "test": TEST}) + "\n" for pair in PAIRS))
    done = python(_VERIFY, environment(port), str(pairs), str(out), str(port))
    assert done.returncode == 0, done.stderr
    found = samples(done.stdout)
    counted = Counter()
    for name, labels, number in found:
        if name == "kodforge_sandbox_runs_total":
            counted[labels["verdict"]] += number
    assert counted == Counter(pq.read_table(out, columns=["verdict"])["verdict"].to_pylist())
    rows = {labels["direction"]: number for name, labels, number in found if name == "kodforge_rows_total"}
    assert rows == {"in": len(PAIRS), "out": len(PAIRS)}
    assert ("kodforge_sandbox_slots", {"backend": "bubblewrap"}, 2) in found
    assert ("kodforge_sandbox_busy", {"backend": "bubblewrap"}, 0) in found
    about = next(labels for name, labels, _ in found if name == "target_info")
    assert about["service_name"] == "kodforge"
    assert re.fullmatch(r".+:\d+", about["service_instance_id"])


def test_a_second_process_takes_the_next_port():
    port = free_port()
    holder = f"import socket; held = socket.create_server(('127.0.0.1', {port}))\n"
    done = python(holder + _TWO, environment(port), str(port))
    assert done.returncode == 0, done.stderr
    assert ("kodforge_verdicts_total", {"verdict": "passed"}, 1.0) in samples(done.stdout)
    assert f"http://127.0.0.1:{port + 1}/metrics" in done.stderr


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"OTEL_EXPORTER_PROMETHEUS_HOST": "no.such.host.invalid"}, "no metrics are served"),
        ({"OTEL_EXPORTER_PROMETHEUS_PORT": "many"}, "no metrics go to prometheus"),
        ({"OTEL_METRICS_EXPORTER": "carrier-pigeon"}, "There are otlp, prometheus, console and none"),
        ({"OTEL_SDK_DISABLED": "true"}, ""),
        ({"OTEL_METRICS_EXPORTER": "none"}, ""),
    ],
)
def test_what_is_wrong_or_off_stops_nothing(settings, told):
    source = """
import logging
logging.basicConfig()
from tasks import metrics

metrics.start_metrics()
metrics.VERDICTS.add(1, {"verdict": "passed"})
metrics.flush_metrics()
from opentelemetry.metrics import get_meter_provider
assert not hasattr(get_meter_provider(), "force_flush"), "something is exported"
"""
    done = python(source, environment(free_port(), **settings))
    assert done.returncode == 0, done.stderr
    assert told in done.stderr
    assert told or not done.stderr


def metrics_in(query: str) -> set[str]:
    return set(re.findall(r"\b(?:kodforge|gen_ai)_\w+(?=[\[{ )]|$)", re.sub(r"by \([^)]*\)", "", query)))


def test_dashboard_and_rules_ask_for_what_there_is():
    rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    queries = dashboard() + [rule["expr"] for rule in rules]
    asked = set().union(*map(metrics_in, queries))
    assert all(metrics_in(query) for query in queries)
    assert asked - names(free_port()) == set()
    assert {
        "KodforgeNoAnswers",
        "KodforgeTeacherErrors",
        "KodforgeBudget",
        "KodforgeBoxesDie",
        "KodforgeTampering",
    } <= {rule["alert"] for rule in rules}


def test_every_alert_has_its_line_in_the_guide():
    guide = (ROOT / "docs/operations.md").read_text()
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        for rule in group["rules"]:
            assert f"`{rule['alert']}`" in guide, rule["alert"]


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed (Debian: prometheus)")
def test_alerts_fire_when_they_should_and_only_then(tmp_path):
    cases = (ROOT / "tests/metrics/alerts.yaml").read_text().replace("RULES", str(RULES))
    (tmp_path / "alerts.yaml").write_text(cases)
    done = subprocess.run(
        ["promtool", "test", "rules", tmp_path / "alerts.yaml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_metric_is_in_the_guide():
    guide = (ROOT / "docs/operations.md").read_text()
    table = guide[guide.index("| metric (Prometheus") : guide.index("### Alerts")]
    told = {name.replace(".", "_") for name in re.findall(r"`((?:kodforge|gen_ai)\.[a-z_.]+)`", table)}
    told -= {"gen_ai_request_model", "gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_token_type"}
    exported = {name for name in names(free_port()) if name != "target_info"}
    assert {name for name in exported if not any(name.startswith(one) for one in told)} == set()
    assert {one for one in told if not any(name.startswith(one) for name in exported)} == set()

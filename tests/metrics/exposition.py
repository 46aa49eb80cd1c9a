"""What Prometheus reads of every instrument: a page with one number of each, by a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).resolve().parents[2]
_EVERY = """
import json, sys, urllib.request
from opentelemetry.metrics import Counter, Histogram
from tasks import metrics

class One:
    def read(self):
        return [(1, {})]

metrics.start_metrics()
one = One()
for instrument in vars(metrics).values():
    if isinstance(instrument, metrics.Watched):
        instrument.watch(one.read)
    elif isinstance(instrument, Counter):
        instrument.add(1)
    elif isinstance(instrument, Histogram):
        instrument.record(1)
print(urllib.request.urlopen("http://127.0.0.1:%s/metrics" % sys.argv[1]).read().decode())
"""


def environment(port: int, **more: str) -> dict[str, str]:
    """In which a process serves Prometheus."""
    return {
        **os.environ,
        "OTEL_METRICS_EXPORTER": "prometheus",
        "OTEL_EXPORTER_PROMETHEUS_HOST": "127.0.0.1",
        "OTEL_EXPORTER_PROMETHEUS_PORT": str(port),
        **more,
    }


def samples(page: str) -> list[tuple[str, dict[str, str], float]]:
    return [
        (sample.name, sample.labels, sample.value)
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    ]


def python(source: str, env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", source, *arguments],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@cache
def names(port: int) -> frozenset[str]:
    """Of all series that there can be."""
    done = python(_EVERY, environment(port), str(port))
    assert done.returncode == 0, done.stderr
    return frozenset(name for name, _, _ in samples(done.stdout))


def dashboard() -> list[str]:
    """The queries of the Grafana dashboard."""
    page = json.loads((ROOT / "deployments/grafana/kodforge.json").read_text())
    return [target["expr"] for panel in page["panels"] for target in panel.get("targets", [])]

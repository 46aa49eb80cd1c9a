"""What a process measures of its work, as OpenTelemetry instruments; they cost next to nothing until they are exported.

What is exported, and where to, is for OpenTelemetry's own environment variables to say, in each process::

    OTEL_METRICS_EXPORTER=otlp           push to OTEL_EXPORTER_OTLP_ENDPOINT, over HTTP
    OTEL_METRICS_EXPORTER=prometheus     serve OTEL_EXPORTER_PROMETHEUS_HOST:OTEL_EXPORTER_PROMETHEUS_PORT
    OTEL_METRICS_EXPORTER=console        print

Labels have few values each: no row, prompt, key or address with credentials is ever one. Counters count the work that
this process did, work that was done again included; what a run holds in the end is in its manifests.
"""

from __future__ import annotations

import itertools
import logging
import os
import socket
import threading
import time
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import MetricReader

Labels = Mapping[str, str]
Reading = Iterable[tuple[float, Labels]]

FLUSH_S = 3.0
"""How long the end of a flow may wait for a collector that does not answer."""
_PORTS = 16
"""Processes of one machine that Prometheus can read, each at a port of its own."""
_SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000)
_GEN_AI_SECONDS = (
    0.01,
    0.02,
    0.04,
    0.08,
    0.16,
    0.32,
    0.64,
    1.28,
    2.56,
    5.12,
    10.24,
    20.48,
    40.96,
    81.92,
    163.84,
    327.68,
)
_GEN_AI_TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576)
_exporting = threading.Lock()
_log = logging.getLogger("prefect.metrics")  # Prefect's, without the seconds that importing Prefect takes
_meter = metrics.get_meter("kodforge", version("kodforge"))


class Watched:
    """An instrument that is read when it is exported, from everything that has such a number then.

    Numbers with equal labels are added up: two pools of a process, say, are one number.
    """

    def __init__(self, create: Callable[..., object], name: str, unit: str, description: str) -> None:
        self._sources: list[weakref.WeakMethod[Callable[[], Reading]]] = []
        create(name, callbacks=[self._observe], unit=unit, description=description)

    def watch(self, source: Callable[[], Reading]) -> None:
        """Read a bound method from now on, for as long as its object lives."""
        self._sources.append(weakref.WeakMethod(source))

    def _observe(self, options: CallbackOptions) -> Iterable[Observation]:
        sums: dict[tuple[tuple[str, str], ...], float] = defaultdict(float)
        self._sources = [source for source in self._sources if source() is not None]
        for source in self._sources:
            if read := source():
                for number, labels in read():
                    sums[tuple(sorted(labels.items()))] += number
        return [Observation(number, dict(labels)) for labels, number in sums.items()]


_counter, _histogram = _meter.create_counter, _meter.create_histogram
_total, _gauge = _meter.create_observable_counter, _meter.create_observable_gauge

# Teachers. The first two are OpenTelemetry's conventions for clients of generative AI.
DURATION = _histogram(
    "gen_ai.client.operation.duration",
    "s",
    "Of one try at a request, answered or not.",
    explicit_bucket_boundaries_advisory=_GEN_AI_SECONDS,
)
TOKENS = _histogram(
    "gen_ai.client.token.usage",
    "{token}",
    "Tokens of an answer, by type: input or output.",
    explicit_bucket_boundaries_advisory=_GEN_AI_TOKENS,
)
REQUESTS = Watched(_total, "kodforge.teacher.requests", "{request}", "Requests that have ended, by outcome.")
RETRIES = Watched(_total, "kodforge.teacher.failed_tries", "{try}", "Tries without an answer, by kind.")
COST = Watched(_total, "kodforge.teacher.cost.usd", "", "USD paid, where the price is known.")
IN_FLIGHT = Watched(_gauge, "kodforge.teacher.in_flight", "{request}", "Requests that a server has, unanswered.")
WAITING = Watched(
    _gauge, "kodforge.teacher.waiting", "{request}", "Requests that wait for their turn, or to be retried."
)
SPENT = Watched(_gauge, "kodforge.budget.spent", "", "Of a run's budget, by unit: usd or tokens.")
BUDGET = Watched(_gauge, "kodforge.budget.limit", "", "A run's budget, by unit: usd or tokens.")

# The sandbox.
RUNS = _counter("kodforge.sandbox.runs", "{run}", "Pairs looked at, re-runs included, by verdict and tier.")
RUN_DURATION = _histogram(
    "kodforge.sandbox.run.duration",
    "s",
    "Wall time in boxes for one look at a pair.",
    explicit_bucket_boundaries_advisory=_SECONDS,
)
BOXES = _counter("kodforge.sandbox.boxes", "{box}", "Boxes that ended, by cause.")
SLOTS = Watched(_gauge, "kodforge.sandbox.slots", "{slot}", "Cases that can run at once.")
BUSY = Watched(_gauge, "kodforge.sandbox.busy", "{slot}", "Slots with a case in them.")
QUEUE = Watched(_gauge, "kodforge.sandbox.waiting", "{pair}", "Pairs that wait for a slot.")
VERDICTS = _counter("kodforge.verdicts", "{attempt}", "Verdicts on attempts.")

# Shards and rows.
SHARDS = _counter("kodforge.shards", "{shard}", "Shards by stage and outcome: done, reused or failed.")
SHARD_DURATION = _histogram(
    "kodforge.shard.duration", "s", "Of a shard that was done.", explicit_bucket_boundaries_advisory=_SECONDS
)
SHARD_SECONDS = _counter("kodforge.shard.time", "s", "Where the time of shards went.")
ROWS = _counter("kodforge.rows", "{row}", "Rows by stage and direction: in or out.")
REJECTS = _counter("kodforge.rejects", "{row}", "Rows rejected, by stage and reason.")
RUNNING = Watched(_gauge, "kodforge.shards.running", "{shard}", "Shards under way.")
OLDEST = Watched(_gauge, "kodforge.shards.oldest", "s", "Since when the oldest shard of a stage is under way.")

# The store.
STORE_OPERATIONS = _counter("kodforge.store.operations", "{operation}", "Reads, writes, lists and removals.")
STORE_WRITTEN = _counter("kodforge.store.written", "By", "Bytes written to the store.")


class _UnderWay:
    """The shards that this process works on."""

    def __init__(self) -> None:
        self._started: dict[int, tuple[str, float]] = {}
        self._numbers = itertools.count()
        RUNNING.watch(self.running)
        OLDEST.watch(self.oldest)

    @contextmanager
    def shard(self, stage: str) -> Iterator[None]:
        """The work on one shard; an exception makes it a failed one."""
        start_metrics()
        SHARDS.add(
            0, {"stage": stage, "outcome": "failed"}
        )  # Prometheus sees no increase in a series that begins with some
        number, started = next(self._numbers), time.monotonic()
        self._started[number] = (stage, started)
        try:
            yield
        except BaseException:
            SHARDS.add(1, {"stage": stage, "outcome": "failed"})
            raise
        else:
            SHARDS.add(1, {"stage": stage, "outcome": "done"})
            SHARD_DURATION.record(time.monotonic() - started, {"stage": stage})
        finally:
            del self._started[number]

    @property
    def idle(self) -> bool:
        return not self._started

    def running(self) -> Reading:
        """How many there are."""
        return [(1, {"stage": stage}) for stage, _ in list(self._started.values())]

    def oldest(self) -> Reading:
        """The age of each stage's oldest."""
        oldest: dict[str, float] = {}
        for stage, started in list(self._started.values()):
            oldest[stage] = min(started, oldest.get(stage, started))
        return [(time.monotonic() - started, {"stage": stage}) for stage, started in oldest.items()]


UNDER_WAY = _UnderWay()
"""Of this process."""


def count_rows(stage: str, rows_in: int, rows_out: int, reasons: Mapping[str, int]) -> None:
    """Count what became of a shard's rows.

    Args:
        reasons: of the rows that were rejected.
    """
    ROWS.add(rows_in, {"stage": stage, "direction": "in"})
    ROWS.add(rows_out, {"stage": stage, "direction": "out"})
    for reason, number in reasons.items():
        REJECTS.add(number, {"stage": stage, "reason": reason})


@cache
def start_metrics() -> None:
    """Begin to export what the environment asks for; nothing by default. What is wrong there is a warning, no failure.

    A provider of instruments that is there already, as under ``opentelemetry-instrument``, is left as it is.
    """
    names = _exporters(os.environ)
    if not names or type(metrics.get_meter_provider()).__module__.startswith("opentelemetry.sdk"):
        return
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415 - takes time, and few processes export
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource  # noqa: PLC0415

    readers = [reader for name in names if (reader := _reader(name)) is not None]
    if readers:
        about = {
            "service.name": "kodforge",
            "service.version": version("kodforge"),
            "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
        }
        resource = Resource.create(about).merge(OTELResourceDetector().detect())  # the environment has the last word
        metrics.set_meter_provider(MeterProvider(readers, resource))


def flush_metrics() -> None:
    """Export what has not been yet, before a process is ended. Waits `FLUSH_S` at most, and never raises."""
    if exporting := _begin_export(FLUSH_S):
        exporting.join(FLUSH_S)


def export_where_idle() -> None:
    """Export, without waiting for it, where no shard is under way: engines kill workers that have nothing to do."""
    if UNDER_WAY.idle:
        _begin_export(0)


def _begin_export(wait_s: float) -> threading.Thread | None:
    """Export in a thread of its own; None where nothing is, or where an earlier one does not end in time."""
    provider: Any = metrics.get_meter_provider()
    if not hasattr(provider, "force_flush") or not _exporting.acquire(timeout=wait_s):
        return None
    thread = threading.Thread(target=_export, args=(provider,), daemon=True, name="metrics-export")
    thread.start()
    return thread


def _export(provider: MeterProvider) -> None:
    try:
        provider.force_flush(FLUSH_S * 1000)
    except Exception as error:  # a collector that is away must not stop the work that is measured
        _log.debug("the metrics could not be exported: %s", error)
    finally:
        _exporting.release()


def _exporters(environment: Mapping[str, str]) -> list[str]:
    """The exporters that an environment asks for."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return []
    pushes = any(environment.get(f"OTEL_EXPORTER_OTLP_{name}ENDPOINT") for name in ("", "METRICS_"))
    asked = environment.get("OTEL_METRICS_EXPORTER", "otlp" if pushes else "")
    return [name for word in asked.split(",") if (name := word.strip().lower()) and name != "none"]


def _reader(name: str) -> MetricReader | None:
    """What exports to an exporter of that name; None, and a warning, where there is none."""
    from opentelemetry.sdk.metrics.export import (  # noqa: PLC0415
        ConsoleMetricExporter,
        PeriodicExportingMetricReader,
    )

    try:
        if name == "prometheus":
            return _served()
        if name == "console":
            return PeriodicExportingMetricReader(ConsoleMetricExporter())
        if name == "otlp":
            from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: PLC0415

            return PeriodicExportingMetricReader(OTLPMetricExporter())
        _log.warning("OTEL_METRICS_EXPORTER names %r. There are otlp, prometheus, console and none", name)
    except Exception as error:
        _log.warning("no metrics go to %s: %s. The run goes on without", name, error)
    return None


def _served() -> MetricReader | None:
    """A page for Prometheus, at the configured port or, where another process has that, at one of the next."""
    from opentelemetry.exporter.prometheus import PrometheusMetricReader  # noqa: PLC0415
    from prometheus_client import CollectorRegistry, start_http_server  # noqa: PLC0415

    host = os.environ.get("OTEL_EXPORTER_PROMETHEUS_HOST", "localhost")
    first = int(os.environ.get("OTEL_EXPORTER_PROMETHEUS_PORT", "9464"))
    registry = CollectorRegistry()
    for port in range(first, min(first + _PORTS, 65_536)):
        try:
            server, _ = start_http_server(port, host, registry)
        except OSError as error:
            cause = error
            continue
        _log.info("metrics of this process are at http://%s:%d/metrics", host, server.server_port)
        return PrometheusMetricReader(scope_info_enabled=False, registry=registry)
    _log.warning(
        "no metrics are served: none of the ports %d to %d of %s can be had (%s). Set OTEL_EXPORTER_PROMETHEUS_PORT",
        first,
        port,
        host,
        cause,
    )
    return None

"""An OpenTelemetry collector on loopback: takes OTLP over HTTP, and adds up what the processes of a run export."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest


class Collector:
    """What was exported last, by process, metric and labels; of histograms the sum and the count."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.resources: dict[str, dict[str, str]] = {}
        self.exported = b""
        self._points: dict[tuple[str, str, frozenset[tuple[str, str]]], float] = {}

    def take(self, body: bytes) -> None:
        self.exported += body
        for part in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            about = {one.key: one.value.string_value for one in part.resource.attributes}
            process = about["service.instance.id"]
            self.resources[process] = about
            for metric in (metric for scope in part.scope_metrics for metric in scope.metrics):
                kind = metric.WhichOneof("data")
                for point in getattr(metric, kind).data_points:
                    labels = frozenset((one.key, one.value.string_value) for one in point.attributes)
                    if kind == "histogram":
                        self._points[process, metric.name, labels] = point.sum
                        self._points[process, f"{metric.name}.count", labels] = point.count
                    else:
                        self._points[process, metric.name, labels] = point.as_int or point.as_double

    @property
    def names(self) -> set[str]:
        return {name for _, name, _ in self._points}

    def by(self, name: str, label: str, **where: str) -> dict[str, float]:
        """Sums over processes and all other labels, by a label's values."""
        sums: dict[str, float] = {}
        for (_, metric, labels), number in self._points.items():
            found: Mapping[str, str] = dict(labels)
            if metric == name and where.items() <= found.items():
                sums[found.get(label, "")] = sums.get(found.get(label, ""), 0) + number
        return sums


@contextmanager
def collecting() -> Iterator[Collector]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            collector.take(gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body)
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector = Collector(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()

"""Coverage of a solution, by coverage.py without what makes it slow for one small file."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from types import FrameType
from typing import Any

import coverage
from coverage.disposition import disposition_init
from coverage.python import PythonFileReporter
from coverage.results import analysis_from_file_reporter

Arc = tuple[int, int]


class _Arcs:
    """Measured jumps from line to line, in memory.

    coverage.py would keep them in SQLite, which takes longer than all else it does.
    """

    def __init__(self) -> None:
        self._found: dict[str, set[Arc]] = {}

    def add_arcs(self, arcs: dict[str, Iterable[Arc]]) -> None:
        for path, pairs in arcs.items():
            self._found.setdefault(path, set()).update(pairs)

    def add_file_tracers(self, tracers: dict[str, str]) -> None:
        """No plugin is in use."""

    def has_arcs(self) -> bool:
        return True

    def arcs(self, path: str) -> list[Arc]:
        return list(self._found.get(path, ()))

    def lines(self, path: str) -> list[int]:
        return [line for line in set(chain.from_iterable(self.arcs(path))) if line > 0]


class Measure:
    """Measures the branches of one file."""

    def __init__(self) -> None:
        self._coverage = coverage.Coverage(data_file=None, branch=True, config_file=False, messages=False)
        self._coverage.start()
        self._coverage.stop()
        # From now on the collector is used alone: `Coverage` looks at all modules and all of `sys.path` anew once a
        # case has changed that, and a child would copy what it looks at.
        collector: Any = self._coverage._collector
        core: Any = self._coverage._core
        self._disposition = core.file_disposition_class
        self._arcs = collector.covdata = _Arcs()
        collector.should_trace = self._should_trace
        self._collector = collector
        self._path = __file__
        self.start(__file__)
        self.stop()  # imports and compiles what the first analysis needs

    def _should_trace(self, path: str, _: FrameType) -> Any:
        found = disposition_init(self._disposition, path)
        found.trace, found.source_filename = path == self._path, path
        return found

    def start(self, path: str) -> None:
        """Begin to measure a file."""
        self._path = path
        self._collector.reset()
        self._collector.start()

    def pause(self) -> Any:
        """Stop this thread's tracer for a while; the tracer, to start it with."""
        tracer = self._collector.tracers[0]
        tracer.stop()
        return tracer

    def stop(self) -> dict[str, Any] | None:
        """End the measurement; what of the file was not run, None where coverage.py cannot read it."""
        self._collector.stop()
        self._collector.flush_data()
        try:
            reporter = PythonFileReporter(self._path, self._coverage)
            found = analysis_from_file_reporter(self._arcs, 0, reporter, self._path)  # type: ignore[arg-type]
        except (coverage.CoverageException, RecursionError):  # RecursionError: nested more deeply than it can follow
            return None
        return {
            "statements": found.numbers.n_statements,
            "missing": sorted(found.missing),
            "branches": found.numbers.n_branches,
            "missing_branches": [(line, to) for line, ends in found.missing_branch_arcs().items() for to in ends],
        }


MEASURE = Measure()
"""Made, and so warmed up, where this module is imported: in the boxes that measure, before any child is forked."""

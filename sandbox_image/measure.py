"""Coverage of a solution, by coverage.py without what makes it slow for one small file."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any

import coverage
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
    """Measures branches of the files named ``solution.py``."""

    def __init__(self) -> None:
        self._coverage = coverage.Coverage(
            data_file=None, branch=True, include=["*/solution.py"], config_file=False, messages=False
        )
        self._coverage.start()
        self._coverage.stop()
        self._arcs = _Arcs()
        collector: Any = self._coverage._collector
        collector.covdata = self._arcs
        self._collector = collector
        self.start()
        self.stop(__file__)  # imports and compiles what the first analysis needs

    def start(self) -> None:
        self._coverage.start()

    def stop(self, path: str) -> dict[str, int] | None:
        """End the measurement; the counts for one file, None where coverage.py cannot read it."""
        self._coverage.stop()
        self._collector.flush_data()
        try:
            reporter = PythonFileReporter(path, self._coverage)
            numbers = analysis_from_file_reporter(self._arcs, 0, reporter, path).numbers  # type: ignore[arg-type]
        except coverage.CoverageException:
            return None
        return {
            "statements": numbers.n_statements,
            "statements_hit": numbers.n_executed,
            "branches": numbers.n_branches,
            "branches_hit": numbers.n_executed_branches,
        }


MEASURE = Measure()
"""Made, and so warmed up, where this module is imported: in the boxes that measure, before any child is forked."""

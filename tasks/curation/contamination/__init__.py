"""Rows compared with benchmarks: by what they say, how they are built, their examples, and their sense."""

from tasks.curation.contamination.fingerprints import fingerprint_of
from tasks.curation.contamination.index import BenchmarkIndex
from tasks.curation.contamination.items import BenchmarkItem
from tasks.curation.contamination.reading import read_benchmarks

__all__ = ["BenchmarkIndex", "BenchmarkItem", "fingerprint_of", "read_benchmarks"]

"""Curation at scale: `kodforge curate` on synthesised questions with planted duplicates, beside its peers.

    python -m benchmarks.scale [--rows 447000] [--parts curate semantic peers growth engines] [--folder DIR]

Every contender is a process of its own; its memory is that of all of its processes together, pages that several share
counted once. Run it on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import psutil
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.peers.duplicates import COSINE
from benchmarks.questions import RATES, write_questions
from benchmarks.teachers import SCRIPTS, python_of
from tasks.curation.dedup.semantic import cells_for, learn_cells, place, sample_size
from tasks.embedding.static import WordLlamaEmbedder
from tasks.files import row_writer
from tasks.models.vocabulary import Row

MB = 1 << 20
_EVERY_S = 0.5
_DUPLICATES = ("exact", "near", "semantic")
PEERS: Mapping[str, tuple[list[str], list[str]]] = {
    "semhash 0.5.0, wordllama's vectors": (["with_semhash.py"], ["semhash==0.5.0", "wordllama"]),
    "datasketch 2.0.0": (["with_datasketch.py"], ["datasketch==2.0.0", "xxhash"]),
    "datasketch 2.0.0, kodforge's bands": (["with_datasketch.py", "51", "5"], ["datasketch==2.0.0", "xxhash"]),
    "text-dedup 0.4.0, minhash": (["with_text_dedup.py"], ["text-dedup==0.4.0"]),
    "rensa 0.5.0": (["with_rensa.py"], ["rensa==0.5.0"]),
    "rensa 0.5.0, 64 bands": (["with_rensa.py", "64"], ["rensa==0.5.0"]),
}
"""Which script runs each, with what more it is told, and what is installed for it."""
OURS = {"kodforge, near alone": "near", "kodforge, semantic alone": "semantic"}
GROWTH = (10_000, 30_000, 100_000, 300_000, 1_000_000)
ENGINES = ("threads", "processes", "dask", "ray")
ENGINE_ROWS = 20_000
_PAIRS_OF, _AT_ONCE = 20_000, 1000
_FINISHED = re.compile(
    r"^(\d\d:\d\d:\d\d\.\d+) .*? (?:(?:Task run '([a-z]+(?: [a-z]+)?).*Finished)|(?:Beginning flow)) ", re.MULTILINE
)


class _Line(Row):
    id: str
    question: str


@dataclass(frozen=True)
class Measured:
    """What a command took.

    Attributes:
        cpu_s: processor time of all its processes.
        peak_mb: the most memory that they held together (proportional set size), looked at each half second.
        log: what it printed.
    """

    seconds: float
    cpu_s: float
    peak_mb: float
    log: str


def measured(command: Sequence[str], limit_s: float, env: Mapping[str, str] | None = None) -> Measured:
    """Run a command to its end.

    Raises:
        RuntimeError: it failed, or was stopped after `limit_s`.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began, peak = time.monotonic(), 0.0
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, **(env or {})})
        tree = psutil.Process(process.pid)
        seen: dict[int, psutil.Process] = {}
        while process.poll() is None:
            with suppress(psutil.Error):
                seen |= {one.pid: one for one in [tree, *tree.children(recursive=True)]}
            peak = max(peak, sum(map(_held, seen.values())))
            if time.monotonic() - began > limit_s:
                _stop(seen.values())
                raise RuntimeError(f"stopped after {limit_s:g} s")
            time.sleep(_EVERY_S)
        seconds = time.monotonic() - began
        _stop(seen.values())  # what a command leaves behind would take part in the next measurement
        log.seek(0)
        told = log.read()
    if process.returncode:
        raise RuntimeError(f"exit status {process.returncode}: {told[-600:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Measured(seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, peak / MB, told)


def _held(process: psutil.Process) -> int:
    with suppress(psutil.Error):
        return int(process.memory_full_info().pss)
    return 0


def _stop(processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.Error):
            process.kill()


@dataclass(frozen=True)
class Corpus:
    """Synthesised questions on disk, and what each is.

    Attributes:
        kind: of each row.
        family: of each row a number; rows of one family are the same task.
        original: number of the row that a planted one is a duplicate of, else its own.
        item: the benchmark item that a contaminated row holds, else empty.
    """

    path: Path
    lines: Path
    kind: NDArray[np.str_]
    family: NDArray[np.int64]
    original: NDArray[np.int64]
    item: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.kind)

    @classmethod
    def of(cls, folder: Path, rows: int) -> Corpus:
        """The questions of so many rows; written where they are not there."""
        path = folder / f"questions-{rows}.parquet"
        truth, lines = path.with_suffix(".truth.parquet"), path.with_suffix(".jsonl")
        if not lines.exists():
            began = time.monotonic()
            truth = write_questions(path, rows)
            with row_writer(lines.with_suffix(".part.jsonl"), _Line) as write:
                for batch in pq.ParquetFile(path).iter_batches():
                    write([_Line(**row) for row in batch.to_pylist()])
            lines.with_suffix(".part.jsonl").rename(lines)
            print(f"\n{rows:,} questions synthesised in {time.monotonic() - began:.0f} s", flush=True)
        table = pq.read_table(truth)
        kind, known = (np.array(table[name].to_pylist()) for name in ("kind", "original"))
        original = np.arange(rows)
        planted = np.isin(kind, _DUPLICATES)
        original[planted] = [int(name[1:]) for name in known[planted]]
        leaked = kind == "contaminated"
        item = np.where(leaked, known, "")
        family = original.copy()
        family[leaked] = rows + np.unique(item[leaked], return_inverse=True)[1]
        return cls(path, lines, kind, family, original, item)


def score(corpus: Corpus, representative: NDArray[np.int64]) -> dict[str, float]:
    """Recall of each kind of planted duplicate, and how far what was merged belongs together.

    `precision` is the share of the dropped rows that are of the same family as the row that stands for them; `merged`
    the share of base rows that share a cluster with a row of another family.
    """
    found = {}
    for kind in _DUPLICATES:
        rows = np.flatnonzero(corpus.kind == kind)
        found[kind] = float(np.mean(representative[rows] == representative[corpus.original[rows]]))
    dropped = np.flatnonzero(representative != np.arange(len(corpus)))
    same = corpus.family[dropped] == corpus.family[representative[dropped]]
    found["precision"] = float(np.mean(same)) if len(dropped) else 1.0
    least, most = np.full(len(corpus), np.iinfo(np.int64).max), np.full(len(corpus), -1)
    np.minimum.at(least, representative, corpus.family)
    np.maximum.at(most, representative, corpus.family)
    mixed = (least != most)[representative]
    found["merged"] = float(np.mean(mixed[corpus.kind == "base"]))
    return found


def curate(corpus: Corpus, out: Path, *options: str, limit_s: float = 3600) -> Measured:
    """`kodforge curate` on the rows."""
    command = [str(Path(sys.executable).with_name("kodforge")), "curate", str(corpus.path), "--out", str(out), *options]
    env = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1", "PREFECT_LOGGING_LEVEL": "INFO"}
    # The store of Prefect's runs is new, as on a machine of one's own, and is removed with what else is left.
    with tempfile.TemporaryDirectory(prefix="kodforge-") as home:
        return measured(command, limit_s, {**env, "PREFECT_HOME": home, "COLUMNS": "400"})


def decided(corpus: Corpus, out: Path) -> tuple[NDArray[np.int64], dict[str, float]]:
    """The representatives of a file of decisions; and how the contaminated rows and the clean ones fared."""
    table = pq.read_table(out, columns=["representative", "decision", "benchmark_hits"]).to_pylist()
    representative = np.array([int(row["representative"][1:]) for row in table])
    hits = [[f"{hit['benchmark']}/{hit['item_id']}".lower() for hit in row["benchmark_hits"]] for row in table]
    grave = [any(hit["outcome"] != "noted" for hit in row["benchmark_hits"]) for row in table]
    leaked, base = np.flatnonzero(corpus.item != ""), np.flatnonzero(corpus.kind == "base")
    named = [any(hit.endswith(corpus.item[row].lower()) for hit in hits[row]) for row in leaked]
    return representative, {
        "named": float(np.mean(named)),
        "kept from train": float(np.mean([table[row]["decision"] != "train" for row in leaked])),
        "false alarms": float(np.mean([grave[row] for row in base])),
    }


def stages(log: str) -> dict[str, float]:
    """Seconds of each kind of task by the flow's log, from the end of the last task of the kind before it."""
    last: dict[str, datetime] = {}
    for moment, task in _FINISHED.findall(log):
        if task or not last:
            last[task] = datetime.strptime(moment, "%H:%M:%S.%f")
    ordered = sorted(last, key=last.__getitem__)
    return {name: (last[name] - last[before]).total_seconds() for before, name in pairwise(ordered)}


def print_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table in Markdown."""
    print("\n| " + " | ".join(head) + " |\n|" + "---|" * len(head), flush=True)
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)


def the_whole(folder: Path, rows: int) -> None:
    """All of curation: time, memory, recall."""
    corpus, out = Corpus.of(folder, rows), folder / "decisions.parquet"
    took = curate(corpus, out)
    representative, leaks = decided(corpus, out)
    found = score(corpus, representative)
    print_table(
        ["rows", "seconds", "rows/s", "CPU seconds", "peak MB"],
        [
            [
                f"{rows:,}",
                f"{took.seconds:.0f}",
                f"{rows / took.seconds:,.0f}",
                f"{took.cpu_s:.0f}",
                f"{took.peak_mb:,.0f}",
            ]
        ],
    )
    print_table(
        ["tasks, since the end of those before", "seconds"],
        [[name, f"{seconds:.1f}"] for name, seconds in stages(took.log).items()],
    )
    counts = {kind: int(np.sum(corpus.kind == kind)) for kind in RATES}
    print_table(
        ["planted", "rows", "found"],
        [
            *([kind, f"{counts[kind]:,}", f"{100 * found[kind]:.2f}%"] for kind in _DUPLICATES),
            ["contaminated, item named", f"{counts['contaminated']:,}", f"{100 * leaks['named']:.2f}%"],
            ["contaminated, kept from train", "", f"{100 * leaks['kept from train']:.2f}%"],
        ],
    )
    print_table(
        ["what is wrong", "share"],
        [
            ["base rows merged with another task", f"{100 * found['merged']:.3f}%"],
            ["dropped rows of another task than their representative", f"{100 * (1 - found['precision']):.3f}%"],
            ["base rows doubted or rejected for a benchmark", f"{100 * leaks['false alarms']:.3f}%"],
        ],
    )


def the_cells(folder: Path, rows: int) -> None:
    """What of all pairs above the threshold the cells find, by an exhaustive comparison of a part of the rows."""
    corpus = Corpus.of(folder, rows)
    rng = np.random.default_rng(0)
    planted = rng.permutation(np.flatnonzero(np.isin(corpus.kind, ("near", "semantic"))))[: _PAIRS_OF // 2]
    some = np.unique(np.concatenate([planted, corpus.original[planted]]))
    learnt = np.sort(rng.permutation(rows)[: sample_size(rows)])
    both = np.union1d(some, learnt)
    questions = pq.read_table(corpus.path, columns=["question"])["question"].take(both)
    vectors = WordLlamaEmbedder(None).embed([str(question) for question in questions])
    centroids = learn_cells(vectors[np.searchsorted(both, learnt)], cells_for(rows), 0)
    mine = vectors[np.searchsorted(both, some)]
    cells = place(mine, centroids)
    pairs = found = 0
    for start in range(0, len(mine), _AT_ONCE):
        right, left = np.nonzero(np.triu(mine[start : start + _AT_ONCE] @ mine.T >= COSINE, start + 1))
        pairs += len(right)
        found += int((cells[right + start][:, :, None] == cells[left][:, None, :]).any(axis=(1, 2)).sum())
    print_table(
        ["rows compared with one another", "cells", f"pairs of cosine {COSINE} or more", "with a cell in common"],
        [[f"{len(some):,}", f"{len(centroids):,}", f"{pairs:,}", f"{100 * found / max(pairs, 1):.2f}%"]],
    )


def beside_peers(folder: Path, rows: int, limit_s: float = 1800) -> None:
    """Deduplication alone, in one process each unless the contender starts more."""
    corpus, out = Corpus.of(folder, rows), folder / "clusters.json"
    root = {"PYTHONPATH": str(SCRIPTS.parents[1])}
    contenders = {name: ([sys.executable, "with_kodforge_duplicates.py", mode], root) for name, mode in OURS.items()}
    contenders |= {name: ([python_of(name, packages), *script], {}) for name, (script, packages) in PEERS.items()}

    def results() -> Iterator[list[str]]:
        for name, ((python, script, *mode), env) in contenders.items():
            command = [python, str(SCRIPTS / script), str(corpus.lines), str(out), *mode]
            try:
                took = measured(command, limit_s, env)
            except RuntimeError as error:
                yield [name, str(error), *[""] * 7]
                continue
            answer = json.loads(out.read_text(encoding="utf-8"))
            found = score(corpus, np.array(answer["representatives"]))
            shares = [f"{100 * found[share]:.2f}%" for share in (*_DUPLICATES, "precision", "merged")]
            speed = [f"{answer['seconds']:.1f}", f"{rows / answer['seconds']:,.0f}", f"{took.peak_mb:,.0f}"]
            yield [name, *speed, *shares]

    head = ["seconds", "rows/s", "peak MB", *_DUPLICATES, "precision", "base rows merged with another task"]
    print_table([f"{rows:,} rows", *head], results())


def growth(folder: Path, sizes: Sequence[int]) -> None:
    """The whole of curation on ever more rows."""
    corpora = [Corpus.of(folder, rows) for rows in sizes]

    def results() -> Iterator[list[str]]:
        for corpus in corpora:
            took = curate(corpus, folder / "decisions.parquet", limit_s=7200)
            speed = f"{took.seconds:.0f}", f"{len(corpus) / took.seconds:,.0f}", f"{took.peak_mb:,.0f}"
            yield [f"{len(corpus):,}", *speed]

    print_table(["rows", "seconds", "rows/s", "peak MB"], results())


def engines(folder: Path, rows: int) -> None:
    """The same rows on every engine with two workers; the decisions must be the same, byte for byte."""
    corpus = Corpus.of(folder, rows)
    digests = set()

    def results() -> Iterator[list[str]]:
        for engine in ENGINES:
            out = folder / f"decisions-{engine}.jsonl"
            took = curate(corpus, out, "--engine", engine, "--jobs", "2")
            digests.add(digest := hashlib.sha256(out.read_bytes()).hexdigest())
            yield [engine, f"{took.seconds:.0f}", f"{took.peak_mb:,.0f}", digest[:16]]

    print_table([f"{rows:,} rows on", "seconds", "peak MB", "decisions"], results())
    if len(digests) > 1:
        raise SystemExit("the engines do not agree")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=447_000)
    parser.add_argument(
        "--peer-rows", type=int, help="rows for the peers; as many as for kodforge where it is not given"
    )
    parser.add_argument("--growth", type=int, nargs="+", default=list(GROWTH), metavar="ROWS")
    parser.add_argument("--engine-rows", type=int, default=ENGINE_ROWS)
    parser.add_argument("--folder", type=Path, help="where the questions are kept for the next time")
    names = ("curate", "semantic", "peers", "growth", "engines")
    parser.add_argument("--parts", nargs="+", choices=names, default=list(names))
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="kodforge-"))
    folder.mkdir(parents=True, exist_ok=True)
    parts: dict[str, Callable[[], None]] = {
        "curate": lambda: the_whole(folder, given.rows),
        "semantic": lambda: the_cells(folder, given.rows),
        "peers": lambda: beside_peers(folder, given.peer_rows or given.rows),
        "growth": lambda: growth(folder, given.growth),
        "engines": lambda: engines(folder, given.engine_rows),
    }
    try:
        for name in given.parts:
            parts[name]()
    finally:
        if not given.folder:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()

"""How fast the rows of a run are found in a browser: 447,000 of them, beside a scan of the same Parquet.

    python -m benchmarks.browse --rows 447000 [--attempts 1] [--folder FOLDER]

A run is written in the form that a build gives it, `kodforge browse` is started on it as a user would, and asked over
HTTP. What it is compared with reads the columns of the same files that a filter needs, as a notebook would: pyarrow and
pandas, in the same minutes on the same machine.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.corpus import corpus
from benchmarks.questions import write_questions
from tasks.arrow import arrow_schema
from tasks.artifacts import Outcome, Receipt
from tasks.models import Attempt, AttemptVerdict, Placing, Question, Reject, RejectReason, ReleaseRow, Row, Triplet
from tasks.run import Run, StageName
from tasks.settings import BuildConfig
from tests.labeling.rows import attempt, question, verdict
from tests.publishing.rows import release_row

MB = 1 << 20
SHARD = 1000
DISTINCT = 20_000
"""Questions that are composed; further rows ask them again with another number and program."""
SUBSETS = ("Prefill", "Leetcode", "Codeforces", "Apps", "Taco", "Docs", "Filter", "Package", "Evol", "Algorithm")
FAILED, TWIN, CAUTION, HELD_OUT = 0.1, 0.15, 0.1, 0.05
QUERIES: dict[str, dict[str, object]] = {
    "nothing asked for": {},
    "a subset": {"subset": "Leetcode"},
    "two subsets": {"subset": ["Leetcode", "Docs"]},
    "rejected": {"fate": "rejected"},
    "rejected for one reason": {"reason": "near_duplicate"},
    "held out": {"fate": "evaluation"},
    "hard": {"difficulty": "hard"},
    "hard, of a subset, in train": {"difficulty": "hard", "subset": "Apps", "fate": "train"},
    "in doubt": {"quality": "in doubt"},
    "weakest first": {"sort": "weakest"},
    "hardest first, of a subset": {"sort": "hardest", "subset": "Evol"},
    "mutation score below 0.5": {"mutation_below": "0.5"},
    "a common word": {"q": "list"},
    "a rare word": {"q": "tolerance"},
    "a word of one row": {"q": "row_000777_x"},
    "no row's word": {"q": "zyzzyvas"},
    "part of a word": {"q": "olera"},
    "two words": {"q": "sorted tolerance"},
    "words in a row": {"q": '"the longest"'},
    "code": {"q": '"for i in range"'},
    "signs alone": {"q": '"[::-1]"'},
    "a word that must not be there": {"q": "sorted -list"},
    "a word among the hard ones": {"q": "sorted", "difficulty": "hard"},
    "a word among the rejected, a subset": {"q": "matrix", "fate": "rejected", "subset": "Docs"},
}


@dataclass
class Made:
    """What shards were written of a run."""

    run: Run
    receipts: dict[StageName, list[Receipt]]

    def add(
        self, stage: StageName, model: type[Row], rows: list[dict[str, object]], gone: list[Reject], shard: str
    ) -> None:
        table = pa.Table.from_pylist(rows, schema=arrow_schema(model))
        outcome = Outcome(len(rows) + len(gone), table, gone)
        self.receipts.setdefault(stage, []).append(
            self.run.stage(stage).run_shard(shard, model, [shard], lambda: outcome)
        )


def make_run(folder: Path, rows: int, attempts: int = 1, seed: int = 0) -> Run:
    """A finished run of so many questions, with texts as questions and programs have them."""
    config = BuildConfig(store=str(folder / "store"), run="many")
    run = Run(config=config, teachers=config.teachers)
    if run.stage(StageName.PLACINGS).manifest():
        return run
    source = folder / "questions.parquet"
    write_questions(source, min(rows, DISTINCT), seed)
    texts = pq.read_table(source, columns=["question"])["question"].to_pylist()
    made, rng, pairs = Made(run, {}), random.Random(seed), corpus()
    bases = (
        question().model_dump(),
        attempt(1).model_dump(),
        verdict(1).model_dump(),
        release_row("x", 5).model_dump(),
    )
    for first in range(0, rows, SHARD):
        some = [f"{texts[number % len(texts)]} (Task {number}.)" for number in range(first, min(rows, first + SHARD))]
        _add_shard(made, some, first, bases, pairs, attempts, rng)
    for stage in (StageName.QUESTIONS, StageName.ATTEMPTS, StageName.VERDICTS, StageName.TRIPLETS, StageName.CURATED):
        run.finish(stage, made.receipts[stage])
    run.finish(StageName.CONVERTED, [])
    run.finish(StageName.PLACINGS, made.receipts[StageName.PLACINGS])
    return run


def _add_shard(
    made: Made, texts: list[str], first: int, bases: tuple, pairs: list, attempts: int, rng: random.Random
) -> None:
    base_question, base_attempt, base_verdict, base_row = bases
    questions, tries, judged, triplets, kept, placed = [], [], [], [], [], []
    failed, twins = [], []
    for number, text in enumerate(texts, first):
        subset, pair = SUBSETS[number % len(SUBSETS)], pairs[rng.randrange(len(pairs))]
        name = f"{subset}_{number:08d}_I"
        own = {"question_id": name, "subset": subset}
        solution = f"{pair.solution}\n# {text[:300]} row_{number:06d}_x\n".replace("\r", "")
        test = f"{pair.test}\n# {text[-200:]}\n"
        questions.append({**base_question, **own, "question": text, "number": number})
        passed = rng.random() >= FAILED
        for one in range(1, attempts + 1):
            id_ = {"question_id": name, "attempt_id": f"{name}/{one}", "attempt": one}
            tries.append({**base_attempt, **id_, "solution": solution, "test": test})
            outcome = {**base_verdict["pair"], "verdict": "passed" if passed else "failed"}
            judged.append({**base_verdict, **id_, "pair": outcome})
        if not passed:
            evidence = json.dumps([{"attempt": 1, "outcome": "failed", "why": "assert 3 == 4", "checks": []}])
            failed.append(Reject(id=name, subset=subset, reason=RejectReason.FAILED, evidence=evidence))
            continue
        in_doubt, share = rng.random() < CAUTION, rng.random()
        quality = [{**one, "outcome": "caution" if in_doubt else one["outcome"]} for one in base_row["quality"]]
        told = {"solution": solution, "test": test, "question": text, "mutation_score": share, "quality": quality}
        told |= {
            "gpt_difficulty": rng.choice(("easy", "medium", "hard")),
            "gpt_pass_percentage": rng.randint(1, 10) / 10,
        }
        row = {**base_row, **own, **told}
        triplets.append({field: row[field] for field in Triplet.model_fields})
        if rng.random() < TWIN:
            evidence = f"word 3-grams 0.81 with {name}, which stands for 2 rows"
            twins.append(Reject(id=name, subset=subset, reason=RejectReason.NEAR_DUPLICATE, evidence=evidence))
            continue
        split = "use_with_caution" if in_doubt else "train"
        kept.append({**row, "split": split, "filter_reason": "branch coverage 0.5" if in_doubt else ""})
        held_out = rng.random() < HELD_OUT
        placed.append({"question_id": name, "group": name, "split": "evaluation" if held_out else split})
    shard = f"part-{first // SHARD:05d}"
    made.add(StageName.QUESTIONS, Question, questions, [], shard)
    made.add(StageName.ATTEMPTS, Attempt, tries, [], f"{shard}-try-01")
    made.add(StageName.VERDICTS, AttemptVerdict, judged, [], f"{shard}-try-01")
    made.add(StageName.TRIPLETS, Triplet, triplets, failed, shard)
    made.add(StageName.CURATED, ReleaseRow, kept, twins, shard)
    made.add(StageName.PLACINGS, Placing, placed, [], shard)


@dataclass(frozen=True)
class Started:
    """A server, and what its start took.

    Attributes:
        seconds: until it printed its address.
        peak_mb: resident memory, looked at ten times a second.
        index_mb: of the database on disk.
    """

    client: httpx.Client
    process: psutil.Process
    seconds: float
    peak_mb: float
    index_mb: float


@contextmanager
def started(run: Run, folder: Path) -> Iterator[Started]:
    """``kodforge browse`` as a user starts it."""
    command = [
        sys.executable,
        "-u",
        "-m",
        "flows.cli",
        "browse",
        "--set",
        f"store={run.config.store}",
        "--set",
        "run=many",
    ]
    began, peak = time.monotonic(), 0.0
    with (folder / "browse.log").open("w+") as log:
        env = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache"), "COLUMNS": "200"}
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=env)
        watched = psutil.Process(process.pid)
        try:
            while not (found := _ADDRESS.search((folder / "browse.log").read_text())):
                if process.poll() is not None:
                    raise RuntimeError((folder / "browse.log").read_text()[-2000:])
                peak = max(peak, watched.memory_info().rss / MB)
                time.sleep(0.1)
            seconds = time.monotonic() - began
            size = sum(file.stat().st_size for file in (folder / "cache").rglob("*.duckdb*")) / MB
            with httpx.Client(timeout=600, follow_redirects=True) as client:
                client.get(found.group()).raise_for_status()
                client.base_url = httpx.URL(found.group(1))
                yield Started(client, watched, seconds, peak, size)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


_ADDRESS = re.compile(r"(http://127\.0\.0\.1:\d+)/\?token=\S+")


def asked(client: httpx.Client, filters: dict[str, object], rounds: int) -> tuple[list[float], int]:
    """Seconds of each answer, and how many rows fit."""
    seconds, total = [], 0
    for _ in range(rounds):
        began = time.perf_counter()
        answer = client.get("/rows", params=filters)
        seconds.append(time.perf_counter() - began)
        answer.raise_for_status()
        found = re.search(r'data-total="(\d+)"', answer.text)
        assert found
        total = int(found.group(1))
    return seconds, total


def with_pyarrow(files: list[Path], subset: str, word: str) -> int:
    """Verified rows of a subset, or with a word, read off the run's Parquet."""
    found = 0
    for file in files:
        if subset:
            table = pq.read_table(file, columns=["subset"])
            found += pc.sum(pc.equal(table["subset"], subset)).as_py()
        else:
            table = pq.read_table(file, columns=["question", "solution", "test"])
            matches = [pc.match_substring(table[name], word, ignore_case=True) for name in table.column_names]
            found += pc.sum(pc.or_(pc.or_(matches[0], matches[1]), matches[2])).as_py()
    return found


def with_pandas(files: list[Path], subset: str, word: str) -> int:
    """The same with pandas."""
    found = 0
    for file in files:
        if subset:
            found += int((pd.read_parquet(file, columns=["subset"])["subset"] == subset).sum())
        else:
            frame = pd.read_parquet(file, columns=["question", "solution", "test"])
            matches = [frame[name].str.contains(word, case=False, regex=False) for name in frame]
            found += int((matches[0] | matches[1] | matches[2]).sum())
    return found


def timed(work: Callable[[], int]) -> tuple[float, int]:
    """Seconds, and what came of it."""
    began = time.perf_counter()
    found = work()
    return time.perf_counter() - began, found


def compare(started_: Started, run: Run) -> None:
    """The same two questions, in turns."""
    folder = Path(run.config.store) / run.config.run / "triplets"
    files = sorted(folder.glob("part-*.parquet"))
    print("\n| of verified rows | browse, s | pyarrow, times as long | pandas, times as long | rows |")
    print("|---|---:|---:|---:|---:|")
    for told, filters, subset, word in (
        ("a subset", {"subset": "Leetcode", "verdict": "passed"}, "Leetcode", ""),
        ("a rare word", {"q": "tolerance", "verdict": "passed"}, "", "tolerance"),
        ("a common word", {"q": "list", "verdict": "passed"}, "", "list"),
    ):
        ours, theirs = [], []
        for _ in range(3):
            seconds, total = asked(started_.client, filters, 1)
            ours += seconds
            theirs.append([timed(partial(each, files, subset, word)) for each in (with_pyarrow, with_pandas)])
            assert {count for _, count in theirs[-1]} == {total}, (told, total, theirs[-1])
        mine = statistics.median(ours)
        arrow, frames = (statistics.median(one[place][0] for one in theirs) / mine for place in (0, 1))
        print(f"| {told} | {mine:.3f} | {arrow:.1f} | {frames:.1f} | {total:,} |")


def main() -> None:
    """Print the tables."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=447_000)
    options.add_argument("--attempts", type=int, default=1, help="At each question.")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--folder", type=Path, help="Where the run is kept for another time.")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        run = make_run(folder, chosen.rows, chosen.attempts)
        shutil.rmtree(folder / "cache", ignore_errors=True)
        with started(run, folder) as first:
            print(f"first start: {first.seconds:.1f} s, at most {first.peak_mb:.0f} MB, index {first.index_mb:.0f} MB")
        with started(run, folder) as again:
            print(f"next start: {again.seconds:.1f} s, at most {again.peak_mb:.0f} MB\n")
            print("| asked for | rows | median, ms | most, ms |\n|---|---:|---:|---:|")
            every = []
            for told, filters in QUERIES.items():
                seconds, total = asked(again.client, filters, chosen.rounds)
                every += seconds
                print(
                    f"| {told} | {total:,} | {1000 * statistics.median(seconds):.0f} | {1000 * max(seconds):.0f} |",
                    flush=True,
                )
            p95 = statistics.quantiles(every, n=20)[-1]
            print(f"| all | | {1000 * statistics.median(every):.0f} | p95 {1000 * p95:.0f} |")
            print(f"\nmemory after that: {again.process.memory_info().rss / MB:.0f} MB")
            row = re.search(r'data-id="([^"]+)"', again.client.get("/rows").text)
            assert row
            pages = [
                timed(lambda: len(again.client.get("/row", params={"id": row.group(1)}).content)) for _ in range(9)
            ]
            print(f"a row's page: {1000 * statistics.median(seconds for seconds, _ in pages):.0f} ms")
            compare(again, run)


if __name__ == "__main__":
    main()

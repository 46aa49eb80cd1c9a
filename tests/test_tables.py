"""Seed questions from published data sets and files of one's own, in every form that they come in."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import os
import re
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.errors import BadInput
from tasks.models import Reject, Seed, Subset
from tasks.settings import SeedOptions
from tasks.sourcing.catalogue import read_seeds
from tests.sourcing.hub import COMMIT, Hub, serving

ROWS = [
    {"key": "a", "title": "A, with a comma", "problem": "Add two\nnumbers."},
    {"key": "b", "title": "B", "problem": "Subtract \u00e9t\u00e9."},
]
OPTIONS = {"columns": {"id": "key", "question": "problem"}}


def jsonl() -> bytes:
    return "".join(json.dumps(row) + "\n" for row in ROWS).encode()


def as_json() -> bytes:
    return json.dumps(ROWS).encode()


def as_csv() -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, ["key", "title", "problem"])
    writer.writeheader()
    writer.writerows(ROWS)
    return text.getvalue().encode("utf-8-sig")


def _parquet_of(rows: list[dict[str, Any]]) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue().to_pybytes()


def parquet() -> bytes:
    return _parquet_of(ROWS)


def arrow() -> bytes:
    sink = pa.BufferOutputStream()
    table = pa.Table.from_pylist(ROWS)
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return sink.getvalue().to_pybytes()


def zst(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


def read(path: Path | str, subset: str = Subset.TACO, **options: Any) -> list[Seed | Reject]:
    return list(read_seeds(subset, SeedOptions(path=str(path), **options)))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("seeds.jsonl", jsonl),
        ("seeds.json", as_json),
        ("seeds.csv", as_csv),
        ("seeds.parquet", parquet),
        ("seeds.arrow", arrow),
        ("seeds.jsonl.zst", lambda: zst(jsonl())),
        ("seeds.json.gz", lambda: gzip.compress(as_json())),
        ("seeds.csv.zst", lambda: zst(as_csv())),
        ("seeds.jsonl.bz2", lambda: bz2.compress(jsonl())),
    ],
)
def test_every_format_gives_the_same_seeds(tmp_path: Path, name: str, content: Callable[[], bytes]):
    (tmp_path / name).write_bytes(content())
    seeds = read(tmp_path / name, **OPTIONS)
    assert [(seed.title, seed.text) for seed in seeds] == [(row["title"], row["problem"]) for row in ROWS]
    assert seeds[0].source.licence == "LicenseRef-unknown"


def test_a_folder_of_files_is_read_in_order_and_its_train_split_where_there_is_one(tmp_path):
    for name in ("train-1.jsonl", "train-0.parquet", "test-0.jsonl"):
        row = {"id": name, "title": name, "question": f"Question of {name}."}
        if name.endswith("jsonl"):
            (tmp_path / name).write_text(json.dumps(row))
        else:
            pq.write_table(pa.Table.from_pylist([row]), tmp_path / name)
    assert [seed.title for seed in read(tmp_path)] == ["train-0.parquet", "train-1.jsonl"]


@pytest.mark.parametrize(
    ("subset", "title", "topic", "licence", "phrase"),
    [
        (
            Subset.CODEFORCES,
            "Scarf Without Twin Stripes",
            "greedy",
            "CC-BY-4.0",
            "Examples\nInput:\n5\naabca\nOutput:\n12",
        ),
        (Subset.APPS, None, "introductory", "MIT", ""),
        (Subset.TACO, None, None, "Apache-2.0 AND MIT AND CC-BY-4.0", ""),
        (Subset.CODE_CONTESTS, None, None, "CC-BY-4.0", ""),
        (Subset.EVOL, None, None, "Apache-2.0", ""),
    ],
)
def test_published_formats_are_known_by_their_columns(tmp_path, subset, title, topic, licence, phrase):
    """Read from a copy: the embedded files have the published columns, and a licence of their own."""
    from importlib import resources

    embedded = resources.files("tasks.sourcing") / "seeds" / f"{subset.lower()}.jsonl"
    rows = [json.loads(line) for line in embedded.read_text().splitlines()]
    for row in rows:
        row.pop("licence", None)
    path = tmp_path / "train.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    seeds = read(path, subset, on_bad_row="skip")
    first = seeds[0]
    assert isinstance(first, Seed)
    assert first.source.licence == licence
    assert phrase in first.text
    assert title in (None, first.title)
    assert topic in (None, first.topic)
    assert len({seed.seed_id for seed in seeds if isinstance(seed, Seed)}) >= 6
    assert all(seed.title and len(seed.title) <= 120 for seed in seeds if isinstance(seed, Seed))


def test_leetcode_and_package_instruct_formats(tmp_path):
    path = tmp_path / "leetcode.jsonl"
    path.write_text(json.dumps({"id": 7, "title": "T", "content": "Do it.", "difficulty": "Easy", "slug": "t"}))
    (seed,) = read(path, Subset.LEETCODE)
    assert (seed.seed_id, seed.text, seed.topic) == ("leetcode.jsonl:7", "Do it.", "Easy")
    path = tmp_path / "package.jsonl"
    path.write_text(json.dumps({"seq_id": 3, "instruction": "Use pandas to do it.", "output": "x"}))
    (seed,) = read(path, Subset.PACKAGE)
    assert (seed.title, seed.source.licence) == ("Use pandas to do it.", "MIT")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"id": "a", "title": "A", "question": "Q"}\n{"id": "b", ', r"seeds\.jsonl, line 2: not valid JSON"),
        (
            '{"id": "a", "title": "A", "text": "Q"}\n',
            r"row 1: column 'question' is missing \(there are id, title, text\).*columns\.question=THEIR_NAME",
        ),
        ('{"id": "a", "title": "A", "question": " "}\n', r"row 1: column 'question' is empty.*on_bad_row=skip"),
        ('{"id": "a", "title": "A", "question": ["Q"]}\n', r"row 1: column 'question' must be text, got list"),
        ("[1]\n", r"row 1: must be an object, got list"),
        ("", r"no seeds in .*seeds\.jsonl"),
        ("\xff\xfe", r"line 1: not valid JSON"),
    ],
)
def test_broken_seed_files_are_named_by_row_and_column(tmp_path, content, message):
    path = tmp_path / "seeds.jsonl"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(BadInput, match=message):
        read(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("seeds.parquet", b"no", r"is no valid \.parquet file"),
        ("seeds.json", b'[{"id": 1, "title": "T", "question": "Q"}, {', r"is no valid \.json file"),
        ("seeds.csv", b"id,title,question\na,b,c,d\n", r"more fields than the header"),
        ("seeds.parquet.zst", b"no", r"compresses within: unpack it"),
    ],
)
def test_files_that_are_not_what_they_say_are_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=message):
        read(tmp_path / name)


def test_without_ids_rows_of_several_files_are_told_apart(tmp_path):
    for name in ("train-0", "train-1"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"instruction": f"Do {name}."}))
    assert {seed.seed_id for seed in read(tmp_path, Subset.EVOL)} == {
        f"{tmp_path.name}:train-0.jsonl:1",
        f"{tmp_path.name}:train-1.jsonl:1",
    }


def test_a_folder_of_several_sets_asks_for_one(tmp_path):
    for name in ("all", "easy"):
        (tmp_path / name / "train").mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / name / "train" / "0000.parquet")
    with pytest.raises(BadInput, match=r"several sets of rows: .*all/train, .*easy/train. Name the folder of one"):
        read(tmp_path, **OPTIONS)
    assert len(read(tmp_path / "all", **OPTIONS)) == 2


def test_columns_that_nobody_needs_are_not_read(tmp_path):
    path = tmp_path / "wide.parquet"
    rows = [{"id": str(n), "title": "T", "question": "Q?", "tests": "x" * 2_000_000} for n in range(60)]
    pq.write_table(pa.Table.from_pylist(rows), path)
    tracemalloc.start()
    assert len(read(path)) == 60
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 20_000_000


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"id": 1, ', "line 2: not valid JSON"),
        ("[1]", "row 2: must be an object, got list"),
        ('{"id": "b", "title": "B", "question": "q \\ud83d x"}', "row 2: column 'question' holds half of a surrogate"),
        ('{"id": "b", "title": "B", "question": NaN}', "row 2: column 'question' is empty"),
        ('{"id": "b", "title": "B", "question": true}', "row 2: column 'question' must be text, got bool"),
        (
            '{"id": "b", "title": "B", "question": "Q", "licence": "Mine"}',
            "row 2: column 'licence' is no SPDX expression: 'Mine'",
        ),
        ('{"a": ' + "[" * 100_000, "line 2: not valid JSON"),
    ],
)
def test_a_bad_line_stops_or_is_skipped_as_the_config_says(tmp_path, line, message):
    path = tmp_path / "seeds.jsonl"
    good = '{"id": "%s", "title": "T", "question": "Q?"}'
    path.write_text(f"{good % 1}\n{line}\n{good % 3}\n")
    with pytest.raises(BadInput, match=message):
        read(path)
    first, reject, third = read(path, on_bad_row="skip")
    assert (first.title, third.title) == ("T", "T")
    assert re.search(message, reject.evidence)


def test_arrow_files_of_both_kinds_and_odd_json_are_read_or_named(tmp_path):
    path, table = tmp_path / "seeds.arrow", pa.Table.from_pylist(ROWS)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as file:
        file.write_table(table)
    assert len(read(path, **OPTIONS)) == 2
    (tmp_path / "bom.json").write_bytes(b"\xef\xbb\xbf" + as_json())
    assert len(read(tmp_path / "bom.json", **OPTIONS)) == 2
    (tmp_path / "object.json").write_text('{"data": []}')
    with pytest.raises(BadInput, match="holds no array of rows"):
        read(tmp_path / "object.json")
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(jsonl() * 1000)[:-20])
    with pytest.raises(BadInput, match=r"cut\.jsonl\.gz cannot be read after row \d+"):
        read(tmp_path / "cut.jsonl.gz", **OPTIONS)


def test_bad_rows_become_rejects_where_they_are_to_be_skipped(tmp_path):
    path = tmp_path / "seeds.jsonl"
    rows = [{"id": "a", "title": "A", "question": "Q?"}, {"id": "b", "title": "B", "question": None}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    seed, reject = read(path, on_bad_row="skip")
    assert isinstance(seed, Seed)
    assert isinstance(reject, Reject)
    assert "row 2: column 'question' is empty" in reject.evidence


def test_a_failure_in_production_is_a_seed_with_the_wrong_answer_beside_it(tmp_path):
    path = tmp_path / "failures.csv"
    path.write_text("prompt,answer,expected\nSort the words.,sorted(words),Sorted without regard to case.\n")
    (seed,) = read(path, Subset.FEEDBACK)
    assert seed.text == "Sort the words."
    assert "sorted(words)" in seed.context and "without regard to case" in seed.context
    path.write_text("prompt,answer\nSort the words.,sorted(words)\n")
    with pytest.raises(BadInput, match=r"row 1: column 'expected' is missing"):
        read(path, Subset.FEEDBACK)


READ = """
import json, sys
from tasks.errors import KodforgeError
from tasks.settings import SeedOptions
from tasks.sourcing.catalogue import read_seeds
try:
    for seed in read_seeds("Taco", SeedOptions(path=sys.argv[1])):
        print(seed.model_dump_json())
except KodforgeError as error:
    print(json.dumps({"kind": type(error).__name__, "error": str(error)}))
"""


def read_hub(endpoint: str, path: str) -> list[dict[str, Any]]:
    """In a process of its own, since the hub's client reads its address once."""
    environment = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HUB_DISABLE_TELEMETRY": "1"}
    done = subprocess.run(
        [sys.executable, "-c", READ, path], env=environment, capture_output=True, text=True, timeout=100, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_data_set_on_the_hub_is_read_by_its_id_at_a_named_commit():
    data = _parquet_of([{"id": "a", "title": "A", "question": "Q?"}])
    hub = Hub({"README.md": b"-", "data/train-00000-of-00001.parquet": data, "data/test.parquet": b"no"})
    with serving(hub) as endpoint:
        (seed,) = read_hub(endpoint, "hf://datasets/someone/problems")
        assert seed["source"] == {
            "origin": "someone/problems",
            "version": COMMIT,
            "path": "a",
            "licence": "LicenseRef-unknown",
        }
        assert set(hub.asked) == {"data/train-00000-of-00001.parquet"}
        (error,) = read_hub(endpoint, "hf://datasets/someone/nothing")
        assert error["kind"] == "BadInput" and "does not exist" in error["error"]


def test_a_hub_that_cannot_be_reached_is_no_fault_of_the_input():
    (error,) = read_hub("http://127.0.0.1:9", "hf://datasets/someone/something")
    assert error["kind"] == "SourceUnavailable"
    assert "HF_ENDPOINT" in error["error"]

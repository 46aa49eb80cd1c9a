"""A small release as kodforge writes it, with every set that trainers read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

SOLUTION = "def double(x):\n    return 2 * x\n"
TEST = "from solution import double\n\n\ndef test_double():\n    assert double(4) == 8\n"
STUB = 'def double(x):\n    """Twice x."""\n'
QUESTION = "Write a function `double(x)` that returns twice x. ünïcödé ✓"


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def fenced(code: str) -> str:
    return f"```python\n{code}```"


def sft(number: int) -> dict[str, Any]:
    question, answer = f"{QUESTION} ({number})", fenced(SOLUTION)
    return {
        "question_id": f"Prefill_{number:08d}_I",
        "subset": "Prefill",
        "style": "instruct",
        "question": question,
        "solution": SOLUTION,
        "conversations": [{"from": "human", "value": question}, {"from": "gpt", "value": answer}],
        "messages": [user(question), assistant(answer)],
    }


def reasoned(number: int) -> dict[str, Any]:
    row = sft(number)
    answer = f"<think>\nTwice is times two.\n</think>\n\n{fenced(SOLUTION)}"
    row["conversations"] = [{"from": "human", "value": row["question"]}, {"from": "gpt", "value": answer}]
    del row["messages"]
    return row


def preference(number: int) -> dict[str, Any]:
    question = f"{QUESTION} ({number})"
    return {
        "question_id": f"Prefill_{number:08d}_I",
        "subset": "Prefill",
        "prompt": [user(question)],
        "chosen": [assistant(fenced(SOLUTION))],
        "rejected": [assistant(fenced("def double(x):\n    return x\n"))],
    }


def rl(number: int) -> dict[str, Any]:
    """Every third row asks for a program, every fourth of the rest completes a stub."""
    row: dict[str, Any] = {
        "question_id": f"Prefill_{number:08d}_I",
        "subset": "Prefill",
        "style": "instruct",
        "question": f"{QUESTION} ({number})",
        "test": TEST,
        "io": [],
        "entry_points": ["double"],
    }
    if number % 3 == 1:
        question = "Read an integer from standard input and print twice as much."
        io = [{"stdin": "4\n", "stdout": "8\n"}, {"stdin": "-1\n", "stdout": "-2\n"}]
        row |= {"style": "online_judge", "question": question, "test": "", "io": io, "entry_points": []}
    elif number % 3 == 2:
        row |= {"style": "complete", "question": f"Complete this function.\n\n{fenced(STUB)}"}
    row["prompt"] = [user(row["question"])]
    return row


def dataset_row(number: int) -> dict[str, Any]:
    """A row of the default configuration: no set, but what KodCode's trainers read, too."""
    row = sft(number)
    names = ("question_id", "subset", "style", "question", "solution")
    info = [
        {"docstring": "", "function_declaration": "def double(x):", "function_name": "double", "parameter_list": "(x)"}
    ]
    return {name: row[name] for name in names} | {
        "test": TEST,
        "test_info": info,
        "trials": [{"solution_code": SOLUTION}],
    }


SETS: dict[str, dict[str, list[list[dict[str, Any]]]]] = {
    "default": {"train": [[dataset_row(number) for number in range(4)]]},
    "sft": {"train": [[sft(number) for number in range(6)], [sft(number) for number in range(6, 10)]]},
    "sft_reasoning": {
        "train": [[reasoned(number) for number in range(5)]],
        "incorrect": [[reasoned(number) for number in range(90, 93)]],
    },
    "preference": {"train": [[preference(number) for number in range(6)]]},
    "rl": {"train": [[rl(number) for number in range(4)], [rl(number) for number in range(4, 8)]]},
}
"""Rows of each file of each split of each configuration."""


def write_release(folder: Path, *names: str, sets: dict[str, Any] | None = None) -> Path:
    """A release with these configurations; without names with all."""
    chosen = {name: splits for name, splits in (sets or SETS).items() if name in names or not names}
    configs = []
    for name, splits in chosen.items():
        place = folder / ("data" if name == "default" else name)
        place.mkdir(parents=True, exist_ok=True)
        for split, files in splits.items():
            for number, rows in enumerate(files):
                path = place / f"{split}-{number:05d}-of-{len(files):05d}.parquet"
                pq.write_table(pa.Table.from_pylist(rows), path)
        files = [{"split": split, "path": f"{place.name}/{split}-*.parquet"} for split in splits]
        configs.append({"config_name": name, "data_files": files})
    card = {"pretty_name": "A release", "license": "mit", "language": ["en"], "configs": configs}
    (folder / "README.md").write_text(f"---\n{yaml.safe_dump(card)}---\n\n# A release\n")
    (folder / "ATTRIBUTION.md").write_text("# Attribution\n\n[MIT](licences/a-1.0/LICENSE)\n")
    (folder / "licences" / "a-1.0").mkdir(parents=True)
    (folder / "licences" / "a-1.0" / "LICENSE").write_bytes(b"MIT \xa9\n")
    (folder / "release.json").write_text(json.dumps({"run": "r", "version": "0.1.0", "rows": {"train": 4}}))
    return folder

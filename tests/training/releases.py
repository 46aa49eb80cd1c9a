"""Releases, and results of evaluations, written by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.evaluation.estimator import estimate
from tasks.models import Asking
from tasks.models.scores import Asked, EvaluationResult, ItemResult, Spent


def sft_row(number: int, **values: Any) -> dict[str, Any]:
    return {
        "question_id": f"Docs_{number:08d}_I",
        "subset": "Docs" if number % 2 else "Prefill",
        "style": "instruct" if number % 3 else "complete",
        "difficulty": ("easy", "medium", "hard")[number % 3],
        "messages": [
            {"role": "user", "content": f"Write `add_{number}(x)`."},
            {"role": "assistant", "content": f"```python\ndef add_{number}(x):\n    return x + {number}\n```"},
        ],
        **values,
    }


def write_release(folder: Path, rows: Sequence[dict[str, Any]], name: str = "sft", split: str = "train") -> str:
    """A release with one set; two files where there are rows for two."""
    target = folder / "release" / name
    target.mkdir(parents=True, exist_ok=True)
    half = (len(rows) + 1) // 2
    for number, part in enumerate(one for one in (rows[:half], rows[half:]) if one):
        pq.write_table(pa.Table.from_pylist(list(part)), target / f"{split}-{number:05d}-of-00002.parquet")
    return str(folder / "release")


def result(passed: Sequence[int], samples: int = 1, digest: str = "d") -> EvaluationResult:
    """A result on as many items as there are counts of passes."""
    items = [
        ItemResult(
            id=f"i{number}", digest=digest, samples=samples, passed=count, outcomes={}, difficulty="", date="", topic=""
        )
        for number, count in enumerate(passed)
    ]
    ks = [k for k in (1, 10) if k <= samples]
    found = (estimate([(samples, count) for count in passed], k) for k in ks)
    return EvaluationResult(
        benchmark="b",
        asked=Asked(
            model="m",
            asking=Asking.CHAT,
            system="",
            templates=[],
            sampling={},
            samples=samples,
            seed=0,
            backend="",
            image="",
        ),
        scores=[one for one in found if one],
        groups=[],
        outcomes={},
        cut_off=0,
        shared=0,
        not_asked=0,
        left_out={},
        spent=Spent(prompt_tokens=0, completion_tokens=0, usd=None),
        items=items,
    )

"""What the sets have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from tasks.models import Split

ABOUT = ("question_id", "subset", "style", "licence", "group")
"""Columns that every set takes from its rows as they are."""
ABOUT_FIELDS = [*(pa.field(name, pa.string()) for name in ABOUT), pa.field("difficulty", pa.string())]
TRAINED_ON = (Split.TRAIN, Split.USE_WITH_CAUTION)
"""Splits of the rows that sets to train with are made of."""


def entry_points(row: Mapping[str, Any]) -> list[str]:
    """Names that the tests of a row import; a program that is judged by inputs and outputs has none."""
    return [] if row["io"] else [one["function_name"] for one in row["test_info"]]

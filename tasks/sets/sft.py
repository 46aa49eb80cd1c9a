"""The set ``sft``: questions and verified solutions as conversations, for supervised fine-tuning."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from tasks.released import Released
from tasks.sets.columns import ABOUT, ABOUT_FIELDS, TRAINED_ON
from tasks.sets.conversations import CONVERSATIONS, MESSAGES, assistant, conversation, fenced, user
from tasks.sets.levels import COLUMNS, levels
from tasks.sets.tables import Piece, split_rows

SCHEMA = pa.schema(
    [
        *ABOUT_FIELDS,
        pa.field("question", pa.string()),
        pa.field("solution", pa.string()),
        pa.field("conversations", CONVERSATIONS),
        pa.field("messages", MESSAGES),
    ]
)


def sft_rows(released: Released) -> Iterator[Piece]:
    """A row for each row but those held out; splits ``train`` and ``use_with_caution``."""
    for table in released.tables([*ABOUT, "split", "question", "solution", *COLUMNS]):
        rows = []
        for row, (level, _) in zip(table.to_pylist(), levels(table), strict=True):
            if row["split"] not in TRAINED_ON:
                continue
            messages = [user(row["question"]), assistant(fenced(row["solution"]))]
            made = {"difficulty": level.value, "messages": messages, "conversations": conversation(messages)}
            rows.append((row["split"], {**row, **made}))
        yield from split_rows(rows, SCHEMA)

"""Axolotl: messages for ``type: chat_template``, with chosen and rejected for ``chat_template.default`` under DPO.

Columns after ``axolotl.prompt_strategies.chat_template`` and ``axolotl.prompt_strategies.dpo.chat_template`` (0.19.0),
and its documentation's "Dataset Formats".
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from tasks.exports.examples import Demonstration, Kind, Preference
from tasks.exports.format import MESSAGE, MESSAGES, MODEL, Columns, Format, Part, Place, render, train_parts
from tasks.settings.exports import ExportFormat


def _sft(row: Demonstration, place: Place) -> dict[str, object]:
    return {"question_id": row.question_id, "messages": row.messages}


def _dpo(row: Preference, place: Place) -> dict[str, object]:
    return {
        "question_id": row.question_id,
        "messages": row.prompt,
        "chosen": row.chosen,
        "rejected": row.rejected,
    }


def _files(parts: Sequence[Part], package: str) -> dict[str, str]:
    return {
        f"{part.config}.yaml": render("axolotl.yaml.j2", part=part, model=MODEL)
        for part in train_parts(parts, Kind.SFT, Kind.PREFERENCE)
    }


_ID = pa.field("question_id", pa.string())
_MESSAGES = pa.field("messages", MESSAGES)

FORMAT = Format(
    name=ExportFormat.AXOLOTL,
    trainer="Axolotl",
    columns={
        Kind.SFT: Columns(pa.schema([_ID, _MESSAGES]), _sft),
        Kind.PREFERENCE: Columns(
            pa.schema([_ID, _MESSAGES, pa.field("chosen", MESSAGE), pa.field("rejected", MESSAGE)]), _dpo
        ),
    },
    files=_files,
    start="axolotl.md.j2",
)

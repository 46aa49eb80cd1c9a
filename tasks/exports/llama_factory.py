"""LLaMA-Factory: ShareGPT conversations for SFT, with chosen and rejected for DPO, and ``dataset_info.json``.

Columns after LLaMA-Factory's ``data/README.md``, and ``llamafactory.data.converter.SharegptDatasetConverter`` (0.9.5).
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import pyarrow as pa

from tasks.exports.examples import Demonstration, Kind, Message, Preference
from tasks.exports.format import MODEL, Columns, Format, Part, Place, render, train_parts
from tasks.settings.exports import ExportFormat

_TURN = pa.struct([pa.field("from", pa.string()), pa.field("value", pa.string())])
_NAMES = {"user": "human", "assistant": "gpt", "system": "system"}


def _turn(message: Message) -> dict[str, str]:
    return {"from": _NAMES[message["role"]], "value": message["content"]}


def _sft(row: Demonstration, place: Place) -> dict[str, object]:
    return {"question_id": row.question_id, "conversations": [_turn(message) for message in row.messages]}


def _ranking(row: Preference, place: Place) -> dict[str, object]:
    return {
        "question_id": row.question_id,
        "conversations": [_turn(message) for message in row.prompt],
        "chosen": _turn(row.chosen),
        "rejected": _turn(row.rejected),
    }


def dataset_name(part: Part) -> str:
    """What a part is called in ``dataset_info.json``, such that it may be copied into one with others."""
    return f"kodforge_{part.config}" if part.split == "train" else f"kodforge_{part.config}_{part.split}"


def _info(part: Part) -> dict[str, object]:
    # Where tags or columns are given, those that are not are none instead of their defaults, so tags are left out.
    info: dict[str, object] = {"file_name": part.folder, "formatting": "sharegpt"}
    if part.kind is Kind.PREFERENCE:
        columns = {"messages": "conversations", "chosen": "chosen", "rejected": "rejected"}
        return {**info, "ranking": True, "columns": columns}
    return {**info, "columns": {"messages": "conversations"}}


def _files(parts: Sequence[Part], package: str) -> dict[str, str]:
    info = {dataset_name(part): _info(part) for part in parts}
    configs = {
        f"{part.config}.yaml": render("llama-factory.yaml.j2", part=part, dataset=dataset_name(part), model=MODEL)
        for part in train_parts(parts, Kind.SFT, Kind.PREFERENCE)
    }
    return {"dataset_info.json": json.dumps(info, indent=2) + "\n", **configs}


_ID = pa.field("question_id", pa.string())
_TURNS = pa.field("conversations", pa.list_(_TURN))

FORMAT = Format(
    name=ExportFormat.LLAMA_FACTORY,
    trainer="LLaMA-Factory",
    columns={
        Kind.SFT: Columns(pa.schema([_ID, _TURNS]), _sft),
        Kind.PREFERENCE: Columns(
            pa.schema([_ID, _TURNS, pa.field("chosen", _TURN), pa.field("rejected", _TURN)]), _ranking
        ),
    },
    files=_files,
    start="llama-factory.md.j2",
)

"""verl: its five columns, with all that a reward needs as JSON in ``reward_model.ground_truth``.

Columns after verl's "Prepare Data for Post-Training" and ``verl.utils.dataset.rl_dataset.RLHFDataset``; what
``compute_score`` gets after ``verl.experimental.reward_loop.reward_manager.naive`` (verl 0.9.1).
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import pyarrow as pa

from tasks.exports.examples import Kind, Problem
from tasks.exports.format import (
    MESSAGES,
    MODEL,
    REWARD_FILE,
    Columns,
    Format,
    Part,
    Place,
    render,
    reward_file,
    train_parts,
)
from tasks.settings.exports import ExportFormat

_SCHEMA = pa.schema(
    [
        pa.field("data_source", pa.string()),
        pa.field("prompt", MESSAGES),
        pa.field("ability", pa.string()),
        pa.field("reward_model", pa.struct([pa.field("style", pa.string()), pa.field("ground_truth", pa.string())])),
        pa.field(
            "extra_info",
            pa.struct(
                [
                    pa.field("split", pa.string()),
                    pa.field("index", pa.int64()),
                    pa.field("question_id", pa.string()),
                    pa.field("subset", pa.string()),
                    pa.field("style", pa.string()),
                ]
            ),
        ),
    ]
)


def _row(row: Problem, place: Place) -> dict[str, object]:
    return {
        "data_source": f"kodforge/{row.subset}" if row.subset else "kodforge",
        "prompt": row.prompt,
        "ability": "code",
        "reward_model": {"style": "rule", "ground_truth": json.dumps(row.judged_by, ensure_ascii=False)},
        "extra_info": {
            "split": place.split,
            "index": place.index,
            "question_id": row.question_id,
            "subset": row.subset,
            "style": row.style,
        },
    }


def _files(parts: Sequence[Part], package: str) -> dict[str, str]:
    scripts = {}
    for part in train_parts(parts, Kind.RL):
        held_out = next((one for one in parts if one.config == part.config and one.split != part.split), None)
        scripts[f"{part.config}.sh"] = render("verl.sh.j2", part=part, held_out=held_out, model=MODEL)
    return scripts | {REWARD_FILE: reward_file()}


FORMAT = Format(
    name=ExportFormat.VERL,
    trainer="verl",
    columns={Kind.RL: Columns(_SCHEMA, _row)},
    files=_files,
    start="verl.md.j2",
)

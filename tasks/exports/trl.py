"""TRL: prompt and completion for SFT, chosen and rejected for DPO, prompt and what judges the answer for GRPO.

Columns after TRL's "Dataset formats and types", of the conversational format, and ``GRPOTrainer.reward_funcs``, which
get every further column as a keyword argument (TRL 1.16). With prompt and completion apart the loss of SFT is that of
the answer alone, whatever the chat template.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pyarrow as pa

from tasks.exports.examples import Demonstration, Kind, Preference, Problem
from tasks.exports.format import (
    JUDGED_BY,
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


def _sft(row: Demonstration, place: Place) -> dict[str, object]:
    return {"question_id": row.question_id, "prompt": row.messages[:-1], "completion": row.messages[-1:]}


def _dpo(row: Preference, place: Place) -> dict[str, object]:
    return {
        "question_id": row.question_id,
        "prompt": row.prompt,
        "chosen": [row.chosen],
        "rejected": [row.rejected],
    }


def _grpo(row: Problem, place: Place) -> dict[str, object]:
    return {"prompt": row.prompt, **row.judged_by}


def _configs(kind: Kind, template: str, further: Mapping[str, str]) -> Callable[[Sequence[Part], str], dict[str, str]]:
    def files(parts: Sequence[Part], package: str) -> dict[str, str]:
        trained = train_parts(parts, kind)
        return {f"{part.config}.yaml": render(template, part=part, model=MODEL) for part in trained} | dict(further)

    return files


_ID = pa.field("question_id", pa.string())

SFT = Format(
    name=ExportFormat.TRL_SFT,
    trainer="TRL's SFTTrainer",
    columns={
        Kind.SFT: Columns(pa.schema([_ID, pa.field("prompt", MESSAGES), pa.field("completion", MESSAGES)]), _sft),
    },
    files=_configs(Kind.SFT, "trl-sft.yaml.j2", {}),
    start="trl.md.j2",
)
DPO = Format(
    name=ExportFormat.TRL_DPO,
    trainer="TRL's DPOTrainer",
    columns={
        Kind.PREFERENCE: Columns(
            pa.schema([_ID, *(pa.field(name, MESSAGES) for name in ("prompt", "chosen", "rejected"))]), _dpo
        ),
    },
    files=_configs(Kind.PREFERENCE, "trl-dpo.yaml.j2", {}),
    start="trl.md.j2",
)
GRPO = Format(
    name=ExportFormat.TRL_GRPO,
    trainer="TRL's GRPOTrainer",
    columns={
        Kind.RL: Columns(pa.schema([pa.field("prompt", MESSAGES), *JUDGED_BY]), _grpo),
    },
    files=_configs(Kind.RL, "trl-grpo.yaml.j2", {REWARD_FILE: reward_file()}),
    start="trl.md.j2",
)

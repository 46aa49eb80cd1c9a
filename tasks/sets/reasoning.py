"""The sets ``sft_reasoning`` and ``preference``: what reasoning models answered, for supervised fine-tuning and for
preference training such as DPO (Rafailov et al. 2023, arXiv 2305.18290)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from tasks.answers import GradedResponse, by_row, chosen_answer, pass_sequence, preference_pairs
from tasks.arrow import arrow_schema
from tasks.models import Grade, ReleaseRow, Response, Split, TestOutcome
from tasks.released import Released
from tasks.sets.columns import ABOUT, ABOUT_FIELDS, TRAINED_ON
from tasks.sets.conversations import CONVERSATIONS, MESSAGES, Message, assistant, conversation, thought, user
from tasks.sets.levels import COLUMNS, levels
from tasks.sets.tables import Piece, split_rows
from tasks.settings import Reasoning

INCORRECT = "incorrect"
"""The split of rows that no try of the reasoner passed, as in KodCode-V1-SFT-R1."""
_KODCODE = (
    "question",
    "solution",
    "test",
    "io",
    "test_info",
    "gpt_pass_sequence",
    "gpt_pass_trial_num",
    "gpt_difficulty",
    "gpt_pass_percentage",
)
_ROW = arrow_schema(ReleaseRow)
_OF_RESPONSE = ("response_id", "number", "text", "reasoning", "finish_reason", "code")
_OF_GRADE = ("passed", "verdict", "reason", "integrity_tier", "alias", "alias_verdict")
_OF_TEST = ("test_id", "outcome", "message")
"""How long a test took is left out: equal runs are to make equal releases."""
_OF_CALL = ("model", "prompt_tokens", "completion_tokens")
_TRY = pa.struct(
    [
        *(arrow_schema(Response).field(name) for name in _OF_RESPONSE),
        *(arrow_schema(Grade).field(name) for name in _OF_GRADE),
        pa.field("tests", pa.list_(pa.struct([arrow_schema(TestOutcome).field(name) for name in _OF_TEST]))),
        *(arrow_schema(Response).field("call").type.field(name) for name in _OF_CALL),
    ]
)
REASONING_SCHEMA = pa.schema(
    [
        *ABOUT_FIELDS,
        *(_ROW.field(name) for name in _KODCODE),
        pa.field("reasoner", pa.string()),
        pa.field("r1_pass_sequence", pa.list_(pa.int64())),
        pa.field("r1_pass_trial_num", pa.int64()),
        pa.field("r1_correctness", pa.string()),
        pa.field("r1_solution", pa.string()),
        pa.field("conversations", CONVERSATIONS),
        pa.field("messages", MESSAGES),
        pa.field("responses", pa.list_(_TRY)),
    ]
)
PREFERENCE_SCHEMA = pa.schema(
    [
        *ABOUT_FIELDS,
        pa.field("prompt", MESSAGES),
        pa.field("chosen", MESSAGES),
        pa.field("rejected", MESSAGES),
        *(pa.field(f"{side}_{name}", pa.string()) for side in ("chosen", "rejected") for name in ("id", "reasoner")),
        pa.field("rejected_verdict", pa.string()),
    ]
)


def reasoning_rows(released: Released) -> Iterator[Piece]:
    """A row for each row and reasoner that answered it; splits ``train``, ``incorrect`` and ``use_with_caution``."""
    rules = released.run.config.post_training.reasoning
    for rows in _answered(released, _KODCODE):
        made = [
            (_split(row, tries), {**row, **_told(row, reasoner, tries, rules)})
            for row, answers in rows
            for reasoner, tries in answers.items()
        ]
        yield from split_rows(made, REASONING_SCHEMA)


def preference_rows(released: Released) -> Iterator[Piece]:
    """Pairs of a right and a wrong answer to the train rows."""
    rules = released.run.config.post_training.reasoning
    for rows in _answered(released, ["question"]):
        made = []
        for row, answers in rows:
            if row["split"] != Split.TRAIN:
                continue
            every = [answer for tries in answers.values() for answer in tries]
            grades = {response.response_id: grade for response, grade in every}
            for chosen, rejected in preference_pairs(every, rules):
                pair = {
                    "prompt": [user(row["question"])],
                    "chosen": [_answer(chosen)],
                    "rejected": [_answer(rejected)],
                    "chosen_id": chosen.response_id,
                    "chosen_reasoner": chosen.reasoner,
                    "rejected_id": rejected.response_id,
                    "rejected_reasoner": rejected.reasoner,
                    "rejected_verdict": grades[rejected.response_id].verdict,
                }
                made.append((row["split"], {**row, **pair}))
        yield from split_rows(made, PREFERENCE_SCHEMA)


def _answered(
    released: Released, columns: Sequence[str]
) -> Iterator[list[tuple[dict[str, Any], dict[str, list[GradedResponse]]]]]:
    """Of each shard the rows that may be trained on and have answers, with these."""
    for part in released.parts:
        answers = by_row(released.answers(part))
        table = released.rows(part, list(dict.fromkeys([*ABOUT, "split", *columns, *COLUMNS])))
        yield [
            ({**row, "difficulty": level.value}, answers[row["question_id"]])
            for row, (level, _) in zip(table.to_pylist(), levels(table), strict=True)
            if row["question_id"] in answers and row["split"] in TRAINED_ON
        ]


def _split(row: Mapping[str, Any], tries: Sequence[GradedResponse]) -> str:
    if row["split"] == Split.TRAIN and not any(pass_sequence(tries)):
        return INCORRECT
    return str(row["split"])


def _told(
    row: Mapping[str, Any], reasoner: str, tries: Sequence[GradedResponse], rules: Reasoning
) -> dict[str, object]:
    """KodCode's columns on the answers of one reasoner. Where none passed, the first one with code stands for them."""
    sequence = pass_sequence(tries)
    chosen = chosen_answer(tries, rules.choice) or next((one for one in tries if one[0].code), tries[0])
    messages = [user(row["question"]), _answer(chosen[0])]
    return {
        "reasoner": reasoner,
        "r1_pass_sequence": sequence,
        "r1_pass_trial_num": sum(sequence),
        "r1_correctness": str(any(sequence)),
        "r1_solution": chosen[0].code,
        "conversations": conversation(messages),
        "messages": messages,
        "responses": [
            {
                **response.model_dump(include=set(_OF_RESPONSE)),
                **grade.model_dump(include=set(_OF_GRADE)),
                "tests": [test.model_dump(include=set(_OF_TEST)) for test in grade.tests],
                **response.call.model_dump(include=set(_OF_CALL)),
            }
            for response, grade in tries
        ],
    }


def _answer(response: Response) -> Message:
    return assistant(thought(response.reasoning, response.text))

"""What goes in and comes out: completions, the rows that judge them, rewards. Also the body of a request over HTTP."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tasks.errors import BadInput
from tasks.models import PairFile, ProgramRun, Row, Style, TestOutcome, Verdict

Completion = str | Sequence[Mapping[str, Any]]
"""What a model wrote: a text, or messages with ``role`` and ``content``, of which the assistant's last one counts."""


def text_of(completion: Completion) -> str:
    """A completion as one text: of messages the content of the assistant's last one, empty where it has none."""
    if isinstance(completion, str):
        text = completion
    else:
        said = [message for message in completion if message.get("role") == "assistant"]
        text = _content(said[-1]) if said else ""
    return text.encode("utf-8", "replace").decode()  # half a surrogate pair is no text


def _content(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, Sequence) and not isinstance(content, str):
        parts = [part.get("text") for part in content if isinstance(part, Mapping)]
        return "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""


class RewardRow(BaseModel):
    """What completions of one row are judged by. Other columns of the row are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    test: str = Field("", description="A pytest file that imports from `solution`.")
    io: tuple[ProgramRun, ...] = Field((), description="Runs of the completion as a program, in place of tests.")
    entry_points: tuple[str, ...] = Field((), description="Names that the tests must import from `solution`.")
    files: tuple[PairFile, ...] = Field((), description="Further files beside solution.py.")
    style: Style = Style.INSTRUCT
    question: str = Field("", description="Of a `complete` row, whose stub stands in it.")

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, values: Any) -> Any:
        """A table has None where a row has nothing, and a data frame has arrays for lists."""
        if not isinstance(values, Mapping):
            return values
        known = {name: values[name] for name in cls.model_fields if values.get(name) is not None}
        return {name: value.tolist() if hasattr(value, "tolist") else value for name, value in known.items()}

    @model_validator(mode="after")
    def _has_something_to_be_judged_by(self) -> Self:
        if not self.test and not self.io:
            raise ValueError("give test or io")
        if self.style is Style.COMPLETE and not self.question:
            raise ValueError("a row of style complete needs its question, in which the stub stands")
        return self

    @cached_property
    def digest(self) -> str:
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


class Reward(Row):
    """What one completion is worth, and why."""

    value: float = Field(ge=-1, le=1)
    verdict: Verdict | None = Field(description="None where the completion holds no code.")
    reason: str = Field(description="One sentence: why this verdict.")
    passed: bool
    tests: list[TestOutcome] = Field(
        description="Of each test, or input, that ran. Messages are cut to 300 characters."
    )
    wall_s: float = Field(description="Of the run, in seconds; 0 where nothing ran.")
    cached: bool = Field(description="Whether the same code had been judged by the same tests before.")


class RewardsRequest(BaseModel):
    """A batch. ``rows[row_of[i]]`` judges ``completions[i]``; without ``row_of``, ``rows[i]`` does."""

    model_config = ConfigDict(extra="forbid")

    completions: list[str | list[dict[str, Any]]]
    rows: list[RewardRow]
    row_of: list[Annotated[int, Field(ge=0)]] | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        places = range(len(self.rows)) if self.row_of is None else self.row_of
        if len(places) != len(self.completions):
            what = "rows" if self.row_of is None else "places in row_of"
            raise ValueError(f"{len(self.completions)} completions and {len(places)} {what}: give one for each")
        if bad := [place for place in places if place >= len(self.rows)]:
            raise ValueError(f"row_of names row {bad[0]}, and there are {len(self.rows)} rows, counted from 0")
        return self

    def row_of_each(self) -> list[RewardRow]:
        return self.rows if self.row_of is None else [self.rows[place] for place in self.row_of]


class RewardsReply(BaseModel):
    """Rewards in the order of the completions."""

    rewards: list[Reward]


def read_rows(rows: Sequence[Mapping[str, Any] | RewardRow]) -> list[RewardRow]:
    """Rows as they are judged by; what occurs several times in a batch, as the same object, is read once.

    Raises:
        BadInput: a row has nothing that it could be judged by (names its place).
    """
    seen: dict[int, RewardRow] = {}
    for place, row in enumerate(rows):
        if id(row) in seen:
            continue
        try:
            seen[id(row)] = row if isinstance(row, RewardRow) else RewardRow.model_validate(row)
        except ValidationError as error:
            raise BadInput(f"row {place} cannot judge a completion: {first_finding(error)}") from error
    return [seen[id(row)] for row in rows]


def first_finding(error: ValidationError) -> str:
    """Where the first thing is that is wrong, and what it is."""
    found = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in found["loc"])
    return f"{where}: {found['msg']}" if where else found["msg"]

"""Rows of a release as what a trainer learns from: demonstrations, preferences, problems.

A row is taken as its set has it (``messages``, ``conversations``, ``prompt``), or as the rows of the dataset and of
KodCode-V1 have it (``question``, ``solution``, ``test``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypedDict

from tasks.execution.expected import entry_points
from tasks.models import Style
from tasks.star_import import with_star_import

_ROLES = {"human": "user", "gpt": "assistant"}
"""Of ShareGPT's conversations, by the names that chat templates have."""


class Kind(StrEnum):
    """What a trainer does with a row."""

    SFT = "sft"
    PREFERENCE = "preference"
    RL = "rl"


class Message(TypedDict):
    role: str
    content: str


class Run(TypedDict):
    stdin: str
    stdout: str


class Unusable(Exception):
    """A row that cannot be trained on, and why."""


@dataclass(frozen=True)
class Demonstration:
    """A conversation to imitate; its last message is the assistant's."""

    question_id: str
    subset: str
    messages: list[Message]


@dataclass(frozen=True)
class Preference:
    """A prompt, and of two answers the better one."""

    question_id: str
    subset: str
    prompt: list[Message]
    chosen: Message
    rejected: Message


@dataclass(frozen=True)
class Problem:
    """A prompt, and what judges an answer to it: a pytest file, or inputs of a program and what it must print.

    ``question`` is the prompt's text where the answer completes a stub in it, and empty elsewhere.
    """

    question_id: str
    subset: str
    style: str
    question: str
    prompt: list[Message]
    test: str
    io: list[Run]
    entry_points: list[str]

    @property
    def judged_by(self) -> dict[str, Any]:
        """What the functions of ``kodforge_reward.py`` need of it."""
        names = ("question_id", "style", "question", "test", "io", "entry_points")
        return {name: getattr(self, name) for name in names}


Example = Demonstration | Preference | Problem


def kinds(columns: Set[str]) -> set[Kind]:
    """What rows with these columns can be read as."""
    found = set()
    if columns & {"messages", "conversations"} or columns >= {"question", "solution"}:
        found.add(Kind.SFT)
    if columns >= {"chosen", "rejected"}:
        found.add(Kind.PREFERENCE)
    if columns & {"test", "io"} and columns & {"prompt", "question"}:
        found.add(Kind.RL)
    return found


COLUMNS = {
    Kind.SFT: ("question_id", "id", "subset", "messages", "conversations", "question", "solution"),
    Kind.PREFERENCE: ("question_id", "id", "subset", "prompt", "question", "chosen", "rejected"),
    Kind.RL: ("question_id", "id", "subset", "style", "prompt", "question", "test", "io", "entry_points", "test_info"),
}
"""What is read of a row; others (every attempt, all lineage) would only cost time."""


def read_example(kind: Kind, row: Mapping[str, Any]) -> Example:
    """Raises:
    Unusable: what a row of this kind needs is missing or malformed.
    """
    question_id = str(row.get("question_id") or row.get("id") or "")
    subset = str(row.get("subset") or "")
    match kind:
        case Kind.SFT:
            return Demonstration(question_id, subset, _demonstration(row))
        case Kind.PREFERENCE:
            chosen, rejected = _turns(row, "chosen"), _turns(row, "rejected")
            prompt = _prompt(row) if row.get("prompt") or row.get("question") else chosen[:-1]
            answers = [_answer(name, turns) for name, turns in (("chosen", chosen), ("rejected", rejected))]
            if answers[0] == answers[1]:
                raise Unusable("chosen and rejected are the same")
            return Preference(question_id, subset, _asking(prompt), *answers)
        case Kind.RL:
            test, io = row.get("test") or "", _io(row.get("io"))
            if not isinstance(test, str) or not (test.strip() or io):
                raise Unusable("it has neither test nor io")
            prompt = _asking(_prompt(row))
            style = str(row.get("style") or (Style.ONLINE_JUDGE if io else Style.INSTRUCT))
            question = str(row.get("question") or prompt[-1]["content"]) if style == Style.COMPLETE else ""
            return Problem(question_id, subset, style, question, prompt, test, io, _entry_points(row, test))


def _demonstration(row: Mapping[str, Any]) -> list[Message]:
    if name := next((name for name in ("messages", "conversations") if row.get(name)), ""):
        turns = _turns(row, name)
    else:
        solution = _text(row, "solution").strip("\n")
        fence = _fence(solution)
        turns = [
            _user(_text(row, "question")),
            Message(role="assistant", content=f"{fence}python\n{solution}\n{fence}"),
        ]
    _asking(turns[:-1])
    _answer("conversation", turns)
    return turns


def _fence(code: str) -> str:
    """A fence that no line of the code closes."""
    fence = "```"
    while fence in code:
        fence += "`"
    return fence


def _prompt(row: Mapping[str, Any]) -> list[Message]:
    return _turns(row, "prompt") if row.get("prompt") else [_user(_text(row, "question"))]


def _user(text: str) -> Message:
    return Message(role="user", content=text)


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not value.strip():
        raise Unusable(f"{name} is empty")
    return value


def _turns(row: Mapping[str, Any], name: str) -> list[Message]:
    """Messages of a column: a list of them, one, or a text (a prompt is the user's, anything else the assistant's)."""
    value = row.get(name)
    if isinstance(value, str):
        return [Message(role="user" if name == "prompt" else "assistant", content=_text(row, name))]
    found = [value] if isinstance(value, Mapping) else value
    if not isinstance(found, Sequence) or not found:
        raise Unusable(f"{name} is empty")
    return [_message(name, one) for one in found]


def _message(name: str, one: object) -> Message:
    if not isinstance(one, Mapping):
        raise Unusable(f"{name} holds what is no message")
    role, content = one.get("role", one.get("from")), one.get("content", one.get("value"))
    role = _ROLES.get(str(role), role)
    if role not in ("system", "user", "assistant"):
        raise Unusable(f"{name} has a message with the role {role!r}")
    if not isinstance(content, str) or not content.strip():
        raise Unusable(f"{name} has an empty message")
    return Message(role=str(role), content=content)


def _asking(turns: list[Message]) -> list[Message]:
    """Turns that end with the user's and take turns, after a system message if there is one."""
    roles = [turn["role"] for turn in turns]
    talk = roles[1:] if roles[:1] == ["system"] else roles
    if not talk or len(talk) % 2 == 0 or talk != ["user", "assistant"] * (len(talk) // 2) + ["user"]:
        raise Unusable(f"its turns are {', '.join(roles) or 'none'}, which ask nothing of the assistant")
    return turns


def _answer(name: str, turns: list[Message]) -> Message:
    if turns[-1]["role"] != "assistant":
        raise Unusable(f"{name} does not end with the assistant's turn")
    return turns[-1]


def _io(value: object) -> list[Run]:
    runs = value if isinstance(value, Sequence) and not isinstance(value, str) else ()
    try:
        return [Run(stdin=str(run["stdin"]), stdout=str(run["stdout"])) for run in runs]
    except (TypeError, KeyError) as error:
        raise Unusable("io holds what is no pair of stdin and stdout") from error


def _entry_points(row: Mapping[str, Any], test: str) -> list[str]:
    if row.get("entry_points"):
        return [str(name) for name in row["entry_points"]]
    told = row.get("test_info") or ()
    names = [str(one["function_name"]) for one in told if isinstance(one, Mapping) and one.get("function_name")]
    used = set(entry_points(with_star_import(test)))
    return [name for name in names if name in used]  # KodCode's lists helpers too

"""What teachers were asked for a row, and what they answered: answers from disk, prompts put together once more.

A prompt is kept nowhere: it follows from the row's seeds, the templates and the config. Whether it is the one that was
sent is known, as the key of its answer is a hash of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tasks.errors import AnswersUnavailable, BadInput
from tasks.models import Question, ReleaseRow, SeedGroup, Style
from tasks.responses.asking import response_request
from tasks.responses.problems import Problem
from tasks.run import Run
from tasks.settings import Endpoint, EndpointKind, Role
from tasks.sourcing.catalogue import entry_of
from tasks.sourcing.questions import contract_request, question_request, rating_request, read_question
from tasks.styles.asking import conversion_request
from tasks.teachers import demo, local
from tasks.teachers.cache import is_database, open_cache
from tasks.teachers.chat_templates import with_user_turn
from tasks.teachers.requests import Answer, ChatRequest, CompletionRequest, TeacherRequest
from tasks.teachers.stage import attempt_request, solver_request

Asked = tuple[TeacherRequest, Endpoint]


@dataclass(frozen=True)
class Told:
    """One call of a teacher.

    Attributes:
        what: what was asked for.
        prompt: messages as (role, text); empty where they are not known.
        as_sent: whether these are, to the letter, the messages that were answered.
        response: None where the answer is not on disk.
    """

    what: str
    call: Mapping[str, Any]
    prompt: tuple[tuple[str, str], ...]
    as_sent: bool
    response: str | None
    reasoning: str


class Calls:
    """The calls behind one row.

    Args:
        run: whose config says how teachers are asked.
        group: the seeds that the question was made of, where they are known.
        question: the question, where there is one.
    """

    def __init__(self, run: Run, group: Mapping[str, Any] | None, question: Mapping[str, Any] | None) -> None:
        self.run = run.model_copy(update={"teachers": _as_asked(run)})
        self._group = SeedGroup.model_validate(group) if group else None
        self._question = Question.model_validate(question) if question else None
        self._wanted: list[tuple[str, Mapping[str, Any], Callable[[], Asked] | None]] = []

    def add(self, what: str, call: Mapping[str, Any] | None, asked: Callable[[], Asked] | None = None) -> None:
        """A call to be told of; none where there was none."""
        if call and call["response_id"]:
            self._wanted.append((what, call, asked))

    def add_question(self, question: Mapping[str, Any] | None, rejected_with: str = "") -> None:
        """The calls that made a question, or the one whose reply became none."""
        if question is None:
            if rejected_with:
                self.add("question", _call_of(rejected_with), self._of_question)
            return
        self.add("question", question["call"], self._of_question)
        if question["rating"]:
            self.add("rating", question["rating"]["call"], self._of_rating)
        self.add("contract", question["contract_call"], self._of_contract)

    def add_attempt(self, number: int, call: Mapping[str, Any], is_mended: bool) -> None:
        """The call of an attempt. How mended tests were asked for is not told: it depends on all attempts."""
        self.add(f"attempt {number}", call, None if is_mended else lambda: self._of_attempt(number))

    def add_unusable(self, number: int, response_id: str) -> None:
        """The call whose reply became no attempt."""
        self.add(f"attempt {number}", _call_of(response_id), lambda: self._of_attempt(number))

    def add_solution(self, number: int, call: Mapping[str, Any]) -> None:
        self.add(f"solver {number}", call, lambda: self._of_solution(number))

    def add_conversion(self, style: str, call: Mapping[str, Any] | None, row: Mapping[str, Any] | None) -> None:
        """The call that told a row in another style.

        Args:
            row: the row that was told.
        """

        def asked() -> Asked:
            request = conversion_request(ReleaseRow.model_validate(row), self.run, Style(style))
            return request, self.run.teachers.of(Role.CONVERTER)

        self.add(f"in the style {style}", call, asked if row else None)

    def add_answer(self, number: int, reasoner: str, call: Mapping[str, Any], row: Mapping[str, Any] | None) -> None:
        """The call of a reasoning model's answer.

        Args:
            row: the row that was answered.
        """

        def asked() -> Asked:
            assert row is not None
            endpoint = self.run.teachers.reasoners[reasoner]
            return response_request(_problem(row), endpoint, self.run.config.seed + number - 1), endpoint

        self.add(f"answer {number} of {reasoner}", call, asked if row else None)

    def told(self) -> list[Told]:
        """All of them, with what is on disk."""
        answers = _answers(self.run, [call["response_id"] for _, call, _ in self._wanted])
        found = []
        for what, call, asked in self._wanted:
            prompt, key = _prompt(asked)
            answer = answers.get(call["response_id"])
            response = None if answer is None else answer.text
            reasoning = "" if answer is None else answer.reasoning
            found.append(Told(what, call, prompt, key == call["response_id"], response, reasoning))
        return found

    @cached_property
    def _first_question(self) -> Question:
        """The question as the first reply had it, before it was rated and completed."""
        assert self._group is not None and self._question is not None
        key = self._question.call.response_id
        made = read_question(self._group, _answers(self.run, [key])[key], self.run)
        assert isinstance(made, Question)
        return made

    def _of_question(self) -> Asked:
        assert self._group is not None
        return question_request(self._group, self.run), self.run.teachers.of(entry_of(self._group.subset).role)

    def _of_rating(self) -> Asked:
        return rating_request(self._first_question, self.run), self.run.teachers.of(Role.RATER)

    def _of_contract(self) -> Asked:
        return contract_request(self._first_question, self.run), self.run.teachers.author

    def _of_attempt(self, number: int) -> Asked:
        assert self._question is not None
        return attempt_request(self._question, self.run, number), self.run.teachers.author

    def _of_solution(self, number: int) -> Asked:
        assert self._question is not None
        return solver_request(self._question, self.run, number), self.run.teachers.of(Role.SOLVER)


def _problem(row: Mapping[str, Any]) -> Problem:
    """What a reasoning model was asked of a row."""
    return Problem(
        question_id=row["question_id"],
        subset=row["subset"],
        style=Style(row["style"]),
        question=row["question"],
        test=row["test"],
        io=(),
        libraries=tuple(sorted(row["lineage"]["libraries"])),
        place=row["lineage"]["converted_from"] or row["question_id"],
    )


def _call_of(response_id: str) -> dict[str, Any]:
    """A call of which no more is known."""
    unknown = {"model": "", "template": "", "sampling": "", "prompt_tokens": 0, "completion_tokens": 0}
    return {"response_id": response_id, **unknown}


def _prompt(asked: Callable[[], Asked] | None) -> tuple[tuple[tuple[str, str], ...], str]:
    """The messages of a call and the key of its answer; nothing where they cannot be put together any more."""
    if asked is None:
        return (), ""
    try:
        request, endpoint = asked()
        key = request.key(endpoint)
    except Exception:  # whatever has changed since: a subset that is gone, a template, an answer that is not there
        return (), ""
    if isinstance(request, ChatRequest):
        return tuple(request.messages), key
    assert isinstance(request, CompletionRequest)
    return (("prompt", request.prompt),), key


def _answers(run: Run, keys: Iterable[str]) -> dict[str, Answer]:
    """Answers on disk; a file that is not there is not made."""
    with suppress(BadInput, AnswersUnavailable):
        if is_database(run.cache_path) or Path(run.cache_path).is_file():
            return open_cache(run.cache_path).get_many(list(dict.fromkeys(keys)))
    return {}


def _as_asked(run: Run) -> Any:
    """The endpoints as they are asked: those that start with a run have models of their own."""
    models = {EndpointKind.DEMO: demo.MODEL, EndpointKind.LOCAL: local.MODEL}
    changed = {}
    for place, endpoint in run.teachers.roles.items():
        if endpoint.kind in models:
            update = {"kind": EndpointKind.OPENAI, "model": endpoint.model or models[endpoint.kind]}
            endpoint = endpoint.model_copy(update=update)  # noqa: PLW2901
        with suppress(Exception):  # its server need not run any more
            endpoint = with_user_turn(endpoint)  # noqa: PLW2901
        changed[place] = endpoint
    return run.teachers.at(changed)

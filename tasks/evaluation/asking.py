"""Items to requests, and answers to what is run: chat models are given a turn, base models text to go on with."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tasks.evaluation.sources import defined, surroundings
from tasks.extraction.code import code_in
from tasks.models import Asking, EvalAnswer, EvalItem, Reject, RejectReason, Style
from tasks.settings import Endpoint, Evaluation
from tasks.teachers.prompts import call_of, chat
from tasks.teachers.replies import split_reasoning, unix
from tasks.teachers.requests import Answer, ChatRequest, CompletionRequest, Refused, TeacherRequest

TEMPLATES = {
    Style.INSTRUCT: "evaluate",
    Style.COMPLETE: "evaluate_complete",
    Style.ONLINE_JUDGE: "evaluate_online_judge",
}
_BEHIND_BODY = ("\nclass ", "\ndef ", "\n#", "\nif ", "\nprint(", "\nassert ", "\n@", "\n```", "\n</", "<|")
"""Where the body of a function has ended: Chen et al. 2021, arXiv 2107.03374, section 3.1, and of chat marks."""
_BEHIND_CODE = ('\n"""', "\n```", "\n# Test", "\nassert ", "\nif __name__", "\n</", "<|")
"""Where code that follows a docstring has ended."""
_BEHIND_PROGRAM = ('\n"""', "\n```", "\n</", "<|")
_STOPS = {Style.COMPLETE: _BEHIND_BODY, Style.INSTRUCT: _BEHIND_CODE, Style.ONLINE_JUDGE: _BEHIND_PROGRAM}
_MOST_STOPS = 4
"""That an OpenAI-compatible server takes; the answer is cut at the others here."""


def request(item: EvalItem, number: int, evaluation: Evaluation, endpoint: Endpoint, seed: int) -> TeacherRequest:
    """The call for sample ``number`` (1-based); the sampling seed tells samples apart."""
    seed += number - 1
    if evaluation.asking is Asking.COMPLETION:
        stops = (*evaluation.stop, *_STOPS[item.style])[:_MOST_STOPS]
        return CompletionRequest(prompt=opening(item), stop=stops, sampling=endpoint.sampling, seed=seed)
    bare = item.style is Style.COMPLETE and unix(item.stub).strip() == unix(item.prompt).strip()
    turns = chat(TEMPLATES[item.style], prompt=item.prompt.strip("\n"), bare=bare)
    system = (("system", evaluation.system),) if evaluation.system else ()
    return ChatRequest(messages=(*system, *turns), sampling=endpoint.sampling, seed=seed)


def opening(item: EvalItem) -> str:
    """The text that a base model goes on with: the stub, or the task as a docstring with code to follow."""
    if item.style is Style.COMPLETE:
        return item.stub.rstrip() + "\n"
    task = item.prompt.strip().replace('"""', "'''")
    return f'"""\n{task}\n"""\n'


def read_answer(
    item: EvalItem, number: int, answer: Answer | Refused, evaluation: Evaluation, endpoint: Endpoint, seed: int
) -> EvalAnswer | Reject:
    """Whatever a model answered, with or without code, whole or cut off; a reject where it did not answer."""
    answer_id = f"{item.id}/{number}"
    if isinstance(answer, Refused):
        return Reject(id=answer_id, subset="", reason=RejectReason(answer.why.value), evidence=answer.message)
    raw = evaluation.asking is Asking.COMPLETION
    text = answer.text if raw else split_reasoning(answer.text)[1]
    return EvalAnswer(
        answer_id=answer_id,
        item_id=item.id,
        number=number,
        text=text,
        finish_reason=answer.finish_reason,
        code=continued(item, text, evaluation.stop) if raw else answered(item, text),
        call=call_of(answer, TEMPLATES[item.style], endpoint, seed + number - 1),
    )


def answered(item: EvalItem, text: str) -> str:
    """The code in an answer to a chat; empty where it holds none.

    An answer to a stub may be the whole function, or what follows the stub. What it takes for granted of what the item
    gives, imports and helpers, is put in front of it.
    """
    if item.style is Style.COMPLETE:
        return code_in(text, item.stub, item.style)
    code = code_in(text, item.prompt, item.style)
    given = surroundings(item.stub, {item.entry_point, *defined(code)}) if code and item.stub else ""
    return _behind_future(given, code) if given else code


def _behind_future(given: str, code: str) -> str:
    """Code with more in front of it, but behind its imports from ``__future__``."""
    ends = [found.end() for found in re.finditer(r"^from __future__ import .*\n", code, re.MULTILINE)]
    at = max(ends, default=0)
    return f"{code[:at]}{given}\n{code[at:]}"


def continued(item: EvalItem, text: str, stops: Sequence[str] = ()) -> str:
    """The code that a completion makes with what it goes on from."""
    text = unix(text)
    ends = [at for stop in (*stops, *_STOPS[item.style]) if (at := text.find(stop)) >= 0]
    text = text[: min(ends, default=len(text))]
    if not text.strip():
        return ""
    return f"{opening(item)}{text}".rstrip() + "\n" if item.style is Style.COMPLETE else f"{text.strip()}\n"

"""Requests to reasoning models, and responses out of their answers."""

from __future__ import annotations

from tasks.extraction.code import code_in
from tasks.models import Reject, RejectReason, Response, Style
from tasks.responses.problems import Problem
from tasks.run import Run
from tasks.settings import Endpoint
from tasks.teachers.prompts import call_of, chat
from tasks.teachers.replies import split_reasoning
from tasks.teachers.requests import Answer, ChatRequest, Refused

TEMPLATES = {Style.INSTRUCT: "reason", Style.COMPLETE: "reason", Style.ONLINE_JUDGE: "reason_online_judge"}
"""Each is a user's turn alone: models that reason are trained, and said to be best, without a system prompt."""


def response_request(problem: Problem, endpoint: Endpoint, seed: int) -> ChatRequest:
    """The call for one try; the sampling seed tells tries apart."""
    return ChatRequest(
        messages=chat(TEMPLATES[problem.style], question=problem.question, libraries=problem.libraries),
        sampling=endpoint.sampling,
        seed=seed,
        label=problem.subset,
    )


def read_response(
    problem: Problem, answer: Answer | Refused, run: Run, reasoner: str, number: int
) -> Response | Reject:
    """Whatever a model answered, with or without code, whole or cut off; a reject where it did not answer."""
    response_id = f"{problem.question_id}/{reasoner}/{number}"
    if isinstance(answer, Refused):
        reason = RejectReason(answer.why.value)
        return Reject(id=response_id, subset=problem.subset, reason=reason, evidence=answer.message)
    thought, said = split_reasoning(answer.text)  # of an answer that was kept before its thought was split off
    return Response(
        response_id=response_id,
        question_id=problem.question_id,
        subset=problem.subset,
        style=problem.style,
        reasoner=reasoner,
        number=number,
        text=said,
        reasoning="\n\n".join(filter(None, (answer.reasoning, thought))),
        finish_reason=answer.finish_reason,
        code=code_in(said, problem.question, problem.style),
        call=call_of(answer, TEMPLATES[problem.style], run.teachers.reasoners[reasoner], run.config.seed + number - 1),
    )

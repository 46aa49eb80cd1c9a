"""From a group of seeds to a request, and from the teacher's reply to a question: pure functions."""

from __future__ import annotations

from tasks.models import Question, Reject, RejectReason, SeedGroup
from tasks.run import Run
from tasks.sourcing.catalogue import CATALOGUE, Method
from tasks.teachers.prompts import call_of, chat, fitting, grammar, render
from tasks.teachers.replies import abstained, clean_question, section
from tasks.teachers.requests import Answer, ChatRequest, CompletionRequest, Refused, TeacherRequest

_TEMPLATES = {
    Method.PREFILL: "prefill",
    Method.SEED_QUESTIONS: "seed_questions",
    Method.SNIPPET: "snippet",
    Method.DOCUMENTS: "document",
}


def question_request(group: SeedGroup, run: Run) -> TeacherRequest:
    """The teacher call that makes one question of a group."""
    author, seed = run.teachers.author, run.config.seed + group.number
    method = CATALOGUE[group.subset].method
    template = _template(group, run)
    first = group.seeds[0]
    match method:
        case Method.PREFILL:
            turn = author.user_turn.format(system=render(template).strip(), prefix=first.text)
            return CompletionRequest(prompt=turn, stop=("\n",), sampling=author.sampling, seed=seed)
        case Method.SEED_QUESTIONS:
            seeds = [{"title": one.title, "text": one.text} for one in group.seeds]
            messages = chat(template, seeds=seeds)
        case _:
            messages = chat(template, title=first.title, text=first.text)
    return ChatRequest(messages=messages, sampling=author.sampling, seed=seed, grammar=grammar(template))


def _template(group: SeedGroup, run: Run) -> str:
    return fitting(_TEMPLATES[CATALOGUE[group.subset].method], run.config.teachers.prompts)


def read_question(group: SeedGroup, answer: Answer | Refused, run: Run) -> Question | Reject:
    """What the reply holds: a question, or the reason why it does not."""

    def reject(reason: RejectReason, evidence: str) -> Reject:
        response_id = answer.response_id if isinstance(answer, Answer) else ""
        return Reject(
            id=group.question_id,
            subset=group.subset,
            reason=reason,
            evidence=evidence,
            response_id=response_id,
        )

    if isinstance(answer, Refused):
        return reject(RejectReason.TEACHER_REFUSED, f"HTTP {answer.status}: {answer.message}")
    if answer.finish_reason == "length":
        return reject(RejectReason.TRUNCATED_REPLY, answer.text)
    method = CATALOGUE[group.subset].method
    if method is Method.PREFILL:
        # Nothing after the prefix is no question, however well the prefix reads.
        text = f"{group.seeds[0].text}{answer.text}" if answer.text.strip() else ""
    else:
        if method is Method.DOCUMENTS and abstained(answer.text):
            return reject(RejectReason.ABSTAINED, answer.text)
        found = section(answer.text, "Question")
        if found is None:
            return reject(RejectReason.MALFORMED_REPLY, answer.text)
        text = found
    if not (question := clean_question(text)):
        return reject(RejectReason.EMPTY_QUESTION, answer.text)
    return Question(
        question_id=group.question_id,
        subset=group.subset,
        method=method.value,
        number=group.number,
        question=question,
        seeds=group.seeds,
        call=call_of(answer, _template(group, run), run.teachers.author, run.config.seed + group.number),
    )

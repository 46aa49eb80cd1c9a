"""From a group of seeds to a request, and from the teacher's reply to a question: pure functions."""

from __future__ import annotations

from functools import partial

from tasks.models import Question, Reject, RejectReason, SeedGroup
from tasks.run import Run
from tasks.sourcing.catalogue import CATALOGUE, Method
from tasks.teachers.prompts import call_of, chat, fitting, grammar, render
from tasks.teachers.rejects import reject, reject_unfinished
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
            return CompletionRequest(
                prompt=turn, stop=("\n",), sampling=author.sampling, seed=seed, label=group.subset.value
            )
        case Method.SEED_QUESTIONS:
            seeds = [{"title": one.title, "text": one.text} for one in group.seeds]
            messages = chat(template, seeds=seeds)
        case _:
            messages = chat(template, title=first.title, text=first.text)
    return ChatRequest(
        messages=messages,
        sampling=author.sampling,
        seed=seed,
        grammar=grammar(template),
        label=group.subset.value,
    )


def _template(group: SeedGroup, run: Run) -> str:
    return fitting(_TEMPLATES[CATALOGUE[group.subset].method], run.config.teachers.prompts)


def read_question(group: SeedGroup, answer: Answer | Refused, run: Run) -> Question | Reject:
    """What the reply holds: a question, or the reason why it does not."""

    if unfinished := reject_unfinished(group.question_id, group.subset, answer):
        return unfinished
    assert isinstance(answer, Answer)
    refuse = partial(reject, group.question_id, group.subset, answer=answer)
    method = CATALOGUE[group.subset].method
    if method is Method.PREFILL:
        # Nothing after the prefix is no question, however well the prefix reads.
        text: str | None = f"{group.seeds[0].text}{answer.text}" if answer.text.strip() else ""
    else:
        if method is Method.DOCUMENTS and abstained(answer.text):
            return refuse(reason=RejectReason.ABSTAINED)
        text = section(answer.text, "Question")
    if text is None:
        return refuse(reason=RejectReason.MALFORMED_REPLY, why="the reply has no Question section")
    if not (question := clean_question(text)):
        return refuse(reason=RejectReason.EMPTY_QUESTION, why="the question is empty")
    return Question(
        question_id=group.question_id,
        subset=group.subset,
        method=method.value,
        number=group.number,
        question=question,
        seeds=group.seeds,
        call=call_of(answer, _template(group, run), run.teachers.author, run.config.seed + group.number),
    )

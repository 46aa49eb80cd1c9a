"""From a group of seeds to a request, and from the teachers' replies to a question: pure functions.

A question comes of up to three calls: the one that writes it, one that rates it where the subset wants that, and one
that completes its contract where it states none.
"""

from __future__ import annotations

from pydantic import BaseModel, Field

from tasks.models import Question, Rating, Reject, RejectReason, SeedGroup
from tasks.run import Run
from tasks.settings import Category, Quality, Role
from tasks.sourcing.catalogue import Entry, Method, entry_of
from tasks.sourcing.checks import objection
from tasks.sourcing.contract import STDIN, as_program, completed, contract, declaration
from tasks.teachers.prompts import call_of, chat, fitting, grammar, render
from tasks.teachers.rejects import reject, reject_unfinished
from tasks.teachers.replies import Malformed, abstained, clean_question, section
from tasks.teachers.requests import Answer, ChatRequest, CompletionRequest, Refused, TeacherRequest
from tasks.teachers.structured import parse_structured, schema_of

CONTRACT, RATE = "contract", "rate"
"""Templates of the further calls."""
CONTRACTS, RATINGS = "contracts", "ratings"
"""What these are booked on, beside the stage's own calls."""
_TURN_ENDS = ("<|im_end|>", "<|eot_id|>", "<|end|>", "<end_of_turn>", "</s>", "[/INST]")
"""Where a model that writes a user's turn passes on to the assistant's, if its server does not stop there itself."""
_HIDDEN_QUOTE = 8
"""Tokens in a row that a question may share with code that is to be hidden: a line of it is longer."""


class _Grade(BaseModel):
    """What the rater answers."""

    reason: str = Field("", description="One short sentence.")
    quality: Quality
    category: Category


def _template(group: SeedGroup, run: Run) -> str:
    return fitting(entry_of(group.subset).template, run.config.teachers.prompts)


def question_request(group: SeedGroup, run: Run) -> TeacherRequest:
    """The teacher call that makes one question of a group."""
    entry = entry_of(group.subset)
    teacher, seed = run.teachers.of(entry.role), run.config.seed + group.number
    template = _template(group, run)
    first = group.seeds[0]
    if entry.opens_turn:
        return CompletionRequest(
            prompt=teacher.user_turn.format(system=render(template).strip(), prefix=first.text),
            stop=("\n",) if entry.method is Method.PREFILL else _TURN_ENDS,
            sampling=teacher.sampling,
            seed=seed,
            label=group.subset,
        )
    messages = chat(
        template,
        seeds=[{"title": one.title, "text": one.text, "libraries": one.libraries} for one in group.seeds],
        title=first.title,
        text=first.text,
        context=first.context,
        operator=group.operator,
        hide_code=run.config.subsets[group.subset].seeds.hide_code,
    )
    return ChatRequest(
        messages=messages, sampling=teacher.sampling, seed=seed, grammar=grammar(template), label=group.subset
    )


def read_question(group: SeedGroup, answer: Answer | Refused, run: Run) -> Question | Reject:
    """What the reply holds: a question, or the reason why it does not. Its contract may still be missing."""
    if unfinished := reject_unfinished(group.question_id, group.subset, answer):
        return unfinished
    assert isinstance(answer, Answer)

    def refuse(reason: RejectReason, why: str = "") -> Reject:
        return reject(group.question_id, group.subset, reason, answer, why)

    entry = entry_of(group.subset)
    if entry.filters.abstains and abstained(answer.text):
        return refuse(RejectReason.ABSTAINED)
    text = _text(entry, group, answer)
    if text is None:
        return refuse(RejectReason.MALFORMED_REPLY, "the reply has no Question section")
    question = clean_question(text)
    stated = contract(question)
    hides, rules = _hides(group, run), run.config.questions
    longest_quote = min(_HIDDEN_QUOTE, rules.max_quoted_tokens) if hides else rules.max_quoted_tokens
    if found := objection(question, stated, group.seeds, rules, longest_quote, hides):
        return refuse(*found)
    if stated == [STDIN]:
        question = as_program(question)
    return Question(
        question_id=group.question_id,
        subset=group.subset,
        method=entry.method.value,
        number=group.number,
        operator=group.operator,
        question=question,
        contract=stated,
        seeds=group.seeds,
        call=call_of(answer, _template(group, run), run.teachers.of(entry.role), run.config.seed + group.number),
    )


def _text(entry: Entry, group: SeedGroup, answer: Answer) -> str | None:
    """The question in a reply; None where it has none."""
    match entry.method:
        case Method.PREFILL:
            # Nothing after the prefix is no question, however well the prefix reads.
            return f"{group.seeds[0].text}{answer.text}" if answer.text.strip() else ""
        case Method.INSTRUCT_FILTER:
            return f"{group.seeds[0].text}{answer.text}"
        case _:
            return section(answer.text, "Question")


def _hides(group: SeedGroup, run: Run) -> bool:
    """Whether nothing of the seeds may show in the question."""
    return entry_of(group.subset).filters.hides and run.config.subsets[group.subset].seeds.hide_code


def wants_rating(question: Question, run: Run) -> bool:
    """Whether a question's subset is rated."""
    return entry_of(question.subset).filters.rated


def rating_request(question: Question, run: Run) -> TeacherRequest:
    """The call that grades a question, at temperature 0."""
    return ChatRequest(
        messages=chat(
            fitting(RATE, run.config.teachers.prompts), question=question.question, categories=[*map(str, Category)]
        ),
        sampling=run.teachers.of(Role.RATER).sampling.model_copy(update={"temperature": 0.0, "top_p": 1.0}),
        seed=run.config.seed,
        json_schema=schema_of(_Grade),
        label=question.subset,
    )


def read_rating(question: Question, answer: Answer | Refused, run: Run) -> Question | Reject:
    """The question with its rating, or the reason why it does not stay (KodCode's keep rule: grade and category)."""
    if unfinished := reject_unfinished(question.question_id, question.subset, answer):
        return unfinished
    assert isinstance(answer, Answer)

    def refuse(reason: RejectReason, why: str) -> Reject:
        return reject(question.question_id, question.subset, reason, answer, f"{why}\n\n{question.question}")

    grade = parse_structured(answer.text, _Grade)
    if isinstance(grade, Malformed):
        return refuse(RejectReason.MALFORMED_REPLY, f"the rating cannot be read: {grade.reason}")
    rules = run.config.questions
    if grade.quality not in rules.keep_quality:
        return refuse(RejectReason.LOW_QUALITY, f"rated {grade.quality}: {grade.reason}")
    if grade.category not in rules.keep_categories:
        return refuse(RejectReason.WRONG_CATEGORY, f"rated as {grade.category}: {grade.reason}")
    rater = run.teachers.of(Role.RATER)
    call = call_of(answer, fitting(RATE, run.config.teachers.prompts), rater, run.config.seed)
    rating = Rating(quality=grade.quality, category=grade.category, call=call)
    return question.model_copy(update={"rating": rating})


def wants_contract(question: Question, run: Run) -> bool:
    """Whether a question leaves open what its tests will use."""
    return not question.contract


def contract_request(question: Question, run: Run) -> TeacherRequest:
    """The call that asks for the signature that a question does not state."""
    template = fitting(CONTRACT, run.config.teachers.prompts)
    return ChatRequest(
        messages=chat(template, question=question.question),
        sampling=run.teachers.author.sampling,
        seed=run.config.seed + question.number,
        grammar=grammar(template),
        label=question.subset,
    )


def read_contract(question: Question, answer: Answer | Refused, run: Run) -> Question | Reject:
    """The question with its contract as the last paragraph, or a reject: there is no second try."""
    if unfinished := reject_unfinished(question.question_id, question.subset, answer):
        return unfinished
    assert isinstance(answer, Answer)
    declared = declaration(section(answer.text, "Signature") or answer.text)
    if declared is None:
        why = f"the question states no signature, and the author gave none:\n\n{question.question}"
        return reject(question.question_id, question.subset, RejectReason.NO_CONTRACT, answer, why)
    text = completed(question.question, declared)
    template = fitting(CONTRACT, run.config.teachers.prompts)
    call = call_of(answer, template, run.teachers.author, run.config.seed + question.number)
    return question.model_copy(update={"question": text, "contract": contract(text), "contract_call": call})


def without_contract(question: Question) -> Reject:
    """The reject of a question that states no contract where none is asked for."""
    return Reject(
        id=question.question_id,
        subset=question.subset,
        reason=RejectReason.NO_CONTRACT,
        evidence=f"the question states no signature, and questions.repair is off:\n\n{question.question}",
        response_id=question.call.response_id,
    )

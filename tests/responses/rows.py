"""Problems, responses and grades."""

from __future__ import annotations

from tasks.models import Grade, ProgramRun, Response, Style, Tier, Verdict
from tasks.responses.problems import Problem
from tests.labeling.rows import CALL

DOUBLE = "def double(x):\n    return x * 2\n"
TEST = "from solution import double\n\n\ndef test_double():\n    assert double(3) == 6\n"


def problem(
    name: str = "q",
    style: Style = Style.INSTRUCT,
    question: str = "Write `double(x)`.",
    test: str = TEST,
    io: tuple[ProgramRun, ...] = (),
    libraries: tuple[str, ...] = (),
) -> Problem:
    return Problem(name, "Prefill", style, question, "" if io else test, io, libraries, name)


def response(
    number: int = 1,
    code: str = DOUBLE,
    *,
    row: str = "q",
    reasoner: str = "r",
    finish_reason: str = "stop",
    words: int = 10,
) -> Response:
    """``words``: its length, in characters."""
    return Response(
        response_id=f"{row}/{reasoner}/{number}",
        question_id=row,
        subset="Prefill",
        style=Style.INSTRUCT,
        reasoner=reasoner,
        number=number,
        text="x" * words,
        reasoning="",
        finish_reason=finish_reason,
        code=code,
        call=CALL,
    )


def grade_of(answer: Response, verdict: Verdict | None, alias_verdict: Verdict | None = None) -> Grade:
    return Grade(
        response_id=answer.response_id,
        question_id=answer.question_id,
        passed=verdict is Verdict.PASSED,
        verdict=verdict,
        reason="",
        integrity_tier=Tier.ISOLATED,
        alias="a = b" if alias_verdict else "",
        alias_verdict=alias_verdict,
        tests=[],
        wall_s=0.1,
        sandbox_s=0.1,
    )

"""What the converter is asked, and what it answers."""

from __future__ import annotations

import ast

from tasks.execution.expected import entry_points
from tasks.models import Conversion, ProgramRun, Reject, RejectReason, ReleaseRow, Style
from tasks.run import Run
from tasks.settings import Role
from tasks.styles.complete import as_question, read_stub
from tasks.styles.declarations import Definition, Refusal, definitions
from tasks.styles.ids import converted_id
from tasks.styles.online_judge import read_problem
from tasks.syntax import MOST_READ, parsed
from tasks.teachers.prompts import call_of, chat, fitting, grammar
from tasks.teachers.rejects import reject, reject_unfinished
from tasks.teachers.replies import Malformed, parse_code, section
from tasks.teachers.requests import Answer, ChatRequest, Refused

_ABSTAINS = "NOT_CONVERTIBLE"


def names_used(row: ReleaseRow) -> list[str]:
    """The names of the solution that a row's tests use, sorted."""
    return sorted({*entry_points(row.test), *(info.function_name for info in row.test_info)})


def why_not_asked(row: ReleaseRow, style: Style) -> str:
    """Why a row cannot be told in a style, whatever the converter says; empty where it may be."""
    if row.style is not Style.INSTRUCT:
        return f"it is told in the style {row.style} already"
    if not row.test:
        return "it has no tests of functions or classes"
    if max(len(row.solution), len(row.test)) > MOST_READ:
        return f"solution or tests have more than {MOST_READ:,} characters"
    tree, names = parsed(row.solution), names_used(row)
    if tree is None:
        return "its solution does not parse"
    if not names:
        return "its tests use nothing of the solution"
    defined = definitions(tree)
    if strange := next((name for name in names if name not in defined), None):
        return f"its tests use {strange}, which is neither a function nor a class"
    given = next((name for name in names if _takes_functions(defined[name])), None)
    if given and style is Style.ONLINE_JUDGE:
        return f"{given} is given a function, which no input can hold"
    return ""


def _takes_functions(node: Definition) -> bool:
    if isinstance(node, ast.ClassDef):
        return False
    parameters = (one for one in ast.walk(node.args) if isinstance(one, ast.arg))
    return any("Callable" in ast.unparse(one.annotation) for one in parameters if one.annotation)


def unasked(row: ReleaseRow, style: Style, why: str) -> Reject:
    """The reject of a row that the converter is not asked for."""
    return Reject(
        id=converted_id(row.question_id, style), subset=row.subset, reason=RejectReason.NOT_CONVERTIBLE, evidence=why
    )


def conversion_request(row: ReleaseRow, run: Run, style: Style) -> ChatRequest:
    """The call that tells a row in another style. The converter sees question and solution, and no test."""
    template = fitting(style, run.config.teachers.prompts)
    return ChatRequest(
        messages=chat(
            template,
            question=row.question,
            solution=row.solution,
            names=names_used(row),
            inputs=run.config.post_training.styles.least_inputs,
            abstain=_ABSTAINS,
        ),
        sampling=run.teachers.of(Role.CONVERTER).sampling,
        seed=run.config.seed,
        grammar=grammar(template),
        label=row.subset,
    )


def read_conversion(row: ReleaseRow, answer: Answer | Refused, run: Run, style: Style) -> Conversion | Reject:
    """The row as the converter tells it, or the reason why its reply cannot be used."""
    name = converted_id(row.question_id, style)
    if unfinished := reject_unfinished(name, row.subset, answer):
        return unfinished
    assert isinstance(answer, Answer)
    converts = section(answer.text, "Completion") or section(answer.text, "Driver")
    if _ABSTAINS in answer.text and not converts:
        return reject(name, row.subset, RejectReason.ABSTAINED, answer)
    found = _read_complete(answer.text, row) if style is Style.COMPLETE else _read_problem(answer.text, row)
    if isinstance(found, Refusal):
        return reject(name, row.subset, found.reason, answer, found.why)
    converter = run.teachers.of(Role.CONVERTER)
    return Conversion(
        question_id=name,
        converted_from=row.question_id,
        subset=row.subset,
        style=style,
        call=call_of(answer, fitting(style, run.config.teachers.prompts), converter, run.config.seed),
        **found,
    )


def _read_complete(text: str, row: ReleaseRow) -> dict[str, object] | Refusal:
    stub = parse_code(text, "Completion")
    if isinstance(stub, Malformed):
        return Refusal(RejectReason.MALFORMED_REPLY, stub.reason)
    found = read_stub(stub, row, names_used(row))
    if isinstance(found, Refusal):
        return found
    return {
        "question": as_question(found.stub),
        "solution": found.program,
        "test": row.test,
        "io": [],
        "examples": found.examples,
        "mends": list(found.mends),
    }


def _read_problem(text: str, row: ReleaseRow) -> dict[str, object] | Refusal:
    statement, inputs = section(text, "Question"), section(text, "Inputs")
    driver = parse_code(text, "Driver")
    if isinstance(driver, Malformed):
        return Refusal(RejectReason.MALFORMED_REPLY, driver.reason)
    if not statement or not inputs:
        missing = "Inputs" if statement else "Question"
        return Refusal(RejectReason.MALFORMED_REPLY, f"the reply has no {missing} section")
    found = read_problem(statement, driver, inputs, row, names_used(row))
    if isinstance(found, Refusal):
        return found
    runs: list[ProgramRun] = list(found.runs)
    return {
        "question": found.statement,
        "solution": found.program,
        "driver": found.driver,
        "test": "",
        "io": runs,
        "examples": "",
    }

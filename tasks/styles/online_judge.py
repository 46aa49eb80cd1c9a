"""A row as a problem of a programming contest: a statement, and a program that reads stdin and writes stdout.

The converter writes the statement and a driver, the part of the program that reads, calls the verified functions and
prints. What it says of outputs is a claim: those that count are the program's own.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, Field

from tasks.models import ProgramRun, RejectReason, ReleaseRow
from tasks.spans import Spans
from tasks.styles.declarations import Refusal, definitions
from tasks.syntax import UNREADABLE, parse, parsed
from tasks.teachers.replies import Malformed
from tasks.teachers.structured import parse_structured

_READS = re.compile(r"\binput\s*\(|\bstdin\b|\bopen\(0\b|\bfileinput\b")
_SAMPLE = re.compile(
    r"""^[^\w\n]*(?:sample|example)\s+input[^\n]*\n+(?P<in>`{3,})[^\n`]*\n(?P<stdin>.*?)^(?P=in)[^\S\n]*\n+
        [^\w\n]*(?:sample\s+|example\s+)?output[^\n]*\n+(?P<out>`{3,})[^\n`]*\n(?P<stdout>.*?)^(?P=out)[^\S\n]*$\n?""",
    re.IGNORECASE | re.MULTILINE | re.DOTALL | re.VERBOSE,
)
_FENCE = re.compile(r"^\s*`{3,}\w*\s*$", re.MULTILINE)
_LONGEST = 50_000
"""Characters of a statement."""
_MOST_INPUTS = 100


class _Run(BaseModel):
    stdin: str
    stdout: str = ""


class _Inputs(BaseModel):
    inputs: list[_Run] = Field(min_length=1)


@dataclass(frozen=True)
class Problem:
    """A statement with the program that solves it, and the runs that the converter claims: the statement's samples
    first."""

    statement: str
    driver: str
    program: str
    runs: tuple[ProgramRun, ...]


@dataclass(frozen=True)
class Sample:
    """A run that a statement shows, and where it stands in it."""

    run: ProgramRun
    start: int
    end: int


def samples_in(statement: str) -> list[Sample]:
    """The samples of a statement: blocks under headings ``Sample Input`` and ``Sample Output``."""
    return [
        Sample(ProgramRun(stdin=one["stdin"], stdout=one["stdout"]), one.start(), one.end())
        for one in _SAMPLE.finditer(statement)
    ]


def without_samples(statement: str, samples: Sequence[Sample]) -> str:
    """A statement without some of its samples."""
    for one in sorted(samples, key=lambda sample: -sample.start):
        statement = statement[: one.start].rstrip("\n") + "\n\n" + statement[one.end :].lstrip("\n")
    return statement.strip()


def read_problem(statement: str, driver: str, inputs: str, row: ReleaseRow, names: list[str]) -> Problem | Refusal:
    """The problem in the three parts of a reply, or why it cannot be used.

    Args:
        names: functions and classes of the solution that the row's tests use.
    """
    try:
        if why := _what_is_wrong(driver, row.solution, names):
            return Refusal(RejectReason.MALFORMED_REPLY, why)
        own = _without_imports_of_solution(driver)
        program = program_of(row.solution, own)
        compile(program, "program", "exec", dont_inherit=True)
    except UNREADABLE as error:
        return Refusal(RejectReason.MALFORMED_REPLY, f"the driver makes no program: {error}")
    if len(statement) > _LONGEST:
        why = f"the statement has {len(statement):,} characters, more than {_LONGEST:,}"
        return Refusal(RejectReason.MALFORMED_REPLY, why)
    samples = samples_in(statement)
    if not samples:
        return Refusal(RejectReason.MALFORMED_REPLY, "the statement has no sample input with its output")
    found = parse_structured(_as_object(inputs), _Inputs)
    if isinstance(found, Malformed):
        return Refusal(RejectReason.MALFORMED_REPLY, f"the inputs cannot be read: {found.reason}")
    runs = [sample.run for sample in samples]
    runs += [ProgramRun(stdin=one.stdin, stdout=one.stdout) for one in found.inputs[:_MOST_INPUTS]]
    first: dict[str, ProgramRun] = {}
    for run in runs:
        first.setdefault(run.stdin.rstrip(), run)
    return Problem(statement, own, program, tuple(first.values()))


def _as_object(inputs: str) -> str:
    """The inputs as the object that was asked for, where they are the list in it."""
    bare = _FENCE.sub("", inputs).strip()
    return f'{{"inputs": {bare}}}' if bare.startswith("[") else bare


def _what_is_wrong(driver: str, solution: str, names: Sequence[str]) -> str:
    tree, defined = parsed(driver), definitions(parse(solution))
    if tree is None:
        return "the driver does not parse"
    if again := sorted(set(definitions(tree)) & set(defined)):
        return f"the driver defines {again[0]}, which is the solution's"
    loaded = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    if not loaded & set(names):
        return f"the driver uses none of {', '.join(names)}"
    return "" if _READS.search(driver) else "the driver does not read standard input"


def _without_imports_of_solution(driver: str) -> str:
    """A driver without its imports of the module that it becomes a part of."""
    gone = [node for node in parse(driver).body if isinstance(node, ast.ImportFrom) and node.module == "solution"]
    return _without(driver, gone).strip("\n") + "\n"


def program_of(solution: str, driver: str) -> str:
    """A solution as a program: the driver behind it, instead of what it does where it is the main module.

    Raises:
        SyntaxError: the solution does not parse; also what else ``parse`` raises.
    """
    runs = [node for node in parse(solution).body if isinstance(node, ast.If) and _is_main(node.test)]
    return f"{_without(solution, runs).rstrip()}\n\n\n{driver}"


def _is_main(test: ast.expr) -> bool:
    match test:
        case ast.Compare(left=ast.Name(id="__name__"), ops=[ast.Eq()], comparators=[ast.Constant(value="__main__")]):
            return True
    return False


def _without(source: str, gone: Sequence[ast.stmt]) -> str:
    spans = Spans(source)
    data = spans.data
    for node in reversed(gone):
        start, end = spans.of(node)
        data = data[:start] + data[end:]
    return data.decode()

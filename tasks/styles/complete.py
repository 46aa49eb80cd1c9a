"""A row as a stub to be completed: imports, signatures, docstrings with examples.

KodCode's style converter (Xu et al. 2025, arXiv 2503.02951, section 3.3) shows the tests to the teacher and keeps what
parses and is not the solution. Here the tests are not shown, the stub has to declare what they use and may not tell
what only they know, its examples have to be true, and the completed program passes the tests anew.
"""

from __future__ import annotations

from dataclasses import dataclass

from tasks.models import RejectReason, ReleaseRow
from tasks.styles.declarations import Refusal, check_stub, preamble, unbound_names
from tasks.styles.examples import Example, Unreadable, examples_of, examples_test, passages, without
from tasks.styles.graft import graft, with_preamble
from tasks.styles.leaks import Secrets
from tasks.syntax import UNREADABLE, parse, parsed

_LONGEST = 50_000
"""Characters of a stub: no task takes as many, and a model that repeats itself would hold up the shard."""
_INSTRUCTION = "Complete the following Python code. Write the whole module, with what is given."


@dataclass(frozen=True)
class Completion:
    """A stub, and the solution with its declarations.

    Attributes:
        examples: a pytest file over the stub's examples; empty where it has none.
        mends: what was changed in what the converter wrote, and why.
    """

    stub: str
    program: str
    examples: str
    mends: tuple[str, ...] = ()


def as_question(stub: str) -> str:
    """The question that a stub is."""
    fence = "````" if "```" in stub else "```"
    return f"{_INSTRUCTION}\n\n{fence}python\n{stub.rstrip()}\n{fence}"


def stub_of(question: str) -> str:
    """The stub in what ``as_question`` made."""
    return question.split("\n", 3)[3].rpartition("\n")[0] + "\n"


def read_stub(stub: str, row: ReleaseRow, names: list[str]) -> Completion | Refusal:
    """What becomes of a stub that the converter wrote for a row, or why it cannot be used.

    Args:
        names: functions and classes of the solution that the row's tests use.
    """
    if len(stub) > _LONGEST:
        return Refusal(RejectReason.MALFORMED_REPLY, f"the stub has {len(stub):,} characters, more than {_LONGEST:,}")
    if parsed(stub) is None:
        return Refusal(RejectReason.MALFORMED_REPLY, "the stub does not parse")
    try:
        return _read(stub, row, names)
    except Unreadable as error:
        return Refusal(RejectReason.MALFORMED_REPLY, f"its examples cannot be read: {error}")
    except UNREADABLE as error:
        return Refusal(RejectReason.NOT_CONVERTIBLE, f"stub or solution cannot be read: {type(error).__name__}")


def _read(stub: str, row: ReleaseRow, names: list[str]) -> Completion | Refusal:
    tree, solution = parse(stub), parse(row.solution)
    if refusal := check_stub(tree, solution, names, row.test, row.question):
        return refusal
    mends: list[str] = []
    known = preamble(solution)
    while unbound := unbound_names(parse(stub)):
        if strange := next((name for name in unbound if name not in known), None):
            return Refusal(RejectReason.MALFORMED_REPLY, f"the stub uses {strange} and does not define it")
        stub = with_preamble(stub, [known[name] for name in unbound])
        mends += [f"added `{known[name]}`, which the stub needs" for name in unbound]
    secrets = Secrets(row.test, solution, row.question, names)
    found = passages(stub, names)
    if leak := next(filter(None, map(secrets.told_in, found)), None):
        return Refusal(RejectReason.LEAKS_TESTS, f"the stub tells that {leak}, which only the tests know")
    leaking = {example: leak for one in found for example in one.examples if (leak := secrets.told_by(example))}
    if leaking:
        why = f"the stub's example tells that {next(iter(leaking.values()))}, which only the tests know"
        if not removable(list(leaking), [example for one in found for example in one.examples]):
            return Refusal(RejectReason.LEAKS_TESTS, why)
        mends += [f"left out an example: only the tests know that {leak}" for leak in leaking.values()]
        stub = without(stub, leaking)
    return completed(stub, row.solution, names, mends)


def removable(wrong: list[Example], all_: list[Example]) -> bool:
    """Whether examples can be left out of a stub: others remain, and nothing else goes with them."""
    return len(wrong) < len(all_) and all(example.apart for example in wrong)


def completed(stub: str, solution: str, names: list[str], mends: list[str]) -> Completion:
    """A stub with the bodies of a solution.

    Raises:
        SyntaxError: one of them does not parse; also what else ``parse`` raises.
    """
    program = graft(stub, solution)
    parse(program)
    return Completion(stub, program, examples_test(examples_of(stub, names), names), tuple(mends))

"""LiveCodeBench: problems of programming contests, each with its date; programs, or a method of ``class Solution``.

Private tests come as JSON, or as a pickled text of JSON, compressed, in base64. The pickle is never loaded: a text is
all that it may hold, and that is read off its opcodes. Source: Jain et al. 2024, arXiv 2403.07974.
"""

from __future__ import annotations

import base64
import binascii
import pickletools
import zlib
from collections.abc import Sequence

from tasks.evaluation.formats.cells import json_of, text_of
from tasks.models import EvalItem, ProgramRun, Style
from tasks.settings import Evaluation
from tasks.tables import Row

COLUMNS = frozenset({"question_content", "public_test_cases"})
MAX_UNPACKED = 256 << 20
"""Bytes of one item's private tests; more is taken for an attack."""
_HARMLESS = frozenset({"PROTO", "FRAME", "MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT", "STOP"})
_TEXTS = frozenset({"UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"})
_CLASS = "Solution"

_COMPARISON = """
def _plain(value):
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value
"""


def read(row: Row, options: Evaluation) -> EvalItem:
    """The item of a row.

    Raises:
        BadInput: a column is missing or is not what it should be (names file, row, column).
    """
    question = text_of(row, "question_content").strip()
    starter = text_of(row, "starter_code", required=False)
    cases = [*_cases(row, "public_test_cases"), *_cases(row, "private_test_cases")]
    if not cases:
        raise row.wrong("public_test_cases", "is empty, and so is 'private_test_cases'. Every item needs tests")
    is_program = all(case["testtype"] == "stdin" for case in cases)
    shown = f"{question}\n\nBegin with this code:\n\n```python\n{starter.rstrip()}\n```" if starter else question
    return EvalItem(
        id=text_of(row, "question_id"),
        prompt=shown,
        style=Style.ONLINE_JUDGE if is_program else Style.INSTRUCT,
        # Its starter code takes the names of typing for granted.
        stub="" if is_program else "from typing import *\n",
        entry_point="" if is_program else _CLASS,
        test="" if is_program else _test(_method(row), cases),
        io=[ProgramRun(stdin=case["input"], stdout=case["output"]) for case in cases] if is_program else [],
        canonical_solution="",
        libraries=[],
        difficulty=text_of(row, "difficulty", required=False),
        date=text_of(row, "contest_date", required=False)[:10],
        topic=text_of(row, "platform", required=False),
    )


def _cases(row: Row, column: str) -> list[dict[str, str]]:
    """The tests in a column: input, output and testtype, each a text."""
    text = text_of(row, column, required=False).strip()
    if not text:
        return []
    told = json_of(row, column, text if text.startswith("[") else _unpacked(row, column, text))
    wanted = ("input", "output", "testtype")
    if not isinstance(told, list) or not all(
        isinstance(case, dict) and all(isinstance(case.get(name), str) for name in wanted) for case in told
    ):
        raise row.wrong(column, "must hold a list of tests with input, output and testtype, each a text")
    if wrong := next((case for case in told if case["testtype"] not in ("stdin", "functional")), None):
        raise row.wrong(column, f"has the testtype {wrong['testtype']!r}. Known: stdin, functional")
    return told


def _unpacked(row: Row, column: str, text: str) -> str:
    try:
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(base64.b64decode(text, validate=True), MAX_UNPACKED)
    except (binascii.Error, zlib.error, ValueError) as error:
        raise row.wrong(column, f"is neither JSON nor compressed tests in base64: {error}") from error
    if unpacker.unconsumed_tail:
        raise row.wrong(column, f"unpacks to more than {MAX_UNPACKED >> 20} MiB")
    try:
        return pickled_text(data)
    except ValueError as error:
        raise row.wrong(column, f"holds more than a text, and is not read: {error}") from error


def pickled_text(data: bytes) -> str:
    """The text that a pickle holds, read without loading it.

    Raises:
        ValueError: it holds anything else.
    """
    found: list[str] = []
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name in _TEXTS:
            found.append(str(argument))
        elif opcode.name not in _HARMLESS:
            raise ValueError(f"opcode {opcode.name}")
    if len(found) != 1:
        raise ValueError(f"{len(found)} texts")
    return found[0]


def _method(row: Row) -> str:
    """The method of ``Solution`` that is called."""
    told = json_of(row, "metadata", text_of(row, "metadata"))
    name = told.get("func_name") if isinstance(told, dict) else None
    if not isinstance(name, str) or not name.isidentifier():
        raise row.wrong("metadata", "names no method in 'func_name', which functional tests call")
    return name


def _test(method: str, cases: Sequence[dict[str, str]]) -> str:
    """A pytest file with a test per case; arguments stand in lines of their own, as JSON."""
    given: list[tuple[str, str]] = [(case["input"], case["output"]) for case in cases]
    calls = (
        f"def test_{number}():\n    _check({arguments!r}, {expected!r})\n"
        for number, (arguments, expected) in enumerate(given, 1)
    )
    return (
        f"import json\n\nfrom solution import {_CLASS}\n\n{_COMPARISON}\n\n"
        f"def _check(arguments, expected):\n"
        f"    found = {_CLASS}().{method}(*map(json.loads, arguments.splitlines()))\n"
        f"    assert _plain(found) == json.loads(expected)\n\n\n" + "\n\n".join(calls)
    )

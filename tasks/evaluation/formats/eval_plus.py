"""EvalPlus, HumanEval+ and MBPP+ as its own files have them: inputs, and a solution that says what comes out.

The tests hold the canonical solution and compare with what it returns, as EvalPlus does, with its tolerance for floats
and its oracles where more than one result is right. JSON has no tuples, sets or complex numbers: where the item shows a
call, inputs have the types that they have there. Source: Liu et al. 2023, arXiv 2305.01210.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from tasks.evaluation.formats.cells import list_of, text_of
from tasks.evaluation.sources import defined, libraries_of
from tasks.models import EvalItem, Style
from tasks.settings import Evaluation
from tasks.syntax import UNREADABLE, parsed
from tasks.tables import Row

COLUMNS = frozenset({"task_id", "prompt", "entry_point", "canonical_solution", "base_input", "plus_input"})
_AS_SETS = frozenset(
    {
        "similar_elements",
        "find_char_long",
        "common_in_nested_lists",
        "extract_singly",
        "larg_nnum",
        "intersection_array",
        "find_dissimilar",
        "Diff",
    }
)
"""MBPP+'s functions whose result is a collection in any order."""
_WHETHER_NONE = frozenset({"check_str", "text_match_three", "text_starta_endb"})
"""MBPP+'s functions of which only counts whether they return something."""
_ORACLES = {
    **dict.fromkeys(_AS_SETS, "set(out) == set(expected)"),
    **dict.fromkeys(
        _WHETHER_NONE,
        "(out == bool(expected) if isinstance(out, bool) else (out is not None) == (expected is not None))",
    ),
    "are_equivalent": "True",
    "sum_div": "_same(out, expected) or out == 0",
    "find_zero": "abs(sum(factor * out**power for power, factor in enumerate(arguments[0]))) <= max(ATOL, 1e-4)",
}
_EXACT = "_same(out, expected)"

_COMPARISON = """
def _same(out, expected):
    if out == expected:
        return True
    atol = ATOL or (1e-6 if _floats(expected) else 0)
    if not atol or type(out) is not type(expected):
        return False
    if isinstance(expected, (list, tuple)):
        return len(out) == len(expected) and all(_close(one, other, atol) for one, other in zip(out, expected))
    return _close(out, expected, atol)


def _floats(value):
    if isinstance(value, (list, tuple)):
        return bool(value) and all(isinstance(one, float) for one in value)
    return isinstance(value, float)


def _close(one, other, atol):
    if isinstance(other, (list, tuple)) and isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(_close(a, b, atol) for a, b in zip(one, other))
    try:
        return one == other or abs(one - other) <= atol + 1e-7 * abs(other) or (one != one and other != other)
    except TypeError:
        return False
"""


def read(row: Row, options: Evaluation) -> EvalItem:
    """The item of a row.

    Raises:
        BadInput: a column is missing or is not what it should be (names file, row, column).
    """
    prompt, entry_point, canonical = (text_of(row, name) for name in ("prompt", "entry_point", "canonical_solution"))
    inputs = [*_calls(row, "base_input"), *_calls(row, "plus_input")]
    if not inputs:
        raise row.wrong("base_input", "is empty, and so is 'plus_input'. Every item needs inputs")
    stub = prompt if entry_point in defined(prompt) else ""
    whole = f"{stub}{canonical}"
    if entry_point not in defined(whole):
        raise row.wrong("canonical_solution", f"does not define {entry_point!r}")
    shown = _shown_call(text_of(row, "assertion", required=False), entry_point) or _shown_call(prompt, entry_point)
    typed = [_typed(call, shown) for call in inputs]
    return EvalItem(
        id=text_of(row, "task_id"),
        prompt=prompt if stub else _in_words(prompt),
        style=Style.COMPLETE if stub else Style.INSTRUCT,
        stub=stub,
        entry_point=entry_point,
        test=_test(whole, entry_point, typed, _atol(row)),
        io=[],
        canonical_solution=canonical,
        libraries=libraries_of(whole),
        difficulty="",
        date="",
        topic="",
    )


def _calls(row: Row, column: str) -> list[list[Any]]:
    found = list_of(row, column)
    for call in found:
        if not isinstance(call, list | tuple):
            raise row.wrong(column, f"must hold a list of arguments per call, got {str(call)[:100]!r}")
    return [list(call) for call in found]


def _atol(row: Row) -> float:
    try:
        return float(row.values.get("atol") or 0)
    except (TypeError, ValueError) as error:
        raise row.wrong("atol", f"must be a number, got {row.values['atol']!r}") from error


def _in_words(prompt: str) -> str:
    """MBPP+'s prompt, which is a docstring, as text."""
    tree = parsed(prompt.strip())
    text = ast.get_docstring(tree) if tree else None
    return text or prompt.strip()


def _shown_call(text: str, entry_point: str) -> list[Any] | None:
    """The arguments of the first call of a function, all of literals, that a text of code or prose shows."""
    for line in text.splitlines():
        tree = parsed(line.strip())
        for node in ast.walk(tree) if tree else ():
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == entry_point:
                try:
                    return [ast.literal_eval(argument) for argument in node.args]
                except UNREADABLE:
                    continue
    return None


def _typed(call: Sequence[Any], shown: Sequence[Any] | None) -> list[Any]:
    if shown is None or len(shown) != len(call):
        return list(call)
    return [_like(value, example) for value, example in zip(call, shown, strict=True)]


def _like(value: Any, example: Any) -> Any:
    """A value that went through JSON with the types of an example."""
    if isinstance(value, list) and isinstance(example, list | tuple | set | frozenset):
        examples = list(example)
        inner = [_like(one, examples[min(n, len(examples) - 1)]) if examples else one for n, one in enumerate(value)]
        return type(example)(inner) if all(map(_hashable, inner)) or not isinstance(example, set) else inner
    if isinstance(value, dict) and isinstance(example, dict) and example:
        first = next(iter(example.values()))
        return {key: _like(one, first) for key, one in value.items()}
    if isinstance(value, str) and isinstance(example, int | float | complex) and not isinstance(example, bool):
        try:
            return complex(value)
        except ValueError:
            return value
    return value


def _hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _test(canonical: str, entry_point: str, inputs: Sequence[Sequence[Any]], atol: float) -> str:
    """A pytest file with one test over all inputs."""
    return (
        f"{canonical.strip()}\n\n\nreference = {entry_point}\n\nimport copy\n\n"
        f"from solution import {entry_point} as candidate\n\n"
        f"inf, nan = float('inf'), float('nan')\nATOL = {atol!r}\nINPUTS = {list(inputs)!r}\n\n{_COMPARISON}\n\n"
        f"def test_inputs():\n"
        f"    for arguments in INPUTS:\n"
        f"        expected = reference(*copy.deepcopy(arguments))\n"
        f"        out = candidate(*copy.deepcopy(arguments))\n"
        f"        assert {_ORACLES.get(entry_point, _EXACT)}, f'of {{arguments!r:.200}}'\n"
    )

"""A row to be told in other styles, and what a converter says of it."""

from __future__ import annotations

import json

from tasks.models import Conversion, Reject, ReleaseRow, Style
from tasks.run import Run
from tasks.settings import BuildConfig
from tasks.styles.asking import read_conversion
from tasks.teachers.requests import Answer, Choice
from tests.publishing.rows import release_row

CONFIG = BuildConfig(
    profile="demo",
    verification={"effort": {"reruns": 1, "stubs": 5}},
    post_training={"styles": {"into": ["complete", "online_judge"], "least_inputs": 2}},
)
RUN = Run(config=CONFIG, teachers=CONFIG.teachers)
SOLUTION = '''def _twice(x):
    return 2 * x


def double(x):
    """Double a number."""
    if x < 0:  # not asked for
        raise ValueError("negative")
    return _twice(x)


if __name__ == "__main__":
    print(double(1))
'''
TEST = """import pytest
from solution import double


def test_one():
    assert double(21) == 42


def test_three():
    assert double(3) == 6


def test_negative():
    with pytest.raises(ValueError):
        double(-5)
"""
STUB = '''def double(x):
    """Return twice a number; raise ValueError where it is negative.

    >>> double(5)
    10
    >>> double(8)
    16
    """
'''
STATEMENT = """Double a number.

## Input

One number.

## Output

Twice the number, or `error` where it is negative.

## Sample Input 1

```
5
```

## Sample Output 1

```
10
```
"""
DRIVER = """from solution import double

try:
    print(double(int(input())))
except ValueError:
    print("error")
"""
INPUTS = [("3\n", "6\n"), ("-1\n", "error\n"), ("100\n", "200\n")]


def row(**changed: object) -> ReleaseRow:
    texts = {"question": "Write `double(x)`; a negative x raises ValueError.", "solution": SOLUTION, "test": TEST}
    return release_row("Docs_00000007_I", 5).model_copy(update={**texts, **changed})


def answer(text: str, finish_reason: str = "stop") -> Answer:
    choice = Choice(text=text, finish_reason=finish_reason)
    return Answer(response_id="r1", choices=(choice,), prompt_tokens=10, completion_tokens=5)


def told(text: str, style: Style, of: ReleaseRow | None = None) -> Conversion | Reject:
    return read_conversion(of or row(), answer(text), RUN, style)


def completion(stub: str = STUB) -> str:
    return f"Here it is.\n\n<|Completion Begin|>\n```python\n{stub}```\n<|Completion End|>"


def problem(statement: str = STATEMENT, driver: str = DRIVER, inputs: object = None) -> str:
    runs = [{"stdin": stdin, "stdout": stdout} for stdin, stdout in INPUTS] if inputs is None else inputs
    return (
        f"<|Question Begin|>\n{statement}<|Question End|>\n\n"
        f"<|Driver Begin|>\n```python\n{driver}```\n<|Driver End|>\n\n"
        f"<|Inputs Begin|>\n```json\n{json.dumps({'inputs': runs})}\n```\n<|Inputs End|>"
    )


def conversion(text: str, style: Style, of: ReleaseRow | None = None) -> Conversion:
    found = told(text, style, of)
    assert isinstance(found, Conversion), found
    return found

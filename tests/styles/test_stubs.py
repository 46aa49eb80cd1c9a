"""Which stubs may stand for a question."""

from __future__ import annotations

import pytest

from tasks.models import RejectReason
from tasks.styles.complete import Completion, as_question, read_stub, stub_of
from tasks.styles.declarations import Refusal
from tests.publishing.rows import release_row

SOLUTION = '''from functools import lru_cache


def _helper(x):
    return x


@lru_cache
def scale(x: int, by: int = 2, *, wrap=None) -> int:
    """Scale."""
    if x < 0:
        raise ValueError("negative")
    return _helper(x) * by
'''
TEST = """import pytest
from solution import scale


def test_scale():
    assert scale(7) == 14
    with pytest.raises(ValueError):
        scale(-1)
"""
STUB = '''def scale(x: int, by: int = 2, *, wrap=None) -> int:
    """Multiply x by a factor; a negative x raises ValueError.

    >>> scale(3)
    6
    """
'''
HEAD = STUB.split("\n", maxsplit=1)[0]


def read(stub: str, **changed: str) -> Completion | Refusal:
    question = "Write scale, which raises ValueError for negative numbers."
    row = release_row("Docs_00000001_I", 5).model_copy(
        update={"question": question, "solution": SOLUTION, "test": TEST, **changed}
    )
    return read_stub(stub, row, ["scale"])


def refused(stub: str, **changed: str) -> tuple[RejectReason, str]:
    found = read(stub, **changed)
    assert isinstance(found, Refusal), found
    return found.reason, found.why


@pytest.mark.parametrize(
    "stub",
    [
        STUB,
        f"{STUB}    ...\n",
        f"{STUB}    pass\n",
        f"{STUB}    raise NotImplementedError\n",
        f'{STUB}    raise NotImplementedError("write me")\n    # your code here\n',
        STUB.replace(": int", "").replace(" -> int", ""),
        f'"""A module."""\n\nfrom typing import Any\n\n\n{STUB}',
        STUB.replace('"""', "'''"),
    ],
)
def test_stubs_of_all_usual_forms_are_taken(stub):
    found = read(stub)
    assert isinstance(found, Completion)
    assert "_helper(x) * by" in found.program
    assert stub_of(as_question(found.stub)).strip() == stub.strip()


@pytest.mark.parametrize(
    ("stub", "reason", "why"),
    [
        ("def scale(:", RejectReason.MALFORMED_REPLY, "does not parse"),
        (HEAD, RejectReason.MALFORMED_REPLY, "does not parse"),
        (f"{STUB}\x00", RejectReason.MALFORMED_REPLY, "does not parse"),
        (SOLUTION, RejectReason.UNCHANGED, "is the solution"),
        (f"{STUB}    return _helper(x) * by\n", RejectReason.UNCHANGED, "has a body"),
        (f"{STUB}\n\nprint(scale(3))\n", RejectReason.MALFORMED_REPLY, "more than declarations"),
        (f"{STUB}\n\nCACHE = {{7: 14}}\n", RejectReason.MALFORMED_REPLY, "more than declarations"),
        (STUB.replace("scale", "scaled"), RejectReason.NO_CONTRACT, "does not declare scale"),
        (STUB.replace("by: int = 2", "by: int = 3"), RejectReason.NO_CONTRACT, "declares `def scale(x, by=3"),
        (STUB.replace("by: int = 2", "by: int"), RejectReason.NO_CONTRACT, "and the solution defines"),
        (STUB.replace("*, ", ""), RejectReason.NO_CONTRACT, "and the solution defines"),
        (f"async {STUB}", RejectReason.NO_CONTRACT, "async def"),
        (f'{STUB}\n\ndef other():\n    """?"""\n', RejectReason.NO_CONTRACT, "other, which the solution does not"),
        (f"{HEAD}\n    ...\n", RejectReason.NO_CONTRACT, "no docstring"),
        (f'{HEAD}\n    """ """\n', RejectReason.NO_CONTRACT, "no docstring"),
        (STUB.replace("ValueError", "an error"), RejectReason.NO_CONTRACT, "leaves out ValueError"),
        (STUB.replace("wrap=None", "wrap: Wrapper = None"), RejectReason.MALFORMED_REPLY, "uses Wrapper"),
        (STUB.replace("scale(3)\n    6", "scale(7)\n    14"), RejectReason.LEAKS_TESTS, "scale(7) is 14"),
        (STUB.replace(">>> scale(3)", ">>> scale(3)\n  bad"), RejectReason.MALFORMED_REPLY, "cannot be read"),
    ],
)
def test_what_cannot_stand_for_the_question_is_refused_with_the_reason(stub, reason, why):
    found = refused(stub)
    assert found[0] is reason
    assert why in found[1]


def test_a_leaking_example_is_left_out_where_others_remain():
    found = read(STUB.replace("    6\n", "    6\n    >>> scale(7)\n    14\n"))
    assert isinstance(found, Completion)
    assert found.stub == STUB
    assert ">>> scale(7)" not in found.program
    assert found.mends == ("left out an example: only the tests know that scale(7) is 14",)


def test_a_leak_within_a_sentence_cannot_be_left_out():
    told = STUB.replace("factor;", "factor, so that scale(7) is 14, and more;")
    assert refused(told)[0] is RejectReason.LEAKS_TESTS


def test_imports_and_aliases_that_the_stub_needs_are_added():
    solution = "from typing import List\n\nRow = List[int]\n\n\ndef scale(x: Row) -> Row:\n    return x\n"
    found = read('def scale(x: Row) -> Row:\n    """Scale; may raise ValueError."""\n', solution=solution)
    assert isinstance(found, Completion)
    assert found.stub.startswith("from typing import List\n\n\nRow = List[int]\n\n\ndef scale")
    assert len(found.mends) == 2


def test_a_class_is_declared_with_the_methods_that_the_tests_use():
    solution = (
        "class Box(dict):\n    def __init__(self, size=3):\n        self.size = size\n\n"
        "    @property\n    def full(self):\n        return len(self) >= self.size\n\n"
        "    def add(self, one):\n        self[one] = self._n()\n\n    def _n(self):\n        return 1\n"
    )
    test = "from solution import Box\n\n\ndef test_box():\n    assert not Box(2).full\n"
    stub = (
        'class Box(dict):\n    """A box."""\n\n    def __init__(self, size=3): ...\n\n'
        '    @property\n    def full(self):\n        """Whether it is."""\n'
    )
    row = release_row("a_I", 5).model_copy(update={"question": "Box", "solution": solution, "test": test})
    found = read_stub(stub, row, ["Box"])
    assert isinstance(found, Completion)
    assert '"""A box."""' in found.program and "self[one] = self._n()" in found.program
    for wrong, why in (
        (stub.replace("(dict)", ""), "class Box()"),
        (stub.replace("    @property\n", ""), "@property def full"),
        (stub.replace("size=3", "size"), "def __init__(self, size)"),
        (stub[: stub.index("    @property")], "does not declare Box.full"),
    ):
        refusal = read_stub(wrong, row, ["Box"])
        assert isinstance(refusal, Refusal) and refusal.reason is RejectReason.NO_CONTRACT
        assert why in refusal.why


def test_fields_of_a_dataclass_are_its_parameters():
    solution = "from dataclasses import dataclass\n\n\n@dataclass\nclass P:\n    x: int\n    y: int = 0\n"
    test = "from solution import P\n\n\ndef test_p():\n    assert P(1).y == 0\n"
    row = release_row("a_I", 5).model_copy(update={"question": "P", "solution": solution, "test": test})
    stub = 'from dataclasses import dataclass\n\n\n@dataclass\nclass P:\n    """A point."""\n\n    x: int\n'
    refusal = read_stub(stub, row, ["P"])
    assert isinstance(refusal, Refusal) and refusal.reason is RejectReason.NO_CONTRACT


def test_a_docstring_with_fences_survives_the_question():
    stub = STUB.replace("    >>> scale(3)\n    6\n", "    ```python\n    >>> scale(3)\n    6\n    ```\n")
    found = read(stub)
    assert isinstance(found, Completion)
    question = as_question(found.stub)
    assert question.endswith("\n````")
    assert stub_of(question) == found.stub

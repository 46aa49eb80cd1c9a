"""A completed program has the declarations of the stub and everything else of the solution."""

from __future__ import annotations

import ast

import pytest

from tasks.styles.graft import graft

STUB = 'from typing import Optional\n\n\ndef f(a: int, b: Optional[int] = None) -> int:\n    """Tell."""\n'


@pytest.mark.parametrize(
    ("solution", "completed"),
    [
        (
            "def f(a, b=None):\n    # why\n    return a  # this\n",
            'from typing import Optional\n\n\ndef f(a: int, b: Optional[int] = None) -> int:\n    """Tell."""\n'
            "    # why\n    return a  # this\n",
        ),
        (
            'def f(a, b=None):  # head\n  "Old."\n  return a\n',
            "from typing import Optional\n\n\ndef f(a: int, b: Optional[int] = None) -> int:  # head\n"
            '  """Tell."""\n  return a\n',
        ),
        (
            "def f(a, b=None): return a\n",
            "from typing import Optional\n\n\ndef f(a: int, b: Optional[int] = None) -> int:\n"
            '    """Tell."""\n    return a\n',
        ),
        (
            '"""Module."""\nfrom __future__ import annotations\nimport os\n\n\n'
            "def f(\n    a,\n    b=None,\n):\n\treturn a\n",
            '"""Module."""\nfrom __future__ import annotations\nfrom typing import Optional\nimport os\n\n\n'
            'def f(a: int, b: Optional[int] = None) -> int:\n\t"""Tell."""\n\treturn a\n',
        ),
        (
            "from typing import Optional\n\nX = {'ü': lambda: 1}\n\n\n@str\ndef f(a, b=None):\n    def g(): return X\n"
            "    return g\n\n\nY = 1",
            "from typing import Optional\n\nX = {'ü': lambda: 1}\n\n\n@str\n"
            'def f(a: int, b: Optional[int] = None) -> int:\n    """Tell."""\n    def g(): return X\n'
            "    return g\n\n\nY = 1",
        ),
    ],
    ids=["comments", "docstring", "one line", "imports and tabs", "decorators and unicode"],
)
def test_head_and_docstring_are_the_stubs_and_the_rest_the_solutions(solution, completed):
    assert graft(STUB, solution) == completed
    ast.parse(completed)


def test_methods_are_completed_each():
    stub = 'class A:\n    """Of class."""\n\n    def m(self, x: int) -> int:\n        """Of m."""\n\n'
    stub += "    def n(self): ...\n"
    solution = "class A(object):\n    k = 1\n\n    def m(self, x): return x\n\n    def n(self):\n        return 2\n"
    assert graft(stub, solution) == (
        'class A(object):\n    """Of class."""\n    k = 1\n\n    def m(self, x: int) -> int:\n        """Of m."""\n'
        "        return x\n\n    def n(self):\n        return 2\n"
    )


def test_imports_from_the_future_go_first():
    stub = 'from __future__ import annotations\n\nimport math\n\n\ndef f():\n    """Tell."""\n'
    assert graft(stub, "def f():\n    return 1\n").startswith(
        "from __future__ import annotations\nimport math\n\n\ndef f():"
    )


def test_windows_line_ends_do_not_shift_anything():
    assert graft(STUB, "x = 'é'\r\n\r\n\r\ndef f(a, b=None):\r\n    return a\r\n").endswith(
        '"""Tell."""\n    return a\n'
    )

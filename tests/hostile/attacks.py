"""Wrong solutions that cheat, and code that breaks out of its limits: what must come out in each tier.

The right answer to ``TEST`` is ``f(1) == 2`` and ``f(5) == 6``; no solution here computes it unless its point is
something else.
"""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import dedent

from tasks.models import Tier, Verdict

TEST = "from solution import f\n\n\ndef test_f():\n    assert f(1) == 2\n    assert f(5) == 6\n"
V = Verdict


@dataclass(frozen=True)
class Attack:
    """One piece of hostile code.

    Attributes:
        isolated: what must come out where the tests are isolated.
        shared: what must come out where all runs in one process; None: the same.
        wall_s: wall time in seconds, of what needs a second of a processor to come to its end; None: the usual.
    """

    name: str
    solution: str
    isolated: Verdict | tuple[Verdict, ...]
    shared: Verdict | None = None
    test: str = TEST
    wall_s: float | None = None

    def expected(self, tier: Tier) -> tuple[Verdict, ...]:
        """What may come out; several where it depends on which limit is met first."""
        found = self.shared if tier is Tier.SHARED and self.shared else self.isolated
        return found if isinstance(found, tuple) else (found,)


def _attack(
    name: str,
    solution: str,
    isolated: Verdict | tuple[Verdict, ...],
    shared: Verdict | None = None,
    test: str = TEST,
    wall_s: float | None = None,
) -> Attack:
    return Attack(name, dedent(solution).lstrip("\n"), isolated, shared, dedent(test).lstrip("\n"), wall_s)


WRONG = "def f(x):\n    return x\n"

LEAVING = [
    _attack("os._exit(0) at import", "import os\nos._exit(0)", V.TAMPERED),
    _attack("os._exit(0) in the call", "import os\ndef f(x):\n    os._exit(0)", V.TAMPERED),
    _attack("os._exit by another name", "from os import _exit as bye\ndef f(x):\n    bye(0)", V.TAMPERED),
    _attack("os._exit out of the module's names", "import os\ndef f(x):\n    os.__dict__['_ex' + 'it'](0)", V.TAMPERED),
    _attack("posix._exit", "import posix\ndef f(x):\n    posix._exit(0)", V.TAMPERED),
    _attack("exit in atexit", "import atexit, os\natexit.register(os._exit, 0)\n" + WRONG, V.FAILED, V.TAMPERED),
    _attack("SystemExit at import", "raise SystemExit(0)", V.ERROR),
    _attack("SystemExit in the call", "def f(x):\n    raise SystemExit(0)", V.FAILED),
    _attack("sys.exit in the call", "import sys\ndef f(x):\n    sys.exit(0)", V.FAILED),
    _attack("KeyboardInterrupt at import", "raise KeyboardInterrupt", V.ERROR),
    _attack("KeyboardInterrupt in the call", "def f(x):\n    raise KeyboardInterrupt", V.ERROR),
    _attack("GeneratorExit in the call", "def f(x):\n    raise GeneratorExit", V.FAILED),
    _attack("own BaseException in the call", "class B(BaseException): pass\ndef f(x):\n    raise B", V.FAILED),
    _attack("execv of true", "import os\nos.execv('/bin/true', ['true'])", V.TAMPERED),
    _attack("execv in the call", "import os\ndef f(x):\n    os.execv('/bin/true', ['true'])", V.TAMPERED),
    _attack("fork and leave the child behind", "import os\ndef f(x):\n    if os.fork():\n        os._exit(0)\n    return x", V.FAILED, V.TAMPERED),
    _attack("abort", "import os\ndef f(x):\n    os.abort()", V.KILLED),
    _attack("kills itself", "import os\ndef f(x):\n    os.kill(os.getpid(), 9)", V.TAMPERED, V.KILLED),
    _attack("kills itself with SIGTERM", "import os\ndef f(x):\n    os.kill(os.getpid(), 15)", V.KILLED),
    _attack("kills its group", "import os\ndef f(x):\n    os.killpg(0, 9)", V.TAMPERED, V.KILLED),
    _attack("kills all it may", "import os\ndef f(x):\n    os.kill(-1, 9)\n    return x", V.FAILED),
    _attack("kills its parent", "import os\ndef f(x):\n    os.kill(os.getppid(), 9)\n    return x + 1", V.FAILED),
    _attack("kills PID 1", "import os\ndef f(x):\n    os.kill(1, 9)\n    return x + 1", V.FAILED),
    _attack("pytest.exit at import", "import pytest\npytest.exit('fine', returncode=0)", V.ERROR, V.TAMPERED),
    _attack("pytest.exit in the call", "import pytest\ndef f(x):\n    pytest.exit('fine', returncode=0)", V.FAILED, V.TAMPERED),
    _attack("pytest.skip in the call", "import pytest\ndef f(x):\n    pytest.skip('later')", V.FAILED, V.TAMPERED),
    _attack("pytest.skip at import", "import pytest\npytest.skip('x', allow_module_level=True)", V.ERROR, V.TAMPERED),
    _attack("pytest.xfail in the call", "import pytest\ndef f(x):\n    pytest.xfail('known')", V.FAILED, V.TAMPERED),
    _attack("unittest.SkipTest in the call", "import unittest\ndef f(x):\n    raise unittest.SkipTest", V.FAILED, V.TAMPERED),
    _attack("Skipped raised by its class, found in the heap", """
        def find(kind, name):
            for sub in type.__subclasses__(kind):
                if sub.__name__ == name:
                    return sub
                if found := find(sub, name):
                    return found
        def f(x):
            raise find(BaseException, 'Skipped')('later')
        """, V.FAILED, V.TAMPERED),
]  # fmt: skip

SUBTESTS = """
    import unittest
    from solution import f
    class TestF(unittest.TestCase):
        def test_f(self):
            for x in (1, 5):
                with self.subTest(x=x):
                    self.assertEqual(f(x), x + 1)
    """

IN_SUBTESTS = [
    _attack("wrong in each subtest", WRONG, V.FAILED, None, SUBTESTS),
    _attack("wrong in one subtest", "def f(x):\n    return 2", V.FAILED, None, SUBTESTS),
    _attack("SystemExit in a subtest", "def f(x):\n    raise SystemExit(0)", V.FAILED, None, SUBTESTS),
    _attack("SkipTest in a subtest", "import unittest\ndef f(x):\n    raise unittest.SkipTest", V.FAILED, V.TAMPERED, SUBTESTS),
    _attack("stops a subtest as unittest does", "import unittest.case\ndef f(x):\n    raise unittest.case._ShouldStop", V.FAILED, V.TAMPERED, SUBTESTS),
    _attack("leaves in a subtest", "import os\ndef f(x):\n    os._exit(0)", V.TAMPERED, None, SUBTESTS),
]  # fmt: skip

ALWAYS_EQUAL = """
    class Same:
        def __eq__(self, other): return True
        def __ne__(self, other): return False
        def __hash__(self): return 0
    def f(x):
        return Same()
    """

_LIAR = """
        def __eq__(self, other): return str(other) == str(other)
        def __ne__(self, other): return str(other) != str(other)
        def __lt__(self, other): return str(other) == str(other)
        __le__ = __gt__ = __ge__ = __lt__
        def __hash__(self): return hash('b')
        def __bool__(self): return True
        def __float__(self): return 2.0
        def __index__(self): return 2
        def __str__(self): return 'b'
        __int__, __repr__ = __index__, __str__
"""
"""What a liar says of itself; it looks at what it is compared with."""


def _liar(base: str, wrong: str, returned: str = "L({})") -> str:
    return f"class L({base}):{_LIAR}def f(x):\n    return {returned.format(wrong)}\n"


def _claim(claim: str) -> str:
    return f"import math\nfrom solution import f\ndef test_f():\n    assert {claim}\n"


LYING = [
    _attack("a lying str", _liar("str", "'a'"), V.FAILED, V.PASSED, _claim("f(1) == 'b'")),
    _attack("a lying str on the right", _liar("str", "'a'"), V.FAILED, V.PASSED, _claim("'b' == f(1)")),
    _attack("a lying str that is not unequal", _liar("str", "'a'"), V.FAILED, V.PASSED, _claim("not f(1) != 'b'")),
    _attack("a lying str in a set", _liar("str", "'a'"), V.FAILED, V.PASSED, _claim("f(1) in {'b'}")),
    _attack("a lying str as a key", _liar("str", "'a'", "{{L({}): 1}}"), V.FAILED, V.PASSED, _claim("f(1) == {'b': 1}")),
    _attack("a lying str as the only item", _liar("str", "'a'", "[L({})]"), V.FAILED, V.PASSED, _claim("f(1) == ['b']")),
    _attack("a lying int", _liar("int", "3"), V.FAILED, V.PASSED, _claim("f(1) == 2")),
    _attack("a lying int in order", _liar("int", "3"), V.FAILED, V.PASSED, _claim("f(1) < 2")),
    _attack("a lying int as an index", _liar("int", "0"), V.FAILED, None, _claim("[1, 2, 3][f(1)] == 3")),
    _attack("a lying float", _liar("float", "3"), V.FAILED, V.PASSED, _claim("f(1) == 2")),
    _attack("a lying float that is close", _liar("float", "3"), V.FAILED, None, _claim("math.isclose(f(1), 2)")),
    _attack("a lying tuple", _liar("tuple", "(3,)"), V.FAILED, V.PASSED, _claim("f(1) == (2,)")),
    _attack("a lying list", _liar("list", "[3]"), V.FAILED, V.PASSED, _claim("f(1) == [2]")),
    _attack("a lying list on the right", _liar("list", "[3]"), V.FAILED, V.PASSED, _claim("[2] == f(1)")),
    _attack("a lying dict", _liar("dict", "a=3"), V.FAILED, V.PASSED, _claim("f(1) == {'a': 2}")),
    _attack("a lying set", _liar("set", "[3]"), V.FAILED, V.PASSED, _claim("f(1) == {2}")),
    _attack("a lying set that holds less", _liar("set", "[3]"), V.FAILED, V.PASSED, _claim("f(1) <= {2}")),
    _attack("a lying counter", "from collections import Counter\n" + _liar("Counter", "'a'"), V.FAILED, V.PASSED, _claim("f(1) == {'b': 1}")),
    _attack("a lying named tuple", "from typing import NamedTuple\n" + _liar("NamedTuple('P', [('x', int)])", "3"), V.FAILED, V.PASSED, _claim("f(1) == (2,)")),
    _attack("a lying view", _liar("str", "'a'", "{{L({}): 1}}.keys()"), V.FAILED, V.PASSED, _claim("f(1) == {'b'}")),
    _attack("missing values that lie", "from collections import defaultdict\nclass L:" + _LIAR + "def f(x):\n    return defaultdict(L)\n",
            V.FAILED, V.PASSED, _claim("f(1)['a'] == 2")),
    _attack("a copy that lies", "class L:" + _LIAR + "class S(str):\n    def __deepcopy__(self, memo): return L()\ndef f(x):\n    return S('a')\n",
            V.FAILED, V.PASSED, "import copy\n" + _claim("copy.deepcopy(f(1)) == 'b'")),
    _attack("a field that lies", "from dataclasses import dataclass\nclass L:" + _LIAR + "@dataclass\nclass A:\n    x: object\ndef f(x):\n    return A(L())\n",
            V.FAILED, V.PASSED, "import dataclasses\n" + _claim("dataclasses.asdict(f(1)) == {'x': 2}")),
    _attack("says that an object holds what is of another kind", """
        import sandbox_image.plain_bases as bases
        for base in bases.IMMUTABLE:
            bases.IMMUTABLE[base] = lambda value: []
        class S(str): pass
        def f(x):
            return S('a')
        """, V.TAMPERED, None, _claim("f(1) == 'b'")),
    _attack("holds something else each time it is asked", """
        import sandbox_image.plain_bases as bases
        held = iter([[3], [4], [5]])
        for base in bases.MUTABLE:
            bases.MUTABLE[base] = lambda value: next(held)
        class S(list): pass
        def f(x):
            return S([3])
        """, V.FAILED, V.TAMPERED, _claim("f(1) == [2]")),
    _attack("an object that equals everything", ALWAYS_EQUAL, V.FAILED, V.TAMPERED),
    _attack("an int that equals everything", "class I(int):\n    def __eq__(self, other): return True\ndef f(x):\n    return I(x)", V.FAILED, V.TAMPERED),
    _attack("a str that equals everything", "class S(str):\n    def __eq__(self, other): return True\ndef f(x):\n    return S('')", V.FAILED, V.TAMPERED),
    _attack("a list whose items equal everything", ALWAYS_EQUAL.replace("return Same()", "return [Same()]"), V.FAILED, V.TAMPERED,
            "from solution import f\ndef test_f():\n    assert f(1) == [2]\n"),
    _attack("a float that is near everything", "class N(float):\n    def __sub__(self, o): return 0.0\n    __rsub__ = __sub__\ndef f(x):\n    return N(0)",
            V.FAILED, V.FAILED, "from solution import f\ndef test_f():\n    assert abs(f(1) - 2) < 1e-9\n    assert f(1) == 2\n"),
    _attack("an object that contains everything", "class C:\n    def __contains__(self, x): return True\n    def __len__(self): return 2\ndef f(x):\n    return C()",
            V.FAILED, V.FAILED, "from solution import f\ndef test_f():\n    assert 2 in f(1)\n    assert len(f(1)) == 2\n    assert list(f(1)) == [2, 3]\n"),
    _attack("a class in place of the function", "class f:\n    def __init__(self, x): pass\n    def __eq__(self, other): return True", V.FAILED, V.TAMPERED),
    _attack("an equality that looks and agrees", "class Same:\n    def __eq__(self, other): return other == other\ndef f(x):\n    return Same()", V.FAILED, V.PASSED),
    _attack("claims the class of int", """
        class C:
            @property
            def __class__(self): return int
            def __eq__(self, other): return bool(str(other)) or True
        def f(x):
            return C()
        """, V.FAILED, V.PASSED),
    _attack("an array that equals everything", "import numpy\nclass A(numpy.ndarray):\n    def __eq__(self, other): return numpy.ones(1, bool)\ndef f(x):\n    return numpy.zeros(1).view(A)",
            V.FAILED, V.TAMPERED, "from solution import f\ndef test_f():\n    assert (f(1) == 2).all()\n    assert f(1).tolist() == [2]\n"),
    _attack("a mapping that has every key", "class D(dict):\n    def __getitem__(self, k): return {'a': 2}.get('b')\n    def __eq__(self, o): return not None\ndef f(x):\n    return D()",
            V.FAILED, V.TAMPERED, "from solution import f\ndef test_f():\n    assert f(1) == {'a': 2}\n"),
    _attack("keeps too much to be shared, so as to be run with the tests", """
        _big = list(range(30_000))
        class Same:
            def __eq__(self, other): return other == other
        def f(x):
            try:
                import test_solution
            except ImportError:
                return _big
            return Same()
        """, V.FAILED, V.TAMPERED),
    _attack("grows and keeps what the tests gave it, so as to be run with them", """
        _kept = []
        class Same:
            def __eq__(self, other): return other == other
        def f(x):
            _kept.append(x)
            x.extend(range(30_000))
            return Same()
        """, V.FAILED, V.PASSED, "from solution import f\ndef test_f():\n    assert f([1]) == 2\n"),
    _attack("calls a function of the tests with what makes it return what cannot cross", """
        class Same:
            def __eq__(self, other): return other == other
        def f(g):
            g(b'x')
            return Same()
        """, V.ERROR, V.PASSED,
            "from solution import f\ndef test_f():\n    assert f(lambda x: memoryview(x) if isinstance(x, bytes) else x * 2) == 2\n"),
    _attack("its objects all equal each other", """
        class f:
            def __init__(self, x): self.x = x
            def __eq__(self, other): return True
            def next(self): return f(self.x)
        """, V.TAMPERED, None, "from solution import f\ndef test_f():\n    assert f(1).next() == f(2)\n"),
    _attack("its objects all equal each other, by a lambda", """
        class f:
            def __init__(self, x): self.x = x
            __eq__ = lambda self, other: True
            def next(self): return f(self.x)
        """, V.TAMPERED, None, "from solution import f\ndef test_f():\n    assert f(1).next() == f(2)\n"),
    _attack("raises what the tests expect, always", "def f(x):\n    raise ValueError('x')", V.FAILED, None,
            "import pytest\nfrom solution import f\ndef test_f():\n    with pytest.raises(ValueError):\n        f('a')\n    assert f(1) == 2\n"),
    _attack("an exception with a lying str", "class E(ValueError):\n    def __str__(self): return 'wrong'\ndef f(x):\n    raise E", V.FAILED, None,
            "import pytest\nfrom solution import f\ndef test_f():\n    with pytest.raises(ValueError, match='negative'):\n        f(-1)\n"),
    _attack("prints a false summary", "print('===== 1 passed in 0.01s =====')\n" + WRONG, V.FAILED),
    _attack("writes a false report", "open('report.xml', 'w').write('<testsuite tests=\"1\" failures=\"0\"/>')\n" + WRONG, V.FAILED),
]  # fmt: skip

STAR = """
import math
import pytest
from solution import *

def test_f():
    assert abs(f(1) - 2) < 1e-9
    assert all(f(x) == x + 1 for x in (1, 5))
    assert math.isclose(f(5), 6)
    with pytest.raises(TypeError):
        f(None)
"""
"""Tests that take all that a solution has."""

TAKING_OVER = [
    _attack(
        "builtins of its own", WRONG + "def abs(x): return 0\ndef all(x): return True\n", V.FAILED, V.TAMPERED, STAR
    ),
    _attack("builtins by assignment", WRONG + "abs = lambda x: 0\nall = any\n", V.FAILED, V.TAMPERED, STAR),
    _attack(
        "builtins by another's name",
        WRONG + "from operator import truth as all, not_ as abs\n",
        V.FAILED,
        V.TAMPERED,
        STAR,
    ),
    _attack(
        "builtins out of a function",
        "def f(x):\n    global abs\n    abs = lambda x: 0\n    return x\nf(1)\n",
        V.FAILED,
        V.TAMPERED,
        STAR,
    ),
    _attack(
        "builtins by __dict__",
        "import sys\ndef f(x): return 7\nsys.modules[__name__].__dict__['abs'] = lambda x: 0",
        V.FAILED,
        V.TAMPERED,
        STAR,
    ),
    _attack(
        "builtins by __all__",
        "__all__ = ['f', 'abs', 'all']\ndef __getattr__(name): return (lambda *_: 0) if name == 'abs' else (lambda *_: 1)\ndef f(x): return {1: 1, 5: 6}[x]",
        V.FAILED,
        V.TAMPERED,
        STAR,
    ),
    _attack(
        "a module of the tests",
        "class math:\n    isclose = staticmethod(lambda a, b: True)\nclass pytest:\n    raises = staticmethod(lambda e: open('/dev/null'))\ndef f(x): return x + 1 if x else 0",
        V.FAILED,
        V.TAMPERED,
        STAR,
    ),
    _attack(
        "a hook of pytest", WRONG + "def setup_module(m):\n    m.f = lambda x: x + 1\n", V.FAILED, V.TAMPERED, STAR
    ),
    _attack("a mark of pytest", WRONG + "pytestmark = []\n", V.FAILED, V.TAMPERED, STAR),
    _attack(
        "names that the tests use as well", "import math\ndef f(x):\n    return math.floor(x) + 1", V.PASSED, None, STAR
    ),
]

PATCHING = [
    _attack("patches TestReport", "import _pytest.reports as r\nr.TestReport.outcome = 'passed'\n" + WRONG, V.FAILED, V.TAMPERED),
    _attack("patches the report's constructor", """
        import _pytest.reports
        made = _pytest.reports.TestReport.from_item_and_call.__func__
        def lie(cls, item, call):
            report = made(cls, item, call)
            report.outcome = 'passed'
            return report
        _pytest.reports.TestReport.from_item_and_call = classmethod(lie)
        def f(x):
            return x
        """, V.FAILED, V.TAMPERED),
    _attack("patches pytest's runner", "import _pytest.runner as r\nr.call_and_report = lambda *a, **k: None\n" + WRONG, V.FAILED, V.TAMPERED),
    _attack("patches pluggy", "import pluggy\npluggy._hooks.HookCaller.__call__ = lambda *a, **k: []\n" + WRONG, V.FAILED, V.TAMPERED),
    _attack("patches pytest.raises", "import pytest\npytest.raises = lambda *a, **k: open('/dev/null')\n" + WRONG, V.FAILED, V.TAMPERED),
    _attack("patches pytest.approx", "import pytest\npytest.approx = lambda *a, **k: object()\n" + WRONG, V.FAILED, V.TAMPERED),
    _attack("patches sys.modules", "import sys\nsys.modules['pytest'] = sys.modules['test_solution'] = None\n" + WRONG, V.FAILED, V.TAMPERED),
    _attack("patches the tests by way of sys.modules", "from sys import modules\ndef f(x):\n    modules['test' + '_solution'].f = lambda x: x + 1\n    return 2", V.FAILED, V.TAMPERED),
    _attack("patches the tests by way of sys under another name", "import sys as s\ndef f(x):\n    s.modules['test' + '_solution'].f = lambda x: x + 1\n    return 2", V.FAILED, V.TAMPERED),
    _attack("patches the tests by way of an import", "def f(x):\n    import test_solution\n    test_solution.f = lambda x: x + 1\n    return 2", V.FAILED, V.TAMPERED),
    _attack("replaces itself in sys.modules", "import sys\nclass M:\n    def f(self, x): return x\nsys.modules[__name__] = M()\n" + WRONG, V.FAILED, V.TAMPERED),
    _attack("patches builtins", "import builtins\nbuiltins.len = builtins.abs = lambda *a: 0\n" + WRONG, V.TAMPERED),
    _attack("patches AssertionError", "import builtins\nbuiltins.AssertionError = type('A', (Exception,), {})\n" + WRONG, V.FAILED, V.TAMPERED),
    _attack("patches unittest", "import unittest\nunittest.TestCase.assertEqual = lambda *a, **k: None\n" + WRONG, V.FAILED, V.TAMPERED,
            "import unittest\nfrom solution import f\nclass F(unittest.TestCase):\n    def test_f(self):\n        self.assertEqual(f(1), 2)\n"),
    _attack("patches the assertion rewriter", "import _pytest.assertion.rewrite as r\nr.AssertionRewriter.visit_Assert = lambda s, n: []\n" + WRONG, V.FAILED, V.TAMPERED),
    _attack("patches json", "import json\njson.dumps = lambda *a, **k: '{}'\n" + WRONG, V.FAILED, V.TAMPERED),
    _attack("patches os.write", "import os\nos.write = lambda fd, data: len(data)\n" + WRONG, V.FAILED, V.TAMPERED),
    _attack("patches time", "import time\ntime.perf_counter = time.monotonic = lambda: None\n" + WRONG, V.FAILED, V.TAMPERED),
    _attack("settrace that edits locals", """
        import sys
        def trace(frame, event, arg):
            if 'x' in frame.f_locals:
                frame.f_locals['x'] = 2
            return trace
        sys.settrace(trace)
        def f(x):
            return x
        """, V.FAILED, V.TAMPERED),
    _attack("excepthook", "import sys\nsys.excepthook = lambda *a: None\n" + WRONG, V.FAILED, V.TAMPERED),
    _attack("displayhook and unraisablehook", "import sys\nsys.unraisablehook = print\nsys.displayhook = print\n" + WRONG, V.FAILED, V.TAMPERED),
    _attack("import hook", "import sys\nclass H:\n    def find_spec(self, *a): return None\nsys.meta_path.insert(0, H())\n" + WRONG, V.FAILED, V.TAMPERED),
    _attack("swaps the code of a test", """
        import gc, types
        for thing in gc.get_objects():
            if isinstance(thing, types.FunctionType) and thing.__name__.startswith('test'):
                thing.__code__ = (lambda: None).__code__
        def f(x):
            import gc, types
            for thing in gc.get_objects():
                if isinstance(thing, types.FunctionType) and thing.__name__.startswith('test'):
                    thing.__code__ = (lambda: None).__code__
            return x
        """, V.FAILED, V.TAMPERED),
    _attack("clears the tests' globals through frames", """
        import sys
        def f(x):
            frame = sys._getframe(1)
            while frame:
                if 'test_f' in frame.f_globals:
                    frame.f_globals['f'] = lambda n: n + 1
                frame = frame.f_back
            return 2
        """, V.FAILED, V.TAMPERED),
    _attack("frames by way of an exception", """
        def f(x):
            try:
                raise ValueError
            except ValueError as error:
                frame = error.__traceback__.tb_frame.f_back
                frame.f_globals['f'] = lambda n: n + 1
            return 2
        """, V.FAILED, V.TAMPERED),
    _attack("ctypes on True", "import ctypes\nctypes.memset(id(True) + 24, 0, 1)\n" + WRONG, V.FAILED, V.TAMPERED),
]  # fmt: skip

PLANTING = [
    _attack("plants conftest.py", "open('conftest.py', 'w').write('import os; os._exit(0)')\n" + WRONG, V.FAILED, V.TAMPERED),
    _attack("plants pytest.ini", "open('pytest.ini', 'w').write('[pytest]\\naddopts = --collect-only')\n" + WRONG, V.FAILED, V.TAMPERED),
    _attack("plants sitecustomize.py", "open('sitecustomize.py', 'w').write('raise SystemExit')\n" + WRONG, V.FAILED, V.TAMPERED),
    _attack("plants modules the tests import", "open('math.py', 'w').write('')\nopen('_pytest.py', 'w').write('')\n" + WRONG, V.FAILED, V.TAMPERED),
    _attack("plants a .pth", "import glob, os\nfor d in ('/opt/kodforge/site', '/usr/lib/python3'):\n    try:\n        open(d + '/x.pth', 'w').write('import os; os._exit(0)')\n"
            "    except OSError:\n        pass\n" + WRONG, V.FAILED),
    _attack("rewrites the tests", "for p in ('test_solution.py', '/work/tests/test_solution.py'):\n    try:\n        open(p, 'w').write('def test_f(): pass')\n"
            "    except OSError:\n        pass\n" + WRONG, V.FAILED, V.TAMPERED),
    _attack("removes the tests", "import os, glob\nfor p in glob.glob('/work/*/*'):\n    try:\n        os.unlink(p)\n    except OSError:\n        pass\n" + WRONG, V.FAILED),
    _attack("writes over the supervisor", "open('/opt/kodforge/code/sandbox_image/supervisor.py', 'w')\n" + WRONG, V.ERROR),
    _attack("reads the tests and answers", """
        import re, glob
        text = ''.join(open(p).read() for p in glob.glob('/work/*/test_*.py') + ['test_solution.py'])
        def f(x):
            return eval(re.search(r'f\\(%d\\) == (\\d+)' % x, text).group(1))
        """, V.ERROR, V.TAMPERED),
    _attack("reads the tests through inspect", """
        import inspect, re
        def f(x):
            for info in inspect.stack():
                found = re.search(r'== (\\d+)', ''.join(info.code_context or []))
                if found:
                    return int(found.group(1))
            return x
        """, V.FAILED, V.TAMPERED),
    _attack("reads the tests through linecache", """
        import linecache, re
        def f(x):
            text = ''.join(''.join(v[2]) for k, v in linecache.cache.items() if 'test' in k and len(v) > 2)
            found = re.search(r'f\\(%d\\) == (\\d+)' % x, text)
            return int(found.group(1)) if found else x
        """, V.FAILED, V.TAMPERED),
    _attack("reads the tests from the heap", """
        import gc, re
        def f(x):
            for thing in gc.get_objects():
                if type(thing) is dict:
                    for value in list(thing.values()):
                        if type(value) is str and 'def test_f' in value and (found := re.search(r'f\\(%d\\) == (\\d+)' % x, value)):
                            return int(found.group(1))
            return x
        """, V.FAILED, V.TAMPERED),
    _attack("reads the tests from its own memory", """
        import re
        def f(x):
            for line in open('/proc/self/maps'):
                low, high = (int(part, 16) for part in line.split()[0].split('-'))
                if 'rw' in line:
                    with open('/proc/self/mem', 'rb') as memory:
                        memory.seek(low)
                        found = re.search(rb'assert f\\(%d\\) == (\\d+)' % x, memory.read(high - low))
                        if found:
                            return int(found.group(1))
            return x
        """, V.FAILED, V.TAMPERED),
    _attack("reads the tests from another process", """
        import os, re
        def f(x):
            for pid in filter(str.isdigit, os.listdir('/proc')):
                for what in ('mem', 'environ', 'fd/0', 'cwd/test_solution.py', 'root/work/tests/test_solution.py'):
                    try:
                        if int(pid) != os.getpid() and b'test' in open(f'/proc/{pid}/{what}', 'rb').read(99):
                            return x + 1
                    except OSError:
                        pass
            return x
        """, V.FAILED, V.TAMPERED),
    _attack("watches what the tests compare", "class Spy:\n    def __eq__(self, other):\n        self.seen = other\n        return self.seen == other\ndef f(x):\n    return Spy()",
            V.FAILED, V.PASSED),
]  # fmt: skip

_FIND_RECORDER = """
    import os, json, sys
    def recorder():
        frame = sys._getframe()
        while frame:
            for thing in list(frame.f_locals.values()):
                if type(thing).__name__ == 'Prepared':
                    return thing.recorder
            frame = frame.f_back
    """

ADAPTIVE = [
    _attack("sends the end itself", _FIND_RECORDER + """
    def f(x):
        r = recorder()
        r.send({'collected': ['test_f']})
        r.passed('test_f', 0.1)
        r.send({'ended': True, 'exitstatus': 0, 'coverage': None, 'imported': []})
        os._exit(0)
    """, V.FAILED, V.TAMPERED),
    _attack("takes the token and writes to the pipe", _FIND_RECORDER + """
    def f(x):
        token = recorder()._token
        for n in range(3, 256):
            try:
                os.write(n, (json.dumps({'token': token, 'ended': True, 'exitstatus': 0, 'coverage': None, 'imported': []}) + '\\n').encode())
            except OSError:
                pass
        os._exit(0)
    """, V.FAILED, V.TAMPERED),
    _attack("writes to every descriptor", "import os\nfor n in range(3, 256):\n    try:\n        os.write(n, b'{\"collected\": []}\\n')\n    except OSError:\n        pass\n" + WRONG,
            V.TAMPERED),
    _attack("floods every descriptor", "import os\nfor n in range(3, 256):\n    try:\n        os.set_blocking(n, False)\n        os.write(n, bytes(60000))\n    except OSError:\n        pass\n" + WRONG,
            V.TAMPERED),
    _attack("closes every descriptor", "import os\ndef f(x):\n    os.closerange(3, 256)\n    return x + 1", V.TAMPERED),
    _attack("answers the call itself, with nonsense", """
        import os
        def f(x):
            data = b'{"plain": 2, "plain": {}}'
            os.write(102, data + b'\\n')
            return 2
        """, V.TAMPERED, V.FAILED),
    _attack("answers the next call ahead of time", """
        import os
        def f(x):
            data = b'[6]'
            os.write(102, data + b'\\n')
            return x
        """, V.TAMPERED, V.FAILED),
    _attack("sends a message without end", "import os\ndef f(x):\n    while True:\n        os.write(102, b'[' * 65536)", V.TAMPERED, V.FAILED),
    _attack("sends a message in two lines", "import os\ndef f(x):\n    os.write(102, b'[\\n2]\\n')\n    return x", V.TAMPERED, V.FAILED),
    _attack("reads the tests' next call itself", "import os\ndef f(x):\n    os.set_blocking(101, False)\n    try:\n        os.read(101, 100)\n    except OSError:\n        pass\n    return x",
            (V.TAMPERED, V.FAILED),  # the assertion fails before or after the process has refused to read on
            V.FAILED),
    _attack("closes the pipe of its answers", "import os\ndef f(x):\n    os.close(102)\n    return x", V.TAMPERED, V.FAILED),
    _attack("fills the pipe of its answers", "import fcntl, os\ndef f(x):\n    fcntl.fcntl(102, 1031, 1 << 20)\n    os.write(102, b'[2]\\n' * 200000)\n    return x", V.TAMPERED, V.FAILED),
    _attack("sends nested JSON", "import os\ndef f(x):\n    d = b'[' * 200000\n    os.write(102, d + b'\\n')\n    return x", V.TAMPERED, V.FAILED),
    _attack("claims an unknown reference", "import os\ndef f(x):\n    d = b'{\"root\": [\"@\", 99], \"heap\": [], \"changed\": {}}'\n    os.write(102, d + b'\\n')\n    return x",
            V.TAMPERED, V.FAILED),
    _attack("sends a builtin to be called", "import os\ndef f(x):\n    d = b'{\"root\": [\"@\", 0], \"heap\": [[\"builtin\", \"exit\"]], \"changed\": {}}'\n    os.write(102, d + b'\\n')\n    return x",
            V.TAMPERED, V.FAILED),
    _attack("answers with more than one atom", "import os\ndef f(x):\n    d = b'[2, 2]'\n    os.write(102, d + b'\\n')\n    return x", V.TAMPERED, V.FAILED),
    _attack("answers an atom that is none", "import os\ndef f(x):\n    d = b'[[2]]'\n    os.write(102, d + b'\\n')\n    return x", V.TAMPERED, V.FAILED),
    _attack("answers with what follows the message", "import os\ndef f(x):\n    d = b'[1] [2]'\n    os.write(102, d + b'\\n')\n    return x", V.TAMPERED, V.FAILED),
    _attack("kills the process that forks the tests", """
        import os, signal
        for pid in range(2, 400):
            try:
                if pid != os.getpid():
                    os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        def f(x):
            return x
        """, V.FAILED),
    _attack("patches the server to judge", """
        import sys
        side = sys.modules.get('sandbox_image.solution_side')
        if side:
            side.is_atom = lambda value: True
        def f(x):
            return x
        """, V.TAMPERED),
    _attack("claims the tests' end", _FIND_RECORDER.replace("import os, json", "import signal, os, json") + """
    def f(x):
        os.kill(os.getppid(), signal.SIGSTOP)
        return x
    """, V.FAILED, V.TAMPERED),
    _attack("asks to be run under pytest again and again", _FIND_RECORDER + """
    def f(x):
        recorder().send({'stopped': 'plain', 'why': ''})
        os._exit(71)
    """, V.FAILED, V.TAMPERED),
    _attack("pretends the tests cannot cross", _FIND_RECORDER + """
    def f(x):
        recorder().send({'stopped': 'unportable', 'why': ''})
        os._exit(71)
    """, V.FAILED, V.TAMPERED),
    _attack("imports the channel and speaks first", """
        from sandbox_image.channel import Channel
        Channel(101, 102).send({'module': 0, 'names': ['f']})
        def f(x):
            return x
        """, V.TAMPERED, V.TAMPERED),
    _attack("traces its sibling", """
        import ctypes, os
        libc = ctypes.CDLL(None)
        def f(x):
            return 2 if any(libc.ptrace(16, pid, 0, 0) == 0 for pid in range(2, 400) if pid != os.getpid()) else x
        """, V.FAILED, V.TAMPERED),
]  # fmt: skip

UNBOUNDED = (V.OUT_OF_MEMORY, V.KILLED, V.TIMEOUT, V.FAILED, V.ERROR)

LIMITS = [
    _attack("loop", "def f(x):\n    while True:\n        pass", V.TIMEOUT),
    _attack("loop at import", "while True:\n    pass", V.TIMEOUT),
    _attack("loop in C", "def f(x):\n    return sum(iter(int, 1))", V.TIMEOUT),
    _attack("pathological regular expression", "import re\ndef f(x):\n    return re.match(r'(a+)+b', 'a' * 60)", V.TIMEOUT),
    _attack("huge power", "def f(x):\n    return 10 ** 10 ** 10 % 7", V.TIMEOUT),
    _attack("sleep for ever", "import time\ndef f(x):\n    time.sleep(1000)", V.TIMEOUT),
    _attack("no alarm, masked signals", """
        import signal
        signal.alarm(0)
        signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
        for n in range(1, 65):
            try:
                signal.signal(n, signal.SIG_IGN)
            except (OSError, ValueError):
                pass
        def f(x):
            while True:
                pass
        """, V.TIMEOUT),
    _attack("deadlock of threads", "import threading\ndef f(x):\n    lock = threading.Lock()\n    lock.acquire()\n    lock.acquire()", V.TIMEOUT),
    _attack("reads standard input", "def f(x):\n    return input()", V.FAILED),
    _attack("fork bomb", "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass", V.TIMEOUT),
    _attack("thread bomb", "import threading, time\ndef f(x):\n    while True:\n        threading.Thread(target=time.sleep, args=(99,)).start()", V.FAILED),
    _attack("daemon", "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(99)\n    os._exit(0)\ndef f(x):\n    return x + 1", V.ERROR, V.TAMPERED),
    _attack("double fork", "import os, time\nif os.fork() == 0:\n    if os.fork() == 0:\n        os.setsid()\n        time.sleep(99)\n    os._exit(0)\nos.wait()\ndef f(x):\n    return x + 1", V.ERROR, V.TAMPERED),
    _attack("subprocess left running", "import subprocess\ndef f(x):\n    subprocess.Popen(['sleep', '99'])\n    return x + 1", V.ERROR),
    _attack("thread left running", "import threading, time\ndef f(x):\n    threading.Thread(target=time.sleep, args=(99,), daemon=True).start()\n    return x + 1", V.PASSED),
    _attack("memory at once", "def f(x):\n    return bytearray(1 << 40)", V.OUT_OF_MEMORY),
    _attack("memory by and by", "def f(x):\n    a = []\n    while True:\n        a.append(bytearray(1 << 22))", V.OUT_OF_MEMORY),
    _attack("huge list", "def f(x):\n    return [0] * (1 << 40)", V.OUT_OF_MEMORY),
    _attack("huge int as text", "def f(x):\n    return str(10 ** 100_000)", V.FAILED),
    _attack("deep recursion", "def f(x):\n    return f(x)", V.FAILED),
    _attack("deep recursion without the limit", "import sys\nsys.setrecursionlimit(10 ** 9)\ndef f(x):\n    return f(x + 1)", UNBOUNDED),
    _attack("deep nesting of a result", "def f(x):\n    a = []\n    for _ in range(100_000):\n        a = [a]\n    return a", V.FAILED, wall_s=20),
    _attack("result that holds itself", "def f(x):\n    a = []\n    a.append(a)\n    return a", V.FAILED),
    _attack("C stack", "import ctypes\ndef f(x):\n    a = None\n    for _ in range(10 ** 6):\n        a = (a,)\n    return repr(a)", V.FAILED, V.TAMPERED),
    _attack("segfault", "import ctypes\ndef f(x):\n    ctypes.string_at(0)", V.KILLED, V.TAMPERED),
    _attack("output on stdout", "def f(x):\n    while True:\n        print('x' * 10_000)", V.OUTPUT_LIMIT),
    _attack("output on stderr", "import sys\ndef f(x):\n    while True:\n        sys.stderr.write('x' * 10_000)", V.OUTPUT_LIMIT),
    _attack("output without a newline", "import os\ndef f(x):\n    while True:\n        os.write(1, b'x' * 65536)", V.OUTPUT_LIMIT),
    _attack("binary output", "import os\ndef f(x):\n    os.write(2, b'\\0\\xff\\xfe' * 999)\n    return x + 1", V.PASSED),
    _attack("flood of binary output", "import os\ndef f(x):\n    while True:\n        os.write(2, b'\\0\\xff' * 9999)", V.OUTPUT_LIMIT),
    _attack("disk", "def f(x):\n    with open('/tmp/a', 'wb') as file:\n        while True:\n            file.write(bytes(1 << 20))", V.FAILED),
    _attack("disk in its own folder", "import os\ndef f(x):\n    n = 0\n    while True:\n        n += 1\n        with open(f'{n}', 'wb') as file:\n            file.write(bytes(1 << 20))", V.FAILED),
    _attack("shared memory", "def f(x):\n    with open('/dev/shm/a', 'wb') as file:\n        while True:\n            file.write(bytes(1 << 20))", V.FAILED),
    _attack("inodes", "import os\ndef f(x):\n    n = 0\n    while n < 3000:\n        n += 1\n        open(f'/tmp/{n}', 'w').close()\n    return x + 1", V.PASSED),
    _attack("sparse file", "def f(x):\n    with open('/tmp/a', 'wb') as file:\n        file.truncate(1 << 40)\n    return x + 1", V.FAILED),
    _attack("zip bomb", "import zlib\ndef f(x):\n    d = zlib.compress(bytes(1 << 27))\n    a = [zlib.decompress(d) for _ in range(99)]", V.OUT_OF_MEMORY, wall_s=20),
    _attack("many tests", WRONG, V.FAILED, None,
            "import pytest\nfrom solution import f\n@pytest.mark.parametrize('n', range(2000))\ndef test_f(n):\n    assert f(n) == n + (n == 1999)\n"),
    _attack("deep folders", "import os\ndef f(x):\n    if x > 1: return 6\n    os.chdir('/tmp')\n    for _ in range(400):\n        os.mkdir('d' * 99)\n        os.chdir('d' * 99)\n    return x + 1", V.PASSED),
    _attack("folders nobody may enter", "import os\ndef f(x):\n    if x > 1: return 6\n    os.mkdir('/tmp/d')\n    open('/tmp/d/a', 'w').close()\n    os.chmod('/tmp/d', 0)\n    return x + 1", V.PASSED),
]  # fmt: skip

OUTSIDE = [
    _attack("network", "import socket\ndef f(x):\n    socket.create_connection(('1.1.1.1', 53), 1)\n    return x + 1", V.FAILED),
    _attack("name lookup", "import socket\ndef f(x):\n    socket.getaddrinfo('example.com', 80)\n    return x + 1", V.FAILED),
    _attack("metadata address", "import urllib.request\ndef f(x):\n    urllib.request.urlopen('http://169.254.169.254/', timeout=1)\n    return x + 1", V.FAILED),
    _attack("loopback of the host", """
        import socket
        def f(x):
            for port in range(1, 9000, 7):
                try:
                    socket.create_connection(('127.0.0.1', port), 0.05)
                    return x + 1
                except OSError:
                    pass
            return x
        """, V.FAILED),
    _attack("abstract sockets of the host", """
        import socket
        def f(x):
            names = [line.split()[-1] for line in open('/proc/net/unix') if '@' in line]
            return x + 1 if names else x
        """, V.FAILED, V.TAMPERED),
    _attack("Docker's socket", "import socket\ndef f(x):\n    socket.socket(socket.AF_UNIX).connect('/var/run/docker.sock')\n    return x + 1", V.FAILED),
    _attack("memory of PID 1", "def f(x):\n    open('/proc/1/mem', 'rb')\n    return x + 1", V.FAILED, V.TAMPERED),
    _attack("environment of PID 1", "def f(x):\n    open('/proc/1/environ', 'rb').read()\n    return x + 1", V.FAILED, V.TAMPERED),
    _attack("descriptors of PID 1", "def f(x):\n    open('/proc/1/fd/1', 'wb')\n    return x + 1", V.FAILED, V.TAMPERED),
    _attack("root of PID 1", "import os\ndef f(x):\n    os.listdir('/proc/1/root')\n    return x + 1", V.FAILED, V.TAMPERED),
    _attack("setuid", "import os\ndef f(x):\n    os.setuid(0)\n    return x + 1", V.FAILED),
    _attack("setuid file", "import os, shutil\ndef f(x):\n    shutil.copy('/bin/sh', '/tmp/sh')\n    os.chown('/tmp/sh', 0, 0)\n    return x + 1", V.FAILED),
    _attack("device node", "import os, stat\ndef f(x):\n    os.mknod('/tmp/d', 0o600 | stat.S_IFBLK, os.makedev(8, 0))\n    return x + 1", V.FAILED),
    _attack("chroot", "import os\ndef f(x):\n    os.chroot('/tmp')\n    return x + 1", V.FAILED),
    _attack("a user namespace of its own", "import ctypes\ndef f(x):\n    return x + 1 + ctypes.CDLL(None).unshare(0x10000000)", V.FAILED, V.TAMPERED),
    _attack("mount", "import ctypes\ndef f(x):\n    return x + 1 + ctypes.CDLL(None).mount(b'none', b'/tmp', b'tmpfs', 0, b'')", V.FAILED, V.TAMPERED),
    _attack("keys that outlive it", "import ctypes\ndef f(x):\n    return x + 1 if ctypes.CDLL(None).syscall(248, b'user', b'kf', b'v', 1, -4) > 0 else x", V.FAILED, V.TAMPERED),
    _attack("shared memory that outlives it", "import ctypes\ndef f(x):\n    return x + 1 if ctypes.CDLL(None).shmget(4242, 4096, 0o1666) >= 0 else x", V.FAILED, V.TAMPERED),
    _attack("a queue that outlives it", "import ctypes\ndef f(x):\n    return x + 1 if ctypes.CDLL(None).msgget(4242, 0o1666) >= 0 else x", V.FAILED, V.TAMPERED),
    _attack("raises its own limits", "import resource\ndef f(x):\n    resource.setrlimit(resource.RLIMIT_AS, (-1, -1))\n    return x + 1", V.FAILED),
    _attack("real-time priority", "import os\ndef f(x):\n    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))\n    return x + 1", V.FAILED),
    _attack("higher priority", "import os\ndef f(x):\n    os.nice(-10)\n    return x + 1", V.FAILED),
    _attack("system folders", "def f(x):\n    open('/usr/planted', 'w')\n    return x + 1", V.FAILED),
    _attack("the sandbox's libraries", "def f(x):\n    open('/opt/kodforge/site/planted.py', 'w')\n    return x + 1", V.FAILED),
    _attack("a link out of the box", "import os\nos.symlink('/etc/passwd', 'data.txt')\nos.symlink('/', '/tmp/root')\ndef f(x):\n    return x + 1", V.PASSED),
]  # fmt: skip

BROKEN = [
    _attack("syntax error", "def f(:", V.ERROR),
    _attack("NUL byte", "def f(x):\n    return 2\0\n", V.ERROR),
    _attack("name error", "undefined", V.ERROR),
    _attack("missing library", "import no_such_library", V.ERROR),
    _attack("missing function", "def g(x):\n    return x", V.ERROR),
    _attack("lone surrogate", "s = '\udc80'\ndef f(x):\n    return x + 1", V.ERROR),
    _attack("empty", "", V.ERROR),
    _attack("ten megabytes", "d = '" + "x" * (10 << 20) + "'\ndef f(x):\n    return x + 1", V.PASSED),
    _attack("a coding line", "# -*- coding: rot13 -*-\ndef f(x):\n    return x + 1", V.ERROR),
    _attack("nested too deeply", "x = " + "(" * 5000 + ")" * 5000, V.ERROR),
]  # fmt: skip

GOOD = "def f(x):\n    return x + 1\n"
TESTS = [
    _attack("only skips", GOOD, V.SKIPPED, None, "import pytest\nfrom solution import f\ndef test_f():\n    pytest.skip('later')\n"),
    _attack("skip mark", GOOD, V.SKIPPED, None, "import pytest\nfrom solution import f\n@pytest.mark.skip\ndef test_f():\n    assert f(1) == 3\n"),
    _attack("module skipped", GOOD, V.ERROR, None, "import pytest\npytest.skip('x', allow_module_level=True)\nfrom solution import f\ndef test_f():\n    assert f(1) == 2\n"),
    _attack("xfail that fails", GOOD, V.SKIPPED, None, "import pytest\nfrom solution import f\n@pytest.mark.xfail\ndef test_f():\n    assert f(1) == 3\n"),
    _attack("xfail that passes", GOOD, V.SKIPPED, None, "import pytest\nfrom solution import f\n@pytest.mark.xfail\ndef test_f():\n    assert f(1) == 2\n"),
    _attack("one skipped among passes", GOOD, V.SKIPPED, None, "import pytest\nfrom solution import f\ndef test_f():\n    assert f(1) == 2\ndef test_g():\n    pytest.skip('x')\n"),
    _attack("collects nothing", GOOD, V.NO_TESTS, None, "from solution import f\ndef helper():\n    assert f(1) == 2\n"),
    _attack("a test that is taken back", GOOD, V.ERROR, None, "from solution import f\ndef test_f():\n    assert f(1) == 2\ndel test_f\ndef test_g():\n    pass\n"),
    _attack("unknown fixture", GOOD, V.ERROR, None, "from solution import f\ndef test_f(unknown):\n    assert f(1) == 2\n"),
    _attack("hangs at collection", GOOD, V.TIMEOUT, None, "from solution import f\nwhile True:\n    pass\ndef test_f():\n    assert f(1) == 2\n"),
    _attack("exits at collection", GOOD, V.ERROR, None, "from solution import f\nraise SystemExit(0)\ndef test_f():\n    assert f(1) == 2\n"),
    _attack("tests that leave", GOOD, V.TAMPERED, None, "import os\nfrom solution import f\ndef test_f():\n    os._exit(0)\n"),
    _attack("tests that end pytest", GOOD, V.ERROR, None, "import pytest\nfrom solution import f\ndef test_f():\n    pytest.exit('x', returncode=0)\n"),
    _attack("a failing teardown", GOOD, V.ERROR, None,
            "import pytest\nfrom solution import f\n@pytest.fixture\ndef a():\n    yield 1\n    assert False\ndef test_f(a):\n    assert f(a) == 2\n"),
    _attack("a test that hides another", GOOD, V.ERROR, None, "from solution import f\ndef test_f():\n    assert f(1) == 3\ndef test_f():\n    assert f(1) == 2\n"),
    _attack("a failing set-up", GOOD, V.ERROR, None, "import pytest\nfrom solution import f\n@pytest.fixture\ndef a():\n    assert False\ndef test_f(a):\n    assert f(1) == 2\n"),
]  # fmt: skip

ALL = [
    *LEAVING,
    *IN_SUBTESTS,
    *LYING,
    *TAKING_OVER,
    *PATCHING,
    *PLANTING,
    *ADAPTIVE,
    *LIMITS,
    *OUTSIDE,
    *BROKEN,
    *TESTS,
]

"""What crosses between the two processes of an isolated case: honest pairs pass there as they do in one process."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import dedent

import pytest

from tasks.execution.pool import SandboxPool
from tasks.models import Pair, Tier, Verdict
from tasks.settings import Backend, TierChoice
from tests.conftest import sandbox_settings


@pytest.fixture(scope="module")
def pools() -> Iterator[dict[TierChoice, SandboxPool]]:
    settings = sandbox_settings(Backend.BUBBLEWRAP).model_copy(update={"slots": 1, "memory_mb": 1024, "wall_s": 20})
    made = {tier: SandboxPool(settings.model_copy(update={"tier": tier})) for tier in TierChoice}
    yield made
    for pool in made.values():
        pool.close()


def _pair(solution: str, test: str) -> Pair:
    return Pair(id="x", solution=dedent(solution), test="from solution import *\n" + dedent(test))


HONEST = {
    "a large list of the solution's own": (
        "_primes = list(range(50_000))\ndef primes():\n    return _primes\n",
        "def test_f():\n    assert primes()[:3] == [0, 1, 2]\n    assert len(primes()) == 50_000\n",
    ),
    "a large list that the solution keeps": (
        """
        class Sums:
            def __init__(self, xs):
                self.xs = xs
            def total(self):
                return sum(self.xs)
        """,
        "def test_f():\n    assert Sums([1] * 50_000).total() == 50_000\n",
    ),
    "small lists after a large one": (
        """
        _large = list(range(50_000))
        class Stack:
            def __init__(self):
                self.items = []
        def large():
            return _large
        """,
        "def test_f():\n    large()\n    s = Stack()\n    s.items.append(1)\n    assert s.items == [1]\n",
    ),
    "missing values by a function": (
        """
        from collections import defaultdict
        def count(xs):
            found = defaultdict(lambda: 0)
            for x in xs:
                found[x] += 1
            return found
        """,
        "def test_f():\n    found = count([1, 1, 2])\n    assert found == {1: 2, 2: 1}\n    assert found[7] == 0\n",
    ),
    "missing values by a function, kept": (
        """
        from collections import defaultdict
        class Graph:
            def __init__(self):
                self.edges = defaultdict(lambda: defaultdict(int))
            def add(self, a, b):
                self.edges[a][b] += 1
        """,
        """
        def test_f():
            graph = Graph()
            edges = graph.edges
            graph.add(1, 2)
            assert edges == {1: {2: 1}}
            edges[3][4] = 5
            assert graph.edges == {1: {2: 1}, 3: {4: 5}}
        """,
    ),
    "missing values by a function of the tests": (
        "def f(d):\n    d['a'] += 1\n    return d\n",
        """
        from collections import defaultdict
        def test_f():
            d = defaultdict(lambda: 10)
            assert f(d) is d
            assert d == {'a': 11}
        """,
    ),
    "how missing values are made is changed": (
        "def f(d):\n    d.default_factory = lambda: 3\n    d['a']\n    return len(d)\n",
        "from collections import defaultdict\ndef test_f():\n    assert f(defaultdict(int)) == 1\n",
    ),
    "an array of days": (
        "import numpy as np\ndef f():\n    return np.array(['2020-01-01'], dtype='datetime64[D]')\n",
        "def test_f():\n    assert str(f()[0]) == '2020-01-01'\n    assert f()[0].astype(int) == 18262\n",
    ),
    "an array of records": (
        """
        import numpy as np
        _kept = np.zeros(2, dtype=[('a', int), ('b', float)])
        def f():
            return _kept
        """,
        "def test_f():\n    assert len(f()) == 2\n    assert len(f()) == 2\n",
    ),
    "a copy of an object": (
        "class Box:\n    def __init__(self):\n        self.items = [1]\n",
        """
        import copy
        def test_f():
            box = Box()
            deep, shallow = copy.deepcopy(box), copy.copy(box)
            deep.items.append(2)
            assert (box.items, deep.items) == ([1], [1, 2])
            shallow.items.append(3)
            assert box.items == [1, 3]
        """,
    ),
    "an exception that the solution cannot have": (
        "def f(g):\n    try:\n        g()\n    except ValueError:\n        return 1\n",
        "import numpy as np\ndef test_f():\n    assert f(lambda: np.linalg.inv(np.zeros((2, 2)))) == 1\n",
    ),
    "an enumeration of strings": (
        """
        from enum import Enum
        class Status(str, Enum):
            OPEN = "open"
            CLOSED = "closed"
        def f():
            return Status.OPEN
        """,
        """
        def test_f():
            assert Status.OPEN == "open"
            assert f() == "open"
            assert f() is Status.OPEN
            assert Status("open") is Status.OPEN
            assert f().value == "open"
            assert f().name == "OPEN"
            assert [f()] == ["open"]
            assert {f(): 1}["open"] == 1
            assert isinstance(f(), Status) and isinstance(f(), str)
            assert f() != "closed"
            assert str(f()) == "Status.OPEN"
            assert f().upper() == "OPEN"
            assert list(Status) == ["open", "closed"]
            assert f() in Status
            assert len(Status) == 2
            assert Status["OPEN"] is Status.OPEN
            assert repr(f()) == "<Status.OPEN: 'open'>"
        """,
    ),
    "an enumeration of strings by itself": (
        """
        from enum import StrEnum, auto
        class S(StrEnum):
            A = auto()
        """,
        """
        def test_f():
            assert S.A == "a"
            assert f"{S.A}" == "a"
            assert str(S.A) == "a"
        """,
    ),
    "an enumeration of integers": (
        """
        from enum import IntEnum
        class P(IntEnum):
            LOW = 1
            HIGH = 3
        def top(xs):
            return max(xs)
        """,
        """
        def test_f():
            assert P.HIGH == 3
            assert P.HIGH > P.LOW
            assert P.HIGH > 2
            assert P(3) is P.HIGH
            assert sorted([P.HIGH, P.LOW]) == [1, 3]
            assert top([P.LOW, P.HIGH]) is P.HIGH
            assert P.HIGH + 1 == 4
            assert [10, 20, 30, 40][P.HIGH] == 40
            assert isinstance(P.HIGH, int)
            assert P.HIGH.name == "HIGH" and P.HIGH.value == 3
        """,
    ),
    "a named tuple with methods": (
        """
        from typing import NamedTuple
        class Pt(NamedTuple):
            x: int
            y: int = 0
            def norm(self):
                return self.x**2 + self.y**2
            @property
            def both(self):
                return self.x + self.y
        def f():
            return Pt(1, 2)
        """,
        """
        def test_f():
            assert f() == (1, 2)
            assert isinstance(f(), Pt)
            assert f() == Pt(1, 2)
            assert f().norm() == 5
            assert f().both == 3
            a, b = f()
            assert (a, b) == (1, 2)
            assert f().x == 1 and f()[1] == 2
            assert Pt(4) == (4, 0)
            assert f()._replace(x=5) == (5, 2)
            assert f()._asdict() == {"x": 1, "y": 2}
            assert Pt._fields == ("x", "y")
            assert isinstance(f(), tuple)
            assert {f(): 1}[(1, 2)] == 1
            assert len(f()) == 2
            assert sorted([Pt(2, 1), Pt(1, 1)]) == [(1, 1), (2, 1)]
        """,
    ),
    "a named tuple": (
        """
        from typing import NamedTuple
        from collections import namedtuple
        class Pt(NamedTuple):
            x: int
            y: int
        Q = namedtuple("Q", "count index")
        def f():
            return Pt(1, 2)
        def g(p):
            return p.x if isinstance(p, Pt) else None
        class Span(NamedTuple):
            count: int
            def double(self):
                return self.count * 2
        """,
        """
        def test_f():
            assert isinstance(f(), Pt)
            assert f() == Pt(1, 2) == (1, 2)
            assert not isinstance((1, 2), Pt)
            assert g(f()) == 1
            assert g(Pt(3, 4)) == 3
            assert Q(1, 2).count == 1
            assert not isinstance(f(), Q)
            assert Span(3) == (3,)
            assert Span(3).count == 3
            assert Span(3).double() == 6
        """,
    ),
    "a class of strings": (
        """
        class Slug(str):
            def words(self):
                return self.split("-")
            @property
            def title(self):
                return "T"
        def f(s):
            return Slug(s)
        """,
        """
        def test_f():
            assert f("a-b") == "a-b"
            assert f("a-b").words() == ["a", "b"]
            assert f("a").title == "T"
            assert f("a-b").startswith("a")
            assert f("ab")[0] == "a"
            assert "a" in f("ab")
            assert f("a") + "b" == "ab"
            assert len(f("abc")) == 3
            assert f("a") == f("a") and f("a") != f("b")
            assert "".join([f("a"), f("b")]) == "ab"
            assert isinstance(f("a"), str)
            assert f(f("x")).words() == ["x"]
        """,
    ),
    "a class of counters": (
        """
        from collections import Counter
        class Bag(Counter):
            def size(self):
                return sum(self.values())
        def f(s):
            return Bag(s)
        """,
        """
        def test_f():
            b = f("aab")
            assert b == {"a": 2, "b": 1}
            assert {"a": 2, "b": 1} == b
            assert b.size() == 3
            assert b["a"] == 2 and b["z"] == 0
            assert "a" in b
            b["c"] += 5
            assert b == {"a": 2, "b": 1, "c": 5}
            assert isinstance(b, dict)
            assert b.most_common(1) == [("c", 5)]
            assert dict(b) == {"a": 2, "b": 1, "c": 5}
            assert b == f("aabccccc")
            assert len(b) == 3
            assert sorted(b) == ["a", "b", "c"]
        """,
    ),
    "a class of lists": (
        """
        class Stack(list):
            def push(self, x):
                self.append(x)
            def peek(self):
                return self[-1]
        """,
        """
        def test_f():
            s = Stack()
            s.push(1)
            s.push(2)
            assert s == [1, 2]
            assert [1, 2] == s
            assert s != [1]
            assert s.peek() == 2
            assert s.pop() == 2
            assert s == [1]
            assert 1 in s and len(s) == 1
            assert isinstance(s, list)
            assert s + [5] == [1, 5]
            assert list(s) == [1]
            assert sorted(s) == [1]
            assert Stack([1, 2]) == Stack([1, 2])
            assert s < [2]
            s += [9]
            assert s == [1, 9]
            assert [0] + s == [0, 1, 9]
        """,
    ),
    "a class of sets": (
        """
        class Tags(set):
            def has(self, x):
                return x in self
        def f():
            return Tags({"a", "b"})
        """,
        """
        def test_f():
            assert f() == {"a", "b"}
            assert f().has("a")
            assert f() - {"a"} == {"b"}
            assert f() <= {"a", "b", "c"}
            assert isinstance(f(), set)
        """,
    ),
    "a class of dictionaries": (
        """
        class LRU(dict):
            def __missing__(self, k):
                return k * 2
            def __setitem__(self, k, v):
                super().__setitem__(k, v + 1)
        """,
        """
        def test_f():
            d = LRU()
            d[1] = 1
            assert d == {1: 2}
            assert d[4] == 8
            assert d.get(1) == 2
            assert list(d.items()) == [(1, 2)]
            assert list(d.keys()) == [1]
        """,
    ),
    "a class of ordered dictionaries": (
        """
        from collections import OrderedDict
        class LRU(OrderedDict):
            def touch(self, k):
                self.move_to_end(k)
        """,
        """
        def test_f():
            d = LRU()
            d["a"] = 1
            d["b"] = 2
            d.touch("a")
            assert list(d) == ["b", "a"]
            assert d == {"a": 1, "b": 2}
        """,
    ),
    "views of dictionaries": (
        """
        def f(d):
            return d.keys()
        def g(d):
            return d.values()
        def h(d):
            return d.items()
        """,
        """
        def test_f():
            d = {"a": 1}
            assert f(d) == {"a"}
            assert list(g(d)) == [1]
            assert h(d) == {("a", 1)}
            assert sorted(f(d)) == ["a"]
            assert len(g(d)) == 1
            assert "a" in f(d)
            assert f(d) == d.keys()
            assert list(f(d.keys() and d)) == ["a"]
        """,
    ),
    "times with an offset": (
        """
        from datetime import datetime, timezone, timedelta, time
        from zoneinfo import ZoneInfo
        def f():
            return datetime(2020, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))
        def g():
            return datetime(2020, 7, 1, 12, tzinfo=ZoneInfo("Europe/Vienna"))
        def h(dt):
            return dt.astimezone(timezone.utc)
        def k():
            return timezone(timedelta(hours=1), "X")
        """,
        """
        import datetime as d
        def test_f():
            assert f() == d.datetime(2020, 1, 1, 10, tzinfo=d.timezone.utc)
            assert f() == d.datetime(2020, 1, 1, 12, tzinfo=d.timezone(d.timedelta(hours=2)))
            assert f().isoformat() == "2020-01-01T12:00:00+02:00"
            assert f().utcoffset() == d.timedelta(hours=2)
            assert h(f()) == f()
            assert k() == d.timezone(d.timedelta(hours=1)) and k().tzname(None) == "X"
            assert g().utcoffset() == d.timedelta(hours=2)
            assert g().tzname() == "CEST"
            assert str(g().tzinfo) == "Europe/Vienna"
        """,
    ),
    "dataclasses": (
        """
        from dataclasses import dataclass, field
        @dataclass
        class B:
            z: int
        @dataclass
        class A:
            x: int
            y: list = field(default_factory=list)
            b: B = None
        """,
        """
        import dataclasses
        def test_f():
            assert dataclasses.asdict(A(1)) == {"x": 1, "y": [], "b": None}
            assert dataclasses.asdict(A(1, b=B(2))) == {"x": 1, "y": [], "b": {"z": 2}}
            assert dataclasses.astuple(A(1)) == (1, [], None)
            assert dataclasses.replace(A(1), x=2).x == 2
            assert dataclasses.is_dataclass(A) and dataclasses.is_dataclass(A(1))
            assert [f.name for f in dataclasses.fields(A)] == ["x", "y", "b"]
        """,
    ),
    "a generic class": (
        """
        from typing import Generic, TypeVar
        T = TypeVar("T")
        class S(Generic[T]):
            def __init__(self):
                self.i = []
            def push(self, x):
                self.i.append(x)
        """,
        """
        def test_f():
            s = S[int]()
            s.push(1)
            assert s.i == [1]
            assert isinstance(s, S)
        """,
    ),
    "a generator": (
        """
        def g():
            yield 1
            x = yield 2
            yield x
        async def co():
            return 1
        """,
        """
        import collections.abc
        def test_f():
            assert isinstance(g(), collections.abc.Generator)
            assert isinstance(g(), collections.abc.Iterator)
            it = g()
            assert next(it) == 1
            next(it)
            assert it.send(5) == 5
        """,
    ),
    "what is not a number": (
        """
        def f(xs):
            return xs
        def g(xs):
            return [x for x in xs]
        def h(x):
            return x
        """,
        """
        import math
        def test_f():
            nan = float("nan")
            assert f([nan]) == [nan]
            assert g([nan, 1.5]) == [nan, 1.5]
            assert h(nan) is nan
            assert h(nan) != nan
            assert g([(nan,)]) == [(nan,)]
            assert g({nan: 1}) == [nan]
            assert math.isnan(g([float("inf"), float("-inf"), nan])[2])
            assert g([float("inf"), float("-inf")]) == [float("inf"), float("-inf")]
        """,
    ),
    "an enumeration": (
        """
        from enum import Enum
        class C(Enum):
            R = 1
            G = 2
        def f():
            return C.R
        """,
        """
        def test_f():
            assert f() is C.R
            assert f() == C.R
            assert C.R != C.G
            assert C.R.value == 1
            assert C(1) is C.R
            assert [c.name for c in C] == ["R", "G"]
        """,
    ),
}


OWN = """
class Words(list):
    def __eq__(self, other):
        return [word.lower() for word in self] == [word.lower() for word in other]
class Ring(int):
    def __add__(self, other):
        return Ring((int(self) + int(other)) % 7)
def words(text):
    return Words(text.split())
def ring(x):
    return Ring(x)
"""


def test_what_an_object_holds_is_compared_with_plain_values(pools):
    test = """
    def test_f():
        assert words("a b") == ["a", "b"]
        assert ["a", "b"] == words("a b")
        assert ring(3) == 3
    """
    assert pools[TierChoice.ISOLATED].run(_pair(OWN, test)).verdict is Verdict.PASSED
    lying = "def test_f():\n    assert words('A b') == ['a', 'b']\n"  # which its own equality says
    assert pools[TierChoice.AUTO].run(_pair(OWN, lying)).verdict is Verdict.FAILED


@pytest.mark.parametrize("test", ["ring(3) + 5 == 1", "words('A b') == words('a B')"])
def test_where_a_class_computes_in_its_own_way_the_tier_is_lowered(pools, test):
    found = pools[TierChoice.AUTO].run(_pair(OWN, f"def test_f():\n    assert {test}\n"))
    assert (found.verdict, found.integrity_tier) == (Verdict.PASSED, Tier.SHARED)


@pytest.mark.parametrize("name", HONEST)
def test_honest_pairs_pass_isolated(pools, name):
    for tier in (TierChoice.ISOLATED, TierChoice.SHARED):
        found = pools[tier].run(_pair(*HONEST[name]))
        assert found.verdict is Verdict.PASSED, found.reason
        assert (found.integrity_tier is Tier.ISOLATED) == (tier is TierChoice.ISOLATED)


SAME = "class Same:\n    def __eq__(self, other):\n        return other == other\n"
ASKING = {
    "by what it keeps": (
        SAME + "_big = list(range(30_000))\ndef f(x):\n    return _big if x == 2 else Same()\n",
        "def test_f():\n    assert f(2) == 4\n",
    ),
    "by what it keeps of the tests": (
        SAME + "_kept = []\ndef f(x):\n    _kept.append(x)\n    return Same()\n",
        "def test_f():\n    assert f(list(range(30_000))) == 4\n",
    ),
    "by what it makes of what it keeps": (
        SAME + "_kept = []\ndef f(x):\n    _kept.append(x)\n    x.extend(range(30_000))\n    return Same()\n",
        "def test_f():\n    assert f([1]) == 4\n",
    ),
    "by an object that is copied": (
        SAME + "def f(x):\n    return Same()\n",
        "import copy\ndef test_f():\n    assert copy.deepcopy(f(2)) == 4\n",
    ),
    "by what its iterator is": (
        "from collections import deque\n"
        + SAME
        + "def f(x):\n    return deque() if x else Same()\ndef g(x):\n    return Same()\n",
        "def test_f():\n    assert g(iter(f(2))) == 4\n",
    ),
    "by what it calls a function with": (
        SAME + "def f(g):\n    g(b'x')\n    return Same()\n",
        "def test_f():\n    assert f(lambda x: memoryview(x) if isinstance(x, bytes) else x * x) == 4\n",
    ),
}


@pytest.mark.parametrize("name", ASKING)
def test_a_solution_cannot_ask_for_the_weaker_tier(pools, name):
    """By whatever it does that does not cross, it would be run again with the tests in its own process."""
    pair = _pair(*ASKING[name])
    found = pools[TierChoice.AUTO].run(pair)
    assert found.verdict in (Verdict.FAILED, Verdict.ERROR), found.reason
    assert found.integrity_tier is Tier.ISOLATED

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
}


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

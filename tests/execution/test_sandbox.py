"""Both backends: honest pairs pass, wrong and hostile ones do not, and nothing reaches the next case."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tasks.errors import SandboxUnavailable
from tasks.execution.pool import Look, SandboxPool, check_sandbox
from tasks.models import Pair, PairFile, Tier, Verdict
from tasks.settings import Backend, Sandbox
from tests.conftest import sandbox_settings
from tests.hostile.attacks import ALL

ROOT = Path(__file__).resolve().parents[2]
TEST = "from solution import f\n\n\ndef test_f():\n    assert f(1) == 2\n"
GOOD = "def f(x):\n    return x + 1\n"


def judged(pool: SandboxPool, solution: str, test: str = TEST, **more):
    return pool.run(Pair(id="case", solution=solution, test=test, **more))


def test_right_pair_passes_with_outcomes_and_figures(pool):
    verdict = pool.run(Pair(id="case", solution=GOOD, test=TEST), Look(coverage=True))
    assert (verdict.verdict, verdict.reason) == (Verdict.PASSED, "all 1 tests passed")
    assert [(test.test_id, test.outcome) for test in verdict.tests] == [("test_f", "passed")]
    assert verdict.wall_s > 0
    assert verdict.peak_mb > 5
    assert verdict.image.startswith("sha256:")


def test_pool_may_be_closed_twice():
    with SandboxPool(sandbox_settings(Backend.BUBBLEWRAP)) as pool:
        judged(pool, GOOD)
        pool.close()


def test_branch_coverage_is_measured(pool):
    solution = "def f(x):\n    if x > 0:\n        return x + 1\n    return 0\n"
    covered = pool.run(Pair(id="case", solution=solution, test=TEST), Look(coverage=True)).coverage
    assert (covered.statements, covered.statements_hit, covered.branches, covered.branches_hit) == (4, 3, 2, 1)


def test_coverage_goes_on_where_solution_and_tests_call_each_other(pool):
    solution = (
        "def apply(f, x):\n    y = f(x)\n    if y > 10:\n        return 'big'\n    return 'small'\n\n\n"
        "def inc(x):\n    if x:\n        return x + 1\n    return 0\n\n\n"
        "def down(n):\n    while n:\n        yield n\n        n -= 1\n"
    )
    test = (
        "from solution import apply, down, inc\n\n\ndef test_f():\n"
        "    assert apply(lambda x: 10 * inc(x), 1) == 'big'\n    assert [inc(n) for n in down(2)] == [3, 2]\n"
    )
    found = pool.run(Pair(id="case", solution=solution, test=test), Look(coverage=True))
    assert (found.verdict, found.integrity_tier) == (Verdict.PASSED, Tier.ISOLATED)
    assert found.coverage.model_dump() == {"statements": 13, "statements_hit": 11, "branches": 6, "branches_hit": 4}


@pytest.mark.parametrize(
    ("test", "verdict"),
    [
        ("import pytest\nfrom solution import f\ndef test_f():\n    pytest.skip('later')\n", Verdict.SKIPPED),
        ("import pytest\nfrom solution import f\n@pytest.mark.xfail\ndef test_f():\n    assert f(1) == 3\n", Verdict.SKIPPED),
        ("import pytest\nfrom solution import f\n@pytest.mark.xfail\ndef test_f():\n    assert f(1) == 2\n", Verdict.SKIPPED),
        ("from solution import f\ndef helper():\n    assert f(1) == 2\n", Verdict.NO_TESTS),
        ("from solution import f\ndef test_f(unknown):\n    assert f(1) == 2\n", Verdict.ERROR),
        ("from solution import f\ndef test_f():\n    assert f(1) == 2\ndel test_f\ndef test_g():\n    pass\n", Verdict.ERROR),
        ("from solution import f\ndef test_f(:\n", Verdict.ERROR),
        ("import pytest\nfrom solution import f\n@pytest.mark.parametrize('x', [1, 1])\ndef test_f(x):\n    assert f(x) == 2\n",
         Verdict.PASSED),
        ("from solution import f\nclass TestF:\n    def test_f(self):\n        assert f(1) == 2\n", Verdict.PASSED),
        ("import unittest\nfrom solution import f\nclass F(unittest.TestCase):\n    def test_f(self):\n"
         "        self.assertEqual(f(1), 2)\n", Verdict.PASSED),
    ],
)  # fmt: skip
def test_kinds_of_tests(pool, test, verdict):
    found = judged(pool, GOOD, test)
    assert found.verdict is verdict, found.reason


SUBTESTS = {
    "unittest": (
        "import unittest\nfrom solution import f\nclass TestF(unittest.TestCase):\n    def test_f(self):\n"
        "        for n in range(3):\n            with self.subTest(n=n):\n                {}\n        {}\n"
        "    def test_g(self):\n        self.assertEqual(f(1), 2)\n"
    ),
    "fixture": (
        "import pytest, unittest\nfrom solution import f\ndef test_f(subtests):\n"
        "    for n in range(3):\n        with subtests.test(n=n):\n            {}\n    {}\n"
        "def test_g():\n    assert f(1) == 2\n"
    ),
    "in a fixture": (
        "import pytest, unittest\nfrom solution import f\n@pytest.fixture\ndef three(subtests):\n"
        "    for n in range(3):\n        with subtests.test(n=n):\n            {}\n    yield\n"
        "    with subtests.test():\n        assert f(1) == 2\n"
        "def test_f(three):\n    {}\ndef test_g():\n    assert f(1) == 2\n"
    ),
}


@pytest.mark.parametrize("more", ["", "import os\n"], ids=["isolated", "shared"])
@pytest.mark.parametrize("kind", SUBTESTS)
@pytest.mark.parametrize(
    ("inner", "after", "verdict"),
    [
        ("assert f(n) == n + 1", "assert f(3) == 4", Verdict.PASSED),
        ("assert f(n) == n + (n < 2)", "assert f(3) == 4", Verdict.FAILED),
        ("assert f(n) == n + 1", "assert f(3) == 3", Verdict.FAILED),
        ("assert f(n) == n + (n < 2)", "raise unittest.SkipTest('later')", Verdict.FAILED),
        ("if n == 1: raise unittest.SkipTest('later')", "assert f(3) == 4", Verdict.SKIPPED),
        ("if n == 1: raise unittest.SkipTest('later')", "assert f(3) == 3", Verdict.FAILED),
        ("if n == 1: bytearray(1 << 40)", "assert f(3) == 4", Verdict.OUT_OF_MEMORY),
    ],
)
def test_subtests_are_part_of_their_test(pool, more, kind, inner, after, verdict):
    found = judged(pool, GOOD, more + SUBTESTS[kind].format(inner, after))
    assert found.verdict is verdict, found.reason
    assert [test.test_id.rpartition("::")[2] for test in found.tests] == ["test_f", "test_g"]
    if verdict is Verdict.FAILED:
        assert found.reason.startswith("1 of 2 tests failed, first ")
        assert "AssertionError" in found.reason


@pytest.mark.parametrize("name", ["Cases", "TestCases"])
def test_set_up_and_tear_down_of_unittest_run_whatever_the_class_is_called(pool, name):
    test = (
        f"import unittest\nfrom solution import f\nclass {name}(unittest.TestCase):\n    def setUp(self):\n        self.x = 1\n"
        "    def tearDown(self):\n        self.assertEqual(self.x, {})\n"
        "    def test_f(self):\n        self.assertEqual(f(self.x), 2)\n"
    )
    assert judged(pool, GOOD, test.format(1)).verdict is Verdict.PASSED
    assert judged(pool, GOOD, test.format(2)).verdict is Verdict.FAILED


@pytest.mark.parametrize("more", ["", "import os\n", "import pytest\n@pytest.fixture\ndef one():\n    return 1\n"])
def test_a_test_that_hides_another_is_an_error(pool, more):
    test = "from solution import f\ndef test_a():\n    assert f(1) == 3\ndef test_a():\n    assert f(1) == 2\n"
    found = judged(pool, GOOD, more + test)
    assert (found.verdict, found.reason) == (
        Verdict.ERROR,
        "test_a is defined twice: its first body would never run",
    )


def test_marks_that_nobody_registered_change_nothing(pool):
    test = (
        "import pytest\nfrom solution import f\npytestmark = pytest.mark.unit\n"
        "@pytest.mark.slow\n@pytest.mark.timeout(5)\ndef test_f():\n    assert f(1) == {}\n"
    )
    assert judged(pool, GOOD, test.format(2)).verdict is Verdict.PASSED
    assert judged(pool, GOOD, test.format(3)).verdict is Verdict.FAILED


@pytest.mark.parametrize("mark", ["", "@pytest.mark.asyncio\n", "@pytest.mark.anyio\n"])
def test_asynchronous_tests_that_nothing_awaits_do_not_pass(pool, mark):
    test = f"import pytest\nfrom solution import f\n{mark}async def test_f():\n    assert f(1) == 2\n"
    found = judged(pool, GOOD, test)
    assert found.verdict in (Verdict.FAILED, Verdict.SKIPPED), found.reason
    assert "async" in found.reason, found.reason


DEVICES = """
import os, random, tempfile
def f(x):
    with open(os.devnull, "w") as null, open("/dev/urandom", "rb") as chance, tempfile.TemporaryFile(dir="/dev/shm") as file:
        return x + null.write("x") + file.write(chance.read(1)) - 1
"""


def test_devices_are_of_use(pool):
    assert judged(pool, DEVICES).verdict is Verdict.PASSED


def test_libraries_of_the_box_are_there(pool):
    solution = (
        "import numpy as np\nimport pandas as pd\n\ndef f(x):\n    return int(pd.Series(np.array([x])).sum()) + 1\n"
    )
    assert judged(pool, solution).verdict is Verdict.PASSED


def test_the_host_is_out_of_sight(pool):
    home = str(Path(__file__).resolve())
    solution = f"import os\ndef f(x):\n    seen = [p for p in ({home!r}, '/var/run/docker.sock', '/etc/shadow') if os.access(p, os.R_OK)]\n"
    solution += (
        "    pids = [p for p in os.listdir('/proc') if p.isdigit() and int(p) != os.getpid()]\n"
        "    others = [p for p in pids for name in ('environ', 'mem', 'fd') if os.access(f'/proc/{p}/{name}', os.R_OK)]\n"
    )
    solution += "    return 2 if not seen and not others and os.getuid() != 0 else (seen, others, os.getuid())\n"
    found = judged(pool, solution)
    assert found.verdict is Verdict.PASSED, found.reason


def test_output_is_captured(pool):
    assert "hello ü" in judged(pool, "print('hello ü')\n" + GOOD).output


def test_further_files_lie_beside_the_tests(pool):
    solution = "def f(x):\n    return int(open('data.txt').read())\n"
    files = [PairFile(name="data.txt", content="2")]
    assert judged(pool, solution, files=files).verdict is Verdict.PASSED


def test_tests_must_use_the_named_entry_points(pool):
    found = judged(pool, GOOD, entry_points=["g"])
    assert (found.verdict, found.reason) == (Verdict.ERROR, "the tests do not use the entry point g")


def test_sandbox_checks_itself(pool):
    assert pool.backend.value in check_sandbox(pool.settings)


def test_many_pairs_at_once_keep_their_order(pool):
    pairs = [Pair(id=str(n), solution=GOOD if n % 3 else "def f(x):\n    return x\n", test=TEST) for n in range(30)]
    found = pool.run_all(pairs)
    assert [verdict.id for verdict in found] == [pair.id for pair in pairs]
    assert [verdict.verdict is Verdict.PASSED for verdict in found] == [bool(n % 3) for n in range(30)]


PLAIN = "from solution import f\ndef test_a():\n    assert f(1) == 2\ndef test_b():\n    assert f(1) == 3\ndef test_c():\n    f(None)\n"
UNDER_PYTEST = (
    "import unittest\nfrom solution import f\nclass T(unittest.TestCase):\n    def test_a(self):\n        assert f(1) == 2\n"
    "    def test_b(self):\n        assert f(1) == 3\n    def test_c(self):\n        f(None)\n"
)
FIXTURE = (
    "import pytest\nfrom solution import f\n@pytest.fixture\ndef broken():\n    return 1 / 0\n"
    "def test_a():\n    assert f(1) == 2\ndef test_b(broken):\n    pass\ndef test_c():\n    f(None)\n"
)
SKIPS = UNDER_PYTEST.replace("assert f(1) == 3", "self.skipTest('later')").replace("f(None)", "assert f(1) == 3")
OWN_PROCESS = "import os\n"
"""Tests that import it share their process with the solution."""


@pytest.mark.parametrize("more", ["", OWN_PROCESS], ids=["isolated", "shared"])
@pytest.mark.parametrize(
    ("test", "verdict", "outcomes"),
    [
        (PLAIN, Verdict.FAILED, ["passed", "failed"]),
        (UNDER_PYTEST, Verdict.FAILED, ["passed", "failed"]),
        (FIXTURE, Verdict.ERROR, ["passed", "error"]),
        (SKIPS, Verdict.FAILED, ["passed", "skipped", "failed"]),
        ("1 / 0\n" + PLAIN, Verdict.ERROR, []),
        (f"{PLAIN}    raise SystemExit\n", Verdict.FAILED, ["passed", "failed"]),
        (PLAIN.replace("f(1) == 3", "f(1) == 2").replace("f(None)", "pass"), Verdict.PASSED, ["passed"] * 3),
    ],
)
def test_a_look_for_the_first_failure_ends_there(pool, more, test, verdict, outcomes):
    hangs = "def f(x):\n    while x is None:\n        pass\n    return x + 1\n"
    look = Look(first_failure=True)
    found = pool.run(Pair(id="case", solution=hangs, test=more + test), look)
    assert (found.verdict, [outcome.outcome for outcome in found.tests]) == (verdict, outcomes), found.reason
    assert found.integrity_tier is (Tier.SHARED if more else Tier.ISOLATED)
    if verdict is Verdict.FAILED:
        assert found.reason.startswith(f"1 of {len(outcomes)} tests failed, first ")


def test_a_program_ends_at_its_first_wrong_output(pool):
    solution = "n = int(input())\nwhile n == 3:\n    pass\nprint(n)\n"
    io = [{"stdin": f"{number}\n", "stdout": wanted} for number, wanted in ((1, "1"), (2, "4"), (3, "3"))]
    found = pool.run(Pair(id="case", solution=solution, io=io), Look(first_failure=True))
    assert (found.verdict, [test.outcome for test in found.tests]) == (Verdict.FAILED, ["passed", "failed"])


@pytest.mark.parametrize(("wall_s", "verdict"), [(0.3, Verdict.TIMEOUT), (2.5, Verdict.PASSED), (None, Verdict.PASSED)])
def test_a_look_may_have_a_wall_time_of_its_own(pool, wall_s, verdict):
    slow = "import time\ndef f(x):\n    time.sleep(0.6)\n    return x + 1\n"
    found = pool.run(Pair(id="case", solution=slow, test=TEST), Look(wall_s=wall_s))
    assert found.verdict is verdict
    assert found.sandbox_s == found.wall_s < 2.5


def test_looks_of_many_pairs_may_differ(pool):
    slow = Pair(id="slow", solution="import time\ndef f(x):\n    time.sleep(0.6)\n    return x + 1\n", test=TEST)
    looks = [Look(wall_s=0.3), Look(coverage=True), Look()]
    found = list(pool.run_each((slow, look) for look in looks))
    assert [row.verdict for row in found] == [Verdict.TIMEOUT, Verdict.PASSED, Verdict.PASSED]
    assert [row.coverage is not None for row in found] == [False, True, False]


def test_who_has_seen_enough_leaves_the_rest_unrun(pool):
    taken = []

    def jobs():
        for number in range(1000):
            taken.append(number)
            yield Pair(id=str(number), solution=GOOD, test=TEST), Look()

    verdicts = pool.run_each(jobs())
    assert next(verdicts).id == "0"
    verdicts.close()
    assert len(taken) < 50
    assert judged(pool, GOOD).verdict is Verdict.PASSED


def test_boxes_do_not_pile_up():
    """Each re-run takes a box of its own."""

    def boxes() -> int:
        tasks = Path(f"/proc/{os.getpid()}/task").glob("*/children")
        children = [name for task in tasks for name in task.read_text().split()]
        return sum(Path(f"/proc/{name}/comm").read_text() == "bwrap\n" for name in children)

    others = boxes()
    with SandboxPool(sandbox_settings(Backend.BUBBLEWRAP).model_copy(update={"slots": 1})) as pool:
        assert pool.run(Pair(id="case", solution=GOOD, test=TEST), Look(reruns=15)).verdict is Verdict.PASSED
        assert 1 < boxes() - others <= 12
    assert boxes() == others


def test_seconds_in_the_sandbox_count_every_run(pool):
    """What the tests of a pair were tried with in vain counts as well: without pytest, then in two processes."""
    test = (
        "import pytest, time\nfrom solution import f\n\nclass TestF:\n    def test_f(self):\n        time.sleep(0.2)\n"
        "        f(lambda: 0).fly\n        pytest.skip('x')\n"
    )
    found = judged(pool, "class A:\n    fly = 1\ndef f(x):\n    return A()\n", test)
    assert found.verdict is Verdict.SKIPPED
    assert found.sandbox_s > found.wall_s + 0.2 > 0.4


# Two attacks give right answers where the kernel lets a user signal his own PID 1, which has no effect.
AS_USER = """
from tasks.execution.pool import SandboxPool, check_sandbox
from tasks.models import Pair
from tasks.settings import Backend, Sandbox
from tests.conftest import sandbox_settings
from tests.conftest import LIMITS
from tests.execution.test_sandbox import DEVICES
from tests.hostile.attacks import ALL, TEST
from tests.hostile.test_attacks import LOOK, PLANT
check_sandbox(Sandbox(backend="bubblewrap", slots=1))
with SandboxPool(Sandbox(backend="bubblewrap", **LIMITS)) as pool:
    pairs = [Pair(id=attack.name, solution=attack.solution, test=attack.test) for attack in ALL]
    rows = pool.run_all(pairs)
with SandboxPool(Sandbox(backend="bubblewrap", **{**LIMITS, "slots": 1})) as pool:
    for solution in (PLANT, LOOK, DEVICES):
        row = pool.run(Pair(id="x", solution=solution, test=TEST))
        assert row.verdict == "passed", (solution, row.reason)
judged = [(a, row) for a, row in zip(ALL, rows, strict=True) if a.name not in ("kills its parent", "kills PID 1")]
print(len(rows), [a.name for a, row in judged if row.verdict == "passed" and "passed" not in a.expected(row.integrity_tier)])
"""


def test_ordinary_user_gets_sound_verdicts(tmp_path):
    """Bubblewrap without root: the kernel's user namespaces instead of capabilities, and one user for all processes."""
    python, user = sys.executable, {}
    env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "HOME": str(tmp_path)}
    if os.geteuid() == 0:
        # Root's own interpreter may be out of an ordinary user's sight: then the system's of the same version serves.
        nobody = {"user": 65534, "group": 65534, "extra_groups": []}
        candidates = [sys.executable, f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"]
        env["PYTHONPATH"] = os.pathsep.join([str(ROOT), *(path for path in sys.path if path.endswith("site-packages"))])
        python = next((path for path in candidates if runs_as_nobody(path, nobody, env)), "")
        if not python:
            pytest.skip("an ordinary user can run none of " + ", ".join(candidates))
        user = nobody
        for folder in [tmp_path, *tmp_path.parents]:
            if folder.owner() == "root" and folder != Path("/tmp"):
                folder.chmod(folder.stat().st_mode | 0o711)
        os.chown(tmp_path, 65534, 65534)
    done = subprocess.run(
        [python, "-c", AS_USER], cwd="/", env=env, capture_output=True, text=True, check=False, timeout=300, **user
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split(maxsplit=1) == [str(len(ALL)), "[]\n"]


def runs_as_nobody(python: str, nobody: dict, env: dict[str, str]) -> bool:
    try:
        command = [python, "-c", "import tasks.execution.pool"]
        return subprocess.run(command, cwd="/", env=env, capture_output=True, check=False, **nobody).returncode == 0
    except OSError:
        return False


def test_missing_image_says_what_to_do():
    with pytest.raises(SandboxUnavailable, match=r"kodforge sandbox build|no Docker daemon"):
        SandboxPool(Sandbox(backend="docker", image="kodforge-no-such-image"))


@pytest.mark.parametrize("runtime", ["runc", "no-such-runtime"])
def test_docker_runtime_is_the_one_asked_for(runtime):
    settings = sandbox_settings(Backend.DOCKER).model_copy(update={"runtime": runtime})
    with SandboxPool(settings) as pool:
        if runtime == "runc":
            assert judged(pool, GOOD).verdict is Verdict.PASSED
        else:
            with pytest.raises(SandboxUnavailable, match="no-such-runtime"):
                judged(pool, GOOD)


SIGN = (
    "import sys, json\nnumber = int(input())\nif number > 0:\n    print('positive')\nelif number < 0:\n"
    "    print('negative')\nelse:\n    print('zero')\nsys.exit()\n"
)


def program(pool, solution, *runs, coverage=False):
    io = [{"stdin": f"{number}\n", "stdout": word} for number, word in runs]
    return pool.run(Pair(id="case", solution=solution, io=io), Look(coverage=coverage))


def test_coverage_of_a_program_is_that_of_all_its_runs(pool):
    one = program(pool, SIGN, (3, "positive"), coverage=True)
    assert one.coverage.model_dump() == {"statements": 8, "statements_hit": 5, "branches": 4, "branches_hit": 1}
    all_three = program(pool, SIGN, (3, "positive"), (-3, "negative"), (0, "zero"), coverage=True)
    assert all_three.verdict is Verdict.PASSED
    assert all_three.coverage.model_dump() == {"statements": 8, "statements_hit": 8, "branches": 4, "branches_hit": 4}
    assert all_three.imported == ["json", "sys"]
    assert program(pool, SIGN, (3, "positive")).coverage is None


@pytest.mark.parametrize(
    ("solution", "verdict"),
    [
        ("import os\nos._exit(0)\n", Verdict.FAILED),
        ("import os\nfor fd in range(3, 256):\n    try:\n        os.write(fd, b'{\"outcome\": \"passed\"}\\npositive\\n')\n"
         "    except OSError:\n        pass\n", Verdict.FAILED),
        ("import os, time\nif not os.fork():\n    os.setsid()\n    time.sleep(60)\nprint('positive')\nos._exit(0)\n",
         Verdict.ERROR),
        ("import os\nos.kill(os.getpid(), 9)\n", Verdict.KILLED),
        ("import os\nos.kill(os.getppid(), 9)\n", Verdict.FAILED),
        ("while True:\n    print('positive' * 1000)\n", Verdict.OUTPUT_LIMIT),
        ("import os\nopen('/tmp/left', 'w').close()\nprint('positive' if os.path.exists('/tmp/left') else '')\n",
         Verdict.PASSED),
        ("import os\nprint('positive' if os.path.exists('/tmp/left') else 'clean')\n", Verdict.FAILED),
        ("import os\nos.open\nraise KeyboardInterrupt\n", Verdict.FAILED),
        ("import sys\nprint('positive')\nsys.exit('no')\n", Verdict.FAILED),
        ("x = bytearray(1 << 40)\n", Verdict.OUT_OF_MEMORY),
    ],
)  # fmt: skip
def test_hostile_programs(pool, solution, verdict):
    found = program(pool, solution, (3, "positive"), coverage=True)
    assert found.verdict is verdict, found.reason
    assert program(pool, SIGN, (3, "positive"), coverage=True).verdict is Verdict.PASSED


FAST_IO = """
import atexit, io, os, sys
sys.stdout = io.StringIO()
atexit.register(lambda: os.write(1, sys.stdout.getvalue().encode()))
print(2 * int(input()))
"""
THREAD = """
import sys, threading, time
def main():
    time.sleep(0.1)
    print(2 * int(input()))
threading.Thread(target=main).start()
"""
UNFLUSHED = """
import io, sys
out = io.TextIOWrapper(sys.stdout.buffer)
write = lambda text: out.write(text)
write(f"{2 * int(input())}\\n")
"""
DYING = """
class Account:
    def __del__(self):
        print(2 * amount)
amount = int(input())
account = Account()
"""


@pytest.mark.parametrize(
    ("solution", "verdict"),
    [
        ("print(int(input()) * 2); exit(0)\n", Verdict.PASSED),
        ("print(int(input()) * 2)\nquit()\n", Verdict.PASSED),
        ("print(int(input()) * 2); exit(3)\n", Verdict.FAILED),
        ("print(int(input()) * 2); exit('no')\n", Verdict.FAILED),
        (FAST_IO, Verdict.PASSED),
        (FAST_IO + "exit()\n", Verdict.PASSED),
        (FAST_IO + "1 / 0\n", Verdict.FAILED),
        (THREAD, Verdict.PASSED),
        (THREAD + "time.sleep(0.2)\n1 / 0\n", Verdict.FAILED),
        (THREAD.replace("start()", "start()\nsys.setswitchinterval(1)").replace("0.1", "99"), Verdict.TIMEOUT),
        (THREAD.replace("main)", "main, daemon=True)"), Verdict.FAILED),
        (UNFLUSHED, Verdict.PASSED),
        (UNFLUSHED.replace("io.TextIOWrapper(sys.stdout.buffer)", "sys.__stdout__"), Verdict.PASSED),
        (UNFLUSHED + "sys.stdout = io.StringIO()\n", Verdict.PASSED),
        (DYING, Verdict.PASSED),
        ("import atexit\nprint(int(input()) * 2)\n@atexit.register\ndef _():\n    while True: pass\n", Verdict.TIMEOUT),
        ("import atexit\nprint(int(input()) * 2)\natexit.register(exit, 3)\n", Verdict.PASSED),
        ("import atexit\natexit.register(print, 'more')\nprint(int(input()) * 2)\n", Verdict.FAILED),
        ("import sys\nprint(int(input()) * 2)\nclass Full:\n    def flush(self): raise OSError\nsys.stdout = Full()\n",
         Verdict.FAILED),
        ("import sys, threading\nprint(int(input()) * 2)\nthreading._shutdown = sys.stdout = None\n", Verdict.PASSED),
        ("import os\nprint(int(input()) * 2)\nos.closerange(3, 200)\n", Verdict.PASSED),
    ],
)  # fmt: skip
def test_a_program_ends_as_under_python(pool, solution, verdict):
    io = [{"stdin": "21\n", "stdout": "42\n"}]
    found = pool.run(Pair(id="case", solution=solution, io=io), Look(wall_s=1))
    assert found.verdict is verdict, found.reason
    own = subprocess.run(
        [sys.executable, "-c", f"import os\n{solution}"] if verdict is not Verdict.TIMEOUT else ["false"],
        input="21\n", capture_output=True, text=True, check=False, cwd="/",
    )  # fmt: skip
    assert (own.returncode == 0 and own.stdout == "42\n") is (verdict is Verdict.PASSED)


def test_what_a_program_does_at_its_end_counts_for_coverage(pool):
    solution = (
        "import atexit\nn = int(input())\n@atexit.register\ndef bye():\n    print('positive' if n > 0 else 'none')\n"
    )
    found = program(pool, solution, (3, "positive"), coverage=True)
    assert (found.verdict, found.coverage.statements_hit) == (Verdict.PASSED, found.coverage.statements)


@pytest.mark.parametrize("more", ["", OWN_PROCESS], ids=["isolated", "shared"])
def test_a_solution_may_call_exit(pool, more):
    solution = "def f(x):\n    if x < 0:\n        exit(3)\n    quit()\n"
    test = (
        "import pytest\nfrom solution import f\ndef test_f():\n    with pytest.raises(SystemExit) as left:\n        f(-1)\n"
        "    assert left.value.code == 3\n    with pytest.raises(SystemExit):\n        f(1)\n"
    )
    found = judged(pool, solution, more + test)
    assert found.verdict is Verdict.PASSED, found.reason


def test_a_process_with_more_than_a_thousand_open_files_judges_as_well():
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    with ExitStack() as files:
        for _ in range(1100):
            files.enter_context(open(os.devnull))
        with SandboxPool(sandbox_settings(Backend.BUBBLEWRAP)) as pool:
            assert pool.run(Pair(id="case", solution=GOOD, test=TEST)).verdict is Verdict.PASSED

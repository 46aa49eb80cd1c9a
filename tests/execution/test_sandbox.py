"""Both backends: honest pairs pass, wrong and hostile ones do not, and nothing reaches the next case."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.errors import SandboxUnavailable
from tasks.execution.pool import SandboxPool, check_sandbox
from tasks.models import Pair, PairFile, Verdict
from tasks.settings import Sandbox

ROOT = Path(__file__).resolve().parents[2]
TEST = "from solution import f\n\n\ndef test_f():\n    assert f(1) == 2\n"
GOOD = "def f(x):\n    return x + 1\n"


def judged(pool: SandboxPool, solution: str, test: str = TEST, **more):
    return pool.run(Pair(id="case", solution=solution, test=test, **more), coverage=False)


def test_right_pair_passes_with_outcomes_and_figures(pool):
    verdict = pool.run(Pair(id="case", solution=GOOD, test=TEST), coverage=True)
    assert (verdict.verdict, verdict.reason) == (Verdict.PASSED, "all 1 tests passed")
    assert [(test.test_id, test.outcome) for test in verdict.tests] == [("test_f", "passed")]
    assert verdict.wall_s > 0
    assert verdict.peak_mb > 5
    assert verdict.image.startswith("sha256:")


def test_branch_coverage_is_measured(pool):
    solution = "def f(x):\n    if x > 0:\n        return x + 1\n    return 0\n"
    covered = pool.run(Pair(id="case", solution=solution, test=TEST), coverage=True).coverage
    assert (covered.statements, covered.statements_hit, covered.branches, covered.branches_hit) == (4, 3, 2, 1)


@pytest.mark.parametrize(
    ("name", "solution", "verdict"),
    [
        ("wrong", "def f(x):\n    return x\n", Verdict.FAILED),
        ("exit at import", "import os\nos._exit(0)\n", Verdict.TAMPERED),
        ("exit in call", "import os\ndef f(x):\n    os._exit(0)\n", Verdict.TAMPERED),
        ("SystemExit at import", "raise SystemExit(0)\n", Verdict.ERROR),
        ("SystemExit in call", "def f(x):\n    raise SystemExit(0)\n", Verdict.FAILED),
        ("execv", "import os\nos.execv('/bin/true', ['true'])\n", Verdict.TAMPERED),
        ("exit in atexit", "import atexit, os\natexit.register(os._exit, 0)\ndef f(x):\n    return x\n", Verdict.FAILED),
        ("pytest.exit", "import pytest\npytest.exit('fine', returncode=0)\n", Verdict.ERROR),
        ("loop", "def f(x):\n    while True:\n        pass\n", Verdict.TIMEOUT),
        ("loop in C", "def f(x):\n    return sum(iter(int, 1))\n", Verdict.TIMEOUT),
        ("masked", "import signal\nfor n in range(1, 32):\n    try:\n        signal.signal(n, signal.SIG_IGN)\n"
         "    except OSError:\n        pass\ndef f(x):\n    while True:\n        pass\n", Verdict.TIMEOUT),
        ("sleep", "import time\ndef f(x):\n    time.sleep(1000)\n", Verdict.TIMEOUT),
        ("fork bomb", "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass\n", Verdict.TIMEOUT),
        ("memory", "def f(x):\n    return bytearray(1 << 40)\n", Verdict.OUT_OF_MEMORY),
        ("memory by and by", "def f(x):\n    a = []\n    while True:\n        a.append(bytearray(1 << 22))\n", Verdict.OUT_OF_MEMORY),
        ("segfault", "import ctypes\ndef f(x):\n    ctypes.string_at(0)\n", Verdict.KILLED),
        ("deep recursion", "def f(x):\n    return f(x)\n", Verdict.FAILED),
        ("output", "def f(x):\n    while True:\n        print('x' * 10_000)\n", Verdict.OUTPUT_LIMIT),
        ("binary output", "import os\ndef f(x):\n    while True:\n        os.write(2, b'\\0\\xff' * 9999)\n", Verdict.OUTPUT_LIMIT),
        ("name error", "undefined\n", Verdict.ERROR),
        ("missing library", "import no_such_library\n", Verdict.ERROR),
        ("syntax", "def f(:\n", Verdict.ERROR),
        ("NUL", "def f(x):\n    return 2\0\n", Verdict.ERROR),
        ("daemon", "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(99)\ndef f(x):\n    return 2\n", Verdict.ERROR),
        ("double fork", "import os, time\nif os.fork() == 0:\n    if os.fork() == 0:\n        os.setsid()\n        time.sleep(99)\n"
         "    os._exit(0)\ndef f(x):\n    return 2\n", Verdict.ERROR),
        ("network", "import socket\ndef f(x):\n    socket.create_connection(('1.1.1.1', 53), 1)\n    return 2\n", Verdict.FAILED),
        ("disk", "def f(x):\n    with open('/tmp/a', 'wb') as file:\n        while True:\n            file.write(bytes(1 << 20))\n",
         Verdict.FAILED),
        ("supervisor's memory", "def f(x):\n    open('/proc/1/mem', 'rb')\n    return 2\n", Verdict.FAILED),
        ("supervisor's pipe", "def f(x):\n    open('/proc/1/fd/1', 'wb')\n    return 2\n", Verdict.FAILED),
        ("kill supervisor", "import os\ndef f(x):\n    os.kill(1, 9)\n    return 2\n", Verdict.FAILED),
        ("write everywhere", "import os\nfor n in range(3, 256):\n    try:\n        os.write(n, b'{\"collected\": []}\\n')\n"
         "    except OSError:\n        pass\ndef f(x):\n    return 2\n", Verdict.TAMPERED),
        ("plants conftest", "open('conftest.py', 'w').write('import os; os._exit(0)')\ndef f(x):\n    return 1\n", Verdict.FAILED),
        ("false summary", "print('===== 1 passed in 0.01s =====')\ndef f(x):\n    return 1\n", Verdict.FAILED),
        ("system folders", "def f(x):\n    open('/usr/planted', 'w')\n    return 2\n", Verdict.FAILED),
        ("site folder", "import pytest, pathlib\ndef f(x):\n"
         "    (pathlib.Path(pytest.__file__).parent / 'planted.py').write_text('')\n    return 2\n", Verdict.FAILED),
    ],
)  # fmt: skip
def test_wrong_and_hostile_solutions_and_the_case_after_them(pool, name, solution, verdict):
    found = judged(pool, solution)
    assert found.verdict is verdict, found.reason
    assert judged(pool, GOOD).verdict is Verdict.PASSED


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


def test_libraries_of_the_box_are_there(pool):
    solution = (
        "import numpy as np\nimport pandas as pd\n\ndef f(x):\n    return int(pd.Series(np.array([x])).sum()) + 1\n"
    )
    assert judged(pool, solution).verdict is Verdict.PASSED


def test_nothing_of_a_case_reaches_the_next(pool):
    plant = "import os\nfor place in ('/tmp', '/dev/shm', '.'):\n    open(f'{place}/planted', 'w').write('x')\n"
    plant += "os.environ['PLANTED'] = 'x'\n" + GOOD
    look = (
        "import os\ndef f(x):\n    found = [p for p in ('/tmp', '/dev/shm', '.') if os.path.exists(f'{p}/planted')]\n"
    )
    look += "    return 2 if not found and 'PLANTED' not in os.environ else found\n"
    for _ in range(4):
        assert judged(pool, plant).verdict is Verdict.PASSED
        found = judged(pool, look)
        assert found.verdict is Verdict.PASSED, found.reason


def test_the_host_is_out_of_sight(pool):
    home = str(Path(__file__).resolve())
    solution = f"import os\ndef f(x):\n    seen = [p for p in ({home!r}, '/var/run/docker.sock', '/etc/shadow') if os.access(p, os.R_OK)]\n"
    solution += (
        "    others = [p for p in os.listdir('/proc') if p.isdigit() and int(p) > 1 and int(p) != os.getpid()]\n"
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
    found = pool.run_all(pairs, coverage=False)
    assert [verdict.id for verdict in found] == [pair.id for pair in pairs]
    assert [verdict.verdict is Verdict.PASSED for verdict in found] == [bool(n % 3) for n in range(30)]


def test_ordinary_user_gets_the_same_verdicts(tmp_path):
    """Bubblewrap without root: the kernel's user namespaces instead of capabilities."""
    script = (
        "from tasks.settings import Sandbox\nfrom tasks.execution.pool import check_sandbox\n"
        "print(check_sandbox(Sandbox(backend='bubblewrap', slots=1)))\n"
    )
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
        [python, "-c", script], cwd="/", env=env, capture_output=True, text=True, check=False, timeout=300, **user
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "bubblewrap" in done.stdout


def runs_as_nobody(python: str, nobody: dict, env: dict[str, str]) -> bool:
    try:
        command = [python, "-c", "import tasks.execution.pool"]
        return subprocess.run(command, cwd="/", env=env, capture_output=True, check=False, **nobody).returncode == 0
    except OSError:
        return False


def test_missing_image_says_what_to_do():
    with pytest.raises(SandboxUnavailable, match=r"kodforge sandbox build|no Docker daemon"):
        SandboxPool(Sandbox(backend="docker", image="kodforge-no-such-image"))

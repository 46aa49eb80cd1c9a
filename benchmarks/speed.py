"""Verified pairs per second, against the other ways to run them.

All contenders take turns over blocks of the corpus, so that a busy minute of the machine falls upon all of them. Each
uses as many workers as there are cores. Run it with ``make benchmark`` on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import contextlib
import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.contenders import Judge, cores, docker_answers, docker_run, kodforge, llm_sandbox, pytest_process
from benchmarks.corpus import corpus
from tasks.settings import Backend, TierChoice

BLOCK = 37


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
        passed: dict[str, set[str]] = {name: set() for name in contenders}
        threads = stack.enter_context(ThreadPoolExecutor(workers))
        for judge in contenders.values():
            list(threads.map(judge, pairs[: 4 * workers]))  # starts boxes and fills the page cache
        for start in range(0, len(pairs), BLOCK):
            block = pairs[start : start + BLOCK]
            for name, judge in contenders.items():
                began = time.perf_counter()
                results = list(threads.map(judge, block))
                seconds[name] += time.perf_counter() - began
                passed[name] |= {pair.id for pair, ok in zip(block, results, strict=True) if ok}
    agreed = passed["kodforge, bubblewrap"]
    print(f"{len(pairs)} pairs, {workers} workers, Python {'.'.join(map(str, __import__('sys').version_info[:3]))}\n")
    print("| contender | pairs/s | ms per pair and core | passed | other verdicts |\n|---|---|---|---|---|")
    for name, took in seconds.items():
        rate = len(pairs) / took
        differ = len(passed[name] ^ agreed)
        print(f"| {name} | {rate:.1f} | {1000 * workers / rate:.1f} | {len(passed[name])} | {differ} |")
    print()
    for ours, theirs in [
        ("kodforge, bubblewrap, coverage", "pytest process, --cov"),
        ("kodforge, bubblewrap", "pytest process"),
        ("kodforge, bubblewrap, shared, coverage", "pytest process, --cov"),
        ("kodforge, bubblewrap, shared", "pytest process"),
        ("kodforge, Docker, coverage", "pytest process, --cov"),
        ("kodforge, Docker", "pytest process"),
        ("kodforge, Docker", "docker run --rm"),
        ("kodforge, Docker", "llm-sandbox, warm containers"),
    ]:
        if ours in seconds and theirs in seconds:
            print(f"- {ours} : {theirs} = {seconds[theirs] / seconds[ours]:.1f}x")


if __name__ == "__main__":
    main()

"""The floor of running pairs: fork, write and execute both files, call the tests, exit. No isolation and no verdict.

A program of its own, since a fork of a large process costs more: ``python -m benchmarks.floor PAIRS.json FOLDER``
prints the milliseconds of each pair as JSON.
"""

import contextlib
import json
import os
import sys
import time
from pathlib import Path


def run(solution: str, test: str) -> None:
    """What the child does."""
    Path("solution.py").write_text(solution, "utf-8")
    Path("test_solution.py").write_text(test, "utf-8")
    sys.path.insert(0, ".")
    import test_solution  # type: ignore[import-not-found]  # noqa: PLC0415

    for name, function in list(vars(test_solution).items()):
        if name.startswith("test") and callable(function):
            function()


def main() -> None:
    """Print the milliseconds of each pair."""
    pairs = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    os.chdir(sys.argv[2])
    sys.dont_write_bytecode = True
    took = []
    for solution, test in pairs:
        began = time.perf_counter()
        child = os.fork()
        if not child:
            with contextlib.suppress(BaseException):
                run(solution, test)
            os._exit(0)
        os.waitpid(child, 0)
        took.append(1000 * (time.perf_counter() - began))
    print(json.dumps(took))


if __name__ == "__main__":
    main()

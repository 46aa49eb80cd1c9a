"""``python -m tests.chaos --runs 50 --seed 1``: many stormy runs, told in a table."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import typer

from tests.chaos.cases import draw
from tests.chaos.sitting import Sitting, table, world
from tests.docker_daemon import running_daemon


def main() -> int:
    """Run the cases; exit status 1 where something was wrong after one of them."""
    options = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    options.add_argument("--runs", type=int, default=50, help="cases")
    options.add_argument("--seed", type=int, default=1, help="draws victims and moments")
    options.add_argument("--first", type=int, default=0, help="number of the first case")
    options.add_argument("--only", type=int, nargs="*", help="numbers of cases to ride, as told where one went wrong")
    options.add_argument("--folder", type=Path, help="for logs and stores; kept")
    options.add_argument("--no-docker", action="store_true", help="sandboxes of bubblewrap alone")
    given = options.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # its servers end with it
    folder = given.folder or Path(tempfile.mkdtemp(prefix="chaos-"))
    numbers = given.only if given.only is not None else range(given.first, given.first + given.runs)
    outcomes = []
    with ExitStack() as stack:
        daemon = None if given.no_docker else stack.enter_context(running_daemon(folder / "docker"))
        made = stack.enter_context(world(folder / "world", daemon))
        sitting = Sitting(made)
        progress = sitting.calm("bubblewrap")
        for number in numbers:
            case = draw(number, given.seed, progress, daemon is not None)
            typer.echo(case)
            outcomes.append(sitting.ride(case))
            last = outcomes[-1]
            typer.echo(f"  {last.struck} {last.ends} {last.seconds:.0f} s, asked again {last.asked_again}")
            for fault in last.faults:
                typer.echo(f"  WRONG: {fault}")
    typer.echo(table(outcomes))
    wrong = sum(bool(one.faults) for one in outcomes)
    typer.echo(f"\n{len(outcomes)} runs, {wrong} went wrong. Logs: {folder}")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())

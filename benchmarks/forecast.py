"""What a forecast is worth: rates read off one small run, and other runs forecast by them and then made.

    python -m benchmarks.forecast            an hour, on a machine left alone
    python -m benchmarks.forecast --only slow-teacher

The first run has one shard at a time, as docs/forecast.md says. The others differ from it in what a user would change:
shards at once, size, how fast the teacher answers and how much of it there is, boxes. All ask the same kind of
teacher (``benchmarks.author``) and have the real sandbox; how fast that teacher writes is given to the forecast, as it
is known of an endpoint.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from benchmarks.author import Size, Speed, author
from flows.console.forecast import forecast
from flows.console.options import load_config
from tasks.forecast.rates import read_rates
from tasks.forecast.simulate import Forecast
from tests.processes import running_server

USUAL = Speed()
FLOWS = ("source", "verify", "curate", "post-train", "publish")
"""Phases of a forecast; each is a flow run of that name but the last, which is what the run takes besides."""


@dataclass(frozen=True)
class Case:
    """A run, and the teacher that it has."""

    size: Size
    speed: Speed = USUAL


CALIBRATION = Case(Size(48, shard_size=24, at_once=1, attempts=4))
CASES = {
    "four shards at once": Case(Size(96, shard_size=24, attempts=4)),
    "twice the shard": Case(Size(96, shard_size=48, attempts=4)),
    "slow teacher": Case(Size(96, shard_size=24, attempts=4), Speed(first_token_s=1, tokens_per_s=5)),
    "few streams": Case(Size(96, shard_size=24, attempts=4), Speed(streams=24)),
    "one box": Case(Size(96, shard_size=24, attempts=4, slots=1)),
}


def made(case: Case, run: str, folder: Path, env: Mapping[str, str]) -> tuple[list[str], dict[str, float]]:
    """Build a case; its options, and the seconds of each of its flows."""
    seeds = folder / f"{run}.jsonl"
    with author(case.speed, seeds, case.size.questions) as url:
        options = case.size.options(run, folder / "store", seeds, url)
        cli(env, "run", "--profile", "demo", *options)
    return options, flow_seconds(env["PREFECT_API_URL"], run)


def cli(env: Mapping[str, str], *arguments: str) -> None:
    """Run a ``kodforge`` command to its end."""
    command = [sys.executable, "-m", "flows.cli", *arguments]
    done = subprocess.run(command, env=dict(env), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{arguments[0]} failed: {done.stdout[-2000:]}{done.stderr[-2000:]}")


def flow_seconds(api: str, run: str) -> dict[str, float]:
    """Of the flows of a run, by phase of a forecast."""
    asked = {"flow_runs": {"tags": {"all_": [f"run:{run}"]}}, "limit": 200}
    found = httpx.post(f"{api}/flow_runs/filter", json=asked, timeout=60).raise_for_status().json()
    seconds = {one["name"].split(" ")[0]: float(one["total_run_time"]) for one in found}
    phases = {phase: seconds.get(phase, 0.0) for phase in FLOWS}
    return {**phases, "publish": seconds["build"] - sum(phases.values())}


def foreseen(options: list[str], case: Case, rates: Path) -> list[Forecast]:
    """Forecasts of a case, by rates of another run and the speed of its teacher."""
    teacher: dict[str, Any] = {**vars(case.speed), "failed": 0.0}
    config = load_config("demo", options[1::2])
    known = read_rates(rates, {"teacher": teacher, "worker": {"cores": os.cpu_count()}})
    return forecast(config, known, [1], 5)[1]


def told(name: str, forecasts: list[Forecast], took: Mapping[str, float]) -> str:
    """A row of the table: seconds forecast and taken, by phase and in all."""
    phases = {
        phase.name: median(one.phases[at].seconds for one in forecasts) for at, phase in enumerate(forecasts[0].phases)
    }
    said, done = sum(phases.values()), sum(took.values())
    each = " | ".join(f"{phases[phase]:.0f} / {took[phase]:.0f}" for phase in FLOWS)
    middle = min(forecasts, key=lambda one: abs(one.seconds - said))
    return f"| {name} | {each} | {said:.0f} | {done:.0f} | {100 * (said / done - 1):+.0f} % | {middle.bottleneck} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=[name.replace(" ", "-") for name in CASES], default=[])
    parser.add_argument("--write-rates", type=Path, help="YAML file for the rates of the first run")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        home, rates = folder / "server", given.write_rates or folder / "rates.yaml"
        home.mkdir()
        with running_server(home) as server:
            options, took = made(CALIBRATION, "calibration", folder, server.env)
            read = ("--from", "calibration", "--workers", "1", "--write-rates", str(rates))
            cli(server.env, "forecast", "--profile", "demo", *options, *read)
            print(f"| seconds, forecast / taken | {' | '.join(FLOWS)} | forecast | taken | off by | bottleneck |")
            print(f"|---|{'---:|' * (len(FLOWS) + 3)}---|", flush=True)
            print(told("rates were read off it", foreseen(options, CALIBRATION, rates), took), flush=True)
            for case_name, case in CASES.items():
                if not given.only or case_name.replace(" ", "-") in given.only:
                    options, took = made(case, case_name.replace(" ", "-"), folder, server.env)
                    print(told(case_name, foreseen(options, case, rates), took), flush=True)


if __name__ == "__main__":
    main()

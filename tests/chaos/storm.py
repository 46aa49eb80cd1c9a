"""One stormy run: started, hit, resumed, and looked at."""

from __future__ import annotations

import random
import subprocess
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from tests.chaos import accounts
from tests.chaos.accounts import RUN, Account
from tests.chaos.cases import BEGUN, Blow, Case, Resume, Victim
from tests.chaos.processes import boxes, children, is_alive, is_flow, kill, of_flow_run, python
from tests.chaos.world import IN_FLIGHT, TERMINAL, UNKNOWN, World
from tests.processes import ROOT

PATIENCE_S = 120
"""For a program in the sandbox: a verdict must not come of a machine that is busy."""
MOST_S = 1800.0
"""A run that takes longer, with all its resumes, hangs."""
REPORTED_S = 10.0
"""How long a worker may take to report the end of a process."""
STUCK_S = 120.0
"""A run that waits longer for a process than this will get none."""
MOST_RESUMES = 4


def config_of(store: Path, case: Case, teacher_url: str) -> dict[str, Any]:
    """The smallest run that has every stage in it."""
    endpoint = {"kind": "openai", "model": "kodforge-demo", "base_url": teacher_url, "max_in_flight": IN_FLIGHT}
    return {
        "profile": "demo",
        "run": RUN,
        "store": str(store),
        "shard_size": 3,
        "engine": {"kind": case.engine, "workers": 2},
        "only": ["Prefill", "Leetcode"],
        "subsets": {"Prefill": {"count": 5}, "Leetcode": {"count": 4}},
        "teachers": {"author": endpoint, "reasoners": {"demo": endpoint}},
        "verification": {
            "attempts": 2,
            "effort": {
                **{"reruns": 0, "stubs": 1, "mutants": 2, "candidates": 1, "solver_tries": 1, "mending": "drop"},
                "mutation_s": PATIENCE_S,
            },
        },
        "post_training": {"styles": {"into": ["complete"]}, "reasoning": {"tries": 1}},
        "report": False,
        # As users have it: Docker, as a daemon answers that has the image.
        "sandbox": {
            "backend": "auto" if case.backend == "docker" else case.backend,
            "slots": 2,
            "wall_s": PATIENCE_S,
        },
    }


def options(config: dict[str, Any], place: str = "") -> list[str]:
    """The same config as options of the console command."""
    found: list[str] = []
    for name, value in config.items():
        if isinstance(value, dict):
            found += options(value, f"{place}{name}.")
        elif name == "profile":
            found += ["--profile", value]
        else:
            told = f"[{','.join(value)}]" if isinstance(value, list) else value
            found += ["--set", f"{place}{name}={told}"]
    return found


class Attempt(Protocol):
    """One way in which the run is under way."""

    def pids(self) -> list[int]:
        """Its processes, the flow's own first; empty where there is none."""

    def ended(self) -> str:
        """How it ended; empty while it has not."""


class FlowRun:
    """A flow run on the worker."""

    def __init__(self, world: World, run_id: str) -> None:
        self._world, self.run_id = world, run_id
        self._pids: list[int] = []
        self._gone_at = self._waits_from = time.monotonic()
        self._looked_at, self._found = 0.0, ""

    def pids(self) -> list[int]:
        if not (self._pids and is_alive(self._pids[0])):
            was, self._pids = self._pids, [pid for pid in of_flow_run(self.run_id) if is_flow(pid)]
            if was and not self._pids:
                self._gone_at = self._waits_from = time.monotonic()
        return self._pids

    def ended(self) -> str:
        if time.monotonic() < self._looked_at + 0.5:
            return self._found
        state = self._world.state(self.run_id)
        self._looked_at = time.monotonic()
        self._found = self._told(state["type"] if state else "")
        return self._found

    def _told(self, state: str) -> str:
        if self.pids():
            return ""  # it may have reported its end, and is still at work on it
        waits = REPORTED_S if state in ("RUNNING", "CANCELLING", UNKNOWN) else STUCK_S
        if state in TERMINAL:
            return state
        return f"stuck in {state or 'nothing'}" if time.monotonic() > self._waits_from + waits else ""


class Console:
    """``kodforge run`` in a terminal."""

    def __init__(self, world: World, config: dict[str, Any], log: Path) -> None:
        with log.open("ab") as file:
            command = python("-m", "flows.cli", "run", *options(config))
            self._process = subprocess.Popen(command, cwd=ROOT, env=world.env, stdout=file, stderr=file)

    def pids(self) -> list[int]:
        return [] if self._process.poll() is not None else [self._process.pid]

    def ended(self) -> str:
        status = self._process.poll()
        return "" if status is None else "COMPLETED" if status == 0 else f"exit status {status}"


@dataclass
class Outcome:
    """What became of a case."""

    case: Case
    struck: list[str] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)
    """How the run ended each time before it was resumed."""
    faults: list[str] = field(default_factory=list)
    asked_again: int = 0
    answers: int = 0
    seconds: float = 0.0
    back_s: float = 0.0
    """From the first blow until the run had a process again and all else was back."""
    to_end_s: float = 0.0
    """From the last blow until the release."""

    def as_dict(self) -> dict[str, Any]:
        return {**self.__dict__, "case": self.case.as_dict(), "told": str(self.case)}


class Storm:
    """A case in a world."""

    def __init__(self, world: World, case: Case, store: Path) -> None:
        self._world, self._case, self._store = world, case, store
        self._config = config_of(store, case, world.teacher_url)
        self._chance = random.Random(f"{case.seed} boxes")
        self._runs: list[str] = []
        self._touched: set[int] = set()
        self.outcome = Outcome(case)

    def ride(self) -> None:
        """Run it to its end."""
        started = struck_at = time.monotonic()
        attempt, blows = self._on_worker(), deque(self._case.blows)
        came_back = False
        while True:
            assert time.monotonic() < started + MOST_S, f"no end within {MOST_S:g} s; {self.outcome.ends}"
            if blows and attempt.pids() and self._reached(blows[0]):
                time.sleep(blows[0].delay_s)
                struck_at, came_back = time.monotonic(), False
                self._strike(blows.popleft(), attempt)
            elif not came_back and self.outcome.struck and attempt.pids():
                came_back, self.outcome.back_s = True, time.monotonic() - struck_at
            if (how := attempt.ended()) == "COMPLETED":
                break
            if how:
                self.outcome.ends.append(how)
                assert len(self.outcome.ends) <= MOST_RESUMES, (
                    f"resumed {MOST_RESUMES} times in vain: {self.outcome.ends}"
                )
                attempt = self._resumed(attempt)
            time.sleep(0.01)
        self.outcome.seconds = time.monotonic() - started
        self.outcome.to_end_s = time.monotonic() - struck_at

    def _reached(self, blow: Blow) -> bool:
        return blow.at == BEGUN or accounts.counted(self._store, blow.at) >= blow.count

    def _on_worker(self) -> FlowRun:
        self._runs.append(self._world.run_deployment(self._config))
        return FlowRun(self._world, self._runs[-1])

    def _resumed(self, attempt: Attempt) -> Attempt:
        if isinstance(attempt, FlowRun) and self._is_known(attempt.run_id):
            if self._case.resume is Resume.RETRY:
                self._world.set_state(attempt.run_id, {"type": "SCHEDULED", "name": "AwaitingRetry"})
                return FlowRun(self._world, attempt.run_id)
            if self.outcome.ends[-1].startswith("stuck"):  # as the automation does where heartbeats stay away
                self._world.set_state(attempt.run_id, {"type": "CRASHED", "name": "Crashed"})
        if self._case.resume is Resume.CONSOLE:
            return Console(self._world, self._config, self._world.folder / "console.log")
        return self._on_worker()

    def _is_known(self, run_id: str) -> bool:
        state = self._world.state(run_id)
        return state is not None and state["type"] != UNKNOWN

    def _strike(self, blow: Blow, attempt: Attempt) -> None:
        pids = attempt.pids()
        everything = set(pids[:1] + children(pids[0])) if pids else set()
        self._touched |= everything
        for victim in blow.victims:
            match victim:
                case Victim.FLOW:
                    hit = kill(*pids[:1])
                case Victim.TREE:
                    hit = kill(*pids[:1], *everything)
                case Victim.BOX:
                    hit = self._kill_box(pids)
                case Victim.HOST:
                    hit = kill(*everything)
                    parts = (Victim.WORKER, Victim.SERVER, Victim.TEACHER)
                    for part in (*parts, Victim.DAEMON) if self._world.daemon else parts:
                        self._world.kill(part)
                case _:
                    hit = 1
                    self._world.kill(victim)
            self.outcome.struck.append(f"{victim}{'' if hit else ' (was not there)'}")
        if {Victim.FLOW, Victim.TREE, Victim.HOST} & set(blow.victims):
            while any(map(is_alive, pids[:1])):  # SIGKILL takes a moment
                time.sleep(0.005)
        time.sleep(blow.down_s)
        self._world.revive(blow.victims)

    def _kill_box(self, pids: Sequence[int]) -> int:
        """Kill a box as soon as there is one."""
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and pids and is_alive(pids[0]):
            if self._case.backend == "docker":
                assert self._world.daemon is not None
                if found := self._world.daemon.docker("ps", "--quiet").stdout.split():
                    done = self._world.daemon.docker("kill", self._chance.choice(found), check=False)
                    return int(done.returncode == 0)
            elif live := boxes(pids[:1]):
                return kill(self._chance.choice(live))
            time.sleep(0.02)
        return 0

    def give_up(self) -> None:
        """End what runs, for the next case."""
        for run in self._runs:
            kill(*of_flow_run(run))
            if self._is_known(run):
                self._world.set_state(run, {"type": "CANCELLED", "name": "Cancelled"})

    def account(self, calm: Account | None, asked: Sequence[dict[str, Any]]) -> Account:
        """What is left when all has ended, and what of it is wrong."""
        now = Account.of(self._store, asked)
        self.outcome.asked_again, self.outcome.answers = now.asked_again, now.paid[0]
        hits = sum(name.split()[0] not in (Victim.BOX, Victim.DAEMON) for name in self.outcome.struck)
        self.outcome.faults = accounts.faults(self._store, now, calm or now, IN_FLIGHT * hits)
        self.outcome.faults += self._left_running()
        return now

    def _left_running(self) -> list[str]:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            left = [pid for run in self._runs for pid in of_flow_run(run)]
            left += [pid for pid in self._touched if is_alive(pid) and pid not in left]
            containers = self._world.daemon.containers() if self._world.daemon else []
            if not left and not containers:
                return []
            time.sleep(0.2)
        told = [f"process {pid} is left running" for pid in left]
        return told + [f"container {name} is left" for name in containers]

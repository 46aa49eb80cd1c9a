"""Many cases one after the other in one world, beside an undisturbed run."""

from __future__ import annotations

import json
import shutil
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.chaos import accounts
from tests.chaos.accounts import Account
from tests.chaos.cases import Case, Resume
from tests.chaos.storm import Outcome, Storm
from tests.chaos.world import World
from tests.docker_daemon import Daemon


class Sitting:
    """Rides cases, and compares each with an undisturbed run on the same backend."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._calm: dict[str, tuple[Account, dict[str, int]]] = {}

    def calm(self, backend: str) -> dict[str, int]:
        """How far an undisturbed run comes."""
        if backend not in self._calm:
            store = self.world.folder / f"calm-{backend}"
            storm = Storm(self.world, Case("calm", backend, (), Resume.AGAIN), store)
            account = self._ride(storm, None)
            assert not storm.outcome.faults, storm.outcome.faults
            self._calm[backend] = account, accounts.progress(store)
        return self._calm[backend][1]

    def ride(self, case: Case) -> Outcome:
        """Ride a case; its store is kept where something is wrong."""
        self.calm(case.backend)
        self.world.revive_dead()
        store = self.world.folder / f"storm-{case.seed}"
        storm = Storm(self.world, case, store)
        try:
            self._ride(storm, self._calm[case.backend][0])
        except Exception:
            storm.outcome.faults.append(traceback.format_exc())
            storm.give_up()
        outcome = storm.outcome
        with (self.world.folder / "outcomes.jsonl").open("a") as file:
            file.write(json.dumps(outcome.as_dict()) + "\n")
        if outcome.faults:
            (self.world.folder / f"storm-{case.seed}.txt").write_text(self.told(outcome))
        else:
            shutil.rmtree(store)
        return outcome

    def _ride(self, storm: Storm, calm: Account | None) -> Account:
        before = len(self.world.asked())
        storm.ride()
        return storm.account(calm, self.world.asked()[before:])

    def told(self, outcome: Outcome) -> str:
        """All that is known of a case that went wrong."""
        return "\n".join([str(outcome.case), f"ended {outcome.ends}", *outcome.faults, self.world.logs()])


@contextmanager
def world(folder: Path, daemon: Daemon | None) -> Iterator[World]:
    """A world that is at work."""
    made = World(folder, daemon)
    try:
        made.start()
        yield made
    finally:
        made.end()


def table(outcomes: Iterable[Outcome]) -> str:
    """What became of the cases, in Markdown."""
    rows = [
        [
            "case",
            "backend",
            "engine",
            "killed, and when",
            "helped by",
            "asked again",
            "back, s",
            "to the end, s",
            "wrong",
        ]
    ]
    rows.append(["---"] * 5 + ["---:"] * 4)
    for one in outcomes:
        blows = "; ".join(f"{'+'.join(blow.victims)} at {blow.at} {blow.count}" for blow in one.case.blows)
        helped = f"{one.case.resume} after {', '.join(one.ends)}" if one.ends else "nobody"
        numbers = [one.asked_again, round(one.back_s), round(one.to_end_s), len(one.faults)]
        rows.append([one.case.seed, one.case.backend, one.case.engine, blows, helped, *map(str, numbers)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)

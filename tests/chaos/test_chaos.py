"""A few of the cases that ``make chaos`` draws by the dozen: each thing that can die is killed once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.cases import Blow, Case, Resume, Victim
from tests.chaos.sitting import Sitting, world
from tests.docker_daemon import running_daemon

V = Victim
THREADS, PROCESSES = "threads", "processes"
CASES = {
    "teacher, server, then flow": (
        "bubblewrap",
        PROCESSES,
        (((V.TEACHER,), "answers", 8), ((V.SERVER,), "verdicts", 1), ((V.FLOW,), "signatures", 1)),
        Resume.RETRY,
    ),
    "worker, database, then host": (
        "bubblewrap",
        THREADS,
        (((V.WORKER,), "questions", 1), ((V.DATABASE,), "verdicts", 1), ((V.HOST,), "release", 3)),
        Resume.CONSOLE,
    ),
    "daemon, then box": (
        *("docker", THREADS, (((V.DAEMON,), "verdicts", 1), ((V.BOX,), "audits", 1))),
        Resume.RETRY,
    ),
}
"""Backend and engine, victims with the moment at which they die, and how the run is resumed."""


@pytest.fixture(scope="module")
def sitting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sitting]:
    folder = tmp_path_factory.mktemp("chaos")
    with running_daemon(folder / "docker") as daemon, world(folder / "world", daemon) as made:
        yield Sitting(made)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_killed_run_ends_with_the_same_release(sitting, name):
    """Byte for byte, every row accounted for, and no answer paid for twice but those in flight."""
    backend, engine, blows, resume = CASES[name]
    falls = tuple(Blow(victims, at, count, 0.1, 0.5) for victims, at, count in blows)
    seed = name.replace(" ", "-").replace(",", "")
    outcome = sitting.ride(Case(seed, backend, falls, resume, engine))
    assert not outcome.faults, sitting.told(outcome)
    assert len(outcome.struck) == len(blows)

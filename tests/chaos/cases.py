"""What is killed, when, and how the run is resumed: drawn from a seed, so that each case can be had again."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum


class Victim(StrEnum):
    """What SIGKILL hits."""

    FLOW = "flow"
    """The flow's process alone; what it started is left to itself."""
    TREE = "tree"
    """The flow's process with all that it started."""
    WORKER = "worker"
    SERVER = "server"
    TEACHER = "teacher"
    DAEMON = "daemon"
    BOX = "box"
    """One box of the sandbox."""
    HOST = "host"
    """Everything at once, as at a power cut."""
    DATABASE = "database"
    """The Prefect server with its database."""


class Resume(StrEnum):
    """What a user does about a run that did not end well."""

    RETRY = "retry"
    """`Retry` of the flow run in the UI."""
    AGAIN = "again"
    """A second run of the deployment."""
    CONSOLE = "console"
    """`kodforge run` with the same config."""


BEGUN = "begun"
"""The moment at which the flow's process is there, and nothing else."""
ANSWERS = "answers"
RELEASE = "release"
"""Files in the release folder, as they are written."""


@dataclass(frozen=True)
class Blow:
    """Victims that are killed at once.

    Attributes:
        at: what is counted: answers on disk, receipts of a stage, files of the release.
        count: the blow falls when so many are there …
        delay_s: … and so much time has passed.
        down_s: how long the victims stay away.
    """

    victims: tuple[Victim, ...]
    at: str
    count: int
    delay_s: float
    down_s: float


@dataclass(frozen=True)
class Case:
    """One stormy run."""

    seed: str
    backend: str
    blows: tuple[Blow, ...]
    resume: Resume
    engine: str = "threads"
    """What curation runs on: threads of the flow, or processes of its own."""

    def __str__(self) -> str:
        told = [
            f"{'+'.join(blow.victims)} at {blow.at} {blow.count} +{blow.delay_s:.2f} s, away {blow.down_s:.1f} s"
            for blow in self.blows
        ]
        return f"seed {self.seed}: {self.backend}, {self.engine}, {'; then '.join(told)}; resumed by {self.resume}"

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


SCRIPT: tuple[tuple[Victim | str, ...], ...] = (
    (Victim.FLOW,),
    (Victim.SERVER,),
    (Victim.DAEMON,),
    (Victim.WORKER,),
    (Victim.TEACHER,),
    (Victim.TREE,),
    (Victim.BOX,),
    ("two",),
    (Victim.HOST,),
    (Victim.FLOW, "twice"),
    (Victim.DATABASE,),
    ("any", "twice"),
)
"""What the cases are about, in turn."""
_SINGLE = (Victim.FLOW, Victim.TREE, Victim.WORKER, Victim.SERVER, Victim.TEACHER, Victim.DAEMON, Victim.BOX)


def draw(number: int, seed: int, progress: Mapping[str, int], docker: bool = True) -> Case:
    """The case of a number.

    Args:
        progress: what an undisturbed run comes to: answers, receipts by stage, files of the release.
        docker: whether there is a Docker daemon; without one its cases are about boxes of bubblewrap.
    """
    chance = random.Random(f"{seed}-{number}")
    about = SCRIPT[number % len(SCRIPT)]
    if about[0] == "two":
        drawn = chance.sample(_SINGLE, 2)
    elif about[0] == "any":
        drawn = [chance.choice(_SINGLE)]
    else:
        drawn = [Victim(about[0])]
    victims = tuple(dict.fromkeys(Victim.BOX if one is Victim.DAEMON and not docker else one for one in drawn))
    moments = [_moment(chance, progress) for _ in range(2 if "twice" in about else 1)]
    order = [BEGUN, ANSWERS, *progress]
    moments.sort(key=lambda moment: (order.index(moment[0]), moment[1]))
    blows = tuple(
        Blow(victims, at, count, round(chance.uniform(0, 0.5), 3), round(chance.choice([0, 0, 1, 3, 8]), 1))
        for at, count in moments
    )
    backend = "docker" if Victim.DAEMON in victims else chance.choice(["bubblewrap", "docker"])
    backend = backend if docker else "bubblewrap"
    resume, engine = chance.choice(list(Resume)), chance.choice(["threads", "threads", "processes"])
    return Case(f"{seed}-{number}", backend, blows, resume, engine)


def _moment(chance: random.Random, progress: Mapping[str, int]) -> tuple[str, int]:
    """Any stage as likely as any other."""
    at = chance.choice([BEGUN, *(name for name, count in progress.items() if count)])
    return (at, 0) if at == BEGUN else (at, chance.randint(1, progress[at]))

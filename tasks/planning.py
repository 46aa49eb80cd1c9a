"""Looking ahead: the tasks of a run are walked, and what they would do again is counted instead of done."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NoReturn

from tasks.errors import KodforgeError

READ = ("seeds", "prompts")
"""Stages whose rows need neither a teacher nor a sandbox: their shards are known without being written."""
ASKED = ("questions", "attempts", "solutions")
"""Stages whose work begins with its requests."""


class Planned(KodforgeError):
    """A task would do its work; what depends on that is not known before."""


@dataclass
class StagePlan:
    """What becomes of one stage.

    Attributes:
        kept, again: shards.
        calls: teacher calls of the latter that have no answer yet.
        answered: those that have one.
        unknown: prompts of which it is not known whether their calls are answered.
    """

    kept: int = 0
    again: int = 0
    calls: int = 0
    answered: int = 0
    unknown: int = 0


class Plan:
    """What was found on the way, by stage."""

    def __init__(self) -> None:
        self.stages: defaultdict[str, StagePlan] = defaultdict(StagePlan)
        self._asking = ""

    @property
    def is_open(self) -> bool:
        """Whether something is done again."""
        return any(stage.again for stage in self.stages.values())

    def keep(self, stage: str) -> None:
        """Note a shard that stays as it is."""
        self.stages[stage].kept += 1

    def redo(self, stage: str, work: Callable[[], Any]) -> Any:
        """Note a shard that is done again; what is in it, where that is known.

        Raises:
            Planned: it is not.
        """
        self.stages[stage].again += 1
        self._asking = stage
        if stage in READ:
            return work()
        if stage in ASKED:
            work()  # as far as its first requests
        raise Planned(f"a shard of {stage} is done again")

    def ask(self, keys: Sequence[str], on_disk: Callable[[Sequence[str]], int]) -> NoReturn:
        """Note requests.

        Args:
            on_disk: how many of some keys have their answers there.

        Raises:
            Planned: always.
        """
        distinct = list(dict.fromkeys(keys))
        answered = on_disk(distinct)
        found = self.stages[self._asking]
        found.answered += answered
        found.calls += len(distinct) - answered
        raise Planned(f"{len(distinct)} requests of {self._asking}")


_plan: ContextVar[Plan | None] = ContextVar("plan", default=None)


def plan_in_the_making() -> Plan | None:
    """The plan that is being made; None where work is done."""
    return _plan.get()


@contextmanager
def planning() -> Iterator[Plan]:
    """Make a plan of the tasks that are called meanwhile."""
    plan = Plan()
    token = _plan.set(plan)
    try:
        yield plan
    finally:
        _plan.reset(token)

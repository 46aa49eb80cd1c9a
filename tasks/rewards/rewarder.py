"""Completions to rewards, in the sandbox of this process."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType
from typing import Any

from tasks.errors import BadInput, SandboxUnavailable
from tasks.execution.judges import why_no_judge
from tasks.execution.pool import Look, SandboxPool
from tasks.models import Pair, PairVerdict, Verdict
from tasks.rewards.models import Completion, Reward, RewardRow, read_rows, text_of
from tasks.rewards.reading import program_of
from tasks.rewards.scoring import Mode, RewardSettings, reward_of, reward_without_code
from tasks.settings import TierChoice
from tasks.star_import import with_star_import

_WINDOW = 4
"""Pairs of one batch that are begun or next to be, per slot: what a batch that comes later has to wait for."""
_DEPENDS_ON_LOAD = frozenset({Verdict.TIMEOUT, Verdict.OUT_OF_MEMORY, Verdict.KILLED, Verdict.FLAKY})


@dataclass(frozen=True)
class _Case:
    """A completion to be judged; ``pair`` is None where it holds no code, and ``why`` then says so."""

    key: str = ""
    pair: Pair | None = None
    why: str = ""


class Rewarder:
    """Judges batches of completions. Thread-safe; one per process is enough.

    The same code under the same tests runs once in a batch. With ``settings.cached`` it also need not run again in a
    later one, unless how it came out may depend on how busy the machine was.

    Raises:
        SandboxUnavailable: there is no image to start boxes from. From the methods: the sandbox itself failed, which
            says nothing about any completion; no reward is made up then.
    """

    def __init__(self, settings: RewardSettings = RewardSettings()) -> None:  # noqa: B008 - it is frozen
        self.settings = settings
        self._pool = SandboxPool(settings.sandbox)
        self._threads = ThreadPoolExecutor(settings.sandbox.slots, thread_name_prefix="rewards")
        every_test = settings.every_test or settings.mode is Mode.SHARE
        self._look = Look(reruns=settings.reruns, first_failure=not every_test)
        self._known: OrderedDict[str, Reward] = OrderedDict()
        self._lock = threading.Lock()
        self._closed = False

    def __enter__(self) -> Rewarder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all boxes, after the runs under way. May be called more than once."""
        with self._lock:
            closed, self._closed = self._closed, True
        if not closed:
            self._threads.shutdown(wait=True, cancel_futures=True)
            self._pool.close()

    def reward(self, completions: Sequence[Completion], rows: Sequence[Mapping[str, Any] | RewardRow]) -> list[Reward]:
        """Rewards in the order of the completions.

        Args:
            rows: what judges each completion, one for each: mappings with the fields of ``RewardRow``.

        Raises:
            BadInput: the numbers differ, or a row cannot judge (names its place); nothing has run then.
            SandboxUnavailable: the sandbox failed.
        """
        cases = self._cases(completions, rows)
        found, missing = self._known_of(cases)
        verdicts = self._pool.run_each((pair, self._look) for pair in missing.values())
        for key, verdict in zip(missing, verdicts, strict=True):
            found[key] = self._judged(key, missing[key], verdict)
        return list(self._rewards(cases, found, missing))

    async def areward(
        self, completions: Sequence[Completion], rows: Sequence[Mapping[str, Any] | RewardRow]
    ) -> list[Reward]:
        """``reward`` for an event loop: cancelled, it leaves out what has not begun."""
        loop = asyncio.get_running_loop()
        cases = await loop.run_in_executor(None, self._cases, completions, rows)
        found, missing = self._known_of(cases)
        window = asyncio.Semaphore(_WINDOW * self.settings.sandbox.slots)

        async def judge(key: str, pair: Pair) -> None:
            async with window:
                verdict = await loop.run_in_executor(self._threads, self._pool.run, pair, self._look)
            found[key] = self._judged(key, pair, verdict)

        try:
            async with asyncio.TaskGroup() as group:
                for key, pair in missing.items():
                    group.create_task(judge(key, pair))
        except* SandboxUnavailable as errors:
            raise errors.exceptions[0] from None
        return list(self._rewards(cases, found, missing))

    def check(self, rows: Sequence[Mapping[str, Any] | RewardRow]) -> None:
        """Find out before training whether rows can judge completions; nothing runs.

        Raises:
            BadInput: a row cannot (names its place).
        """
        any_tier = self.settings.sandbox.tier is not TierChoice.ISOLATED
        for place, row in enumerate(read_rows(rows)):
            if row.io:
                continue
            if why := _why_no_judge(_runnable(row.test), row.entry_points, any_tier, _ADVICE):
                raise BadInput(f"row {place} cannot judge a completion: {why}")

    def check_sandbox(self) -> None:
        """Judge a program that must pass and one that must not.

        Raises:
            SandboxUnavailable: the sandbox does not work, or judges wrongly.
        """
        row = {"test": "from solution import double\n\n\ndef test_double():\n    assert double(2) == 4\n"}
        cases = self._cases(["def double(x):\n    return 2 * x", "def double(x):\n    return x"], [row, row])
        found = self._pool.run_all([case.pair for case in cases if case.pair], self._look)
        if [one.verdict for one in found] != [Verdict.PASSED, Verdict.FAILED]:
            raise SandboxUnavailable(
                f"the {self._pool.backend} sandbox gave {found[0].verdict} and {found[1].verdict} where passed and "
                f"failed are right. Do not trust it; run `kodforge doctor`, or choose another sandbox.backend"
            )

    @property
    def sandbox(self) -> str:
        """What judges, in words."""
        return f"{self._pool.backend}, {self._pool.image[:19]}, {self.settings.sandbox.slots} slots"

    def _cases(self, completions: Sequence[Completion], rows: Sequence[Mapping[str, Any] | RewardRow]) -> list[_Case]:
        if len(completions) != len(rows):
            raise BadInput(f"{len(completions)} completions and {len(rows)} rows: give one row for each completion")
        judged_by = read_rows(rows)
        self.check(judged_by)
        return [_case(completion, row) for completion, row in zip(completions, judged_by, strict=True)]

    def _known_of(self, cases: Sequence[_Case]) -> tuple[dict[str, Reward], dict[str, Pair]]:
        """What is known already, and what has to run."""
        pairs = {case.key: case.pair for case in cases if case.pair}
        with self._lock:
            found = {key: self._known[key] for key in pairs if key in self._known}
            for key in found:
                self._known.move_to_end(key)
        return found, {key: pair for key, pair in pairs.items() if key not in found}

    def _judged(self, key: str, pair: Pair, verdict: PairVerdict) -> Reward:
        reward = reward_of(verdict, len(pair.io), self.settings)
        if self.settings.cached and verdict.verdict not in _DEPENDS_ON_LOAD:
            with self._lock:
                self._known[key] = reward
                while len(self._known) > self.settings.cached:
                    self._known.popitem(last=False)
        return reward

    def _rewards(
        self, cases: Sequence[_Case], found: Mapping[str, Reward], ran: Mapping[str, Pair]
    ) -> Iterator[Reward]:
        first = set(ran)
        for case in cases:
            if not case.pair:
                yield reward_without_code(case.why, self.settings)
                continue
            yield found[case.key].model_copy(update={"cached": case.key not in first})
            first.discard(case.key)


def _case(completion: Completion, row: RewardRow) -> _Case:
    program, why = program_of(text_of(completion), row.style, row.question)
    if not program:
        return _Case(why=why)
    pair = Pair(
        id="completion",
        solution=program,
        test=_runnable(row.test) if row.test else "",
        io=list(row.io),
        entry_points=list(row.entry_points),
        files=list(row.files),
    )
    return _Case(hashlib.sha256(f"{row.digest}\n{program}".encode()).hexdigest(), pair)


_runnable = lru_cache(maxsize=4096)(with_star_import)
"""Tests of KodCode often import nothing: they mean whatever the completion defines."""

_why_no_judge = lru_cache(maxsize=4096)(why_no_judge)
_ADVICE = (
    ". Leave out such rows (in a release those whose `lineage.integrity_tier` is not `isolated`), or accept what a "
    "completion could forge: sandbox.tier=auto"
)

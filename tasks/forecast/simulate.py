"""A run, simulated: every shard goes the way of the flows, and waits for what it needs.

Discrete events are the ends of a shard's tasks; what a task asks of a teacher or of the sandbox is drawn and queued
call by call (``Queue``), which costs no event. All workers are alike, and each has its share of what the endpoint
serves.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import numpy as np
import simpy

from tasks.forecast.outcomes import Floats, Tries, pass_rates
from tasks.forecast.queues import Queue
from tasks.forecast.rates import Rates, Whole
from tasks.forecast.work import Account, Shard, Work
from tasks.run import StageName
from tasks.settings import EngineKind, Mending

Steps = Generator[simpy.Event, None, float]
"""What a shard does; returns the rows that come out of it."""


@dataclass
class Phase:
    """A flow of the run.

    Attributes:
        seconds: from its first shard to its last.
        used: share of the time of each resource that was used meanwhile.
        is_whole: one process does it, over all rows.
    """

    name: str
    seconds: float
    used: dict[str, float]
    is_whole: bool = False

    @property
    def bottleneck(self) -> str:
        """What was used most; `latency` where nothing was used by half, so that more shards at once would help."""
        if self.is_whole:
            return "one process"
        most = max(self.used, key=lambda name: self.used[name])
        return most if self.used[most] >= 0.5 else "latency"


@dataclass
class Forecast:
    """What a simulated run took.

    Attributes:
        rows: that are released, held-out ones and other styles included.
        calls, prompt_tokens, completion_tokens: by account.
        usd: None where a price is not known.
        bytes: by what holds them: the store, the answers, the server's database.
    """

    workers: int
    phases: list[Phase] = field(default_factory=list)
    questions: int = 0
    attempts: int = 0
    rows: float = 0.0
    task_runs: int = 0
    calls: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    prompt_tokens: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    completion_tokens: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    usd: float | None = 0.0
    bytes: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    @property
    def seconds(self) -> float:
        return sum(phase.seconds for phase in self.phases)

    @property
    def bottleneck(self) -> str:
        """What holds the run up for most of its time."""
        held: dict[str, float] = defaultdict(float)
        for phase in self.phases:
            held[phase.bottleneck] += phase.seconds
        return max(held, key=lambda name: held[name])


class _Worker:
    """One machine's queues."""

    def __init__(self, work: Work, rates: Rates, workers: int) -> None:
        share = max(1, rates.teacher.streams // workers)
        self.teachers: dict[str, Queue] = {
            key: Queue(min(limits.in_flight, share), limits.per_s and limits.per_s / workers)
            for key, limits in work.endpoints.items()
        }
        self.sandbox = Queue(min(work.slots or rates.worker.cores, rates.worker.cores))
        self.process = Queue(1)  # Python runs one thread at a time


class Simulation:
    """One run on so many workers.

    Args:
        seed: of all that is drawn.
    """

    def __init__(self, work: Work, rates: Rates, workers: int, seed: int) -> None:
        self._work, self._rates = work, rates
        self._draw = np.random.default_rng([seed, workers])
        self._env = simpy.Environment()
        self._machines = [_Worker(work, rates, workers) for _ in range(workers)]
        self._server = Queue(1)
        self._found = Forecast(workers)

    def run(self) -> Forecast:
        """Simulate it to its end."""
        found, shards = self._found, self._work.shards
        found.questions = sum(shard.rows for shard in shards)
        questions: list[Shard] = []
        self._phase("source", self._waves(shards, self._work.waves, questions))
        triplets: list[Shard] = []
        self._phase("verify", self._all(self._verify, questions, triplets))
        solved = sum(shard.rows for shard in triplets)
        self._phase("curate", self._whole(self._rates.curation, solved, self._curating), is_whole=True)
        kept = [Shard(shard.subset, round(shard.rows * self._rates.curation.kept)) for shard in triplets]
        released: list[Shard] = []
        self._phase("post-train", self._all(self._post_train, kept, released))
        found.rows = sum(shard.rows for shard in released)
        self._phase("publish", self._whole(self._rates.publishing, found.rows, 1), is_whole=True)
        found.bytes["server's database"] = found.task_runs * self._rates.server.task_bytes
        return found

    @property
    def _curating(self) -> int:
        """Cores that curation has."""
        everywhere = self._work.engine in (EngineKind.DASK, EngineKind.RAY)
        return self._rates.worker.cores * (len(self._machines) if everywhere else 1)

    def _phase(self, name: str, steps: Generator[simpy.Event, None, None], is_whole: bool = False) -> None:
        started, before = self._env.now, self._busy()
        self._env.run(self._env.process(steps))
        seconds = self._env.now - started
        used = {
            what: (busy - before[what][0]) / (servers * seconds) if seconds else 0.0
            for what, (busy, servers) in self._busy().items()
        }
        self._found.phases.append(Phase(name, seconds, used, is_whole))

    def _busy(self) -> dict[str, tuple[float, int]]:
        """Seconds of service so far, and how many servers there are."""
        teachers = [queue for machine in self._machines for queue in machine.teachers.values() if queue.served]
        queues = {
            "teacher": teachers or [Queue(1)],
            "sandbox": [machine.sandbox for machine in self._machines],
            "worker's process": [machine.process for machine in self._machines],
            "Prefect server": [self._server],
        }
        return {
            what: (sum(one.busy_s for one in some), sum(one.servers for one in some)) for what, some in queues.items()
        }

    def _waves(self, shards: Sequence[Shard], size: int, out: list[Shard]) -> Generator[simpy.Event, None, None]:
        """The shards of each subset in waves, as ``source_questions`` asks them."""
        by_subset: dict[str, list[Shard]] = defaultdict(list)
        for shard in shards:
            by_subset[shard.subset].append(shard)
        cut = [[some[at : at + size] for at in range(0, len(some), size)] for some in by_subset.values()]
        for wave in zip_longest(*cut, fillvalue=()):
            yield from self._all(self._source, [shard for part in wave for shard in part], out)

    def _all(self, steps: Any, shards: Iterable[Shard], out: list[Shard]) -> Generator[simpy.Event, None, None]:
        """So many shards at once as the workers have in flight."""
        free = simpy.Store(self._env)
        free.items.extend(machine for _ in range(self._work.in_flight) for machine in self._machines)

        def one(shard: Shard) -> Generator[simpy.Event, Any, None]:
            machine = yield free.get()
            rows = yield from steps(machine, shard)
            out.append(Shard(shard.subset, round(rows)))
            free.put(machine)

        yield self._env.all_of([self._env.process(one(shard)) for shard in shards])

    def _whole(self, step: Whole, rows: float, cores: int) -> Generator[simpy.Event, None, None]:
        seconds = step.start_s + step.row_s * rows / min(cores, step.most_cores)
        self._machines[0].process.serve(self._env.now, [seconds])
        self._found.bytes["store"] += step.bytes * rows
        yield self._env.timeout(seconds)

    def _source(self, machine: _Worker, shard: Shard) -> Steps:
        for account in self._work.sourcing:
            yield from self._task(machine, StageName.QUESTIONS, 0, account, shard.rows, counted=False)
        yield from self._task(machine, StageName.QUESTIONS, shard.rows)
        return shard.rows * self._rates.stage(StageName.QUESTIONS).kept

    def _verify(self, machine: _Worker, shard: Shard) -> Steps:
        work, effort = self._work, self._work.rules.effort
        if not shard.rows:
            return 0.0
        tries = Tries(pass_rates(self._rates.outcome(shard.subset), shard.rows, self._draw), work.rules, self._draw)
        for asked in tries.rounds():
            self._found.attempts += asked
            yield from self._task(machine, StageName.ATTEMPTS, asked, work.account(StageName.ATTEMPTS), asked)
            yield from self._task(machine, StageName.VERDICTS, asked)
        solved = int((tries.passes > 0).sum())
        if effort.solver_tries:
            calls = solved * effort.solver_tries
            yield from self._task(machine, StageName.SOLUTIONS, calls, work.account(StageName.SOLUTIONS), calls)
        if effort.cross_checks:
            yield from self._task(machine, StageName.CROSSCHECKS, shard.rows)
        if effort.mending is Mending.REWRITE:  # wrong tests are left out without asking anybody
            yield from self._task(machine, StageName.ATTEMPTS, 0, work.account(work.mending), shard.rows)
        if effort.mutants:
            audited = int(np.minimum(tries.passes, effort.candidates).sum())
            yield from self._task(machine, StageName.AUDITS, audited)
        yield from self._task(machine, StageName.TRIPLETS, shard.rows)
        return solved * self._rates.stage(StageName.TRIPLETS).kept

    def _post_train(self, machine: _Worker, shard: Shard) -> Steps:
        work, rows = self._work, float(shard.rows)
        for _ in range(work.styles):
            yield from self._task(
                machine, StageName.CONVERSIONS, shard.rows, work.account(StageName.CONVERSIONS), shard.rows
            )
            yield from self._task(machine, StageName.RETOLD, shard.rows)
            rows += shard.rows * self._rates.stage(StageName.RETOLD).kept
            yield from self._task(machine, StageName.CONVERTED, round(rows) - shard.rows)
        tries = round(rows * (1 - work.held_out) * work.reasoning_tries)
        for account in work.reasoners:
            yield from self._task(machine, StageName.RESPONSES, tries, account, tries)
            yield from self._task(machine, StageName.GRADES, tries)
        yield from self._task(machine, StageName.REFERENCES, shard.rows)
        return rows

    def _task(
        self,
        machine: _Worker,
        stage: StageName,
        rows: int,
        account: Account | None = None,
        asked: int = 0,
        counted: bool = True,
    ) -> Generator[simpy.Event, None, None]:
        """A task run: what it asks, what it runs, and its own work.

        Args:
            rows: that it writes.
            asked: rows that it asks a teacher about.
            counted: whether it is a task run of its own, or a part of one.
        """
        rates, here = self._rates.stage(stage), self._rates.worker
        began = self._env.now
        if counted:
            self._found.task_runs += 1
            yield self._until(self._server.serve(self._env.now, [self._rates.server.task_s]))
        if account is not None and asked:
            yield self._until(self._ask(machine, account, asked))
        if rows and rates.sandbox_s:
            yield self._until(machine.sandbox.serve(self._env.now, self._boxed(rows, stage)))
        own = rates.own_s * rows + (here.task_s if counted else 0.0)
        yield self._until(machine.process.serve(self._env.now, [own]))
        self._found.bytes["store"] += rates.bytes * rows
        # A worker that crashes begins its task again; answers that it had are on disk.
        if self._draw.random() < 1 - math.exp((began - self._env.now) / (3600 * here.hours_between_crashes)):
            again = self._env.now - began if account is None else 0.0
            yield self._env.timeout(here.restart_s + again)

    def _ask(self, machine: _Worker, account: Account, asked: int) -> float:
        """Have a teacher answer; when the last answer is there."""
        calls, teacher = self._rates.calls[account.name], self._rates.teacher
        count = int(self._draw.poisson(calls.per_row * asked)) if calls.per_row % 1 else round(calls.per_row * asked)
        if not count:
            return self._env.now
        tokens = np.minimum(_lognormal(self._draw, calls.completion_tokens, calls.spread, count), account.most_tokens)
        failures = self._draw.geometric(1 - teacher.failed, count) - 1
        seconds = teacher.first_token_s + tokens / teacher.tokens_per_s
        seconds += failures * (teacher.retry_s + teacher.first_token_s)
        found = self._found
        found.calls[account.name] += count
        found.prompt_tokens[account.name] += calls.prompt_tokens * count
        found.completion_tokens[account.name] += float(tokens.sum())
        found.bytes["answers"] += calls.answer_bytes * count
        usd = account.prices.usd(round(calls.prompt_tokens * count), round(float(tokens.sum())))
        found.usd = None if usd is None or found.usd is None else found.usd + usd
        weights: list[float] = []
        if self._work.endpoints[account.endpoint].by_tokens:
            weights = (tokens + calls.prompt_tokens).tolist()
        return machine.teachers[account.endpoint].serve(self._env.now, seconds.tolist(), weights)

    def _boxed(self, rows: int, stage: StageName) -> list[float]:
        rates = self._rates.stage(stage)
        return list(_lognormal(self._draw, rates.sandbox_s, rates.sandbox_spread, rows).tolist())

    def _until(self, at: float) -> simpy.Event:
        return self._env.timeout(max(0.0, at - self._env.now))


def _lognormal(draw: np.random.Generator, mean: float, spread: float, count: int) -> Floats:
    """Draws of a given mean."""
    if not mean:
        return np.zeros(count)
    drawn: Floats = draw.lognormal(math.log(mean) - spread**2 / 2, spread, count)
    return drawn

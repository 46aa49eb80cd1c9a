"""What there is to do in a run, read off its config: shards, and who is asked for what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tasks.labeling.mending import ACCOUNT as MENDING
from tasks.run import StageName
from tasks.settings import BuildConfig, Endpoint, EndpointKind, EngineKind, Prices, Verification
from tasks.sourcing.catalogue import Entry, entry_of
from tasks.sourcing.questions import CONTRACTS, RATINGS


@dataclass(frozen=True)
class Shard:
    """Some rows of a subset."""

    subset: str
    rows: int


@dataclass(frozen=True)
class Limits:
    """How an endpoint may be asked by one process.

    Attributes:
        per_s: requests per second, or tokens where ``by_tokens``; None: as many as it answers.
    """

    in_flight: int
    per_s: float | None = None
    by_tokens: bool = False


@dataclass(frozen=True)
class Account:
    """What a teacher is asked for.

    Attributes:
        name: of its ``Calls``.
        endpoint: who is asked; accounts of one endpoint share its limits.
    """

    name: str
    endpoint: str
    prices: Prices
    most_tokens: int


@dataclass(frozen=True)
class Work:
    """All of a run.

    Attributes:
        in_flight: shards at once on each worker.
        waves: shards of a subset between two looks at its repetitions.
        slots: of the sandbox of one worker; 0: as many as it has cores.
        styles: that rows are told in beside their own.
    """

    shards: list[Shard]
    in_flight: int
    waves: int
    slots: int
    engine: EngineKind
    rules: Verification
    styles: int
    held_out: float
    reasoning_tries: int
    endpoints: dict[str, Limits]
    accounts: dict[str, Account]
    sourcing: list[Account] = field(default_factory=list)
    reasoners: list[Account] = field(default_factory=list)
    mending: str = MENDING

    def account(self, name: str) -> Account:
        return self.accounts[name]


def work_of(config: BuildConfig) -> Work:
    """The work of a config, as large as its subsets are."""
    shards = [shard for subset, options in config.selected.items() for shard in _shards(subset, options.count, config)]
    teachers = config.teachers
    roles = {
        StageName.QUESTIONS: teachers.author,
        RATINGS: teachers.roles.get("rater", teachers.author),
        CONTRACTS: teachers.author,
        StageName.ATTEMPTS: teachers.author,
        StageName.SOLUTIONS: teachers.roles.get("solver", teachers.author),
        MENDING: teachers.author,
        StageName.CONVERSIONS: teachers.roles.get("converter", teachers.author),
    }
    accounts = {str(name): _account(str(name), endpoint) for name, endpoint in roles.items()}
    reasoners = [_account(StageName.RESPONSES, endpoint) for endpoint in teachers.reasoners.values()]
    endpoints = {_key(endpoint): _limits(endpoint) for endpoint in [*roles.values(), *teachers.reasoners.values()]}
    entries = [entry_of(subset) for subset in config.selected]
    return Work(
        shards=shards,
        in_flight=config.shards_in_flight,
        waves=config.diversity.look_every,
        slots=config.sandbox.slots if "slots" in config.sandbox.model_fields_set else 0,
        engine=config.engine.kind,
        rules=config.verification,
        styles=len(config.post_training.styles.into),
        held_out=config.post_training.held_out.share,
        reasoning_tries=config.post_training.reasoning.tries,
        endpoints=endpoints,
        accounts=accounts,
        sourcing=[accounts[name] for name in _asked_in_sourcing(entries, config)],
        reasoners=reasoners,
    )


def _asked_in_sourcing(entries: list[Entry], config: BuildConfig) -> Iterator[str]:
    yield StageName.QUESTIONS
    if any(entry.filters.rated for entry in entries):
        yield RATINGS
    if config.questions.repair:
        yield CONTRACTS


def _shards(subset: str, count: int | None, config: BuildConfig) -> Iterator[Shard]:
    left = count or entry_of(subset).target
    while left > 0:
        yield Shard(subset, min(left, config.shard_size))
        left -= config.shard_size


def _account(name: str, endpoint: Endpoint) -> Account:
    return Account(name, _key(endpoint), endpoint.prices, endpoint.sampling.max_tokens)


def _key(endpoint: Endpoint) -> str:
    return f"{endpoint.base_url} {endpoint.model}"


def _limits(endpoint: Endpoint) -> Limits:
    if endpoint.kind is not EndpointKind.OPENAI:  # it is started with the run, and has no address yet
        return Limits(endpoint.max_in_flight)
    in_flight = sum(route.max_in_flight for route in endpoint.all_routes)
    if tokens := _sum(route.limits.tokens_per_minute for route in endpoint.all_routes):
        return Limits(in_flight, tokens / 60, by_tokens=True)
    requests = _sum(route.limits.requests_per_minute for route in endpoint.all_routes)
    return Limits(in_flight, requests / 60 if requests else None)


def _sum(limits: Iterator[float | None]) -> float | None:
    """Of all routes; None where one has no limit."""
    known = list(limits)
    return None if any(one is None for one in known) else sum(one or 0.0 for one in known)

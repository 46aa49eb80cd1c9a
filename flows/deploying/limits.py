"""The global concurrency limits that the endpoints of profiles name."""

from __future__ import annotations

from collections.abc import Iterable

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.exceptions import ObjectNotFound

from flows.deploying.plan import Action, Step
from flows.deploying.profiles import sections
from tasks.errors import BadInput
from tasks.settings.section import Tree
from tasks.settings.teachers import Server

_USUAL_PER_MINUTE = 600.0


def plan_limits(client: SyncPrefectClient, configs: Iterable[Tree]) -> list[Step]:
    """A global concurrency limit for every name. How high one is that is there already stays as it is.

    Raises:
        BadInput: one is named for a rate and for what is in flight, or is there and of the other kind.
    """
    return [_step(client, name, limit) for name, limit in _named(configs).items()]


def _named(configs: Iterable[Tree]) -> dict[str, GlobalConcurrencyLimitCreate]:
    found: dict[str, GlobalConcurrencyLimitCreate] = {}
    for server in (one for config in configs for one in sections(config) if isinstance(one, Server)):
        limits = server.limits
        per_second = (limits.requests_per_minute or _USUAL_PER_MINUTE) / 60
        for name, limit, decay in (
            (limits.global_in_flight, server.max_in_flight, 0.0),
            (limits.global_rate, max(1, round(per_second)), per_second),
        ):
            if not name:
                continue
            new = GlobalConcurrencyLimitCreate(name=name, limit=limit, slot_decay_per_second=decay)
            if bool(found.get(name, new).slot_decay_per_second) is not bool(decay):
                raise BadInput(
                    f"the Prefect limit {name!r} is named as global_rate and as global_in_flight. Give each its own"
                )
            found.setdefault(name, new)
    return found


def _step(client: SyncPrefectClient, name: str, new: GlobalConcurrencyLimitCreate) -> Step:
    rate = new.slot_decay_per_second
    told = f"{rate:g} requests a second" if rate else f"{new.limit} requests in flight"
    try:
        found = client.read_global_concurrency_limit_by_name(name)
    except ObjectNotFound:
        return Step("concurrency limit", name, Action.CREATE, told, lambda: client.create_global_concurrency_limit(new))
    if bool(found.slot_decay_per_second) is not bool(rate):
        kind = "has no slot decay, which global_rate needs" if rate else "has slot decay: it is for global_rate"
        raise BadInput(
            f"the Prefect global concurrency limit {name!r} {kind}. Name another in the profile, or delete it: "
            f"prefect gcl delete {name}"
        )
    return Step("concurrency limit", name, Action.UNCHANGED, "", lambda: None)

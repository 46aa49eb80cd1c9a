"""``kodforge doctor``: is everything a run needs all right, and what to do where it is not."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import islice

from rich.console import Console

from flows.orchestration.preflight import (
    check_endpoints,
    check_leases,
    check_prefect,
    check_recorder,
    check_sources,
    check_space,
)
from tasks.errors import BadInput, KodforgeError
from tasks.execution.pool import check_sandbox
from tasks.publishing.folder import check_release_free
from tasks.run import answers_path
from tasks.settings import Backend, BuildConfig
from tasks.sourcing.catalogue import read_seeds
from tasks.store import Store
from tasks.teachers.cache import check_cache

_MOST_COUNTED = 10_000
"""Seeds of a subset; to count a million takes minutes."""


def _python(config: BuildConfig) -> str:
    if sys.version_info < (3, 11) or sys.platform != "linux":
        raise BadInput(
            f"Python {sys.version.split()[0]} on {sys.platform}: kodforge needs Python 3.11 or later on Linux"
        )
    return sys.version.split()[0]


def _store(config: BuildConfig) -> str:
    store = Store.of(config)
    store.check_writable()
    check_release_free(config)
    return f"{store.url}, {check_space(config)}"


def _seeds(config: BuildConfig) -> str:
    check_sources(config)
    counts = {}
    for subset, options in config.selected.items():
        found = sum(1 for _ in islice(read_seeds(subset, options.seeds), _MOST_COUNTED + 1))
        counts[subset] = f"{found}" if found <= _MOST_COUNTED else f"more than {_MOST_COUNTED}"
    return ", ".join(f"{subset} {count} seeds" for subset, count in counts.items())


def _answers(config: BuildConfig) -> str:
    place = answers_path(config)
    check_cache(place)
    return place


def _endpoints(config: BuildConfig) -> str:
    check_endpoints(config)
    told = []
    for place, endpoint in config.teachers.roles.items():
        started = f"{endpoint.kind} teacher, started with the run"
        told.append(f"{place} {endpoint.model} at {endpoint.base_url}" if endpoint.base_url else f"{place} {started}")
    return "; ".join(told)


def _bubblewrap(config: BuildConfig) -> str:
    return check_sandbox(config.sandbox.model_copy(update={"backend": Backend.BUBBLEWRAP}))


def _docker(config: BuildConfig) -> str:
    return check_sandbox(config.sandbox.model_copy(update={"backend": Backend.DOCKER}))


def examine(config: BuildConfig, console: Console) -> bool:
    """Run every check and print a line for each.

    Returns:
        Whether a run of this config can start. Of the two sandbox backends only the one that the config uses must
        work: with ``auto`` that is either.
    """
    wanted = config.sandbox.backend
    checks: list[tuple[str, Callable[[BuildConfig], str], bool]] = [
        ("python", _python, True),
        ("prefect", lambda config: check_prefect(), True),
        ("leases", lambda config: check_leases(), False),
        ("task runs", lambda config: check_recorder(), False),
        ("store", _store, True),
        ("answers", _answers, True),
        ("seeds", _seeds, True),
        ("endpoint", _endpoints, True),
        ("bubblewrap", _bubblewrap, wanted is Backend.BUBBLEWRAP),
        ("docker", _docker, wanted is Backend.DOCKER),
    ]
    found: dict[str, bool] = {}
    for name, check, required in checks:
        try:
            console.print(f"[green]ok[/green]    {name}: {check(config)}", highlight=False)
            found[name] = True
        except KodforgeError as error:
            found[name] = False
            mark = "[red]wrong[/red]" if required else "[yellow]none[/yellow] "
            console.print(f"{mark} {name}: ", end="", highlight=False)
            console.print(str(error), markup=False, highlight=False)
    good = all(found[name] for name, _, required in checks if required)
    if wanted is Backend.AUTO and not (found["bubblewrap"] or found["docker"]):
        console.print("[red]wrong[/red] sandbox: neither backend works, and code never runs without one")
        good = False
    return good

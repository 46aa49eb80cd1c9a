"""A forecast in words and tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median

from rich.console import Console, Group, RenderableType
from rich.table import Table

from tasks.forecast.simulate import Forecast
from tasks.teachers.usage import dollars

_HOUR, _DAY = 3600.0, 86_400.0


def span(seconds: float) -> str:
    """A time for people."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 1.5 * _HOUR:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / _HOUR:.1f} h" if seconds < 2 * _DAY else f"{seconds / _DAY:.1f} days"


def size(count: float) -> str:
    """Bytes for people."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def tables(forecasts: Mapping[int, Sequence[Forecast]]) -> RenderableType:
    """What a run would take, for each number of workers.

    Args:
        forecasts: by workers, several with other draws.
    """
    return Group(_totals(forecasts), _phases(forecasts), _teachers(next(iter(forecasts.values()))[0]))


def show(forecasts: Mapping[int, Sequence[Forecast]], console: Console) -> None:
    """Print it."""
    console.print(tables(forecasts))


def _totals(forecasts: Mapping[int, Sequence[Forecast]]) -> Table:
    table = Table(title="The whole run", title_justify="left")
    table.add_column("workers", justify="right")
    for name in ("wall time", "from", "to", "attempts", "rows", "cost", "store", "answers", "server's database"):
        table.add_column(name, justify="right")
    table.add_column("bottleneck")
    for workers, some in forecasts.items():
        middle = _middle(some)
        table.add_row(
            str(workers),
            span(middle.seconds),
            span(min(one.seconds for one in some)),
            span(max(one.seconds for one in some)),
            f"{middle.attempts:,}",
            f"{middle.rows:,.0f}",
            dollars(middle.usd),
            *(size(middle.bytes[what]) for what in ("store", "answers", "server's database")),
            middle.bottleneck,
        )
    return table


def _phases(forecasts: Mapping[int, Sequence[Forecast]]) -> Table:
    table = Table(title="Where the time goes, and what is used most", title_justify="left")
    table.add_column("workers", justify="right")
    table.add_column("flow")
    table.add_column("wall time", justify="right")
    resources = list(next(iter(forecasts.values()))[0].phases[0].used)
    for name in resources:
        table.add_column(name, justify="right")
    table.add_column("bottleneck")
    for workers, some in forecasts.items():
        for phase in _middle(some).phases:
            used = (f"{phase.used[name]:.0%}" for name in resources)
            table.add_row(str(workers), phase.name, span(phase.seconds), *used, phase.bottleneck)
    return table


def _teachers(one: Forecast) -> Table:
    table = Table(title="What the teachers are asked", title_justify="left")
    table.add_column("account")
    for name in ("calls", "prompt tokens", "completion tokens"):
        table.add_column(name, justify="right")
    for account, calls in one.calls.items():
        tokens = (one.prompt_tokens[account], one.completion_tokens[account])
        table.add_row(account, f"{calls:,}", *(f"{count:,.0f}" for count in tokens))
    return table


def _middle(some: Sequence[Forecast]) -> Forecast:
    """The one whose time is the median."""
    key: Callable[[Forecast], float] = lambda one: abs(one.seconds - median(each.seconds for each in some))  # noqa: E731
    return min(some, key=key)

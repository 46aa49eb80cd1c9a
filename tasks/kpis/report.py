"""Numbers for people: in Markdown, and as tables for the terminal and for Prefect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tasks.kpis.comparing import Met, Move, moves, targets
from tasks.kpis.figures import Figure, RunKpis
from tasks.settings.kpis import KpiName, Target
from tasks.teachers.usage import dollars

Unit = Literal["share", "points", "number", "tokens", "usd", "s", "h"]


@dataclass(frozen=True)
class Meaning:
    """What a number is."""

    title: str
    unit: Unit = "share"


MEANINGS: Mapping[KpiName, Meaning] = {
    KpiName.YIELD: Meaning("Questions that are released"),
    KpiName.TRAIN_YIELD: Meaning("Questions that are released without caution"),
    KpiName.VERIFIED: Meaning("Questions that are verified"),
    KpiName.ATTEMPTS_PASSED: Meaning("Attempts that pass"),
    KpiName.CONVERTED: Meaning("Conversions to another style that are verified"),
    KpiName.TOKENS_PER_ROW: Meaning("Tokens per released row", "tokens"),
    KpiName.USD_PER_ROW: Meaning("Cost per released row", "usd"),
    KpiName.SANDBOX_S_PER_ROW: Meaning("Sandbox time per released row", "s"),
    KpiName.HOURS: Meaning("From the first shard to the last", "h"),
    KpiName.MUTATION_SCORE: Meaning("Mutants that the tests catch"),
    KpiName.BRANCH_COVERAGE: Meaning("Branches that the tests cover"),
    KpiName.ASSERTS_PER_TEST: Meaning("Asserts that can fail, per test", "number"),
    KpiName.FLAKY: Meaning("Passes that are flaky"),
    KpiName.DUPLICATES: Meaning("Verified questions that are duplicates"),
    KpiName.CONTAMINATED: Meaning("Verified questions that overlap with benchmarks"),
    KpiName.UNSAFE: Meaning("Verified questions of doubtful content"),
    KpiName.EASY: Meaning("Verified questions that are easy"),
    KpiName.MEDIUM: Meaning("Verified questions of medium difficulty"),
    KpiName.HARD: Meaning("Verified questions that are hard"),
    KpiName.SOLVER_PASSED: Meaning("Tries of the solver that pass"),
    KpiName.SOLVER_AGREEMENT: Meaning("Author's and solver's difficulty agree (kappa)", "number"),
    KpiName.RESPONSES_PASSED: Meaning("Tries of reasoning models that pass"),
    KpiName.ROWS_ANSWERED: Meaning("Rows that a reasoning model has solved"),
    KpiName.GAIN: Meaning("Gain on evaluations by training on it", "points"),
}
_BEYOND = {"chance": "no", "moved": "yes", "perhaps": "perhaps", "counted": ""}


def told(value: float | None, unit: Unit) -> str:
    """A value for people; empty where there is none."""
    if value is None:
        return ""
    match unit:
        case "share":
            return f"{value:.1%}"
        case "points":
            return f"{100 * value:+.1f} pp"
        case "tokens":
            return f"{value:,.0f}"
        case "usd":
            return dollars(value)
        case "s" | "h":
            return f"{value:,.2f} {unit}"
        case _:
            return f"{value:.2f}"


def _interval(figure: Figure, unit: Unit) -> str:
    return f"{told(figure.low, unit)} to {told(figure.high, unit)}" if figure.low is not None else ""


def value_rows(kpis: RunKpis, met: Sequence[Met]) -> list[dict[str, Any]]:
    """One row per number: value, interval, what it was measured on, target."""
    outcomes = {one.name: one for one in met}
    rows = []
    for one in kpis.kpis:
        meaning, target = MEANINGS[one.name], outcomes.get(one.name)
        rows.append(
            {
                "kpi": one.name.value,
                "what": meaning.title,
                "value": told(one.figure.value, meaning.unit) or "not measured",
                "interval of 95 %": _interval(one.figure, meaning.unit),
                "of": f"{one.figure.count:,}" if one.figure.count else "",
                "target": _target(target.target, meaning.unit) if target else "",
                "outcome": _outcome(target) if target else "",
            }
        )
    return rows


def _target(target: Target, unit: Unit) -> str:
    bounds = (("at least", target.at_least), ("at most", target.at_most))
    return ", ".join(f"{name} {told(bound, unit)}" for name, bound in bounds if bound is not None)


def _outcome(met: Met) -> str:
    return met.outcome if met.sure or met.outcome == "not measured" else f"{met.outcome}, within chance"


def move_rows(later: RunKpis, earlier: RunKpis) -> list[dict[str, Any]]:
    """One row per number that both runs have: values, change, whether it is beyond chance."""
    return [_move(one) for one in moves(later, earlier)]


def _move(one: Move) -> dict[str, Any]:
    meaning = MEANINGS[one.name]
    change: Unit = "points" if meaning.unit in ("share", "points") else meaning.unit
    difference = one.difference
    return {
        "kpi": one.name.value,
        "before": told(one.earlier, meaning.unit),
        "now": told(one.later, meaning.unit),
        "change": _signed(one.later - one.earlier, change),
        "interval of 95 %": f"{_signed(difference.low, change)} to {_signed(difference.high, change)}"
        if difference
        else "",
        "beyond chance": _BEYOND[one.told],
    }


def _signed(value: float, unit: Unit) -> str:
    text = told(abs(value), unit).lstrip("+")
    return f"{'-' if value < 0 else '+'}{text}"


def subset_rows(kpis: RunKpis) -> list[dict[str, Any]]:
    """One row per subset and a column per number that is told apart by subset."""
    split = [one for one in kpis.kpis if one.subsets]
    subsets = sorted({subset for one in split for subset in one.subsets})
    return [
        {
            "subset": subset,
            **{one.name.value: told(one.subsets.get(subset, Figure()).value, MEANINGS[one.name].unit) for one in split},
        }
        for subset in subsets
    ]


def kpi_report(runs: Sequence[RunKpis], wanted: dict[KpiName, Target]) -> str:
    """The last run's numbers and targets, what moved since each run before it, and its subsets, in Markdown."""
    last = runs[-1]
    parts = [f"# Run {last.run}", _markdown(value_rows(last, targets(last, wanted)))]
    for earlier in runs[-2::-1]:
        parts += [f"## Against run {earlier.run}", _markdown(move_rows(last, earlier)), HOW_IT_IS_TOLD]
    if by_subset := subset_rows(last):
        parts += ["## By subset", _markdown(_turned(by_subset))]
    return "\n\n".join(parts) + "\n"


HOW_IT_IS_TOLD = (
    "`yes`: beyond chance at 5 %, all numbers of the table taken into account (Holm's method). `perhaps`: beyond "
    "chance for a number that is looked at alone. Where nothing is said the number is counted, not sampled. Shares "
    "change by percentage points (pp)."
)


def _turned(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row per number and a column per subset."""
    names = [name for name in rows[0] if name != "subset"]
    return [{"kpi": name, **{str(row["subset"]): row[name] for row in rows}} for name in names]


def _markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return "Nothing that both have."
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    return "\n".join(f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in line)} |" for line in lines)

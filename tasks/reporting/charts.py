"""The charts of a report, as Vega-Lite. What is in them is told by a table, too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import altair as alt

from tasks.kpis.figures import RunKpis
from tasks.kpis.report import MEANINGS, told
from tasks.models import Difficulty
from tasks.publishing.summary import FAIL, NOT_PROVEN, FunnelRow
from tasks.reporting.figures import Bin, DifficultyShare, Distribution, PassRate, TaskTime
from tasks.reporting.questions_map import QuestionsMap
from tasks.settings.kpis import KpiName
from tasks.teachers.usage import Usage

PALETTE = (
    "#2a6fb5", "#c2571a", "#1b8a5a", "#8a5cc4", "#c93f5b", "#17879c", "#857412", "#767676", "#b8519a", "#956436",
    "#4f8036",
)  # fmt: skip
"""Each stands out from the paper of both colour schemes by a contrast of 3 at least."""
OF_DIFFICULTY = {
    Difficulty.EASY.value: "#4a93d9",
    Difficulty.MEDIUM.value: "#2f66b0",
    Difficulty.HARD.value: "#dd6a1f",
    NOT_PROVEN: "#8a5cc4",
    FAIL: "#707070",
}
"""Told apart by those who see no red or no green: two blues of unlike brightness, orange, violet, grey."""
KEPT, LEFT = "#2a6fb5", "#dd6a1f"
_BAR = 20
"""Pixels of a bar and the gap below it."""
COLOURINGS = ("subset", "difficulty")
"""What the map can be coloured by; the first to begin with."""


@dataclass(frozen=True)
class Chart:
    """One chart.

    Attributes:
        description: what a reader who does not see it is told.
    """

    name: str
    title: str
    description: str
    spec: dict[str, Any]


_SHARE = alt.Axis(format="%", tickCount=5)
_MOST_TICKS = 6


def _counts(most: int) -> alt.Axis:
    """An axis of whole numbers up to about this one, without ticks between them."""
    return alt.Axis(format="~s", tickMinStep=1, tickCount=max(1, min(_MOST_TICKS, most)))


def _data(rows: Sequence[dict[str, Any]]) -> alt.Data:
    return alt.Data(values=list(rows))  # type: ignore[no-untyped-call]


def _chart(name: str, title: str, description: str, drawn: Any, height: int, columns: int = 2) -> Chart:
    shaped = drawn.properties(width="container", height=height, description=f"{title}. {description}")
    shaped = shaped.configure(
        background="transparent",
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
        axis=alt.AxisConfig(labelLimit=150, titleFontWeight="normal", labelFontSize=12, titleFontSize=12),
        legend=alt.LegendConfig(orient="top", columns=columns, title=None, labelLimit=110, labelFontSize=12),
        view=alt.ViewConfig(stroke=None),
        font="system-ui, sans-serif",
    )
    return Chart(name, title, description, shaped.to_dict())


def funnel_chart(rows: Sequence[FunnelRow]) -> Chart:
    """What goes on and what leaves, stage by stage."""
    data = [
        {"stage": row.stage, "unit": row.unit, "outcome": outcome, "rows": count}
        for row in rows
        for outcome, count in (("goes on", row.rows_out), ("rejected", row.rejected))
    ]
    drawn = (
        alt.Chart(_data(data))
        .mark_bar()
        .encode(
            y=alt.Y("stage:N", sort=[row.stage for row in rows], title=None),
            x=alt.X("rows:Q", title="rows", axis=_counts(max(row.rows_in for row in rows))),
            color=alt.Color("outcome:N", scale=alt.Scale(domain=["goes on", "rejected"], range=[KEPT, LEFT])),
            tooltip=["stage:N", "unit:N", "outcome:N", "rows:Q"],
        )
    )
    out = {row.stage: row.rows_out for row in rows}
    asked, verified, kept = (f"{out.get(stage, 0):,}" for stage in ("questions", "triplets", "curated"))
    story = f"{asked} questions, {verified} verified, {kept} kept by curation."
    return _chart("funnel", "Rows by stage", story, drawn, _height(len(rows)))


def reasons_chart(rows: Sequence[FunnelRow]) -> Chart:
    """Rejects by stage and reason."""
    data = [
        {"stage": row.stage, "reason": reason, "what": f"{row.stage}: {reason}", "rows": count}
        for row in rows
        for reason, count in row.reasons.items()
    ]
    drawn = _bars(data, "what", LEFT, ["stage:N", "reason:N", "rows:Q"])
    story = _most({f"{row.stage}: {why}": count for row in rows for why, count in row.reasons.items()}, "rejects")
    return _chart("reasons", "Rejects by reason", story, drawn, _height(len(data)))


def _bars(data: Sequence[dict[str, Any]], label: str, colour: str, tooltip: Sequence[str]) -> Any:
    return (
        alt.Chart(_data(data))
        .mark_bar(color=colour)
        .encode(
            y=alt.Y(f"{label}:N", sort=None, title=None, axis=alt.Axis(labelLimit=190)),
            x=alt.X("rows:Q", title="rows", axis=_counts(max(row["rows"] for row in data))),
            tooltip=list(tooltip),
        )
    )


def _height(bars: int) -> int:
    return max(2, bars) * _BAR


def passes_chart(rates: Sequence[PassRate]) -> Chart:
    """pass@k over k, a line per subset; the interval is drawn for the first of them."""
    subsets = list(dict.fromkeys(rate.subset for rate in rates))
    ks = alt.Axis(values=sorted({rate.k for rate in rates}), format="d", labelOverlap=True)
    by_k = alt.Chart(_data([asdict(rate) for rate in rates])).encode(
        x=alt.X("k:Q", title="k attempts", axis=ks, scale=alt.Scale(nice=False))
    )
    band = (
        by_k.transform_filter(alt.datum.subset == subsets[0])
        .mark_area(opacity=0.2, color=PALETTE[0])
        .encode(y=alt.Y("low:Q", title="pass@k"), y2="high:Q")
    )
    colours = alt.Scale(domain=subsets, range=_cycled(PALETTE, subsets))
    base = by_k.encode(color=alt.Color("subset:N", sort=subsets, scale=colours))
    y = alt.Y("value:Q", title="pass@k", axis=_SHARE, scale=alt.Scale(domain=[0, 1]))
    dashes = [[1, 0], [6, 3], [2, 2]]
    lines = base.mark_line(strokeWidth=2).encode(
        y=y,
        strokeDash=alt.StrokeDash(
            "subset:N", sort=subsets, scale=alt.Scale(domain=subsets, range=_cycled(dashes, subsets))
        ),
    )
    tooltip = [
        alt.Tooltip("subset:N"),
        alt.Tooltip("k:Q"),
        alt.Tooltip("value:Q", format=".1%", title="pass@k"),
        alt.Tooltip("low:Q", format=".1%"),
        alt.Tooltip("high:Q", format=".1%"),
        alt.Tooltip("questions:Q"),
    ]
    points = base.mark_point(filled=True, size=50, opacity=1).encode(y=y, tooltip=tooltip)
    last = next(rate for rate in reversed(rates) if rate.subset == subsets[0])
    told_of = f"pass@{last.k} of {subsets[0]} is {last.value:.0%}."
    return _chart("passes", "pass@k by subset", told_of, band + lines + points, 280)


def _cycled(values: Sequence[Any], names: Sequence[str]) -> list[Any]:
    """One value for each name, from the first again where there are more names."""
    return [values[number % len(values)] for number in range(len(names))]


def difficulty_chart(shares: Sequence[DifficultyShare]) -> Chart:
    """The labels of each subset, KodCode's below."""
    levels, colours = list(OF_DIFFICULTY), list(OF_DIFFICULTY.values())
    data = [
        {
            **asdict(share),
            "bar": share.subset if share.whose == "this run" else f"{share.subset}, {share.whose}",
            "order": levels.index(share.difficulty),
        }
        for share in shares
    ]
    bars = list(dict.fromkeys(row["bar"] for row in data))
    drawn = (
        alt.Chart(_data(data))
        .mark_bar()
        .encode(
            y=alt.Y("bar:N", sort=bars, title=None, axis=alt.Axis(labelLimit=190)),
            x=alt.X("share:Q", stack="zero", title="share of questions", axis=_SHARE, scale=alt.Scale(domainMax=1)),
            color=alt.Color("difficulty:N", sort=levels, scale=alt.Scale(domain=levels, range=colours)),
            order=alt.Order("order:Q"),
            tooltip=["subset:N", "whose:N", "difficulty:N", alt.Tooltip("share:Q", format=".1%"), "questions:Q"],
        )
    )
    story = "Of KodCode's subsets its own shares stand below those of this run."
    return _chart("difficulty", "Difficulty by subset", story, drawn, _height(len(bars)))


def verdicts_chart(rows: Sequence[dict[str, Any]]) -> Chart:
    """Attempts by verdict.

    Args:
        rows: `subset`, `verdict`, `attempts`.
    """
    verdicts = list(dict.fromkeys(row["verdict"] for row in rows))
    subsets = list(dict.fromkeys(row["subset"] for row in rows))
    drawn = (
        alt.Chart(_data(rows))
        .mark_bar()
        .encode(
            y=alt.Y("subset:N", sort=subsets, title=None),
            x=alt.X("attempts:Q", stack="normalize", title="share of attempts", axis=_SHARE),
            color=alt.Color("verdict:N", sort=verdicts, scale=alt.Scale(domain=verdicts, range=list(PALETTE))),
            tooltip=["subset:N", "verdict:N", "attempts:Q"],
        )
    )
    sums = {verdict: sum(row["attempts"] for row in rows if row["verdict"] == verdict) for verdict in verdicts}
    return _chart("verdicts", "Verdicts by subset", _most(sums, "attempts"), drawn, _height(len(subsets)))


def _most(sums: Mapping[str, float], of: str) -> str:
    """What a chart of parts shows, for who does not see it: the largest ones with their shares."""
    every = sum(sums.values())
    largest = sorted(sums.items(), key=lambda one: -one[1])[:3]
    shares = ", ".join(f"{name} {value / every:.0%}" for name, value in largest if value)
    return f"Of {every:,.0f} {of}: {shares}." if every else ""


def distribution_chart(one: Distribution, is_share: bool) -> Chart:
    """How many questions have which value."""
    data = [{**asdict(part), "value": _bounds(part, is_share)} for part in one.bins]
    axis = alt.Axis(format="%", tickCount=5) if is_share else alt.Axis(tickMinStep=1, format="d")
    high = 1 if is_share else len(one.bins)
    drawn = (
        alt.Chart(_data(data if is_share else [{**part, "high": part["low"] + 1} for part in data]))
        .transform_filter("datum.rows > 0")
        .mark_bar(color=KEPT)
        .encode(
            x=alt.X("low:Q", bin="binned", title=None, axis=axis, scale=alt.Scale(domain=[0, high])),
            x2="high:Q",
            y=alt.Y("rows:Q", title="questions", axis=_counts(min(4, max(part["rows"] for part in data)))),
            tooltip=[alt.Tooltip("value:N", title="value"), alt.Tooltip("rows:Q", title="questions")],
        )
    )
    words = "" if one.median is None else f"Median {one.median:.0%}." if is_share else f"Median {one.median:g}."
    if not is_share and _is_open(one.bins[-1]):
        words += f" The last bar stands for {_bounds(one.bins[-1], is_share)}."
    return _chart(f"distribution-{one.name}", one.title, words, drawn, 140)


def _bounds(part: Bin, is_share: bool) -> str:
    if is_share:
        return f"{part.low:.0%} to {part.high:.0%}"
    return f"{part.low:g} and more" if _is_open(part) else f"{part.low:g}"


def _is_open(part: Bin) -> bool:
    """Whether a bin of numbers holds more than one of them."""
    return part.high > part.low + 1


def tokens_chart(rows: Sequence[Usage]) -> Chart:
    """Tokens by what they were asked for."""
    sums: dict[tuple[str, str], int] = {}
    for row in rows:
        for kind, count in (("prompt", row.prompt_tokens), ("completion", row.completion_tokens)):
            sums[row.stage, kind] = sums.get((row.stage, kind), 0) + count
    data = [{"stage": stage, "kind": kind, "tokens": count} for (stage, kind), count in sums.items()]
    stages = list(dict.fromkeys(row["stage"] for row in data))
    drawn = (
        alt.Chart(_data(data))
        .mark_bar()
        .encode(
            y=alt.Y("stage:N", sort="-x", title=None),
            x=alt.X("tokens:Q", title="tokens", axis=_counts(sum(sums.values()))),
            color=alt.Color("kind:N", scale=alt.Scale(domain=["prompt", "completion"], range=[KEPT, LEFT])),
            tooltip=["stage:N", "kind:N", "tokens:Q"],
        )
    )
    return _chart("tokens", "Tokens by stage", f"{sum(sums.values()):,} in all.", drawn, _height(len(stages)))


def times_chart(tasks: Sequence[TaskTime]) -> Chart:
    """Seconds by task and what they were spent on."""
    names = {"teacher": "teachers", "sandbox": "sandbox", "own": "own work"}
    data = [
        {"task": one.task, "spent": kind, "seconds": round(getattr(one, name), 1)}
        for one in tasks
        for name, kind in names.items()
    ]
    kinds = list(names.values())
    drawn = (
        alt.Chart(_data(data))
        .mark_bar()
        .encode(
            y=alt.Y("task:N", sort="-x", title=None),
            x=alt.X("seconds:Q", title="seconds, all runs of the task", axis=_counts(_MOST_TICKS)),
            color=alt.Color("spent:N", sort=kinds, scale=alt.Scale(domain=kinds, range=list(PALETTE[:3]))),
            tooltip=["task:N", "spent:N", "seconds:Q"],
        )
    )
    sums: dict[str, float] = {}
    for row in data:
        sums[row["task"]] = sums.get(row["task"], 0) + row["seconds"]
    return _chart("times", "Time by task", _most(sums, "seconds"), drawn, _height(len(tasks)))


def counts_chart(name: str, title: str, label: str, counts: Sequence[tuple[str, int]], description: str = "") -> Chart:
    """Rows by something.

    Args:
        description: how many rows there are, unless it is the sum, because one is told under several.
    """
    data = [{label: what, "rows": rows} for what, rows in counts]
    drawn = _bars(data, label, KEPT, [f"{label}:N", "rows:Q"])
    return _chart(name, title, description or f"{sum(rows for _, rows in counts):,} rows.", drawn, _height(len(data)))


def map_chart(found: QuestionsMap) -> Chart:
    """Questions on a plane. Its parameter ``colouring`` says what colours them."""
    colouring = alt.param("colouring", value=COLOURINGS[0])
    data = [asdict(point) for point in found.points]
    drawn = (
        alt.Chart(_data(data))
        .transform_calculate(group="colouring == 'subset' ? datum.subset : datum.difficulty")
        .mark_point(filled=True, size=36, opacity=1, aria=False)
        .encode(
            x=alt.X("x:Q", axis=None, scale=alt.Scale(domain=[-1.05, 1.05])),
            y=alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[-1.05, 1.05])),
            color=alt.Color("group:N", scale=alt.Scale(range=list(PALETTE))),
            shape=alt.Shape("group:N", scale=alt.Scale(range=["circle", "square", "triangle-up", "diamond", "cross"])),
            tooltip=["question_id:N", "subset:N", "difficulty:N", "question:N"],
        )
        .add_params(colouring)
    )
    return _chart("map", "Map of questions", f"{len(found.points):,} questions.", drawn, 440)


TRENDS = (
    KpiName.YIELD,
    KpiName.ATTEMPTS_PASSED,
    KpiName.MUTATION_SCORE,
    KpiName.BRANCH_COVERAGE,
    KpiName.DUPLICATES,
    KpiName.HARD,
    KpiName.TOKENS_PER_ROW,
    KpiName.USD_PER_ROW,
)
"""Numbers that are drawn over runs; the table has them all."""


def trend_chart(name: KpiName, runs: Sequence[RunKpis]) -> Chart | None:
    """One number over runs, with its interval; None where less than two of them have it."""
    figures = [(run.run, run.of(name).figure) for run in runs]
    data = [
        {"run": run, "value": figure.value, "low": figure.low, "high": figure.high}
        for run, figure in figures
        if figure.value is not None
    ]
    if len(data) < 2:
        return None
    meaning = MEANINGS[name]
    format_ = "%" if meaning.unit == "share" else "~s"
    base = alt.Chart(_data(data)).encode(
        x=alt.X("run:N", sort=None, title=None, axis=alt.Axis(labelAngle=-30, labelLimit=130, labelOverlap=True))
    )
    y = alt.Y("value:Q", title=None, axis=alt.Axis(format=format_, tickCount=4))
    rules = base.mark_rule(color=KEPT).encode(y=alt.Y("low:Q", title=None), y2="high:Q")
    line = base.mark_line(color=KEPT, point=alt.OverlayMarkDef(color=KEPT, size=50, filled=True)).encode(
        y=y, tooltip=["run:N", alt.Tooltip("value:Q", format=".1%" if format_ == "%" else ",.4~f")]
    )
    drawn = rules + line if any(row["low"] is not None for row in data) else line
    known = [figure.value for _, figure in figures if figure.value is not None]
    story = f"{len(data)} runs, from {told(known[0], meaning.unit)} to {told(known[-1], meaning.unit)}."
    return _chart(f"trend-{name.value}", meaning.title, story, drawn, 140)

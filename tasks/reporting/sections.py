"""A report cut into sections: a sentence on what each means, charts, and the same as tables."""

from __future__ import annotations

from tasks.kpis.report import HOW_IT_IS_TOLD, MEANINGS, move_rows, told, value_rows
from tasks.models import Verdict
from tasks.publishing.summary import FAIL, NOT_PROVEN
from tasks.reporting import charts, of_curation, of_release
from tasks.reporting.figures import ALL, Figures
from tasks.reporting.questions_map import QuestionsMap
from tasks.reporting.samples import Samples
from tasks.reporting.section import Cell, SampleGroup, Section, Table, rounded
from tasks.settings.kpis import KpiName
from tasks.teachers.usage import RunUsage, Usage, dollars

NO_TIMES = (
    "Not known: Prefect's server was away when the build ended. A build asks it at its end, and keeps the answer in "
    "times.json of the run."
)


def sections_of(figures: Figures, found: QuestionsMap, samples: Samples) -> list[Section]:
    """All of them, in the order of the page."""
    return [
        _funnel(figures),
        of_release.released(figures),
        _passes(figures),
        _difficulty(figures),
        _verdicts(figures),
        _tests(figures),
        _tokens(figures),
        _time(figures),
        of_curation.duplicates(figures),
        of_curation.contamination(figures),
        of_curation.questions(found),
        of_curation.licences(figures),
        _trends(figures),
        _samples(samples),
    ]


def _funnel(figures: Figures) -> Section:
    rows = figures.summary.funnel
    reasons = [
        (row.stage, row.unit, reason, count)
        for row in rows
        for reason, count in sorted(row.reasons.items(), key=lambda one: -one[1])
    ]
    return Section(
        "funnel",
        "From seeds to release",
        "Every row that comes into a stage goes on or is rejected with a reason. A row is a seed, then a question, an "
        "attempt at it, and so on; from triplets on it is a verified question.",
        charts=[charts.funnel_chart(rows), *([charts.reasons_chart(rows)] if reasons else [])],
        tables=[
            Table(
                "Rows by stage",
                ("stage", "a row is a", "in", "out", "rejected"),
                [(row.stage, row.unit, row.rows_in, row.rows_out, row.rejected) for row in rows],
            ),
            Table("Rejects by reason", ("stage", "a row is a", "reason", "rejected"), reasons),
        ],
    )


def _passes(figures: Figures) -> Section:
    shown = [rate for rate in figures.passes if rate.subset == ALL] or figures.passes
    notes = [f"The band is the interval of 95 % for {shown[0].subset}."] if shown else ["No attempt was judged."]
    if figures.stops_early:
        notes.append(
            "A question whose label was settled got no further attempt. How many it got depends on how they went, so "
            "the curve is biased where attempts differ."
        )
    return Section(
        "passes",
        "pass@k of the author",
        "The probability that at least one of k attempts passes its own tests in the sandbox, averaged over questions "
        "(unbiased estimator, arXiv 2107.03374). It is told for the k that nine of ten questions have attempts for.",
        notes=notes,
        charts=[charts.passes_chart(figures.passes)] if figures.passes else [],
        tables=[
            Table(
                "pass@k",
                ("subset", "k", "pass@k", "from", "to", "questions"),
                [
                    (one.subset, one.k, _share(one.value), _share(one.low), _share(one.high), one.questions)
                    for one in figures.passes
                ],
            )
        ],
    )


def _difficulty(figures: Figures) -> Section:
    notes = []
    if figures.summary.agreement and figures.summary.agreement.kappa is not None:
        agreement = figures.summary.agreement
        notes.append(
            f"An independent solver's label agrees with the author's with Cohen's kappa {agreement.kappa:.2f} over "
            f"{agreement.rows:,} questions."
        )
    return Section(
        "difficulty",
        "Difficulty by subset",
        "The label goes by the share of the author's attempts that pass: easy above 2/3, hard below 1/3, fail where "
        "none does. Unproven are questions whose attempts pass, but whose tests prove too little, which KodCode does "
        "not ask; questions whose teacher was not to be had are left out. Before curation. Beside it what KodCode "
        "reports (arXiv 2503.02951, table 2).",
        notes=notes,
        charts=[charts.difficulty_chart(figures.difficulties)] if figures.difficulties else [],
        tables=[
            Table(
                "Difficulty",
                ("subset", "whose", "difficulty", "share", "questions"),
                [
                    (one.subset, one.whose, one.difficulty, _share(one.share), one.questions)
                    for one in figures.difficulties
                ],
            )
        ],
    )


def _verdicts(figures: Figures) -> Section:
    names = [verdict.value for verdict in Verdict if verdict.value in figures.verdicts.columns]
    found = figures.verdicts[names]
    rows = [
        {"subset": str(subset), "verdict": str(verdict), "attempts": int(count)}
        for subset, counts in found.iterrows()
        for verdict, count in counts.items()
    ]
    return Section(
        "verdicts",
        "Verdicts by subset",
        "What the sandbox found of each attempt, mended tests included. Only passed is a pass; replies without a "
        "solution and tests have no verdict and are among the rejects of the stage attempts.",
        charts=[charts.verdicts_chart(rows)] if rows else [],
        tables=[
            Table(
                "Attempts by verdict",
                ("subset", *names),
                [
                    (str(subset), *(int(count) for count in counts))
                    for subset, counts in zip(found.index, found.to_numpy(), strict=True)
                ],
            )
        ],
    )


def _tests(figures: Figures) -> Section:
    notes = [
        f"{one.title}: of {one.unmeasured:,} questions it was not measured."
        for one in figures.distributions
        if one.unmeasured
    ]
    told_of = [
        (
            one.title,
            one.measured,
            *(None if value is None else round(value, 3) for value in (one.mean, one.median)),
        )
        for one in figures.distributions
    ]
    checks = [
        (row.check.replace("_", " "), row.measured, rounded(row.low), rounded(row.median), row.caution)
        for row in figures.summary.checks
    ]
    bins = [(one.title, part.low, part.high, part.rows) for one in figures.distributions for part in one.bins]
    return Section(
        "tests",
        "What the tests prove",
        "How the chosen tests of verified questions spread: what they run of the solution, how many small changes of "
        "it they notice, how many they are. A bar reaches from its lower bound to below its upper one.",
        notes=notes,
        charts=[charts.distribution_chart(one, one.name != "tests") for one in figures.distributions if one.measured],
        tables=[
            Table("In short", ("of the chosen tests", "measured", "mean", "median"), told_of, is_open=True),
            Table("Checks", ("check", "measured", "lowest tenth", "median", "cautions"), checks),
            Table("Questions by value", ("of the chosen tests", "from", "to below", "questions"), bins),
        ],
    )


def _tokens(figures: Figures) -> Section:
    usage, rows = figures.usage, sum(figures.summary.splits.values())
    each = usage.per(rows)
    notes = (
        [f"For each of the {rows:,} released rows of all styles: {each[0]:,.0f} tokens, cost {dollars(each[1])}."]
        if each
        else []
    )
    if usage.total.estimated:
        notes.append(f"{usage.total.estimated:,} calls came without credible token counts; theirs are estimates.")
    if usage.total.cached:
        notes.append(f"{usage.total.cached:,} calls were answered from disk and cost nothing.")
    if not usage.rows:
        notes.append("No call is booked on this run: its file of answers is elsewhere.")
    subsets = figures.kpis.of(KpiName.TOKENS_PER_ROW).subsets
    costs = figures.kpis.of(KpiName.USD_PER_ROW).subsets
    return Section(
        "tokens",
        "Tokens and cost",
        "What the teachers took, by what they were asked for. A cost is unknown where a price is; it is not guessed.",
        notes=notes,
        charts=[charts.tokens_chart(usage.rows)] if usage.rows else [],
        tables=[
            Table(
                "By stage",
                ("stage", "calls", "prompt tokens", "completion tokens", "cost", "cost for each released row"),
                _by_stage(usage, rows),
                is_open=True,
            ),
            Table(
                "By stage and subset",
                ("stage", "subset", "calls", "from disk", "prompt tokens", "completion tokens", "cost"),
                [
                    (
                        one.stage,
                        one.subset,
                        one.calls,
                        one.cached,
                        one.prompt_tokens,
                        one.completion_tokens,
                        dollars(one.usd),
                    )
                    for one in [*usage.rows, usage.total]
                ],
            ),
            Table(
                "For each released question",
                ("subset", "questions", "tokens", "cost"),
                [
                    (name, one.count, told(one.value, "tokens"), dollars(costs[name].value if name in costs else None))
                    for name, one in subsets.items()
                ],
            ),
        ],
    )


def _by_stage(usage: RunUsage, released: int) -> list[tuple[Cell, ...]]:
    """Sums of each stage, and of all; a cost is unknown where a part of it is."""
    stages: dict[str, list[Usage]] = {}
    for row in usage.rows:
        stages.setdefault(row.stage, []).append(row)
    found: list[tuple[Cell, ...]] = []
    for name, rows in [*stages.items(), *([("all", [usage.total])] if stages else [])]:
        costs = [one.usd for one in rows if one.usd is not None]
        usd = sum(costs) if len(costs) == len(rows) else None
        each = usd / released if usd is not None and released else None
        sums = (sum(getattr(one, what) for one in rows) for what in ("calls", "prompt_tokens", "completion_tokens"))
        found.append((name, *sums, dollars(usd), dollars(each)))
    return found


def _time(figures: Figures) -> Section:
    tasks = figures.times.tasks if figures.times else []
    names = ("task", "runs", "done before", "retries", "failed", "seconds", "teachers", "sandbox", "own work")
    return Section(
        "time",
        "Where the time went",
        "Seconds of all runs of a task, which run side by side: waiting for teachers, in the sandbox, and its own "
        "work. All builds of this run are added up; those that were stopped or failed have told nothing.",
        notes=[] if tasks else [NO_TIMES],
        charts=[charts.times_chart(tasks)] if tasks else [],
        tables=[
            Table(
                "By task",
                names,
                [
                    (
                        one.task,
                        one.runs,
                        one.reused,
                        one.retries,
                        one.failed,
                        *(
                            round(part, 1)
                            for part in (one.teacher + one.sandbox + one.own, one.teacher, one.sandbox, one.own)
                        ),
                    )
                    for one in tasks
                ],
            )
        ],
    )


def _trends(figures: Figures) -> Section:
    runs = figures.trend
    place = next((number for number, one in enumerate(runs) if one.run == figures.run), len(runs) - 1)
    drawn = [chart for name in charts.TRENDS if (chart := charts.trend_chart(name, runs))]
    values = [
        (
            MEANINGS[one.name].title,
            *(told(run.of(one.name).figure.value, MEANINGS[one.name].unit) or "not measured" for run in runs),
        )
        for one in figures.kpis.kpis
    ]
    tables = [Table("All numbers by run", ("number", *(run.run for run in runs)), values)]
    if place:
        moved = move_rows(figures.kpis, runs[place - 1])
        if moved:
            names = list(moved[0])
            tables.append(Table(f"Since run {runs[place - 1].run}", names, [list(row.values()) for row in moved]))
    intervals = [
        (row["what"], row["value"], row["interval of 95 %"], row["of"]) for row in value_rows(figures.kpis, [])
    ]
    tables.append(Table("This run's numbers", ("number", "value", "interval of 95 %", "measured on"), intervals))
    return Section(
        "trends",
        "Run against run",
        "The numbers that a team decides on, over the runs of this store that have them. Lines through the points are "
        "intervals of 95 %; where intervals overlap widely, a difference may be chance.",
        notes=[HOW_IT_IS_TOLD.replace("`", "")] if place else ["No earlier run of this store has its numbers yet."],
        charts=drawn,
        tables=tables,
    )


def _samples(samples: Samples) -> Section:
    groups = {
        "Hardest": samples.hardest,
        "Dearest": samples.dearest,
        "In use_with_caution": samples.doubtful,
        "Least verified": samples.weakest,
    }
    return Section(
        "samples",
        "Rows worth a look",
        "Released rows at the ends of the scales, and one rejected row for each stage and reason with its evidence. "
        "kodforge inspect ID shows all that is known of one.",
        samples=[SampleGroup(title, rows) for title, rows in groups.items() if rows],
        rejected=samples.rejected,
    )


_HEADLINE = (
    KpiName.YIELD,
    KpiName.ATTEMPTS_PASSED,
    KpiName.MUTATION_SCORE,
    KpiName.TOKENS_PER_ROW,
    KpiName.USD_PER_ROW,
)


def headline(figures: Figures) -> list[tuple[str, str]]:
    """What comes first: a few numbers with their names."""
    rows = [("Released rows, all styles", f"{sum(figures.summary.splits.values()):,}")]
    shown = [(MEANINGS[name], figures.kpis.of(name).figure.value) for name in _HEADLINE]
    # A row that is told in several styles is one question.
    rows += [
        (
            meaning.title.replace("released row", "released question"),
            dollars(value) if meaning.unit == "usd" else told(value, meaning.unit),
        )
        for meaning, value in shown
        if value is not None or meaning.unit == "usd"
    ]
    failed = figures.summary.difficulty
    rows.append(("Questions that no attempt solved", f"{int(failed[FAIL].sum()):,}"))
    rows.append(("Questions solved, but not proven", f"{int(failed[NOT_PROVEN].sum()):,}"))
    return rows


def _share(value: float) -> str:
    return f"{value:.1%}"

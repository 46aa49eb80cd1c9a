"""A result, a comparison or a check as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tasks.evaluation.checking import BenchmarkCheck
from tasks.evaluation.comparison import Comparison, Difference
from tasks.models.scores import Estimate, EvaluationResult
from tasks.syntax import printable
from tasks.teachers.usage import dollars

_METHODS = {
    "wilson": "Wilson's over the items",
    "bootstrap": "the percentiles of a bootstrap over the items",
}
_MOST_SHOWN = 50


def report_of(result: EvaluationResult, comparison: Comparison | None = None) -> str:
    """Scores with their intervals, what samples came to, what was left out, and how it was asked."""
    asked = result.asked
    parts = [
        f"# {_cell(asked.model)} on {_cell(result.benchmark)}",
        _warnings(result),
        _table(["", "items", "estimate", "interval of 95 %"], map(score_row, result.scores)),
        _how_sure(result),
    ]
    if result.groups:
        ks = [one.k for one in result.scores]
        heads = ["", "", "items", *(f"pass@{k}" for k in ks)]
        rows = (
            [group.by, _cell(group.name) or "none told", str(group.items), *_by_k(group.scores, ks)]
            for group in result.groups
        )
        parts += ["## By kind", _table(heads, rows)]
    total = sum(result.outcomes.values())
    outcomes = ([name.replace("_", " "), str(n), f"{n / total:.1%}"] for name, n in result.outcomes.items())
    parts += ["## What the samples came to", _table(["", "samples", "share"], outcomes) if total else "No sample."]
    if result.left_out:
        left = ([reason.replace("_", " "), str(len(ids)), _ids(ids)] for reason, ids in result.left_out.items())
        parts += ["## Items left out", _table(["reason", "items", ""], left)]
    if comparison:
        parts.append(comparison_report(comparison))
    parts += ["## How it was asked", _how(result)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _warnings(result: EvaluationResult) -> str:
    told = []
    if result.not_asked:
        told.append(
            f"**Not complete**: {_samples(result.not_asked)} without an answer, as the budget ended or the endpoint "
            f"failed. Run it again to ask for these only."
        )
    if result.cut_off:
        told.append(
            f"{result.cut_off} answers were cut off at {result.asked.sampling['max_tokens']:.0f} tokens, and count as "
            f"they are."
        )
    if result.shared:
        told.append(f"{result.shared} passes ran in one process with their tests, where forging is harder to rule out.")
    return "\n\n".join(told)


def score_row(one: Estimate) -> list[str]:
    """pass@k, items, estimate and interval as texts."""
    return [f"pass@{one.k}", str(one.items), f"{one.value:.1%}", f"{one.low:.1%} to {one.high:.1%}"]


def _by_k(scores: Sequence[Estimate], ks: Sequence[int]) -> list[str]:
    found = {one.k: one for one in scores}
    return [f"{found[k].value:.1%} ({found[k].low:.1%} to {found[k].high:.1%})" if k in found else "" for k in ks]


def _how_sure(result: EvaluationResult) -> str:
    methods = sorted({one.method for one in result.scores})
    if not methods:
        return "No item has enough samples for an estimate."
    return (
        f"Estimates are unbiased (Chen et al. 2021, arXiv 2107.03374). Intervals are "
        f"{' or '.join(_METHODS[one] for one in methods)}: they say how far another draw of such items could be off."
    )


def comparison_report(comparison: Comparison) -> str:
    """What changed against another result, and whether it is more than noise."""
    heads = ["", "then", "now", "difference", "interval of 95 %", "p", "gained", "lost", ""]
    rows = (_difference_row(one) for one in comparison.differences)
    told = [
        f"## Against {_cell(comparison.against)}",
        f"{comparison.same} items with equal content, each compared with itself.",
        _table(heads, rows) if comparison.differences else "No k was estimated in both.",
        "\n".join(f"- {conclusion(one)}" for one in comparison.differences),
    ]
    if comparison.changed:
        told.append(f"Not compared, as their content changed: {_ids(comparison.changed)}.")
    if comparison.only_one:
        told.append(f"Not compared, as one result alone has them: {comparison.only_one} items.")
    if comparison.asked_otherwise:
        told.append("They were not asked or judged alike: " + "; ".join(map(_cell, comparison.asked_otherwise)) + ".")
    return "\n\n".join(part for part in told if part)


def _difference_row(one: Difference) -> list[str]:
    return [
        f"pass@{one.k}",
        f"{one.earlier:.1%}",
        f"{one.later:.1%}",
        f"{100 * one.difference:+.1f} points",
        f"{100 * one.low:+.1f} to {100 * one.high:+.1f}",
        f"{one.p:.3f}",
        str(one.gained),
        str(one.lost),
        "within noise" if one.within_noise else "more than noise",
    ]


def conclusion(one: Difference) -> str:
    """A difference in one sentence."""
    if one.within_noise:
        return f"pass@{one.k}: the difference of {100 * one.difference:+.1f} points may well be chance (p {one.p:.2f})."
    way = "better" if one.difference > 0 else "worse"
    return f"pass@{one.k} is {way} by {abs(100 * one.difference):.1f} points (p {one.p:.3f})."


def _how(result: EvaluationResult) -> str:
    asked, spent = result.asked, result.spent
    sampling = ", ".join(f"{name} {value:g}" for name, value in asked.sampling.items())
    lines = [
        f"- model `{_cell(asked.model)}`, by {asked.asking}, {_samples(asked.samples)} per item, {sampling}, "
        f"first seed {asked.seed}",
        f"- prompts: {', '.join(f'`{one}`' for one in asked.templates) or 'the items themselves'}",
        f"- system message: {_cell(asked.system)}" if asked.system else "",
        f"- sandbox: {asked.backend}, `{asked.image}`" if asked.image else "",
        f"- tokens: {spent.prompt_tokens:,} of prompts, {spent.completion_tokens:,} of completions, cost "
        f"{dollars(spent.usd)}",
    ]
    return "\n".join(line for line in lines if line)


def _samples(count: int) -> str:
    return "1 sample" if count == 1 else f"{count} samples"


def check_report(check: BenchmarkCheck) -> str:
    """Which items of a benchmark cannot be trusted."""
    parts = [
        f"# Check of {_cell(check.benchmark)}",
        f"{check.passed} of {check.items} canonical solutions pass.",
    ]
    if check.broken:
        rows = ([_cell(name), _cell(why)] for name, why in list(check.broken.items())[:_MOST_SHOWN])
        parts += ["## Broken: their own solution does not pass", _table(["item", "why"], rows)]
    if check.vacuous:
        weak = list(check.vacuous.items())[:_MOST_SHOWN]
        rows = ([_cell(name), ", ".join(map(_cell, which))] for name, which in weak)
        parts += ["## Weak: their tests pass a stub too", _table(["item", "a function that"], rows)]
    if check.without_solution:
        parts.append(f"Without a canonical solution, and not checked: {_ids(check.without_solution)}.")
    parts += [f"Left out ({reason.replace('_', ' ')}): {_ids(ids)}." for reason, ids in check.left_out.items()]
    return "\n\n".join(parts) + "\n"


def _ids(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - _MOST_SHOWN} more" if len(ids) > _MOST_SHOWN else ""
    return ", ".join(map(_cell, ids[:_MOST_SHOWN])) + more


def _cell(text: str) -> str:
    """A text within a table: on one line, without what would end a cell."""
    return printable(" ".join(text.split())).replace("|", "\\|")[:300]


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])

"""What a run would cost, before it runs: a dry pass that renders prompts and asks nobody.

The prompts of the questions are rendered from the real seeds. Those of the attempts need questions that do not exist
yet. Their length, and that of every reply, is taken from earlier calls of the same stage and model in the file of
answers; where there are none, from assumptions that the estimate names.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import islice
from typing import Any

from rich.console import Console
from rich.table import Table

from tasks.acceptance import expected_attempts
from tasks.errors import BadInput
from tasks.labeling.mending import ACCOUNT as MENDING
from tasks.labeling.mending import TEMPLATE as REWRITE
from tasks.models import SeedGroup
from tasks.responses.asking import TEMPLATES
from tasks.run import Run, StageName
from tasks.settings import BuildConfig, Category, Mending, Role
from tasks.sourcing.catalogue import entry_of
from tasks.sourcing.groups import seed_groups
from tasks.sourcing.questions import CONTRACT, CONTRACTS, RATE, RATINGS, question_request
from tasks.sourcing.spool import spooled
from tasks.sourcing.stage import screened
from tasks.teachers.cache import open_cache
from tasks.teachers.prompts import chat, fitting
from tasks.teachers.requests import estimated_tokens
from tasks.teachers.stage import SOLVER, TEMPLATE
from tasks.teachers.usage import dollars

_SAMPLE = 200
"""Prompts rendered per subset; the rest are taken to be like them."""
_MOST_SEEDS = 10_000
"""Seeds of a subset that its prompts are drawn from; a run draws from all."""
_ASSUMED_REPLY: dict[str, int] = {
    StageName.QUESTIONS: 600,
    RATINGS: 60,
    CONTRACTS: 60,
    StageName.ATTEMPTS: 1500,
    StageName.SOLUTIONS: 700,
    MENDING: 1000,
    StageName.CONVERSIONS: 800,
    StageName.RESPONSES: 6000,
}
_ASSUMED_QUESTION = 250
_SOLUTION, _PAIR = 500, 1500
"""A solution, and one with its tests, in a prompt."""
_ASSUMED_SOLVED = 0.655
"""KodCode's pass@10: the share of questions that an attempt passes."""
_ASSUMED_CONVERTED = 0.6
"""Of the rows, those that KodCode could tell in another style: 168,000 of 279,000."""
_ASSUMED_MENDED = 0.05
"""Questions whose tests are written anew."""
_TYPICAL = 0.75
"""Tokens of a text, of those that ``estimated_tokens`` says at most."""


@dataclass(frozen=True)
class StageEstimate:
    """Calls and tokens of one stage: what is expected, and the most that can come."""

    stage: str
    role: str
    calls: int
    most_calls: int
    prompt_tokens: int
    completion_tokens: int
    most_tokens: int
    usd: float | None
    most_usd: float | None
    basis: str


def estimate_run(config: BuildConfig) -> list[StageEstimate]:
    """Estimate each stage that asks a teacher.

    Raises:
        BadInput: seeds or the file of answers cannot be read.
    """
    run = Run(config=config, teachers=config.teachers)
    prompts: dict[Role, int] = defaultdict(int)
    counts: dict[Role, int] = defaultdict(int)
    rated = open_ = 0
    for subset, options in config.selected.items():
        entry = entry_of(subset)
        count = options.count or entry.target
        lengths = [estimated_tokens(question_request(group, run).text()) for group in _some_prompts(run, subset)]
        prompts[entry.role] += sum(lengths) * count // len(lengths)
        counts[entry.role] += count
        rated += count if entry.filters.rated else 0
        open_ += count if entry.opens_turn else 0
    total = sum(counts.values())
    stages = [_stage(run, StageName.QUESTIONS, role, counts[role], counts[role], prompts[role]) for role in counts]
    if rated:
        stages.append(_stage(run, RATINGS, Role.RATER, rated, rated, rated * _template_tokens(RATE)))
    if config.questions.repair:
        stages.append(_stage(run, CONTRACTS, Role.AUTHOR, open_, total, total * _template_tokens(CONTRACT)))
    most = total * config.verification.attempts
    good = total * _share_of_good_questions(run)
    expected = round(good * expected_attempts(config.verification))
    template = fitting(TEMPLATE, config.teachers.prompts)
    stages.append(_stage(run, StageName.ATTEMPTS, Role.AUTHOR, expected, most, most * _template_tokens(template)))
    effort = config.verification.effort
    if effort.solver_tries:
        tries, most = round(good * _ASSUMED_SOLVED * effort.solver_tries), total * effort.solver_tries
        stages.append(_stage(run, StageName.SOLUTIONS, Role.SOLVER, tries, most, most * _template_tokens(SOLVER)))
    if effort.mending is Mending.REWRITE:
        rewrites = round(good * _ASSUMED_MENDED)
        stages.append(_stage(run, MENDING, Role.AUTHOR, rewrites, total, total * (_template_tokens(REWRITE) + _PAIR)))
    return stages + _post_training(run, total, good * _ASSUMED_SOLVED)


def _post_training(run: Run, most: int, expected: float) -> list[StageEstimate]:
    """Args:
    most, expected: rows that come out of verification.
    """
    rules, prompts, stages = run.config.post_training, run.config.teachers.prompts, []
    rows, styles = _rows_out(run, run.last_stage, expected), rules.styles.into
    if styles:
        calls, most_calls = round(rows * len(styles)), most * len(styles)
        prompt = most * sum(_template_tokens(fitting(style, prompts)) + _SOLUTION for style in styles)
        stages.append(_stage(run, StageName.CONVERSIONS, Role.CONVERTER, calls, most_calls, prompt))
    retold = rows * len(styles) * _ASSUMED_CONVERTED
    tries, kinds = rules.reasoning.tries, 1 + len(styles)
    asked = (rows + _rows_out(run, StageName.CONVERTED, retold)) * (1 - rules.held_out.share)
    for name in run.teachers.reasoners:
        calls, most_calls = round(asked * tries), most * kinds * tries
        prompt = max(map(_template_tokens, set(TEMPLATES.values())))
        role = f"reasoners.{name}"
        stages.append(_stage(run, StageName.RESPONSES, role, calls, most_calls, most_calls * prompt))
    return stages


def _rows_out(run: Run, stage: StageName, expected: float) -> float:
    """Rows that a stage gave when the run was made last; those that are expected where it never was."""
    manifest = run.stage(stage).manifest()
    return float(manifest["rows_out"]) if manifest and manifest["rows_in"] else expected


def _some_prompts(run: Run, subset: str) -> list[SeedGroup]:
    """Prompts of a subset, drawn as the run would draw them."""
    entry, options = entry_of(subset), run.config.subsets[subset]
    with spooled() as spool:
        for _ in islice(screened(run, subset, spool), _MOST_SEEDS):
            pass
        if not len(spool):
            raise BadInput(f"subset {subset}: none of its first {_MOST_SEEDS} seeds may be used. Run it to see why")
        some = min(options.count or entry.target, _SAMPLE)
        return list(seed_groups(subset, entry, spool, some, run.config.diversity.max_topic_share, run.config.seed))


def _share_of_good_questions(run: Run) -> float:
    """Of the prompts, those that gave a question when the run was sourced last; all of them where it never was."""
    manifest = run.stage(StageName.QUESTIONS).manifest()
    return manifest["rows_out"] / manifest["rows_in"] if manifest and manifest["rows_in"] else 1.0


def _template_tokens(template: str) -> int:
    """Of a prompt around a question, the question included."""
    nothing: dict[str, Any] = dict.fromkeys(("question", "solution", "test", "abstain"), "")
    messages = chat(template, libraries=[], categories=list(Category), wrong=[], names=[], inputs=0, **nothing)
    return estimated_tokens("".join(content for _, content in messages)) + _ASSUMED_QUESTION


def _stage(run: Run, stage: str, role: str, calls: int, most_calls: int, most_prompt: int) -> StageEstimate:
    """Args:
    role: place of the endpoint in `teachers`; where there is none, the author is asked.
    most_prompt: tokens of all prompts of ``most_calls``, rather too many.
    """
    teacher = run.teachers.roles.get(role, run.teachers.author)
    known = open_cache(run.cache_path).averages(teacher.model).get(str(stage))
    if known:
        prompt, completion = round(calls * known.prompt_tokens), round(calls * known.completion_tokens)
        basis = f"mean of {known.calls} earlier calls"
    else:
        prompt = round(most_prompt * _TYPICAL * calls / most_calls)
        reply = min(teacher.sampling.max_tokens, _ASSUMED_REPLY[stage])
        completion, basis = calls * reply, f"assumed: replies of {reply} tokens"
    most_completion = most_calls * teacher.sampling.max_tokens
    return StageEstimate(
        stage=str(stage),
        role=str(role),
        calls=calls,
        most_calls=most_calls,
        prompt_tokens=prompt,
        completion_tokens=completion,
        most_tokens=most_prompt + most_completion,
        usd=teacher.prices.usd(prompt, completion),
        most_usd=teacher.prices.usd(most_prompt, most_completion),
        basis=basis,
    )


def show_estimate(config: BuildConfig, console: Console) -> None:
    """Print the estimate of a run."""
    stages = estimate_run(config)
    table = Table(title=f"Estimate for run {config.run!r}: nothing was asked", title_justify="left")
    for name in (
        "stage",
        "role",
        "calls",
        "prompt tokens",
        "completion tokens",
        "expected cost",
        "most tokens",
        "at most",
    ):
        table.add_column(name, justify="left" if name in ("stage", "role") else "right")
    table.add_column("basis")
    for one in stages:
        table.add_row(
            one.stage,
            one.role,
            f"{one.calls:,}",
            f"{one.prompt_tokens:,}",
            f"{one.completion_tokens:,}",
            dollars(one.usd),
            f"{one.most_tokens:,}",
            dollars(one.most_usd),
            one.basis,
        )
    console.print(table)
    costs = [(one.usd, one.most_usd) for one in stages]
    if any(usd is None for usd, _ in costs):
        unpriced = sorted({one.role for one in stages if one.usd is None and one.role in config.teachers.roles})
        names = ", ".join(f"teachers.{role}.prices.input and .output" for role in unpriced or [Role.AUTHOR])
        console.print(
            f"The cost is unknown: set {names}, USD per million tokens.",
            highlight=False,
            soft_wrap=True,
        )
        return
    expected, most = sum(usd or 0 for usd, _ in costs), sum(usd or 0 for _, usd in costs)
    cap = config.budget.usd
    console.print(
        f"expected {dollars(expected)}, at most {dollars(most)}; "
        + (f"the run stops at its budget of {dollars(cap)}" if cap is not None else "no budget is set (budget.usd)"),
        highlight=False,
        soft_wrap=True,
    )

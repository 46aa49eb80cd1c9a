"""What a run would cost, before it runs: a dry pass that renders prompts and asks nobody.

The prompts of the questions are rendered from the real seeds. Those of the attempts need questions that do not exist
yet. Their length, and that of every reply, is taken from earlier calls of the same stage and model in the file of
answers; where there are none, from assumptions that the estimate names.
"""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from tasks.run import Run, StageName
from tasks.settings import BuildConfig, Verification
from tasks.sourcing.catalogue import CATALOGUE, read_seeds
from tasks.sourcing.groups import seed_groups
from tasks.sourcing.questions import question_request
from tasks.teachers.cache import ResponseCache
from tasks.teachers.prompts import chat, fitting
from tasks.teachers.requests import estimated_tokens
from tasks.teachers.stage import TEMPLATE
from tasks.teachers.usage import dollars

_SAMPLE = 200
"""Prompts rendered per subset; the rest are taken to be like them."""
_ASSUMED_REPLY = {StageName.QUESTIONS: 600, StageName.ATTEMPTS: 1500}
_ASSUMED_QUESTION = 250
_ASSUMED_PASS_RATE = 0.42
"""KodCode's pass@1."""
_TYPICAL = 0.75
"""Tokens of a text, of those that ``estimated_tokens`` says at most."""


@dataclass(frozen=True)
class StageEstimate:
    """Calls and tokens of one stage: what is expected, and the most that can come."""

    stage: str
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
    prompts = count = 0
    for subset, options in config.selected.items():
        seeds = read_seeds(subset, options.seeds)
        some = min(options.count, _SAMPLE)
        groups = seed_groups(subset, seeds, some, CATALOGUE[subset].seeds_per_prompt, config.seed)
        lengths = [estimated_tokens(question_request(group, run).text()) for group in groups]
        prompts += sum(lengths) * options.count // len(lengths)
        count += options.count
    questions = _stage(run, StageName.QUESTIONS, count, count, prompts)
    template = fitting(TEMPLATE, config.teachers.prompts)
    empty = estimated_tokens("".join(content for _, content in chat(template, question="", libraries=[])))
    most = count * config.verification.attempts
    expected = round(count * _expected_attempts(config.verification))
    attempts = _stage(run, StageName.ATTEMPTS, expected, most, most * (empty + _ASSUMED_QUESTION))
    return [questions, attempts]


def _expected_attempts(rules: Verification) -> float:
    if rules.stop_after_passes is None:
        return rules.attempts
    return min(rules.attempts, rules.stop_after_passes / _ASSUMED_PASS_RATE)


def _stage(run: Run, stage: StageName, calls: int, most_calls: int, most_prompt: int) -> StageEstimate:
    """Args:
    most_prompt: tokens of all prompts of ``most_calls``, rather too many.
    """
    author = run.teachers.author
    known = ResponseCache(run.cache_path).averages(author.model).get(stage.value)
    if known:
        prompt, completion = round(calls * known.prompt_tokens), round(calls * known.completion_tokens)
        basis = f"mean of {known.calls} earlier calls"
    else:
        prompt = round(most_prompt * _TYPICAL * calls / most_calls)
        reply = min(author.sampling.max_tokens, _ASSUMED_REPLY[stage])
        completion, basis = calls * reply, f"assumed: replies of {reply} tokens"
    most_completion = most_calls * author.sampling.max_tokens
    return StageEstimate(
        stage=stage.value,
        calls=calls,
        most_calls=most_calls,
        prompt_tokens=prompt,
        completion_tokens=completion,
        most_tokens=most_prompt + most_completion,
        usd=author.prices.usd(prompt, completion),
        most_usd=author.prices.usd(most_prompt, most_completion),
        basis=basis,
    )


def show_estimate(config: BuildConfig, console: Console) -> None:
    """Print the estimate of a run."""
    stages = estimate_run(config)
    table = Table(title=f"Estimate for run {config.run!r}: nothing was asked", title_justify="left")
    for name in ("stage", "calls", "prompt tokens", "completion tokens", "expected cost", "most tokens", "at most"):
        table.add_column(name, justify="left" if name == "stage" else "right")
    table.add_column("basis")
    for one in stages:
        table.add_row(
            one.stage,
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
        console.print(
            "The cost is unknown: set teachers.author.prices.input and .output, USD per million tokens.",
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

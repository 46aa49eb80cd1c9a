"""``kodforge evaluate``: the config of its arguments, and the report on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console
from rich.markdown import Markdown

from flows.console import wait_until_recorded
from flows.evaluate import check_benchmark, check_benchmark_check, check_evaluation, evaluate
from flows.options import describe, with_overrides
from tasks.errors import BadInput
from tasks.evaluation.comparison import compare
from tasks.evaluation.report import check_report, report_of
from tasks.evaluation.result import read_result
from tasks.settings import EvaluationConfig


def evaluation_config(profile: str, given: Mapping[str, object], sets: list[str]) -> EvaluationConfig:
    """The config of arguments and overrides.

    Args:
        given: values of the section `evaluation`; None where one is left to the profile.

    Raises:
        BadInput: an override is malformed, or a value is out of bounds (each is named with its value).
    """
    named = {name: value for name, value in given.items() if value is not None}
    try:
        return EvaluationConfig(**with_overrides({"profile": profile, "evaluation": named}, sets))
    except ValidationError as error:
        raise BadInput(describe(error)) from error
    except ValueError as error:
        raise BadInput(str(error)) from error


def run_evaluation(
    config: EvaluationConfig,
    out: Path | None,
    report: Path | None,
    against: Path | None,
    feedback: Path | None,
    console: Console,
) -> None:
    """Evaluate, and show the report."""
    check_evaluation(config, out, report, against, feedback)
    try:
        result = evaluate(config, out, report, against, feedback)
    finally:
        wait_until_recorded()
    comparison = compare(result, read_result(against), config.seed) if against else None
    console.print(Markdown(report_of(result, comparison)))
    places = {"result": out, "report": report, "failures": feedback}
    if told := ", ".join(f"{name} in {path}" for name, path in places.items() if path):
        console.print(told, highlight=False, soft_wrap=True)


def run_check(config: EvaluationConfig, out: Path | None, report: Path | None, console: Console) -> bool:
    """Check a benchmark, and show the report; whether all its items are sound."""
    check_benchmark_check(config, out, report)
    try:
        found = check_benchmark(config, out, report)
    finally:
        wait_until_recorded()
    console.print(Markdown(check_report(found)))
    return found.sound

"""A model on a benchmark: ``kodforge evaluate`` as a flow, and the check of a benchmark without a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.logging import get_run_logger
from pydantic import ValidationError
from rich.console import Console
from rich.markdown import Markdown

from flows.console.options import describe, with_overrides
from flows.console.runs import wait_until_recorded
from flows.orchestration.chains import Chain, run_chains
from flows.orchestration.hooks import flow
from flows.orchestration.preflight import check_prefect, reach
from flows.orchestration.progress import stage_progress
from tasks.artifacts import Receipt
from tasks.errors import BadInput
from tasks.evaluation.checking import BenchmarkCheck, CheckedItem, check_of
from tasks.evaluation.comparison import Comparison, check_comparable, compare
from tasks.evaluation.feedback import check_feedback, write_feedback
from tasks.evaluation.items import fed_back_ids, read_items
from tasks.evaluation.report import check_report, report_of
from tasks.evaluation.result import read_result, result_of
from tasks.evaluation.stage import (
    ANSWERS,
    CHECKS,
    ROLE,
    VERDICTS,
    EvaluationRun,
    answer_items,
    check_items,
    judge_answers,
    write_items,
)
from tasks.execution.pool import check_sandbox
from tasks.files import check_suffix
from tasks.lease import WAIT_S, one_writer
from tasks.models.scores import EvaluationResult
from tasks.run import answers_path
from tasks.settings import EvaluationConfig, Teachers
from tasks.store import Store
from tasks.teachers.cache import open_cache
from tasks.teachers.endpoints import managed


def check_evaluation(
    config: EvaluationConfig,
    out: Path | None = None,
    report: Path | None = None,
    against: Path | None = None,
    feedback: Path | None = None,
) -> None:
    """Check all that an evaluation needs; arguments as of ``evaluate``.

    Raises:
        BadInput: a setting, an item, the earlier result, the store or a place to write to is wrong, or what would be
            fed back must not be.
        TeacherMisconfigured: the endpoint refuses the key.
        TeacherUnavailable: the endpoint cannot be reached.
        SandboxUnavailable: no answer can be judged on this machine.
    """
    evaluation, model = config.evaluation, config.evaluation.model
    earlier = read_result(against) if against else None
    if feedback:
        check_suffix(feedback)
    if earlier or feedback:
        items = list(read_items(evaluation))
        if earlier:
            check_comparable(items, earlier)
        if feedback:
            check_feedback(evaluation, items)
    fed_back_ids(evaluation.fed_back)
    next(read_items(evaluation))
    if model is None:
        raise BadInput(
            "evaluation.model is missing: there is nobody to ask. Give an OpenAI-compatible endpoint, as in "
            "--set evaluation.model.base_url=https://host/v1 --set evaluation.model.model=my-model, or --check to "
            "check the benchmark without one"
        )
    _check_places(config, out, report, feedback)
    open_cache(answers_path(config))
    reach(model, ROLE)
    check_sandbox(config.sandbox)


def check_benchmark_check(config: EvaluationConfig, out: Path | None = None, report: Path | None = None) -> None:
    """Check all that the check of a benchmark needs.

    Raises:
        BadInput: the first item, the store or a place to write to is wrong.
        SandboxUnavailable: nothing can be judged on this machine.
    """
    next(read_items(config.evaluation))
    _check_places(config, out, report)
    check_sandbox(config.sandbox)


def _check_places(config: EvaluationConfig, *written: Path | None) -> None:
    check_prefect()
    for path in filter(None, written):
        Store(str(path.parent)).check_writable()
    Store.of(config).check_writable()


@flow(name="evaluate", flow_run_name="evaluate {config.title}")
def evaluate(
    config: EvaluationConfig,
    out: Path | None = None,
    report: Path | None = None,
    against: Path | None = None,
    feedback: Path | None = None,
) -> EvaluationResult:
    """Ask a model for answers to the items of a benchmark, run them, and estimate pass@k.

    Running it again with the same config resumes: finished shards are skipped, and no call that was answered is paid
    for again.

    Args:
        config: benchmark, model, samples, limits.
        out: JSON file for the result.
        report: Markdown file for the report.
        against: the JSON file of an earlier result to compare with.
        feedback: Parquet or JSONL file for what was answered wrongly, as seeds of the subset Feedback; for items of
            one's own only.
    """
    check_evaluation(config, out, report, against, feedback)
    model = config.evaluation.model
    assert model is not None
    with _alone(config):
        shards = write_items(EvaluationRun(config=config))
        with managed(Teachers(author=model)) as teachers:
            run = EvaluationRun(config=config, model=teachers.author)

            def chain(shard: Receipt) -> Chain[Receipt]:
                answers = yield answer_items.submit(run, shard)
                yield judge_answers.submit(run, shard, answers)

            _run_all(run, shards, chain, (ANSWERS, VERDICTS))
        result = result_of(config, run.model or model, run.judged(shards), run.left_out(shards))
        comparison = compare(result, read_result(against), config.seed) if against else None
        if feedback:
            write_feedback(feedback, run.judged(shards))
    _show(result, comparison)
    _write(out, result.model_dump_json(indent=1))
    _write(report, report_of(result, comparison))
    return result


@flow(name="check-benchmark", flow_run_name="check {config.evaluation.benchmark}")
def check_benchmark(config: EvaluationConfig, out: Path | None = None, report: Path | None = None) -> BenchmarkCheck:
    """Check a benchmark without any model: its canonical solutions must pass its tests, and stubs must not.

    Args:
        config: `evaluation.model` is not needed.
        out: JSON file for the check.
        report: Markdown file for it.
    """
    check_benchmark_check(config, out, report)
    run = EvaluationRun(config=config)
    with _alone(config):
        shards = write_items(run)

        def chain(shard: Receipt) -> Chain[Receipt]:
            yield check_items.submit(run, shard)

        receipts = _run_all(run, shards, chain, (CHECKS,))
        checked = [row for one in receipts for row in run.stage(CHECKS).rows(one, CheckedItem)]
        found = check_of(config.evaluation.benchmark, checked, run.left_out(shards))
    create_markdown_artifact(check_report(found), key="benchmark-check")
    _write(out, found.model_dump_json(indent=1))
    _write(report, check_report(found))
    return found


def _alone(config: EvaluationConfig) -> AbstractContextManager[None]:
    """Nobody else writes the folder of the evaluation meanwhile: what is in it is of one config."""
    run = EvaluationRun(config=config)
    return one_writer(run.store, run.name, WAIT_S, get_run_logger().warning)


def _run_all(
    run: EvaluationRun, shards: list[Receipt], chain: Callable[[Receipt], Chain[Receipt]], stages: tuple[str, ...]
) -> list[Receipt]:
    with stage_progress("evaluation", len(shards)) as progress:
        receipts = run_chains([chain(shard) for shard in shards], run.config.shards_in_flight, progress)
    for stage in stages:
        run.finish(stage, [one for one in receipts if one.stage == stage])
    return receipts


def _show(result: EvaluationResult, comparison: Comparison | None) -> None:
    """Put scores and report on the flow run's page."""
    table = [one.model_dump(mode="json") for one in result.scores]
    create_table_artifact(table, key="pass-at-k", description=f"{result.asked.model} on {result.benchmark}")
    create_markdown_artifact(report_of(result, comparison), key="evaluation")


def _write(path: Path | None, text: str) -> None:
    if path is not None:
        Store(str(path.parent)).write(text.encode("utf-8", "replace"), path.name)


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

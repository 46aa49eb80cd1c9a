"""What the console command does around a flow: the server, the summary, where to go next."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import typer
from prefect.client.orchestration import get_client
from rich.console import Console
from rich.markdown import Markdown
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from flows.build_dataset import build_dataset
from flows.curate_rows import check_rows, curate_rows
from flows.kpis import show_kpis
from flows.orchestration.preflight import check_endpoints, check_run, check_sources
from flows.report import FILE as REPORT
from flows.source_questions import source_questions
from tasks.auditing.audit import Auditing, audit_file
from tasks.auditing.report import audit_report
from tasks.errors import BadInput
from tasks.execution.verify import verify_file
from tasks.files import check_suffix, row_writer
from tasks.models import NOT_ASKED, PairVerdict, Question, RejectReason
from tasks.publishing.summary import Summary, summarise
from tasks.run import Run, StageName
from tasks.settings import BuildConfig, EndpointKind, Sandbox
from tasks.teachers.pending import STOPPED
from tasks.teachers.usage import RunUsage, dollars, usage_of


def wait_until_recorded(seconds: float = 20) -> None:
    """Let the server take in the events that are still on their way.

    A temporary server ends with this process; what it has not recorded by then, a later look at the UI would miss.
    """
    deadline = time.monotonic() + seconds
    live = {"task_runs": {"state": {"type": {"any_": ["PENDING", "RUNNING", "SCHEDULED"]}}}}
    known = -1
    with get_client(sync_client=True) as client:
        while time.monotonic() < deadline:
            count = client.request("POST", "/task_runs/count", json={}).json()
            if count == known and client.request("POST", "/task_runs/count", json=live).json() == 0:
                return
            known = count
            time.sleep(0.5)


def run_build(config: BuildConfig, console: Console) -> None:
    """Build a dataset and show what came of it."""
    started = time.monotonic()
    check_run(config)
    try:
        result = build_dataset(config)
    except KeyboardInterrupt:
        console.print(f"Stopped: {STOPPED}.", style="yellow", highlight=False, soft_wrap=True)
        raise typer.Exit(130) from None
    finally:
        wait_until_recorded()
    run = Run(config=config, teachers=config.teachers)
    summary = summarise(run)
    show_summary(summary, console)
    show_usage(usage_of(run), sum(summary.splits.values()), console)
    rows = ", ".join(f"{count} rows in {split}" for split, count in result.rows.items())
    console.print(f"\n[bold green]Done[/bold green] in {time.monotonic() - started:.0f} s: {rows}.")
    if config.teachers.author.kind is EndpointKind.DEMO:
        console.print("The answers came from the demo teacher's transcripts: no model was asked.")
    if hint := how_to_go_on(summary, config):
        console.print(hint, style="yellow", highlight=False, soft_wrap=True)
    options = f"--profile {config.profile}"
    console.print(
        f"""
  release    {result.release}
  report     {config.store}/{config.run}/{REPORT}
  artifacts  {config.store}/{config.run}/<stage>/part-*.parquet, rejects with reasons beside them

What to do next
  look at a row        kodforge inspect {next(iter(config.selected))}_00000000_I {options}
  load the dataset     python -c "import datasets; print(datasets.load_dataset('{result.release}'))"
  see it in the UI     prefect server start, then open the address it prints
  use your endpoint    kodforge doctor --profile pilot, then kodforge run --profile pilot""",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    if config.kpis.targets:
        show_kpis(config, [], None, None, console)


def show_summary(summary: Summary, console: Console) -> None:
    """The funnel and the difficulty by subset."""
    table = Table(title="From seeds to rows (rows in = rows out + rejected)", title_justify="left")
    for name in ("stage", "unit"):
        table.add_column(name)
    for name in ("in", "out", "rejected"):
        table.add_column(name, justify="right")
    table.add_column("reasons")
    for row in summary.funnel:
        reasons = ", ".join(f"{reason} {count}" for reason, count in row.reasons.items())
        table.add_row(row.stage, row.unit, str(row.rows_in), str(row.rows_out), str(row.rejected), reasons)
    console.print(table)
    labels = Table(title="Difficulty by subset, before curation", title_justify="left")
    labels.add_column("subset")
    for name in summary.difficulty.columns:
        labels.add_column(str(name), justify="right")
    for subset, counts in summary.difficulty.iterrows():
        labels.add_row(str(subset), *(str(count) for count in counts))
    console.print(labels)
    tests = Table(title="What the chosen tests prove (of each check more is better)", title_justify="left")
    tests.add_column("check")
    for name in ("measured", "lowest tenth", "median", "cautions"):
        tests.add_column(name, justify="right")
    for check in summary.checks:
        low, median = ("" if value is None else f"{value:.2f}" for value in (check.low, check.median))
        tests.add_row(check.check.replace("_", " "), str(check.measured), low, median, str(check.caution))
    console.print(tests)
    if summary.agreement and summary.agreement.kappa is not None:
        console.print(
            f"difficulty by the author's attempts and by the solver agree with kappa {summary.agreement.kappa:.2f}",
            highlight=False,
        )
    verdicts = ", ".join(f"{verdict} {count}" for verdict, count in summary.verdicts.items())
    console.print(f"verdicts on attempts: {verdicts}", highlight=False, soft_wrap=True)


def show_usage(usage: RunUsage, accepted: int, console: Console) -> None:
    """What the teachers took, by stage and subset, and for each accepted row."""
    table = Table(title="What the teachers took", title_justify="left")
    for name in ("stage", "subset"):
        table.add_column(name)
    for name in ("calls", "from disk", "prompt tokens", "completion tokens", "cost"):
        table.add_column(name, justify="right")
    for row in [*usage.rows, usage.total]:
        numbers = (row.calls, row.cached, row.prompt_tokens, row.completion_tokens)
        table.add_row(row.stage, row.subset, *(f"{number:,}" for number in numbers), dollars(row.usd))
    console.print(table)
    if each := usage.per(accepted):
        console.print(f"per accepted row: {each[0]:,.0f} tokens, cost {dollars(each[1])}", highlight=False)
    if usage.total.estimated:
        console.print(f"{usage.total.estimated} calls came without credible token counts; theirs are estimates")


def show_run_usage(config: BuildConfig, console: Console) -> None:
    """What a run, finished or not, has used so far."""
    run = Run(config=config, teachers=config.teachers)
    manifest = run.stage(run.last_stage).manifest()
    show_usage(usage_of(run), manifest["rows_out"] if manifest else 0, console)


def how_to_go_on(summary: Summary, config: BuildConfig) -> str:
    """What to do where the budget or failures of the teacher left rows out; empty where they did not."""
    left: Counter[str] = Counter()
    for row in summary.funnel:
        left.update({reason: count for reason, count in row.reasons.items() if reason in NOT_ASKED})
    hints = []
    if count := left[RejectReason.BUDGET_EXHAUSTED]:
        name, cap = ("usd", config.budget.usd) if config.budget.usd is not None else ("tokens", config.budget.tokens)
        hints.append(
            f"The budget was reached: {count} requests were not sent, what was there before is released. To go on, "
            f"run the same command with a higher one, as in --set budget.{name}={2 * (cap or 1):g}; nothing is paid "
            f"for twice."
        )
    if count := left[RejectReason.TEACHER_FAILED]:
        hints.append(f"The teacher failed on {count} requests. Run the same command again to ask these once more.")
    return "\n".join(hints)


def run_source(config: BuildConfig, out: Path, console: Console) -> None:
    """Make questions and copy them into one file."""
    check_suffix(out)
    check_sources(config)
    check_endpoints(config)
    source_questions(config)
    run = Run(config=config, teachers=config.teachers)
    total = 0
    with row_writer(out, Question) as write:
        for receipt in run.receipts(StageName.QUESTIONS):
            rows = run.stage(StageName.QUESTIONS).rows(receipt, Question)
            write(list(rows))
            total += len(rows)
    console.print(f"{total} questions in {out}", highlight=False)


def run_verify(pairs: Path, out: Path | None, sandbox: Sandbox, reruns: int, as_json: bool, console: Console) -> None:
    """Judge a file of pairs; with ``as_json`` print the verdict of its one pair instead."""
    if as_json == (out is not None):
        raise BadInput("give either --out FILE for a file of verdicts, or --json for one pair on the terminal")
    if as_json:
        from tasks.execution.verify import verify_one  # noqa: PLC0415

        verdict: PairVerdict = verify_one(pairs, sandbox, reruns)
        console.print_json(verdict.model_dump_json())
        return
    assert out is not None
    columns = (SpinnerColumn(), TextColumn("{task.completed} pairs judged"), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("verify", total=None)
        counts = verify_file(pairs, out, sandbox, lambda done: progress.update(bar, completed=done), reruns)
    for name, count in sorted(counts.items()):
        console.print(f"{name:>15} {count}", highlight=False)
    console.print(f"verdicts in {out}", highlight=False)


def run_curate(rows: Path, out: Path, report: Path | None, config: BuildConfig, console: Console) -> None:
    """Curate a file of questions, and say how many got which decision."""
    check_rows(rows, out, config)
    try:
        counts = curate_rows(rows, out, config, report)
    finally:
        wait_until_recorded()
    for decision, count in counts.items():
        console.print(f"{decision:>20} {count}", highlight=False)
    console.print(f"decisions in {out}" + (f", report in {report}" if report else ""), highlight=False, soft_wrap=True)


def run_audit(pairs: Path, out: Path, report: Path | None, settings: Auditing, console: Console) -> None:
    """Audit a file of pairs, and say how it stands with them."""
    columns = (SpinnerColumn(), TextColumn("{task.completed} pairs audited"), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("audit", total=None)
        rows = audit_file(pairs, out, settings, lambda done: progress.update(bar, completed=done))
        told = audit_report(pairs.name, rows, settings.verification.gates)
    if report is not None:
        try:
            report.write_text(told, encoding="utf-8")
        except OSError as error:
            raise BadInput(f"cannot write {str(report)!r}: {error}. The rows are in {out}") from error
    console.print(Markdown(told.partition("## Pairs worth a look")[0]))
    console.print(f"rows in {out}" + (f", report in {report}" if report else ""), highlight=False, soft_wrap=True)

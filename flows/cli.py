"""The console command. Each subcommand is thin: it reads arguments, calls a flow or a function, shows the result."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console

from flows.commands import kpis, training
from flows.options import Profile, Sets, describe, load_config, with_overrides
from tasks.errors import BadInput, KodforgeError
from tasks.settings import Backend, EngineKind, Layer, Rigour, Sandbox, TargetStyle, TierChoice
from tasks.settings.exports import ExportFormat

# Before Prefect is imported: it reads these once.
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")  # on a busy machine 20 are too few

app = typer.Typer(
    name="kodforge",
    help="Verified coding data for training language models.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
sandbox_app = typer.Typer(help="The box that untrusted code runs in.", no_args_is_help=True)
app.add_typer(sandbox_app, name="sandbox")
console = Console()


@app.command()
def run(profile: Profile = "demo", set_: Sets = []) -> None:  # noqa: B006 - typer reads the default, nobody changes it
    """Build a dataset, or go on with an unfinished run.

    Example: kodforge run --profile pilot --set run=first --set verification.attempts=5
    """
    from flows.console import run_build  # noqa: PLC0415 - Prefect takes two seconds to import

    run_build(load_config(profile, set_), console)


@app.command()
def estimate(profile: Profile = "demo", set_: Sets = []) -> None:  # noqa: B006
    """Estimate what a run will cost, without asking any teacher.

    Example: kodforge estimate --profile pilot --set teachers.author.prices.input=0.5
    """
    from flows.estimate import show_estimate  # noqa: PLC0415

    show_estimate(load_config(profile, set_), console)


@app.command()
def usage(profile: Profile = "demo", set_: Sets = []) -> None:  # noqa: B006
    """Show what a run has used of its teachers so far: tokens and cost by stage, subset and accepted row.

    Example: kodforge usage --profile demo
    """
    from flows.console import show_run_usage  # noqa: PLC0415

    show_run_usage(load_config(profile, set_), console)


@app.command()
def doctor(profile: Profile = "demo", set_: Sets = []) -> None:  # noqa: B006
    """Check Python, sandbox, Docker, endpoint and store, and say what to do where something is wrong.

    Example: kodforge doctor --profile pilot
    """
    from flows.doctor import examine  # noqa: PLC0415

    if not examine(load_config(profile, set_), console):
        raise typer.Exit(1)


@app.command()
def inspect(
    row_id: Annotated[str, typer.Argument(help="As in Docs_00000003_I.")],
    profile: Profile = "demo",
    set_: Sets = [],  # noqa: B006
) -> None:
    """Show a row of a run, its lineage, every attempt, and why it was accepted or rejected.

    Example: kodforge inspect Docs_00000003_I --profile demo
    """
    from flows.inspect_row import show_row  # noqa: PLC0415

    show_row(load_config(profile, set_), row_id, console)


@app.command()
def source(
    out: Annotated[Path, typer.Option("--out", help="Parquet or JSONL file for the questions.")],
    profile: Profile = "demo",
    set_: Sets = [],  # noqa: B006
) -> None:
    """Make questions only.

    Example: kodforge source --profile demo --set only=[Docs] --out questions.parquet
    """
    from flows.console import run_source  # noqa: PLC0415

    run_source(load_config(profile, set_), out, console)


@app.command()
def sources() -> None:
    """List the catalogue of subsets: method, seeds, licence, teacher, prompt, filters and target.

    Example: kodforge sources
    """
    from flows.catalogue import show_catalogue  # noqa: PLC0415

    show_catalogue(console)


@app.command()
def verify(
    pairs: Annotated[Path, typer.Argument(help="Parquet or JSONL: id, solution, test, optional entry_points, files.")],
    out: Annotated[Path | None, typer.Option("--out", help="Parquet or JSONL file for the verdicts.")] = None,
    backend: Annotated[Backend, typer.Option("--backend")] = Backend.AUTO,
    jobs: Annotated[int | None, typer.Option("--jobs", min=1, help="Boxes at once; default: one per core.")] = None,
    coverage: Annotated[bool, typer.Option("--coverage", help="Measure coverage of the solution.")] = False,
    wall_s: Annotated[float, typer.Option("--timeout", help="Seconds per pair.")] = 30,
    tier: Annotated[TierChoice, typer.Option("--tier", help="Whether tests and solution share a process.")] = (
        TierChoice.AUTO
    ),
    reruns: Annotated[
        int, typer.Option("--reruns", min=0, max=20, help="More runs of each passed pair, to find flaky ones.")
    ] = 0,
    layer: Annotated[list[Layer] | None, typer.Option("--layer", help="Optional libraries; may be repeated.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Judge a file with one pair and print its verdict.")] = False,
) -> None:
    """Judge (solution, pytest file) pairs in the sandbox.

    Example: kodforge verify pairs.parquet --out verdicts.parquet --jobs 2 --coverage
    """
    from flows.console import run_verify  # noqa: PLC0415

    options: dict[str, Any] = {"backend": backend, "wall_s": wall_s, "coverage": coverage}
    options |= {"tier": tier, "layers": tuple(layer or ())}
    if jobs is not None:
        options["slots"] = jobs
    run_verify(pairs, out, Sandbox(**options), reruns, as_json, console)


@app.command()
def audit(
    pairs: Annotated[
        Path,
        typer.Argument(help="Parquet or JSONL: id, solution, test, optional question_id, reference, trials."),
    ],
    out: Annotated[Path, typer.Option("--out", help="Parquet or JSONL file for a row per pair.")],
    report: Annotated[Path | None, typer.Option("--report", help="Markdown file for the report.")] = None,
    rigour: Annotated[Rigour, typer.Option("--rigour", help="What is run to find out about the tests.")] = (
        Rigour.AUDIT
    ),
    backend: Annotated[Backend, typer.Option("--backend")] = Backend.AUTO,
    jobs: Annotated[int | None, typer.Option("--jobs", min=1, help="Boxes at once; default: one per core.")] = None,
    set_: Annotated[
        list[str],
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="As in verification.gates.mutation_score.reject_below=0.5, sandbox.wall_s=5.",
        ),
    ] = [],  # noqa: B006
) -> None:
    """Audit the tests of (solution, pytest file) pairs: are they wrong, vacuous, weak, flaky, collusive?

    Reads files of one's own, of KodCode and of kodforge. A file that an audit wrote is put to other gates
    without running anything.

    Example: kodforge audit pairs.parquet --out audit.parquet --report audit.md
    """
    from flows.console import run_audit  # noqa: PLC0415
    from tasks.auditing.audit import Auditing  # noqa: PLC0415

    boxes = {"backend": backend} | ({"slots": jobs} if jobs is not None else {})
    values = with_overrides({"verification": {"rigour": rigour}, "sandbox": boxes}, set_)
    try:
        settings = Auditing.model_validate(values)
    except ValidationError as error:
        raise BadInput(describe(error)) from error
    run_audit(pairs, out, report, settings, console)


@app.command()
def curate(
    rows: Annotated[
        Path,
        typer.Argument(help="Parquet or JSONL: id, question, optional solution, test, subset, licence, quality."),
    ],
    out: Annotated[Path, typer.Option("--out", help="Parquet or JSONL file for a decision per row.")],
    report: Annotated[
        Path | None,
        typer.Option("--report", help="Markdown file for what was found in all, or JSON for drift."),
    ] = None,
    engine: Annotated[EngineKind | None, typer.Option("--engine", help="What the tasks run on.")] = None,
    jobs: Annotated[int | None, typer.Option("--jobs", min=1, help="Workers; default: one per core.")] = None,
    profile: Profile = "demo",
    set_: Sets = [],  # noqa: B006
) -> None:
    """Find duplicates, benchmark contamination and doubtful content among questions.

    A command that was stopped goes on where it was when it is given again.

    Example: kodforge curate rows.jsonl --out decisions.parquet --set curation.dedup.jaccard=0.8
    """
    from flows.console import run_curate  # noqa: PLC0415

    sets = [f"engine.kind={engine}"] if engine else []
    sets += [f"engine.workers={jobs}"] if jobs else []
    run_curate(rows, out, report, load_config(profile, [*sets, *set_]), console)


@app.command()
def convert(
    rows: Annotated[
        Path,
        typer.Argument(help="Parquet or JSONL: id, question, solution, test, optional subset, style, entry_points."),
    ],
    out: Annotated[Path, typer.Option("--out", help="Parquet or JSONL file for the rows in the other style.")],
    style: Annotated[TargetStyle, typer.Option("--style", help="A stub, or a program that reads and writes.")],
    profile: Profile = "demo",
    set_: Sets = [],  # noqa: B006
) -> None:
    """Tell rows in another style, and verify them anew; what cannot be told is written beside, with the reason.

    Reads files of one's own, of KodCode and of kodforge. A command that was stopped goes on where it was when it is
    given again.

    Example: kodforge convert rows.parquet --out stubs.parquet --style complete
    --set teachers.converter.base_url=https://host/v1 --set teachers.converter.model=my-model
    """
    from flows.convert_rows import run_convert  # noqa: PLC0415

    run_convert(rows, out, style, load_config(profile, set_), console)


@app.command("export")
def export_(
    release: Annotated[str, typer.Argument(help="A release folder or a file of its rows, on disk or by URL.")],
    to: Annotated[ExportFormat, typer.Option("--to", help="The trainer.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the export.")],
    config: Annotated[
        list[str] | None,
        typer.Option("--config", help="A set of the release; may be repeated. Default: all that the trainer takes."),
    ] = None,
    split: Annotated[list[str] | None, typer.Option("--split", help="May be repeated. Default: train.")] = None,
    any_tier: Annotated[
        bool, typer.Option("--any-tier", help="To reward: rows too whose tests an answer could forge.")
    ] = False,
) -> None:
    """Write a release as a trainer loads it: TRL, verl, LLaMA-Factory, Axolotl, verifiers.

    Example: kodforge export release --to trl-grpo --out grpo
    """
    from flows.export_release import run_export  # noqa: PLC0415

    run_export(release, to, out, config or [], split or ["train"], any_tier, console)


@app.command()
def evaluate(
    benchmark: Annotated[
        str,
        typer.Argument(help="humaneval, mbpp, humanevalplus, mbppplus, bigcodebench, livecodebench, or a file."),
    ],
    samples: Annotated[int | None, typer.Option("--samples", min=1, help="Answers to each item; default: 1.")] = None,
    k: Annotated[list[int] | None, typer.Option("--k", min=1, help="A k of pass@k; may be repeated.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only the first items.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="JSON file for the result.")] = None,
    report: Annotated[Path | None, typer.Option("--report", help="Markdown file for the report.")] = None,
    against: Annotated[Path | None, typer.Option("--against", help="An earlier result to compare with.")] = None,
    feedback: Annotated[
        Path | None,
        typer.Option("--feedback", help="Parquet or JSONL file for wrong answers to items of your own."),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Check the benchmark itself, without a model.")] = False,
    profile: Annotated[str, typer.Option("--profile", help="YAML file with values of the config.")] = "",
    set_: Annotated[
        list[str],
        typer.Option("--set", metavar="KEY=VALUE", help="As in evaluation.model.base_url=https://host/v1."),
    ] = [],  # noqa: B006
) -> None:
    """Evaluate a model on a code benchmark: pass@k with intervals, in the sandbox.

    Example: kodforge evaluate humaneval --set evaluation.model.base_url=https://host/v1
    --set evaluation.model.model=my-model --samples 10 --out results.json
    """
    from flows.commands.evaluate import evaluation_config, run_check, run_evaluation  # noqa: PLC0415

    given = {"benchmark": benchmark, "samples": samples, "k": k or None, "limit": limit}
    config = evaluation_config(profile, given, set_)
    if not check:
        run_evaluation(config, out, report, against, feedback, console)
    elif against or feedback:
        raise BadInput("--check asks no model: there is nothing to compare, or to feed back. Leave these out")
    elif not run_check(config, out, report, console):
        raise typer.Exit(1)


app.command()(training.train)
app.command()(training.experiment)
app.command()(kpis.kpis)
app.command()(kpis.feedback)


@app.command()
def diff(
    earlier: Annotated[str, typer.Argument(help="Folder or URL of a release, as in hf://datasets/org/name@v1.0.0.")],
    later: Annotated[str, typer.Argument(help="Of another one.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what differs between two releases: rows, columns, sets, splits, licences and the make-up of the whole.

    Example: kodforge diff kodforge-store/demo/release-1.0.0 kodforge-store/demo/release
    """
    from flows.releases import show_diff  # noqa: PLC0415

    show_diff(earlier, later, as_json, console)


@app.command()
def push(
    release: Annotated[str, typer.Argument(help="Folder or fsspec URL of a release.")],
    to: Annotated[str, typer.Option("--to", help="Repository of data sets on the Hugging Face hub, as in org/name.")],
    private: Annotated[bool, typer.Option("--private", help="Make a private one, where there is none.")] = False,
    token_env: Annotated[str, typer.Option("--token-env", help="Variable with the token.")] = "HF_TOKEN",  # noqa: S107
) -> None:
    """Push a release to the Hugging Face hub: one commit, and a tag for its version.

    A push that was interrupted goes on when it is given again; a version that is there already is left as it is.

    Example: kodforge push kodforge-store/demo/release --to org/name --private
    """
    from flows.releases import push_folder  # noqa: PLC0415

    push_folder(release, to, private, token_env, console)


@sandbox_app.command("build")
def sandbox_build(
    base: Annotated[
        str, typer.Option("--base", help="Base image, or `debootstrap` where no registry answers.")
    ] = "python:3.12-slim",
    tag: Annotated[str, typer.Option("--tag")] = "kodforge-sandbox",
    layer: Annotated[
        list[Layer] | None, typer.Option("--layer", help="Optional libraries, for sandbox.layers; may be repeated.")
    ] = None,
) -> None:
    """Build the Docker image of the sandbox.

    Example: kodforge sandbox build --base debootstrap
    """
    from tasks.execution.image import build_image  # noqa: PLC0415

    console.print(f"built {tag}: {build_image(base, tag, tuple(layer or ()))}")


@app.command("serve-rewards")
def serve_rewards(
    host: Annotated[str, typer.Option("--host", help="Other than loopback only with a key.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: any that is free.")] = 8321,
    backend: Annotated[Backend, typer.Option("--backend")] = Backend.AUTO,
    jobs: Annotated[int | None, typer.Option("--jobs", min=1, help="Boxes at once; default: one per core.")] = None,
    wall_s: Annotated[float, typer.Option("--timeout", help="Seconds per run.")] = 10,
    key_env: Annotated[
        str, typer.Option("--key-env", help="Environment variable with the bearer key to demand, where it is set.")
    ] = "KODFORGE_REWARDS_KEY",
    set_: Annotated[
        list[str],
        typer.Option(
            "--set", metavar="KEY=VALUE", help="As in mode=share, sandbox.memory_mb=512, serving.max_batch=64."
        ),
    ] = [],  # noqa: B006
) -> None:
    """Serve rewards for reinforcement learning: completions judged by tests in the sandbox.

    Example: kodforge serve-rewards --host 127.0.0.1 --port 8321 --jobs 2 --timeout 5
    """
    from flows.serve_rewards import serve  # noqa: PLC0415

    boxes = {"backend": backend, "wall_s": wall_s} | ({"slots": jobs} if jobs is not None else {})
    serve(with_overrides({"sandbox": boxes, "serving": {"host": host, "port": port}}, set_), key_env, console)


@app.command("demo-teacher")
def demo_teacher(
    port: Annotated[int, typer.Option("--port", min=1, max=65535)] = 8123,
    log: Annotated[Path | None, typer.Option("--log", help="JSONL file that gets a line per request.")] = None,
    latency_s: Annotated[float, typer.Option("--latency", min=0, help="Seconds that an answer takes.")] = 0,
    key_env: Annotated[str, typer.Option("--key-env", help="Environment variable with a key to demand.")] = "",
) -> None:
    """Serve the demo teacher on loopback, to be used as an OpenAI-compatible endpoint.

    Example: kodforge demo-teacher --port 8123
    """
    from tasks.teachers.demo import serve  # noqa: PLC0415

    console.print(f"demo teacher on http://127.0.0.1:{port}/v1 (Ctrl-C stops it)")
    serve(port, log, os.environ[key_env] if key_env else None, latency_s)


def main() -> None:
    """Entry point: errors on purpose are one message on stderr and exit status 1."""
    try:
        app()
    except KodforgeError as error:
        Console(stderr=True).print(f"error: {error}", style="red", highlight=False, markup=False, soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()

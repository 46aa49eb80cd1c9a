"""The console command, in the order of ``kodforge --help``. What a subcommand does is in ``flows.commands``."""

from __future__ import annotations

import os
import sys

import typer
from rich.console import Console

from flows.commands import (
    answers,
    backfill,
    browsing,
    deploy,
    evaluation,
    forecast,
    kpis,
    pairs,
    pausing,
    prune,
    releases,
    rows,
    runs,
    sandbox,
    serving,
    training,
)
from tasks.errors import KodforgeError

# Before Prefect is imported: it reads these once.
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")  # on a busy machine 20 are too few
# An automation takes a run that is not heard of for minutes for crashed: it is heard of as often as those of workers.
os.environ.setdefault("PREFECT_FLOWS_HEARTBEAT_FREQUENCY", "30")
# A temporary server writes task runs in groups: one by one, as by default, they cost it three times the CPU.
os.environ.setdefault("PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE", "100")
os.environ.setdefault("PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL", "1")

app = typer.Typer(
    name="kodforge",
    help="Verified coding data for training language models.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(runs.run)
app.command()(runs.estimate)
app.command()(forecast.forecast)
app.command()(runs.usage)
app.command()(runs.doctor)
app.command()(runs.inspect)
app.command()(backfill.backfill)
app.command()(pausing.pause)
app.command()(pausing.resume)
app.command()(prune.prune)
app.command()(runs.source)
app.command()(runs.sources)
app.command()(pairs.verify)
app.command()(pairs.audit)
app.command()(rows.curate)
app.command()(rows.convert)
app.command()(releases.export)
app.command()(evaluation.evaluate)
app.command()(training.train)
app.command()(training.experiment)
app.command()(kpis.kpis)
app.command()(kpis.report)
app.command()(browsing.browse)
app.command()(kpis.feedback)
app.command()(releases.diff)
app.command()(releases.push)
app.command()(deploy.deploy)
app.command()(serving.serve_rewards)
app.command()(serving.demo_teacher)
app.add_typer(answers.app, name="answers")
app.add_typer(sandbox.app, name="sandbox")


def main() -> None:
    """Entry point: errors on purpose are one message on stderr and exit status 1."""
    try:
        app()
    except KodforgeError as error:
        Console(stderr=True).print(f"error: {error}", style="red", highlight=False, markup=False, soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()

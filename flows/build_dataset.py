"""The whole DAG: seeds to a released dataset."""

from __future__ import annotations

from pydantic import BaseModel

from flows.curate_triplets import curate_triplets
from flows.kpis import kpis
from flows.orchestration.hooks import flow
from flows.orchestration.preflight import check_run
from flows.orchestration.run_flows import named, writes_run
from flows.orchestration.shown import show_build
from flows.orchestration.task_times import times_so_far
from flows.post_train import post_train
from flows.report import report_build
from flows.source_questions import source_questions
from flows.verify_triplets import verify_triplets
from tasks.publishing.folder import release_store
from tasks.publishing.stage import publish_release, push_release
from tasks.run import Run
from tasks.settings import BuildConfig


class BuildResult(BaseModel):
    """Where the release is and how many rows each split has."""

    run: str
    release: str
    rows: dict[str, int]


@flow(name="build-dataset", flow_run_name=named("build"))
@writes_run
def build_dataset(config: BuildConfig) -> BuildResult:
    """Make a verified dataset: source questions, verify triplets, curate, post-train, publish.

    Running it again with the same config resumes: finished shards are skipped, and no teacher call that was
    answered is paid for again.

    Args:
        config: all that the run depends on. What is left empty is taken from the profile.
    """
    check_run(config)
    source_questions(config)
    verify_triplets(config)
    curate_triplets(config)
    post_train(config)
    run = Run(config=config, teachers=config.teachers)
    rows = publish_release(run)
    if config.release.push:
        push_release(run)
    kpis(config, return_state=True)  # a missed target fails that flow run, not the build
    times = times_so_far()
    if config.report:
        report_build(run, times)
    show_build(run, times)
    return BuildResult(run=config.run, release=release_store(config).url, rows=rows)

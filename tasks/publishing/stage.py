"""The task of publishing."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from tasks.publishing.release import publish, release_store
from tasks.publishing.summary import summarise
from tasks.run import Run
from tasks.shards import RETRIES


@task(task_run_name="publish {run.config.run}", cache_policy=NO_CACHE, **RETRIES)
def publish_release(run: Run) -> dict[str, int]:
    """Write the release folder; rows per split."""
    rows = publish(run, summarise(run))
    get_run_logger().info("released %s to %s", rows, release_store(run.config).url)
    return rows

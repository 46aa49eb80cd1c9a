"""The tasks of publishing."""

from __future__ import annotations

from prefect.logging import get_run_logger

from tasks.publishing.folder import release_store
from tasks.publishing.release import publish
from tasks.publishing.summary import summarise
from tasks.run import Run
from tasks.sets.catalogue import sets_of
from tasks.shards import shard_task


@shard_task("publish {run.config.run}")
def publish_release(run: Run) -> dict[str, int]:
    """Write the release folder; rows per split."""
    found = publish(run, summarise(run), sets_of)
    get_run_logger().info("released %s, version %s, to %s", found.rows, found.version, release_store(run.config).url)
    return found.rows


@shard_task("push {run.config.run}")
def push_release(run: Run) -> str:
    """Push the release to the hub, where ``release.push`` says; what became of it, in words."""
    from tasks.publishing.push import push, token_of  # noqa: PLC0415 - the hub's client takes half a second to import

    rules = run.config.release
    done = push(release_store(run.config).url, rules.push, token_of(rules.hub), rules.hub.private)
    get_run_logger().info("%s", done.message)
    return done.message

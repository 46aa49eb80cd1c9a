"""A progress artifact in the Prefect UI and one line in the log for each step of a long stage."""

from __future__ import annotations

from collections.abc import Callable

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.logging import get_run_logger


def stage_progress(stage: str, total: int) -> Callable[[int], None]:
    """A callback that takes the number of finished shards."""
    logger = get_run_logger()
    artifact = create_progress_artifact(0.0, key=f"{stage}-progress", description=f"Shards of {stage}")

    def advance(done: int) -> None:
        update_progress_artifact(artifact, progress=100.0 * done / total)  # type: ignore[arg-type]
        logger.info("%s: %d of %d shards", stage, done, total)

    return advance

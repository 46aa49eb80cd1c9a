"""What is checked before a run starts: bad input is a clear error before any teacher call."""

from __future__ import annotations

from tasks.artifacts import Store
from tasks.execution.pool import check_sandbox
from tasks.publishing.release import check_release_free
from tasks.run import answers_path
from tasks.settings import BuildConfig, EndpointKind
from tasks.sourcing.catalogue import read_seeds
from tasks.teachers.client import shared_client


def check_run(config: BuildConfig) -> None:
    """Check all that a build needs.

    Raises:
        BadInput: the store, the release folder or the seeds of a subset are wrong.
        TeacherMisconfigured: the endpoint refuses the key.
        TeacherUnavailable: the endpoint cannot be reached.
        SandboxUnavailable: no pair can be judged on this machine.
    """
    Store(config.store).check_writable()
    check_release_free(config)
    for subset, options in config.selected.items():
        read_seeds(subset, options.seeds)
    check_endpoints(config)
    check_sandbox(config.sandbox)


def check_endpoints(config: BuildConfig) -> None:
    """Reach every endpoint that is not started with the run."""
    author = config.teachers.author
    if author.kind is EndpointKind.OPENAI:
        shared_client(author, answers_path(config)).check()

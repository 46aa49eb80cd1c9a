"""Errors that users see. Each says what is wrong, the value received, and what to do."""

from collections.abc import Sequence


class KodforgeError(Exception):
    """Base of the errors that kodforge raises on purpose; shown without a traceback.

    Attributes:
        causes: the errors of all shards that failed, where it is raised for several.
    """

    causes: Sequence[Exception] = ()


class BadInput(KodforgeError):
    """The config or a file of the user's is wrong. Nothing was started; a retry cannot help."""


class TeacherMisconfigured(KodforgeError):
    """The endpoint refuses every request (401, 403, 404). A retry cannot help."""


class TeacherUnavailable(KodforgeError):
    """The endpoint cannot be reached or keeps failing. Prefect retries the shard."""


class TeacherStopped(KodforgeError):
    """The run was stopped while requests were waiting. Running it again goes on."""


class SandboxUnavailable(KodforgeError):
    """The sandbox itself failed; this says nothing about the pair. Prefect retries the shard."""


class AnswersUnavailable(KodforgeError):
    """The database of the teachers' answers cannot be reached for the moment. Prefect retries the shard."""


class RunBusy(KodforgeError):
    """Another flow run writes the same run. Starting this one again when that one is done goes on."""


class StoreUnavailable(KodforgeError):
    """The store cannot be reached or fails for the moment. Prefect retries the shard."""


class Gone(StoreUnavailable):
    """A file that the run has, or had a moment ago, is not in the store."""


class StoreFull(KodforgeError):
    """A disk or a quota is full. Once there is space, running it again goes on."""


class TargetsMissed(KodforgeError):
    """Some numbers are not what the config wants them to be. The run itself is finished, and its release stands."""


_DEFECTS = (AssertionError, AttributeError, LookupError, NameError, TypeError, ValueError)
"""What kodforge does not raise on purpose: it comes of the same data again."""


def retryable(error: BaseException) -> bool:
    """Whether running the same shard again can help: not where the config, a file or the code is wrong."""
    wrong = (BadInput, TeacherMisconfigured, TeacherStopped, StoreFull, RunBusy)
    return not isinstance(error, wrong + _DEFECTS)

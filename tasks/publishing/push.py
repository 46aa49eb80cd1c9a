"""A release to the Hugging Face hub: one commit with all its files, and a tag for its version.

Files are uploaded before the commit, and what the hub already holds is not sent again, so that a push that was
interrupted goes on where it was. Readers of the repository see the release before or this one, never a mixture.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TypeVar, cast

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_token
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, LocalTokenNotFoundError
from pydantic import BaseModel, ConfigDict

from tasks.errors import BadInput, KodforgeError
from tasks.licences.mix import check_mix, refuse
from tasks.publishing.folder import MANIFEST, Manifest, check_sums, opened
from tasks.scratch import scratch_folder
from tasks.secret_block import secret
from tasks.settings import BuildConfig
from tasks.settings.licensing import Licensing
from tasks.settings.stages import Hub
from tasks.store import Store

T = TypeVar("T")
_TRIES = 4
_DELAY_S = 2.0
_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_TRANSPORT = cast(type[Exception], HfHubHTTPError.__bases__[0])
"""The base of all that the hub's client raises about connections, of whichever HTTP library it uses."""
_KEPT = {".gitattributes"}
"""Files of the hub's own, which a release neither has nor removes."""
_OF_THE_HUB = {*_KEPT, "README.md"}
"""What a repository has that was made by hand."""


class HubUnavailable(KodforgeError):
    """The hub cannot be reached, or fails. Pushing again goes on where it stopped."""


class Pushed(BaseModel):
    """What became of a push. ``is_new``: False where the hub already had this version."""

    model_config = ConfigDict(frozen=True)

    repository: str
    version: str
    address: str
    is_new: bool

    @property
    def message(self) -> str:
        if self.is_new:
            return f"pushed version {self.version} to {self.address}"
        return f"{self.address} already has version {self.version}: nothing to push"


def token_of(hub: Hub) -> str | None:
    """The token that the config names; None leaves it to a login with ``hf auth login``.

    Raises:
        BadInput: there is no Prefect Secret block of that name.
    """
    if not hub.token_block:
        return os.environ.get(hub.token_env) or None
    return str(secret(hub.token_block, "release.hub.token_block"))


def check_hub(config: BuildConfig) -> str:
    """Make sure that a release can be pushed, where it is to be; say who pushes it.

    Raises:
        BadInput: the name of the repository is none, there is no token, or the hub refuses it.
        HubUnavailable: the hub does not answer.
    """
    if not config.release.push:
        return "nothing is pushed"
    api = _api(config.release.push, token_of(config.release.hub))
    return f"{config.release.push}, as {_tried('whoami', api.whoami)['name']}"


def push(path: str, repository: str, token: str | None, private: bool = False) -> Pushed:
    """Push a release.

    Args:
        path: its folder, or an fsspec URL.
        repository: ``org/name``; it is made where there is none.
        token: None: that of ``hf auth login``.
        private: of a repository that is made. One that is there stays as it is.

    Raises:
        BadInput: the release is not whole, its licences are refused by its own policy, its version is on the hub with
            other content, the repository holds what is no release, or the hub refuses the token.
        HubUnavailable: the hub cannot be reached or fails.
    """
    store, manifest = opened(path)
    _check_licences(manifest)
    check_sums(store, manifest)
    api = _api(repository, token)
    made = _tried(
        "create the repository",
        lambda: api.create_repo(repository, repo_type="dataset", private=private or None, exist_ok=True),
    )
    tag = f"v{manifest.version}"
    done = Pushed(repository=repository, version=manifest.version, address=str(made), is_new=False)
    refs = _tried("list the tags", lambda: api.list_repo_refs(repository, repo_type="dataset"))
    if tag in {one.name for one in refs.tags}:
        if _released(api, repository, tag) == store.read(MANIFEST):
            return done
        raise _taken(repository, tag)
    commit = _commit(api, store, manifest, repository)
    _tried("tag the version", lambda: _tag(api, repository, tag, commit))
    return done.model_copy(update={"is_new": True})


def _check_licences(manifest: Manifest) -> None:
    """Judge the licences of a release by the policy that it was made under, which may not be what is known by now."""
    policy = Licensing.model_validate(manifest.licensing)
    if policy.on_violation == "refuse":
        refuse(check_mix(manifest.licences, policy), {})


def _api(repository: str, token: str | None) -> HfApi:
    if not _NAME.fullmatch(repository):
        raise BadInput(f"{repository!r} is no repository of the hub. Give one as in org/name")
    if not (token or get_token()):
        raise BadInput(
            "there is no token for the Hugging Face hub. Set HF_TOKEN (or the variable that release.hub.token_env "
            "names), name a Prefect Secret block in release.hub.token_block, or log in with `hf auth login`"
        )
    return HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None, token=token)


def _tag(api: HfApi, repository: str, tag: str, commit: str) -> None:
    """Give a commit a tag. One that it has already counts: the answer to an earlier try may have been lost."""
    try:
        api.create_tag(repository, tag=tag, revision=commit, repo_type="dataset")
    except HfHubHTTPError as error:
        if error.response.status_code != 409:
            raise
        tags = {one.name: one.target_commit for one in api.list_repo_refs(repository, repo_type="dataset").tags}
        if tag not in tags:
            raise
        if tags[tag] != commit:
            raise _taken(repository, tag) from None


def _taken(repository: str, tag: str) -> BadInput:
    return BadInput(
        f"{repository} has a tag {tag} with other content. A version is never changed: publish this release under "
        f"a higher one (--set release.version=…), or push it elsewhere"
    )


def _released(api: HfApi, repository: str, revision: str) -> bytes:
    """The manifest that the hub has under a revision; empty where it has none."""
    with scratch_folder() as folder:
        try:
            path = _tried(
                "read the release there",
                lambda: api.hf_hub_download(
                    repository, MANIFEST, repo_type="dataset", revision=revision, cache_dir=folder
                ),
            )
        except EntryNotFoundError:
            return b""
        return Path(path).read_bytes()


def _commit(api: HfApi, store: Store, manifest: Manifest, repository: str) -> str:
    """One commit that makes the repository hold the release and nothing else; its id."""
    names = sorted(manifest.files | {MANIFEST})
    with _on_this_machine(store, names) as paths:

        def work() -> str:
            there = set(api.list_repo_files(repository, repo_type="dataset"))
            if MANIFEST not in there and (strangers := sorted(there - _OF_THE_HUB)):
                raise BadInput(
                    f"{repository} holds files that are no release of kodforge ({strangers[0]}, …), and a push would "
                    f"remove them. Push to another repository, or empty this one first"
                )
            adds = [CommitOperationAdd(name, str(paths[name])) for name in names]
            stale = [CommitOperationDelete(name) for name in sorted(there - _KEPT - set(names))]
            message = f"Version {manifest.version}"
            return str(api.create_commit(repository, [*adds, *stale], commit_message=message, repo_type="dataset").oid)

        return _tried("upload the files", work)


@contextmanager
def _on_this_machine(store: Store, names: list[str]) -> Iterator[dict[str, Path]]:
    """Files as paths: where they are, or copied from a store elsewhere."""
    if store.is_local:
        yield {name: Path(store.path(name)) for name in names}
        return
    with scratch_folder() as folder:
        paths = {name: folder.joinpath(*PurePosixPath(name).parts) for name in names}
        for name, path in paths.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            store.fetch(path, name)
        yield paths


def _tried(what: str, work: Callable[[], T]) -> T:
    """Do something at the hub, again where its failure may pass: 429, 5xx, a torn connection, a commit in between."""
    last = ""
    for number in range(_TRIES):
        try:
            return work()
        except EntryNotFoundError:
            raise
        except LocalTokenNotFoundError as error:
            raise BadInput(f"there is no token for the Hugging Face hub: {error}") from error
        except HfHubHTTPError as error:
            status = error.response.status_code
            if status in (401, 403):
                raise BadInput(
                    f"the hub refuses to {what} with this token ({_told(error)}). Give one that may write to the "
                    f"repository: HF_TOKEN, or what release.hub names"
                ) from None
            if status < 500 and status not in (408, 409, 412, 429):
                raise BadInput(f"the hub refuses to {what} ({_told(error)})") from error
            last = _told(error)
        except (_TRANSPORT, OSError, RuntimeError) as error:  # the last is how uploads in threads tell of it
            last = str(error) or type(error).__name__
        except ValueError as error:
            raise BadInput(f"the hub refuses to {what}: {error}") from error
        if number + 1 < _TRIES:
            time.sleep(_DELAY_S * 2**number)
    raise HubUnavailable(f"the hub failed to {what}, {_TRIES} times ({last}). Push again later: it goes on from here")


def _told(error: HfHubHTTPError) -> str:
    return f"HTTP {error.response.status_code}: {error.server_message or 'no reason given'}"

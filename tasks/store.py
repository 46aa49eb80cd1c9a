"""A folder on any filesystem that fsspec knows: where runs and releases are kept.

All reads and writes of a run go through here, so that a failure says which file it was and whether a retry can help
(``tasks.filesystems``), and so that a reader sees a file whole or not at all.
"""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

from tasks import metrics
from tasks.errors import BadInput, Gone, KodforgeError
from tasks.filesystems import is_local, open_url, telling, use_options
from tasks.settings.storage import Storage

_CHUNK = 1 << 20
_TRIES = 5
TEMPORARY = ".tmp"
_LEFT_OVER = re.compile(r"\.[0-9a-f]{32}\.tmp$")


class Stored(Protocol):
    """A config that says where its artifacts are kept, and whose keys open the place."""

    @property
    def store(self) -> str: ...
    @property
    def storage(self) -> Storage: ...


@dataclass(frozen=True)
class Written:
    """When a file was written, as seconds since 1970 (0 where nobody knows), and what is another once it is again."""

    at: float
    stamp: str


class Store:
    """A folder of files.

    Args:
        url: a local path or an fsspec URL such as ``s3://bucket/prefix``.

    Raises:
        BadInput: there is no such kind of store.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.fs, self.root = open_url(url)
        self.is_local = is_local(self.fs)
        # Else s3fs asks for the size of a file first, to read a large one in parts.
        self._whole = {"max_concurrency": 1} if "s3" in self.fs.protocol else {}

    @classmethod
    def of(cls, config: Stored, url: str = "") -> Store:
        """The store of a config, or a place that its keys open, too.

        Raises:
            BadInput: there is no such block of keys, or no such kind of store.
        """
        use_options(config.storage.block)
        return cls(url or config.store)

    def path(self, *parts: str) -> str:
        return "/".join([self.root.rstrip("/"), *parts])

    def below(self, *parts: str) -> Store:
        """The store of a folder in this one."""
        return Store("/".join([self.url.rstrip("/"), *parts]))

    def exists(self, *parts: str) -> bool:
        """Whether there is a file or a folder of that name."""
        with self._telling("read", parts):
            return bool(self.fs.exists(self.path(*parts)))

    def read(self, *parts: str) -> bytes:
        """A whole file.

        Raises:
            Gone: it is not there, although the run has it.
            StoreUnavailable: it cannot be read for the moment.
        """
        found = self.find(*parts)
        if found is None:
            raise Gone(
                f"{self.path(*parts)!r} is gone, although it was written. Was the store moved, emptied or unmounted? "
                f"Bring it back and run the same command again; what is lost for good is made anew"
            )
        return found

    def find(self, *parts: str) -> bytes | None:
        """A whole file; None where there is none."""
        with self._telling("read", parts):
            try:
                return bytes(self.fs.cat_file(self.path(*parts), **self._whole))
            except (FileNotFoundError, NotADirectoryError) as error:
                _absent(error)
                return None

    @contextmanager
    def open(self, *parts: str) -> Iterator[BinaryIO]:
        """A file to read parts of. What fails while it is open is told as of it.

        Raises:
            FileNotFoundError: there is none.
        """
        with self._telling("read", parts), self.fs.open(self.path(*parts), "rb") as file:
            yield cast(BinaryIO, file)

    def fetch(self, target: Path, *parts: str) -> None:
        """Copy a file to this machine."""
        with self._telling("read", parts):
            self.fs.get_file(self.path(*parts), str(target))

    def size(self, *parts: str) -> int:
        """Bytes of a file."""
        with self._telling("read", parts):
            return int(self.fs.size(self.path(*parts)))

    def modified(self, *parts: str) -> datetime:
        """When a file was written."""
        with self._telling("read", parts):
            return cast(datetime, self.fs.modified(self.path(*parts)))

    def write(self, data: bytes, *parts: str) -> None:
        """Write a whole file, so that a reader sees all of it or nothing."""
        with self._telling("write", parts, len(data)):
            if self.is_local:
                self._replace(self.path(*parts), lambda file: file.write(data), os.replace)
            else:  # one put of an object store is atomic
                self.fs.pipe_file(self.path(*parts), data)

    def place(self, source: Path, *parts: str) -> None:
        """Write a file of this machine, as ``write`` does."""
        with self._telling("write", parts, source.stat().st_size):
            if not self.is_local:
                self.fs.put_file(str(source), self.path(*parts))
                return

            def copy(file: BinaryIO) -> None:
                with source.open("rb") as opened:
                    shutil.copyfileobj(opened, file, _CHUNK)

            self._replace(self.path(*parts), copy, os.replace)

    def create(self, data: bytes, *parts: str) -> bool:
        """Write a whole file where there is none yet: of several writers one succeeds.

        On filesystems that cannot do that (all but local ones, S3 and such as speak its protocol), two that come within
        moments may both.

        Returns:
            Whether it was written; False where there was one.
        """
        if not self.is_local and self.exists(*parts):
            return False
        with self._telling("write", parts, len(data)):
            try:
                if self.is_local:
                    self._replace(self.path(*parts), lambda file: file.write(data), _link)
                else:
                    self.fs.pipe_file(self.path(*parts), data, mode="create")
            except FileExistsError:
                return False
        return True

    def _replace(self, target: str, fill: Callable[[BinaryIO], object], commit: Callable[[str, str], None]) -> None:
        """Fill a temporary file beside the target, sync it, and put it in its place.

        Again where another process took the temporary file for a left-over, or the folder for an empty one.
        """
        for left in reversed(range(_TRIES)):
            temporary = f"{target}.{uuid.uuid4().hex}{TEMPORARY}"
            try:
                os.makedirs(os.path.dirname(target), exist_ok=True)
                with open(temporary, "wb") as file:
                    fill(file)
                    file.flush()
                    os.fsync(file.fileno())
                commit(temporary, target)
            except FileNotFoundError:
                if not left:
                    raise
            else:
                return
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(temporary)

    def sweep(self, *parts: str) -> None:
        """Remove what writes that were killed left in a folder."""
        if self.is_local:
            for name in self.names(*parts):
                if _LEFT_OVER.search(name):
                    self.remove(*parts, name)

    def names(self, *parts: str) -> list[str]:
        """Names in a folder, sorted; empty where there is none."""
        with self._telling("list", parts):
            try:
                entries = self.fs.ls(self.path(*parts), detail=False)
            except (FileNotFoundError, NotADirectoryError) as error:
                _absent(error)
                return []
        # An object store may hold an empty object in the place of the folder itself.
        folder = self.path(*parts).rstrip("/")
        return sorted(os.path.basename(name) for one in entries if (name := str(one).rstrip("/")) != folder)

    def written(self, *parts: str) -> dict[str, Written]:
        """Names in a folder with when each was written; empty where there is none."""
        with self._telling("list", parts):
            try:
                if self.is_local:
                    with os.scandir(self.path(*parts)) as entries:
                        found = [(entry.name, entry.stat()) for entry in entries if entry.is_file()]
                    return {name: Written(of.st_mtime, f"{of.st_mtime_ns} {of.st_size}") for name, of in found}
                listed = self.fs.ls(self.path(*parts), detail=True)
            except (FileNotFoundError, NotADirectoryError) as error:
                _absent(error)
                return {}
        return {os.path.basename(str(one["name"])): _written(one) for one in listed if one["type"] == "file"}

    def remove(self, *parts: str) -> None:
        """Remove a file, where there is one."""
        with self._telling("remove", parts):
            try:
                self.fs.rm_file(self.path(*parts))
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
                _absent(error)

    def remove_folder(self, *parts: str) -> None:
        """Remove a folder with all that is in it, where there is one."""
        with self._telling("remove", parts):
            try:
                self.fs.rm(self.path(*parts), recursive=True)
            except (FileNotFoundError, NotADirectoryError) as error:
                _absent(error)

    def folder_size(self, *parts: str) -> int:
        """Bytes of all files in a folder."""
        with self._telling("list", parts):
            return int(self.fs.du(self.path(*parts)))

    def remove_empty(self, *parts: str) -> None:
        """Remove a folder that holds nothing. Object stores have none."""
        if self.is_local and not self.names(*parts) and os.path.isdir(self.path(*parts)):
            with self._telling("remove", parts):
                os.rmdir(self.path(*parts))

    def check_writable(self) -> None:
        """Write a file and remove it.

        Raises:
            BadInput: nothing can be written here.
            StoreFull, StoreUnavailable: not at the moment.
        """
        probe = f".probe-{uuid.uuid4().hex}"
        try:
            self.write(b"", probe)
            self.remove(probe)
        except KodforgeError:
            raise
        except Exception as error:  # where its folder is a file, and of filesystems with errors of their own
            raise BadInput(
                f"store {self.url!r} is not writable: {error}. Give another with --set store=… or mend its permissions"
            ) from error

    def _telling(self, doing: str, parts: tuple[str, ...], size: int = 0) -> AbstractContextManager[None]:
        metrics.STORE_OPERATIONS.add(1, {"operation": doing})
        metrics.STORE_WRITTEN.add(size)
        return telling(self.url, self.path(*parts), doing, size)


def _written(entry: Mapping[str, Any]) -> Written:
    """What a listing of an object store says of a file."""
    moment = next((entry[name] for name in ("LastModified", "mtime", "updated", "created") if entry.get(name)), None)
    at = moment.timestamp() if isinstance(moment, datetime) else moment
    tag = entry.get("ETag") or entry.get("etag") or entry.get("md5Hash") or ""
    return Written(float(at) if isinstance(at, int | float) else 0.0, f"{moment} {tag} {entry.get('size')}")


def _absent(error: OSError) -> None:
    """That a file is not there is an answer; that its bucket is not there is none."""
    code = getattr(error.__cause__, "response", None)
    if isinstance(code, dict) and code.get("Error", {}).get("Code") == "NoSuchBucket":
        raise error


def _link(source: str, target: str) -> None:
    """Give a file its name, where nothing has it.

    Raises:
        FileExistsError: something has.
    """
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:  # a filesystem without hard links
        with open(target, "xb") as file, open(source, "rb") as opened:
            shutil.copyfileobj(opened, file)
            file.flush()
            os.fsync(file.fileno())

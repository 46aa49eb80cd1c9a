"""Filesystems as fsspec opens them: with which options, and what their failures mean.

Options come from fsspec's own configuration: its files, the environment (``FSSPEC_S3_ENDPOINT_URL``, or what the
library of a store reads itself, such as ``AWS_ENDPOINT_URL``), and over these the Prefect Secret block that the config
or ``KODFORGE_STORAGE__BLOCK`` names.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec
from fsspec.config import conf

from tasks.errors import BadInput, KodforgeError, StoreFull, StoreUnavailable
from tasks.secret_block import secret

BLOCK = "KODFORGE_STORAGE__BLOCK"
_S3 = {"connect_timeout": 10, "read_timeout": 60, "max_pool_connections": 64}
_S3_ATTEMPTS = 3
"""Of botocore, at each of s3fs's five: throttling, failures of the server, torn connections."""
_MISPLACED = (PermissionError, NotADirectoryError, IsADirectoryError)
"""What a local path is to blame for."""
_FULL = {errno.ENOSPC, errno.EDQUOT}
_LITTLE = 1 << 20
"""Bytes free, below which a failure of SQLite's is that of a full disk: it grows its files by less."""
_FULL_CODES = {"QuotaExceeded", "XMinioAdminBucketQuotaExceeded", "XMinioStorageFull", "InsufficientStorage"}
_WRONG = {
    "NoSuchBucket": "there is no such bucket",
    "InvalidBucketName": "this is no name of a bucket",
    "AccessDenied": "the key may not do this",
    "AllAccessDisabled": "the key may not do this",
    "403": "the key may not do this",
    "InvalidAccessKeyId": "the key is not known there",
    "SignatureDoesNotMatch": "the secret does not belong to the key",
    "ExpiredToken": "the token has expired",
    "InvalidToken": "the token is refused",
    "AuthorizationHeaderMalformed": "the region is another",
    "IllegalLocationConstraintException": "the region is another",
    "PermanentRedirect": "the bucket is in another region",
    "301": "the bucket is in another region",
    "NoCredentialsError": "there is no key",
    "PartialCredentialsError": "there is half a key",
    "NoRegionError": "there is no region",
    "ProfileNotFound": "there is no such profile of keys",
    "InvalidRegionError": "this is no region",
    "ParamValidationError": "this is no name of a bucket or an object",
}
"""What no retry mends, by the code of the answer or the name of the exception, and why."""
_TRANSPORTS = {
    "botocore",
    "aiobotocore",
    "aiohttp",
    "gcsfs",
    "google",
    "azure",
    "requests",
    "urllib3",
    "httpx",
    "fsspec",
}
"""Packages whose exceptions are failures of a store."""
_lock = threading.Lock()
_applied: set[str] = set()


def use_options(block: str) -> None:
    """Take the options of stores from a block, for this process; from the environment alone where none is named.

    Raises:
        BadInput: there is no such block, or it holds no configuration.
    """
    with _lock:
        _set_defaults()
        block = block or os.environ.get(BLOCK, "")
        if not block or block in _applied:
            return
        for protocol, options in _of_block(block).items():
            conf.setdefault(protocol, {}).update(options)
        _set_defaults()
        _applied.add(block)


def _set_defaults() -> None:
    """Never a listing that another process may have made stale; patience with what passes."""
    options = conf.setdefault("s3", {})
    options["use_listings_cache"] = False
    options["config_kwargs"] = {
        **_S3,
        "retries": {"mode": "standard", "max_attempts": _S3_ATTEMPTS},
        **(options.get("config_kwargs") or {}),
    }


def _of_block(block: str) -> dict[str, Mapping[str, Any]]:
    value = secret(block, "storage.block")
    try:
        found = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        found = None  # what is wrong with it may quote what it holds
    if not isinstance(found, dict) or not all(isinstance(options, dict) for options in found.values()):
        raise BadInput(
            f"Prefect Secret block {block!r} holds no options of stores by their protocol. It takes JSON "
            f'such as {{"s3": {{"key": "…", "secret": "…", "endpoint_url": "…"}}}}'
        )
    return found


def open_url(url: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """A filesystem and the path that a URL names in it.

    Raises:
        BadInput: there is no such protocol, or its library is not installed.
    """
    use_options("")
    try:
        fs, root = fsspec.core.url_to_fs(url)
    except (ValueError, ImportError) as error:
        raise BadInput(f"store {url!r} cannot be opened: {error}. Use a folder or an fsspec URL") from error
    return fs, str(root)


def is_local(fs: fsspec.AbstractFileSystem) -> bool:
    return "file" in (fs.protocol if isinstance(fs.protocol, tuple) else (fs.protocol,))


@contextmanager
def telling(url: str, name: str, doing: str, size: int = 0) -> Iterator[None]:
    """Tell what went wrong with a file of a store, and whether trying again can help.

    Args:
        url: of the store.
        name: the file, as the user finds it.
        doing: what was done with it, as in ``write``.
        size: bytes to be written.

    Raises:
        FileNotFoundError, FileExistsError: as they are; what that means is the caller's to say.
        BadInput: the store refuses for good: no such bucket, a refused key, a folder without permission.
        StoreFull: there is no space left, or a quota is reached.
        StoreUnavailable: it fails for the moment.
    """
    try:
        yield
    except KodforgeError:
        raise
    except Exception as error:
        if not isinstance(error, OSError) and type(error).__module__.partition(".")[0] not in _TRANSPORTS:
            raise
        code = _code(error)
        if code in _WRONG:
            raise BadInput(
                f"store {url!r} refuses to {doing} {name!r}: {_WRONG[code]} ({_short(error)}). Check its URL, and "
                f"keys, region and endpoint in the environment (AWS_…, FSSPEC_…) or in the block of storage.block"
            ) from error
        if isinstance(error, FileNotFoundError | FileExistsError):
            raise
        if code in _FULL_CODES or (isinstance(error, OSError) and error.errno in _FULL):
            raise full(name, size, error) from error
        if isinstance(error, OSError) and (isinstance(error, _MISPLACED) or error.errno == errno.EROFS):
            raise BadInput(
                f"store {url!r} is not {_ABLE[doing]}: {_short(error)} ({name}). Give another with --set store=… or "
                f"mend its permissions"
            ) from error
        raise StoreUnavailable(
            f"store {url!r} failed to {doing} {name!r}: {_short(error)}. Nothing that it had said to keep is lost; run "
            f"the same command again, it goes on from here"
        ) from error


_ABLE = {"write": "writable", "remove": "writable", "read": "readable", "list": "readable"}


def _code(error: BaseException) -> str:
    """The code of an answer of S3, or the name of what botocore raises without one."""
    for one in (error, error.__cause__, error.__context__):
        if one is None:
            continue
        code = getattr(one, "response", None)
        if isinstance(code, dict) and "Error" in code:
            return str(code["Error"].get("Code", ""))
        if type(one).__name__ in _WRONG:
            return type(one).__name__
    return ""


def _short(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:300]


def full(path: str, size: int, error: BaseException) -> StoreFull:
    """What to say where a file finds no space: which disk it is, and how much is needed."""
    folder = Path(path)
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    where = "the store"
    if folder.is_absolute() and folder.exists():
        disk = folder
        while not disk.is_mount() and disk != disk.parent:
            disk = disk.parent
        where = f"the disk mounted at {disk} ({shutil.disk_usage(disk).free:,} bytes free)"
    needs = f"{size:,} bytes more are needed at the least" if size else "more is needed"
    quota = " by the quota of this user" if getattr(error, "errno", 0) == errno.EDQUOT else ""
    return StoreFull(
        f"{where} is full{quota}: {path!r} cannot be written, {needs} ({_short(error)}). Make space there, then run "
        f"the same command again: it goes on where it stopped"
    )


@contextmanager
def local_space(folder: str = "") -> Iterator[None]:
    """Tell which disk it was that had no space for work on local files.

    Args:
        folder: where they are; empty: where temporary files go.

    Raises:
        StoreFull: there is none.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        found = full(str(error.filename or folder or tempfile.gettempdir()), 0, error)
        hint = "" if folder else ". Temporary files go where TMPDIR says"
        raise StoreFull(f"{found}{hint}") from error
    except sqlite3.OperationalError as error:
        kind = error.sqlite_errorcode & 0xFF  # of extended codes
        if kind != sqlite3.SQLITE_FULL and not (kind == sqlite3.SQLITE_IOERR and free_bytes(folder) < _LITTLE):
            raise
        raise full(folder, 0, error) from error


def free_bytes(path: str) -> int:
    """Bytes that are free on the disk of a local path, which need not be there yet."""
    folder = Path(path).absolute()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free

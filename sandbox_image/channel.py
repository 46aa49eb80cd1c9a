"""Frames between the two processes of an isolated case, and what both sides need to speak of objects."""

from __future__ import annotations

import builtins
import json
import socket
import struct
from collections.abc import Callable
from typing import Any

from sandbox_image.values import LIBRARY, Malformed, Writer

MAX_FRAME = 64 << 20
_SIZE = struct.Struct(">I")
_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
BUILTIN_EXCEPTIONS: dict[str, type[BaseException]] = {
    name: value
    for name, value in vars(builtins).items()
    if isinstance(value, type) and issubclass(value, BaseException) and not issubclass(value, BaseExceptionGroup)
}
BUILTINS = {
    name: value
    for name, value in vars(builtins).items()
    if (isinstance(value, type) or callable(value)) and name not in ("eval", "exec", "compile", "open", "__import__")
}


class Gone(Exception):
    """The other side has closed the channel."""


class Channel:
    """One end of a socket pair."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._buffer = b""

    def send(self, frame: dict[str, Any]) -> None:
        data = _encode(frame).encode()
        if len(data) > MAX_FRAME:
            raise MemoryError(f"a message of {len(data)} bytes is more than {MAX_FRAME}")
        try:
            self._socket.sendall(_SIZE.pack(len(data)) + data)
        except OSError as error:
            raise Gone from error

    def receive(self) -> dict[str, Any]:
        (size,) = _SIZE.unpack(self._exactly(4))
        if size > MAX_FRAME:
            raise Malformed(f"a message of {size} bytes")
        try:
            frame = json.loads(self._exactly(size))
        except (ValueError, RecursionError) as error:
            raise Malformed(f"a message is no JSON: {error}") from error
        if not isinstance(frame, dict):
            raise Malformed("a message is no object")
        return frame

    def _exactly(self, size: int) -> bytes:
        if len(self._buffer) < size:
            chunks, have = [self._buffer], len(self._buffer)
            while have < size:
                try:
                    chunk = self._socket.recv(1 << 17)
                except OSError as error:
                    raise Gone from error
                if not chunk:
                    raise Gone
                chunks.append(chunk)
                have += len(chunk)
            self._buffer = b"".join(chunks)
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        return data


def by_name(value: Any) -> list[Any] | None:
    """The entry of a function or class that both sides have; None for any other value."""
    name = getattr(value, "__name__", None)
    if not isinstance(name, str):
        return None
    if BUILTINS.get(name) is value:
        return ["builtin", name]
    for module, found in LIBRARY.items():
        if getattr(found, name, None) is value:
            return ["library", module, name]
    return None


def from_name(entry: list[Any], classes_only: bool = False) -> Any:
    """The function or class of an entry that ``by_name`` made.

    Raises:
        Malformed: there is none.
    """
    found = None
    match entry:
        case ["builtin", str(name)]:
            found = BUILTINS.get(name)
        case ["library", str(module), str(name)]:
            found = getattr(LIBRARY.get(module), name, None)
    if isinstance(found, type) or (callable(found) and not classes_only):
        return found
    raise Malformed(f"no such thing: {entry!r}"[:200])


_ATOMS = frozenset({type(None), bool, str, float})
_SMALL = 1 << 63


def is_atom(value: Any) -> bool:
    """Whether a value stands for itself in a message. Most do, and then need no heap."""
    kind = type(value)
    return kind in _ATOMS or (kind is int and -_SMALL < value < _SMALL)


def write(value: Any, export: Callable[[Any], list[Any]]) -> tuple[dict[str, Any], Writer]:
    """A value as the fields ``root`` and ``heap`` of a message."""
    writer = Writer(export)
    root = writer.root(value)
    return {"root": root, "heap": writer.entries}, writer

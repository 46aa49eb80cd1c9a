"""Frames between the two processes of an isolated case, and what both sides need to speak of objects."""

from __future__ import annotations

import builtins
import json
import socket
import struct
from collections.abc import Iterable
from typing import Any

from sandbox_image.values import LIBRARY, Malformed, Reader, Shared, Writer

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


class Party:
    """One side of the conversation: how values become the fields of a message, and come out of them."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.shared = Shared()

    def export(self, value: Any) -> list[Any]:
        """The entry of a value that is not plain."""
        raise NotImplementedError

    def resolve(self, entry: list[Any]) -> Any:
        """What an entry that is not plain stands for.

        Raises:
            Malformed: nothing.
        """
        raise NotImplementedError

    def pack(self, value: Any, known: Iterable[Any] = ()) -> tuple[dict[str, Any], Writer]:
        """The fields of a message that carry a value, and what changed in the shared containers."""
        writer = Writer(self.export, known, self.shared.numbers)
        fields: dict[str, Any] = {"root": writer.root(value), "heap": writer.entries}
        if stale := self.shared.stale():
            fields["sync"] = self.shared.tell(stale, writer)
            writer.root(None)  # puts on the heap what they now hold
        return fields, writer

    def unpack(self, fields: dict[str, Any], known: Iterable[Any] = ()) -> tuple[Any, Reader]:
        """The value that fields carry.

        Raises:
            Malformed: they are not as they are sent.
        """
        reader = Reader(fields.get("heap"), self.resolve, known, self.shared.objects)
        value = reader.root(fields.get("root"))
        if "sync" in fields:
            self.shared.hear(fields["sync"], reader)
        return value, reader

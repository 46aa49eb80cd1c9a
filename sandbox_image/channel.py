"""Frames between the two processes of an isolated case, and what both sides need to speak of objects."""

from __future__ import annotations

import json.decoder
import json.encoder
from collections.abc import Callable, Iterable
from math import isnan
from os import read, write  # as they are now, whatever a solution makes of os
from typing import Any

from sandbox_image.children import write_all
from sandbox_image.mutables import Shared
from sandbox_image.values import Malformed, Reader, Writer

Frame = dict[str, Any] | list[Any]
"""A message: an array for the calls and answers that carry atoms alone, which most do; else an object."""
MAX_FRAME = 64 << 20
_CHUNK = 1 << 16
_END = b"\n"
"""Of a message; JSON as it is written here has none within."""
_encoder = json.JSONEncoder(separators=(",", ":"), check_circular=False)
_make_encoder: Any = getattr(json.encoder, "c_make_encoder", None)
_scan: Callable[[str, int], tuple[Any, int]] = getattr(json.JSONDecoder(), "scan_once")  # noqa: B009 - typeshed lacks it
_parts: Callable[[Any, int], Iterable[str]] = (
    # What `encode` makes anew for each value, which takes longer than to encode a short one.
    _make_encoder(None, _encoder.default, json.encoder.encode_basestring_ascii, None, ":", ",", False, False, True)
    if _make_encoder
    else lambda frame, _: [_encoder.encode(frame)]
)


class Gone(Exception):
    """The other side has closed the channel."""


class Channel:
    """One end of a pair of pipes: a message and its answer take half the time that they take through a socket.

    Args:
        source: descriptor of the pipe that is read; ``sink`` of the one that is written.
    """

    def __init__(self, source: int, sink: int) -> None:
        self._source, self._sink = source, sink
        self._buffer = b""

    def send(self, frame: Frame) -> None:
        data = "".join(_parts(frame, 0)).encode("ascii") + _END
        if len(data) > MAX_FRAME:
            raise MemoryError(f"a message of {len(data)} bytes is more than {MAX_FRAME}")
        try:
            if (written := write(self._sink, data)) < len(data):
                write_all(self._sink, data[written:])
        except OSError as error:
            raise Gone from error

    def receive(self) -> Frame:
        data = self._next()
        try:
            frame, end = _scan(data.decode("ascii"), 0)
        except (ValueError, RecursionError, StopIteration) as error:
            raise Malformed(f"a message is no JSON: {error}") from error
        if end != len(data) - 1 or not isinstance(frame, dict | list):
            raise Malformed("a message is no object and no array")
        return frame

    def _next(self) -> bytes:
        """The next message with its end. It nearly always comes whole and alone."""
        data = self._buffer or self._more()
        end = data.find(_END) + 1
        if end == len(data):
            self._buffer = b""
            return data
        if not end:
            chunks, have = [data], len(data)
            while not (end := chunks[-1].find(_END) + 1):
                if have > MAX_FRAME:
                    raise Malformed(f"a message of more than {MAX_FRAME} bytes")
                chunks.append(self._more())
                have += len(chunks[-1])
            end += have - len(chunks[-1])
            data = b"".join(chunks)
        self._buffer = data[end:]
        return data[:end]

    def _more(self) -> bytes:
        try:
            chunk = read(self._source, _CHUNK)
        except OSError as error:
            raise Gone from error
        if not chunk:
            raise Gone
        return chunk


_ATOMS = frozenset({type(None), bool, str})
_SMALL = 1 << 63


def is_atom(value: Any) -> bool:
    """Whether a value stands for itself in a message. Most do, and then need no heap.

    What is not a number does not: it is equal to itself only where it is the same object.
    """
    kind = type(value)
    return kind in _ATOMS or (kind is int and -_SMALL < value < _SMALL) or (kind is float and not isnan(value))


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

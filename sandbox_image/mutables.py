"""Mutable containers that both sides of an isolated case hold: what changed in them, and telling it."""

from __future__ import annotations

import operator
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterable
from typing import Any

from sandbox_image.values import Malformed, Reader, Writer, is_plain_array

MUTABLE = (list, dict, set, deque, bytearray, OrderedDict, Counter, defaultdict)
MOST_SHARED = 20_000
"""Items in containers that both sides keep; more would make each call slow."""


class Shared:
    """Mutable containers that both sides hold beyond one message: an argument that the solution kept, an attribute that
    the tests hold on to. Each side tells the other what changed in them with its next message.

    What would make them more than ``MOST_SHARED`` items is not shared: each side has a copy of its own. The solution
    decides what it keeps, so that nothing else may follow from it."""

    def __init__(self) -> None:
        self.objects: dict[int, Any] = {}
        self.numbers: dict[int, int] = {}
        self._agreed: dict[int, list[Any]] = {}
        self.size = 0

    def fits(self, value: Any) -> bool:
        """Whether a container may be shared beside the others."""
        return self.size + _items(value) <= MOST_SHARED

    def add(self, number: int, value: Any) -> None:
        """Keep a container from now on.

        Raises:
            Malformed: it is no mutable container, or too large, or its number is not the next.
        """
        if number != len(self.objects) or not mutable([value]) or not self.fits(value):
            raise Malformed("what is to be shared cannot be shared")
        self.objects[number] = value
        self.numbers[id(value)] = number
        self._agreed[number] = snapshot(value)
        self.size += _items(value)

    def stale(self) -> list[int]:
        """Numbers of the containers that have changed since the sides last agreed."""
        if not self.objects:
            return []
        return [number for number, value in self.objects.items() if changed(self._agreed[number], value)]

    def tell(self, numbers: Iterable[int], writer: Writer) -> dict[int, list[Any]]:
        """The content of some containers, for the other side."""
        for number in numbers:
            self._agreed[number] = snapshot(self.objects[number])
        return {number: writer.held(self.objects[number]) for number in numbers}

    def hear(self, told: Any, reader: Reader) -> None:
        """Take over what the other side changed.

        Raises:
            Malformed: it names what is not shared.
        """
        if not isinstance(told, dict) or not all(number.isdecimal() and int(number) in self.objects for number in told):
            raise Malformed("a container that is not shared has changed")
        for number, entry in told.items():
            reader.update(self.objects[int(number)], entry)
            self._agreed[int(number)] = snapshot(self.objects[int(number)])


def _items(value: Any) -> int:
    """How long a snapshot is."""
    if isinstance(value, list | dict | set | deque):
        return len(value) * (2 if isinstance(value, dict) else 1)
    return 1


def snapshot(value: Any) -> list[Any]:
    """What a mutable container holds now, for ``changed``."""
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    if isinstance(value, list | set | deque):
        return list(value)
    return [bytes(value) if isinstance(value, bytearray) else value.tobytes()]


def changed(before: list[Any], value: Any) -> bool:
    """Whether a container holds other things than it did, or the same in another order."""
    now = snapshot(value)
    if isinstance(value, bytearray) or hasattr(value, "tobytes"):
        return now != before
    return len(now) != len(before) or not all(map(operator.is_, now, before))


def mutable(values: Iterable[Any]) -> dict[int, Any]:
    """The mutable containers among some values, by their place; those alone that cross with what they hold."""
    numpy = sys.modules.get("numpy")
    kinds = MUTABLE if numpy is None else (*MUTABLE, numpy.ndarray)
    return {
        index: value
        for index, value in enumerate(values)
        if type(value) in kinds and (type(value) in MUTABLE or is_plain_array(value))
    }

"""Classes that derive from a plain one: what their objects hold beside what the solution made of them.

A ``str`` of a class of its own is a string, whatever its methods do. So it crosses with its content, and the tests' own
Python compares that with plain values.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from typing import Any


def _counter(value: Any) -> Counter[Any]:
    made: Counter[Any] = Counter()
    dict.update(made, dict.items(value))
    return made


IMMUTABLE: dict[type, Callable[[Any], Any]] = {
    str: str.__str__,
    int: int.__index__,
    float: float.__float__,
    bytes: lambda value: bytes.__getitem__(value, slice(None)),
    tuple: lambda value: tuple(tuple.__iter__(value)),
    frozenset: lambda value: frozenset(frozenset.__iter__(value)),
}
"""The content of an object, by the base that says how to compare it; it never changes."""
MUTABLE: dict[type, Callable[[Any], Any]] = {
    list: lambda value: list(list.__iter__(value)),
    set: lambda value: set(set.__iter__(value)),
    deque: lambda value: deque(deque.__iter__(value), value.maxlen),
    Counter: _counter,
    OrderedDict: lambda value: OrderedDict(OrderedDict.items(value)),
    defaultdict: lambda value: defaultdict(None, dict.items(value)),
    dict: lambda value: dict(dict.items(value)),
}
"""The same of what changes, so that it must be asked for anew each time."""
NAMED = {kind.__name__: kind for kind in (*IMMUTABLE, *MUTABLE)}


def plain_base(kind: type) -> type | None:
    """The most derived plain class that a class derives from; None where it derives from none."""
    return next((base for base in kind.__mro__ if base in IMMUTABLE or base in MUTABLE), None)


def content(value: Any) -> Any:
    """What an object holds as one of its plain base; none of its own methods has a say.

    Raises:
        TypeError: it has no such base.
    """
    base = plain_base(type(value))
    if base is None:
        raise TypeError(f"{type(value).__name__} derives from no plain class")
    return (IMMUTABLE.get(base) or MUTABLE[base])(value)

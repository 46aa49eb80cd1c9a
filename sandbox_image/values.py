"""Values that cross between the tests' process and the solution's: JSON both ways, nothing is ever unpickled.

A message is a *root* and a *heap*. Atoms (None, bool, int, float, str) stand for themselves, a tuple of atoms is
``["t", atoms]``; every other value is an entry ``[tag, ...]`` of the heap and is referred to by ``["@", index]``.
So aliases and cycles stay what they are, nesting has no depth limit, and a container that the other side changed can be
told by its index.
What is no plain value (objects, functions, classes, iterators) crosses by reference; the two sides differ in how, and
say so with ``export`` and ``resolve``.
"""

from __future__ import annotations

import base64
import datetime
import re
import sys
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import chain
from math import isnan
from typing import Any
from zoneinfo import ZoneInfo

from sandbox_image.plain_bases import IMMUTABLE, content, plain_base

_LARGE = 1 << 4096
"""Integers from here on cross as hexadecimal: Python refuses to print very long decimals."""
_NUMPY_DTYPE = re.compile(r"[<>|=]([biufcSU]\d+|[mM]8(\[\d*[A-Za-z]+\])?)")
_IDENTIFIER = re.compile(r"[A-Za-z_]\w{0,200}")
_FACTORIES: dict[str, Any] = {"list": list, "dict": dict, "set": set, "int": int, "float": float, "str": str}
_DATES: dict[str, Any] = {kind.__name__: kind for kind in (datetime.date, datetime.datetime, datetime.time)}
_CALENDAR = frozenset(_DATES.values())
_ZONES = (datetime.timezone, ZoneInfo)
_VIEWS = {
    type(getattr(kind(), name)()): f"dict_{name}"
    for kind in (dict, OrderedDict)
    for name in ("keys", "values", "items")
}


class Malformed(Exception):
    """What came from the other side is not as it is sent."""


_BARE = {*vars(namedtuple("_Bare", ())), "__annotations__", "__orig_bases__", "__annotate_func__"}


def is_namedtuple(kind: type) -> bool:
    """Whether a class is a named tuple with nothing of its own but its fields."""
    if kind.__bases__ != (tuple,):
        return False
    fields = getattr(kind, "_fields", None)
    return isinstance(fields, tuple) and {*vars(kind)} <= _BARE | {*fields}


_ATOMS = frozenset({type(None), bool, str, float, int})


def _only_atoms(values: Collection[Any], kinds: set[type] | None = None) -> bool:
    """Whether all of some values, of some kinds, stand for themselves."""
    kinds = set(map(type, values)) if kinds is None else kinds
    if not kinds <= _ATOMS or (float in kinds and _has_nan(values, kinds)):
        return False
    if int not in kinds:
        return True
    numbers = values if len(kinds) == 1 else [value for value in values if type(value) is int]
    return min(numbers) > -_LARGE and max(numbers) < _LARGE


def _has_nan(values: Collection[Any], kinds: set[type]) -> bool:
    floats = values if len(kinds) == 1 else [value for value in values if type(value) is float]
    # To sum them is much faster than to look at each, and gives no number where one of them is none.
    return isnan(sum(floats)) and any(map(isnan, floats))


class Writer:
    """Turns the values of one message into a heap.

    Args:
        export: the entry of a value that is not plain.
        known: objects the other side knows by their place in this list.
        shared: numbers, by ``id``, of the containers that both sides keep.
    """

    def __init__(
        self, export: Callable[[Any], list[Any]], known: Iterable[Any] = (), shared: Mapping[int, int] | None = None
    ) -> None:
        self._export, self._shared = export, shared or {}
        self.objects: list[Any] = list(known)
        self._indices = {id(value): index for index, value in enumerate(self.objects)}
        self.entries: list[list[Any]] = []
        self._written = len(self.objects)

    def root(self, value: Any) -> Any:
        """The reference to a value, with all it holds on the heap."""
        reference = self._reference(value)
        while self._written < len(self.objects):
            self._written += 1
            self.entries.append(self.content(self.objects[self._written - 1]))
        return reference

    def _reference(self, value: Any) -> Any:
        kind = type(value)
        if value is None or kind is str or kind is bool or (kind is float and not isnan(value)):
            return value
        if kind is int and -_LARGE < value < _LARGE:
            return value
        if kind is tuple and _only_atoms(value):
            return ["t", value]
        if (number := self._shared.get(id(value))) is not None:
            return ["#", number]
        index = self._indices.get(id(value))
        if index is None:
            index = self._indices[id(value)] = len(self.objects)
            self.objects.append(value)
        return ["@", index]

    def _all(self, values: Collection[Any]) -> Sequence[Any]:
        kinds = set(map(type, values))
        if _only_atoms(values, kinds):
            return list(values)
        if kinds == {tuple} and _only_atoms(list(chain.from_iterable(values))):
            return [("t", value) for value in values]
        reference = self._reference
        return [reference(value) for value in values]

    def content(self, value: Any) -> list[Any]:  # noqa: PLR0912 - a table
        """The heap entry of one value; what it holds is referred to, and queued if it was not known."""
        kind = type(value)
        if kind in (list, tuple, set, frozenset, deque):
            more = [value.maxlen] if kind is deque else []
            return [kind.__name__, self._all(value), *more]
        if kind in (dict, OrderedDict, Counter):
            return [kind.__name__, self._all(value.keys()), self._all(value.values())]
        if kind is defaultdict:
            return [*self.held(value)[:3], self._factory(value.default_factory)]
        if kind is int:
            return ["int", hex(value)]
        if kind is float:  # others are atoms
            return ["nan"]
        if kind in _VIEWS:
            return [_VIEWS[kind], self._all(list(value))]
        if kind in (bytes, bytearray):
            return [kind.__name__, base64.b64encode(value).decode()]
        if kind is complex:
            return ["complex", value.real, value.imag]
        if kind is range:
            return ["range", str(value.start), str(value.stop), str(value.step)]
        if kind is slice:
            return ["slice", *self._all((value.start, value.stop, value.step))]
        if kind is Decimal:
            return ["Decimal", str(value)]
        if kind is Fraction:
            return ["Fraction", hex(value.numerator), hex(value.denominator)]
        if kind in _CALENDAR and getattr(value, "tzinfo", None) in (None, datetime.UTC):
            return [kind.__name__, value.isoformat()]
        if kind in _CALENDAR and type(value.tzinfo) in _ZONES:
            return [kind.__name__, value.replace(tzinfo=None).isoformat(), self._reference(value.tzinfo), value.fold]
        if kind is datetime.timezone:
            offset, *name = value.__getinitargs__()
            return ["timezone", self._reference(offset), *name]
        if kind is ZoneInfo and value.key is not None:
            return ["ZoneInfo", value.key]
        if kind is datetime.timedelta:
            return ["timedelta", value.days, value.seconds, value.microseconds]
        if value is Ellipsis or value is NotImplemented:
            return ["constant", str(value)]
        if is_namedtuple(kind):
            _namedtuples.setdefault((kind.__name__, kind._fields), kind)
            return ["namedtuple", kind.__name__, list(kind._fields), self._all(value)]
        entry = self._numpy(value) or self._export(value)
        if entry[0] == "object" and (base := plain_base(kind)) in IMMUTABLE:
            assert base is not None
            return [*entry, base.__name__, self._reference(content(value))]
        return entry

    def held(self, value: Any) -> list[Any]:
        """The entry for ``Reader.update``: what a container holds, and nothing else of it."""
        if type(value) is defaultdict:
            return ["defaultdict", self._all(value.keys()), self._all(value.values()), None]
        return self.content(value)

    def _factory(self, factory: Any) -> Any:
        """The name of what makes the missing values of a dictionary, or a reference to it."""
        name = next((name for name, kind in _FACTORIES.items() if kind is factory), None)
        return self._reference(factory) if name is None else name

    def _numpy(self, value: Any) -> list[Any] | None:
        numpy = sys.modules.get("numpy")
        if numpy is None:
            return None
        kind = type(value)
        if kind is numpy.ndarray and value.dtype.kind == "O":
            return ["object_array", list(value.shape), self._all(value.ravel().tolist())]
        if kind is numpy.ndarray and is_plain_array(value):
            return ["ndarray", value.dtype.str, list(value.shape), base64.b64encode(value.tobytes()).decode()]
        if isinstance(value, numpy.generic) and kind.__module__ == "numpy" and _NUMPY_DTYPE.fullmatch(value.dtype.str):
            return ["scalar", value.dtype.str, base64.b64encode(value.tobytes()).decode()]
        return None


def is_plain_array(value: Any) -> bool:
    """Whether an array of numpy crosses with what it holds."""
    return value.dtype.kind == "O" or bool(_NUMPY_DTYPE.fullmatch(value.dtype.str))


_EMPTY: dict[str, Callable[[], Any]] = {
    "list": list,
    "set": set,
    "dict": dict,
    "OrderedDict": OrderedDict,
    "Counter": Counter,
    "bytearray": bytearray,
}


class Reader:
    """Makes the values of one message.

    Args:
        resolve: the object that an exported entry stands for.
        known: objects that the other side refers to by their place in this list.
        shared: by number, the containers that both sides keep.

    Raises:
        Malformed: from ``root`` and ``update``, where the message is none that a ``Writer`` makes.
    """

    def __init__(
        self,
        heap: Any,
        resolve: Callable[[list[Any]], Any],
        known: Iterable[Any] = (),
        shared: Mapping[int, Any] | None = None,
    ) -> None:
        self._resolve, self._shared = resolve, shared or {}
        self.objects: list[Any] = list(known)
        self._first = len(self.objects)
        if not isinstance(heap, list) or not all(isinstance(entry, list) and entry for entry in heap):
            raise Malformed("the heap is no list of entries")
        self.entries = self._heap = heap
        self._made: dict[int, Any] = {}

    def root(self, reference: Any) -> Any:
        """The value of a reference."""
        try:
            for index, entry in enumerate(self._heap, self._first):
                self._start(index, entry)
            for index in range(self._first, self._first + len(self._heap)):
                self._value(["@", index])
            for index, entry in enumerate(self._heap, self._first):
                if entry[0] in _EMPTY or entry[0] in ("deque", "defaultdict"):
                    self._fill(self._made[index], entry)
                if entry[0] == "defaultdict":
                    factory = entry[3]
                    self._made[index].default_factory = (
                        _FACTORIES[factory]
                        if type(factory) is str
                        else factory and self._resolve(["factory", self._value(factory)])
                    )
            self.objects += [self._made[index] for index in range(self._first, self._first + len(self._heap))]
            self._first, self._heap = len(self.objects), []  # from now on all of it is known
            return self._value(reference)
        except Malformed:
            raise
        except Exception as error:
            raise Malformed(f"a value cannot be read: {type(error).__name__}: {error}") from error

    def update(self, value: Any, entry: list[Any]) -> None:
        """Give a container the content of an entry, in place."""
        try:
            if entry[0] == "ndarray" or entry[0] == "object_array":
                value[...] = self._make(entry)
                return
            if type(value).__name__ != entry[0]:
                raise Malformed(f"a {type(value).__name__} cannot become a {entry[0]}")
            value.clear()
            self._fill(value, entry)
        except Malformed:
            raise
        except Exception as error:
            raise Malformed(f"a changed value cannot be read: {error}") from error

    def _start(self, index: int, entry: list[Any]) -> None:
        """Make the containers that may hold themselves, empty."""
        tag = entry[0]
        if tag in _EMPTY:
            self._made[index] = _EMPTY[tag]()
        elif tag == "deque":
            self._made[index] = deque(maxlen=entry[2])
        elif tag == "defaultdict":
            self._made[index] = defaultdict()

    def _value(self, reference: Any) -> Any:
        if not isinstance(reference, list):
            return reference
        tag, index = reference
        if tag == "t" and isinstance(index, list) and _only_atoms(index):
            return tuple(index)
        if tag == "#" and index in self._shared:
            return self._shared[index]
        if tag != "@" or type(index) is not int or not 0 <= index < self._first + len(self._heap):
            raise Malformed(f"no such reference: {reference!r}"[:200])
        if index < self._first:
            return self.objects[index]
        if index not in self._made:
            self._made[index] = self._make(self._heap[index - self._first])
        return self._made[index]

    def _all(self, references: list[Any]) -> list[Any]:
        kinds = set(map(type, references))
        if list not in kinds:
            return references
        if kinds == {list} and all(reference[0] == "t" for reference in references):
            tuples = [reference[1] for reference in references]
            if set(map(type, tuples)) == {list} and _only_atoms(list(chain.from_iterable(tuples))):
                return list(map(tuple, tuples))
        value = self._value
        return [value(reference) if type(reference) is list else reference for reference in references]

    def _fill(self, value: Any, entry: list[Any]) -> None:
        if isinstance(value, dict):
            dict.update(value, zip(self._all(entry[1]), self._all(entry[2]), strict=True))
        elif isinstance(value, bytearray):
            value.extend(base64.b64decode(entry[1]))
        elif isinstance(value, set):
            value.update(self._all(entry[1]))
        else:
            value.extend(self._all(entry[1]))

    def _make(self, entry: list[Any]) -> Any:  # noqa: PLR0912 - a table
        match entry:
            case ["tuple", items]:
                return tuple(self._all(items))
            case ["frozenset", items]:
                return frozenset(self._all(items))
            case ["object", number, kind, base, held]:
                return self._resolve(["object", number, kind, base, self._value(held)])
            case ["nan"]:
                return float("nan")
            case ["dict_keys", keys]:
                return dict.fromkeys(self._all(keys)).keys()
            case ["dict_values", values]:
                return dict(enumerate(self._all(values))).values()
            case ["dict_items", items]:
                return dict(self._all(items)).items()
            case ["int", str(text)]:
                return int(text, 16)
            case ["bytes", str(text)]:
                return base64.b64decode(text)
            case ["complex", real, imaginary]:
                return complex(real, imaginary)
            case ["range", *parts]:
                return range(*map(int, parts))
            case ["slice", *parts]:
                return slice(*self._all(parts))
            case ["Decimal", str(text)]:
                return Decimal(text)
            case ["Fraction", numerator, denominator]:
                return Fraction(int(numerator, 16), int(denominator, 16))
            case ["date" | "datetime" | "time" as kind, str(text)]:
                return _DATES[kind].fromisoformat(text)
            case ["datetime" | "time" as kind, str(text), zone, fold]:
                return _DATES[kind].fromisoformat(text).replace(tzinfo=self._value(zone), fold=fold)
            case ["timezone", offset, *name]:
                return datetime.timezone(self._value(offset), *name)
            case ["ZoneInfo", str(key)]:
                return ZoneInfo(key)
            case ["timedelta", days, seconds, microseconds]:
                return datetime.timedelta(days, seconds, microseconds)
            case ["constant", "Ellipsis"]:
                return Ellipsis
            case ["constant", "NotImplemented"]:
                return NotImplemented
            case ["namedtuple", str(name), list(fields), items]:
                if not all(_IDENTIFIER.fullmatch(text) for text in (name, *fields)):
                    raise Malformed("a named tuple's names are no identifiers")
                return namedtuple_class(name, tuple(fields))(*self._all(items))
            case ["ndarray" | "object_array" | "scalar", *_]:
                return self._numpy(entry)
            case _:
                return self._resolve(entry)

    def _numpy(self, entry: list[Any]) -> Any:
        import numpy  # noqa: PLC0415

        if entry[0] == "object_array":
            made = numpy.empty(len(entry[2]), dtype=object)
            made[:] = self._all(entry[2])
            return made.reshape(entry[1])
        if not _NUMPY_DTYPE.fullmatch(entry[1]):
            raise Malformed(f"no such dtype: {entry[1]!r}"[:200])
        flat = numpy.frombuffer(base64.b64decode(entry[-1]), dtype=entry[1])
        return flat[0] if entry[0] == "scalar" else flat.reshape(entry[2]).copy()


_namedtuples: dict[tuple[str, tuple[str, ...]], Any] = {}
"""Classes by name and fields: those of this side that have crossed, and what stands for those of the other side."""


def namedtuple_class(name: str, fields: tuple[str, ...]) -> Any:
    if (name, fields) not in _namedtuples:
        _namedtuples[name, fields] = namedtuple(name, fields)
    return _namedtuples[name, fields]

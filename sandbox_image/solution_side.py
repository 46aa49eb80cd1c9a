"""The solution's process of an isolated case: it answers calls, and knows nothing of tests or verdicts."""

from __future__ import annotations

import copy
import dataclasses
import functools
import gc
import importlib
import sys
import traceback
import types
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from sandbox_image.channel import Channel, Frame, Party, is_atom
from sandbox_image.mutables import MUTABLE, changed, mutable, snapshot
from sandbox_image.names import BUILTIN_EXCEPTIONS, by_name, from_name
from sandbox_image.plain_bases import IMMUTABLE, NAMED, content, plain_base
from sandbox_image.special import SPECIAL
from sandbox_image.values import Malformed, is_namedtuple

_FUNCTIONS = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    functools.partial,
    functools._lru_cache_wrapper,
)


_METHODS = (types.FunctionType, types.MethodDescriptorType)
_CONTAINERS = (*MUTABLE, tuple, frozenset)


class Server(Party):
    """Serves one solution. What is no plain value is kept here, and known outside by its number.

    Args:
        finish: called when the tests are over; what it returns is sent back (coverage, imported libraries).
    """

    def __init__(self, channel: Channel, finish: Callable[[], dict[str, Any]]) -> None:
        super().__init__(channel)
        self._finish = finish
        self._objects: list[Any] = []
        self._numbers: dict[int, int] = {}

    def serve(self) -> None:
        """Answer until the tests are over or gone."""
        while True:
            frame = self.channel.receive()
            if type(frame) is dict and frame["op"] == "finish":
                self.channel.send(self._finish())
                return
            self.channel.send(self._answer(frame))

    def _answer(self, frame: Frame) -> Frame:
        if type(frame) is list:
            op, ref, name, *atoms = frame
            return self._reply(op, self._objects[ref], name, (atoms, {}), ())
        assert isinstance(frame, dict)
        match frame["op"]:
            case "import":
                return self._import()
            case "describe":
                return self._describe(self._objects[frame["ref"]])
        call, reader = self.unpack(frame)
        given = reader.objects
        del reader
        return self._reply(frame["op"], self._objects[frame["ref"]], frame["name"], call, given)

    def _import(self) -> dict[str, Any]:
        try:
            module = self._load()
        except BaseException as error:
            return {**self.pack(error)[0], "raised": True, "note": _where(error)}
        public = getattr(module, "__all__", [name for name in dir(module) if not name.startswith("_")])
        return {"module": self._number(module), "names": list(map(str, public))}

    def _load(self) -> types.ModuleType:
        return importlib.import_module("solution")

    def _operation(self, op: str, target: Any, name: str, arguments: Any, keywords: dict[str, Any]) -> Any:
        match op:
            case "call":
                return target(*arguments, **keywords)
            case "method":
                return getattr(target, name)(*arguments, **keywords)
            case "get":
                return getattr(target, name)
            case "set":
                return setattr(target, name, *arguments)
            case "delete":
                return delattr(target, name)
            case "special":
                return getattr(type(target), name)(target, *arguments, **keywords)
            case "content":
                return content(target)
            case "copy":
                return copy.copy(target)
            case "deepcopy":
                return copy.deepcopy(target)
        raise Malformed(f"no such operation: {op}")

    def _reply(self, op: str, target: Any, name: str, call: tuple[Any, Any], given: Sequence[Any]) -> Frame:
        """The result, the arguments that the call changed in place, and which containers the solution keeps.

        Args:
            call: arguments and keywords.
            given: all values that came with the call.
        """
        arguments, keywords = call
        containers = mutable(given) if given else {}
        before = {index: snapshot(value) for index, value in containers.items()}
        more: dict[str, Any] = {}
        try:
            result = self._operation(op, target, name, arguments, keywords)
        except BaseException as error:
            result = error
            more = {"raised": True, "note": _where(error)}
            error.__traceback__ = None  # it holds the call's frames, and they its arguments
        if is_atom(result) and not given and not self.shared.stale():
            return [result]
        del target, arguments, keywords
        fields, writer = self.pack(result, given)
        fields["changed"] = {
            index: writer.held(value) for index, value in containers.items() if changed(before[index], value)
        }
        writer.root(None)  # puts on the heap what the changed containers now hold
        before.clear()
        values = writer.objects
        del writer, containers
        fields["keep"] = {
            index: self._share(values[index])
            for index in self._kept(values, given, result)
            if self.shared.fits(values[index])  # more crosses by copy
        }
        return {**fields, **more}

    def _kept(self, values: list[Any], given: Sequence[Any], result: Any) -> list[int]:
        """Which mutable containers of a reply something refers to that is not of the reply: the solution keeps them.

        Args:
            values: all values of the reply; first among them, and in ``given`` as well, those of the call.
            result: one of them, which the caller has a name for.
        """
        places = [index for index in mutable(values) if id(values[index]) not in self.shared.numbers]
        if not places:
            return []
        ids = {id(values[index]) for index in places}
        holders = [value for value in values if type(value) in _CONTAINERS]
        inside = Counter(filter(ids.__contains__, map(id, gc.get_referents(*holders))))
        del holders
        return [
            index
            for index in places
            # This list and the call of getrefcount are two; the caller's name and this one's for the result two more.
            if sys.getrefcount(values[index]) - 2
            > inside[id(values[index])] + (index < len(given)) + 2 * (values[index] is result)
        ]

    def _share(self, value: Any) -> int:
        number = len(self.shared.objects)
        self.shared.add(number, value)
        return number

    def _number(self, value: Any) -> int:
        number = self._numbers.get(id(value))
        if number is None:
            number = self._numbers[id(value)] = len(self._objects)
            self._objects.append(value)
        return number

    def export(self, value: Any) -> list[Any]:
        if isinstance(value, type):
            return by_name(value) or ["class", self._number(value)]
        if isinstance(value, BaseException):
            kind = type(value)
            arguments = [argument for argument in value.args if isinstance(argument, str | int | float | None)]
            if (entry := by_name(kind)) is not None:
                return ["exception", entry, arguments]
            return ["raised", self._number(value), self._number(kind), arguments]
        if isinstance(value, _FUNCTIONS):
            return ["function", self._number(value)]
        return ["object", self._number(value), self._number(type(value))]

    def _describe(self, kind: Any) -> dict[str, Any]:
        """What the tests' side needs to make a stand-in for a class."""
        bases: list[list[Any]] = []
        for base in kind.__bases__:
            if base in BUILTIN_EXCEPTIONS.values():
                bases.append(["builtin", base.__name__])
            elif base is not object and base not in NAMED.values():
                bases.append(["class", self._number(base)])
        plain = plain_base(kind)
        special = sorted(name for name in SPECIAL if _own(kind, name))
        meta = sorted(name for name in SPECIAL if _own(type(kind), name, type))
        local = vars(plain) if plain in IMMUTABLE else {}  # what the tests' side does without asking
        attributes = [
            (name, value)
            for base in reversed(kind.__mro__)
            for name, value in vars(base).items()
            if local.get(name) is not value
        ]
        return {
            "name": kind.__name__,
            "doc": kind.__doc__ if isinstance(kind.__doc__, str) else None,
            "methods": [name for name, value in attributes if isinstance(value, _METHODS)],
            "hiding": [name for name, value in attributes if name in local and not isinstance(value, _METHODS)],
            "bases": bases,
            "plain": plain and plain.__name__,
            "special": special,
            "inherited": [name for name in special if plain and getattr(kind, name) is getattr(plain, name, None)],
            "meta": meta,
            "generic": hasattr(kind, "__class_getitem__"),
            "fields": list(kind._fields) if is_namedtuple(kind) else None,
            "dataclass": {field.name: field.init for field in _dataclass_fields(kind)},
        }

    def resolve(self, entry: list[Any]) -> Any:
        match entry:
            case ["ref", int(number)]:
                return self._objects[number]
            case ["callback", int(number)]:
                return functools.partial(self._call_back, number, "")
            case ["iterator", int(number)]:
                return _Iterator(functools.partial(self._call_back, number, "__next__"))
            case ["exception", list(kind), list(arguments)]:
                return from_name(kind)(*arguments)
            case ["factory", made]:
                return made
            case ["none"]:
                return None
        return from_name(entry)

    def _call_back(self, number: int, method: str, /, *arguments: Any, **keywords: Any) -> Any:
        """Call a function of the tests, answering what they ask meanwhile."""
        self.channel.send({"callback": number, "method": method, **self.pack((arguments, keywords))[0]})
        while True:
            frame = self.channel.receive()
            if isinstance(frame, list) or "op" in frame:
                self.channel.send(self._answer(frame))
                continue
            assert isinstance(frame, dict)
            value, _ = self.unpack(frame)
            if frame.get("raised"):
                raise value
            return value


class MeasuredServer(Server):
    """Measures the solution while it works, and not this side's own work: tracing that would cost more than the work.

    Args:
        tracer: has ``start`` and ``stop``, and is stopped.
    """

    def __init__(self, channel: Channel, finish: Callable[[], dict[str, Any]], tracer: Any) -> None:
        super().__init__(channel, finish)
        self._tracer, self._tracing = tracer, False

    def _load(self) -> types.ModuleType:
        module: types.ModuleType = self._traced(super()._load)
        return module

    def _operation(self, *call: Any) -> Any:
        return self._traced(super()._operation, *call)

    def _traced(self, function: Callable[..., Any], *arguments: Any) -> Any:
        if self._tracing:  # a call from the tests while the solution calls them
            return function(*arguments)
        self._tracing = True
        self._tracer.start()
        try:
            return function(*arguments)
        finally:
            self._tracer.stop()
            self._tracing = False


class _Iterator:
    def __init__(self, advance: Callable[[], Any]) -> None:
        self._advance = advance

    def __iter__(self) -> _Iterator:
        return self

    def __next__(self) -> Any:
        return self._advance()


def _dataclass_fields(kind: Any) -> Sequence[Any]:
    return dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ()


def _own(kind: type, name: str, root: type = object) -> bool:
    """Whether a class defines a special method itself, or inherits it from anything but the root."""
    return getattr(kind, name, None) is not None and getattr(kind, name) is not getattr(root, name, None)


def _where(error: BaseException) -> str:
    places = [
        (line, frame.f_code.co_name)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_filename.endswith("/solution.py")
    ]
    return f"solution.py:{places[-1][0]}, in {places[-1][1]}" if places else ""

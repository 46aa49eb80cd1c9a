"""The solution's process of an isolated case: it answers calls, and knows nothing of tests or verdicts."""

from __future__ import annotations

import functools
import importlib
import sys
import traceback
import types
from collections.abc import Callable
from typing import Any

from sandbox_image.channel import BUILTIN_EXCEPTIONS, Channel, by_name, from_name, is_atom, write
from sandbox_image.values import MUTABLE, SPECIAL, Malformed, Reader, Writer

_FUNCTIONS = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    functools.partial,
    functools._lru_cache_wrapper,
)


class Server:
    """Serves one solution. What is no plain value is kept here, and known outside by its number.

    Args:
        finish: called when the tests are over; what it returns is sent back (coverage, imported libraries).
    """

    def __init__(self, channel: Channel, finish: Callable[[], dict[str, Any]]) -> None:
        self._channel, self._finish = channel, finish
        self._objects: list[Any] = []
        self._numbers: dict[int, int] = {}

    def serve(self) -> None:
        """Answer until the tests are over or gone."""
        while True:
            frame = self._channel.receive()
            if frame["op"] == "finish":
                self._channel.send(self._finish())
                return
            self._channel.send(self._answer(frame))

    def _answer(self, frame: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._operation(frame)
        except BaseException as error:
            return {"raised": write(error, self._export)[0], "note": _where(error)}

    def _operation(self, frame: dict[str, Any]) -> dict[str, Any]:
        match frame["op"]:
            case "import":
                module = importlib.import_module("solution")
                public = getattr(module, "__all__", [name for name in dir(module) if not name.startswith("_")])
                return {"module": self._number(module), "names": list(map(str, public))}
            case "describe":
                return self._describe(self._objects[frame["ref"]])
        target = self._objects[frame["ref"]]
        if "plain" in frame:
            reader, arguments, keywords = None, frame["plain"], {}
        else:
            reader = Reader(frame["heap"], self._resolve)
            arguments, keywords = reader.root(frame["root"])
        match frame["op"]:
            case "method":
                result = getattr(target, frame["name"])(*arguments, **keywords)
            case "get":
                result = getattr(target, frame["name"])
            case "set":
                setattr(target, frame["name"], *arguments)
                result = None
            case "delete":
                delattr(target, frame["name"])
                result = None
            case "call":
                result = target(*arguments, **keywords)
            case "special":
                result = getattr(type(target), frame["name"])(target, *arguments, **keywords)
            case other:
                raise Malformed(f"no such operation: {other}")
        return self._reply(result, reader)

    def _reply(self, result: Any, reader: Reader | None) -> dict[str, Any]:
        """The result, and the arguments that the call changed in place."""
        if reader is None:
            return {"plain": result} if is_atom(result) else {**write(result, self._export)[0], "changed": {}}
        writer = Writer(self._export, reader.objects)
        root = writer.root(result)
        numpy = sys.modules.get("numpy")
        mutable = MUTABLE if numpy is None else (*MUTABLE, numpy.ndarray)
        changed = {
            index: writer.content(value) for index, value in enumerate(reader.objects) if isinstance(value, mutable)
        }
        changed = {index: entry for index, entry in changed.items() if entry != reader.entries[index]}
        writer.root(None)  # puts on the heap what the changed containers now hold
        return {"root": root, "heap": writer.entries, "changed": changed}

    def _number(self, value: Any) -> int:
        number = self._numbers.get(id(value))
        if number is None:
            number = self._numbers[id(value)] = len(self._objects)
            self._objects.append(value)
        return number

    def _export(self, value: Any) -> list[Any]:
        if isinstance(value, type):
            return by_name(value) or ["class", self._number(value)]
        if isinstance(value, BaseException):
            kind = type(value)
            arguments = [argument for argument in value.args if isinstance(argument, str | int | float | None)]
            if BUILTIN_EXCEPTIONS.get(kind.__name__) is kind:
                return ["exception", kind.__name__, arguments]
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
            elif base is not object:
                bases.append(["class", self._number(base)])
        special = sorted(name for name in SPECIAL if _own(kind, name))
        meta = sorted(name for name in SPECIAL if _own(type(kind), name, type))
        methods = [
            name
            for base in reversed(kind.__mro__)
            for name, value in vars(base).items()
            if isinstance(value, types.FunctionType)
        ]
        return {"name": kind.__name__, "methods": methods, "bases": bases, "special": special, "meta": meta}

    def _resolve(self, entry: list[Any]) -> Any:
        match entry:
            case ["ref", int(number)]:
                return self._objects[number]
            case ["callback", int(number)]:
                return functools.partial(self._call_back, number, "")
            case ["iterator", int(number)]:
                return _Iterator(functools.partial(self._call_back, number, "__next__"))
            case ["exception", str(name), list(arguments)]:
                return BUILTIN_EXCEPTIONS[name](*arguments)
            case ["none"]:
                return None
        return from_name(entry)

    def _call_back(self, number: int, method: str, /, *arguments: Any, **keywords: Any) -> Any:
        """Call a function of the tests, answering what they ask meanwhile."""
        message, _ = write((arguments, keywords), self._export)
        self._channel.send({"callback": number, "method": method, **message})
        while True:
            frame = self._channel.receive()
            if "op" in frame:
                self._channel.send(self._answer(frame))
                continue
            value = Reader(frame["heap"], self._resolve).root(frame["root"])
            if frame.get("raised"):
                raise value
            return value


class _Iterator:
    def __init__(self, advance: Callable[[], Any]) -> None:
        self._advance = advance

    def __iter__(self) -> _Iterator:
        return self

    def __next__(self) -> Any:
        return self._advance()


def _own(kind: type, name: str, root: type = object) -> bool:
    """Whether a class defines a special method itself, or inherits it from anything but the root."""
    return getattr(kind, name, None) is not None and getattr(kind, name) is not getattr(root, name, None)


def _where(error: BaseException) -> str:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.endswith("/solution.py")]
    return f"solution.py:{frames[-1].lineno}, in {frames[-1].name}" if frames else ""

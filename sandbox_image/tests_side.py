"""The tests' process of an isolated case: ``solution`` is a stand-in whose calls go to the other process.

Plain values cross by value, so that the tests' own Python compares them. An object of the solution stays where it is;
a stand-in passes on what is asked of it. Where such an object, and not the tests' Python, gives the answer that a test
asserts (a comparison of two objects, ``x in obj``, ``obj.startswith(...)`` on what should have been a string), the
tests were not the only judge: ``judged`` says so, and the host lowers the tier of the verdict.
"""

from __future__ import annotations

import linecache
import os
import sys
import types
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from sandbox_image.channel import Channel, Frame, Gone, Party, by_name, from_name, is_atom
from sandbox_image.values import BINARY, COMPARISONS, SPECIAL, Malformed

_PLAIN_METHODS = frozenset(name for kind in (str, bytes, list, dict, set, int, float) for name in dir(kind))
_META_SPECIAL = frozenset({"__iter__", "__len__", "__getitem__", "__contains__", "__reversed__"})
_ANSWERS = frozenset({*BINARY, *COMPARISONS, "__contains__"})
_NAMED = frozenset({"__name__", "__qualname__", "__doc__", "__wrapped__", "__annotations__", "__defaults__"})
_MODULE_NAMES = frozenset({"__file__", "__path__", "__spec__", "__loader__", "__package__", "__warningregistry__"})

MOST_SHARED = 20_000
"""Items in containers that both sides keep; more would make each call slow."""


class Client(Party):
    """The tests' end of the channel.

    Args:
        stop: ends the process and tells why: ``gone`` (the solution's process ended), ``malformed`` (it sent what it
            never sends), ``unportable`` (the tests use what cannot cross).
    """

    def __init__(self, channel: Channel, stop: Callable[[str, str], NoReturn]) -> None:
        super().__init__(channel)
        self._stop = stop
        self._stand_ins: dict[int, Any] = {}
        self._callbacks: list[Any] = []
        self.judged = ""

    def module(self) -> types.ModuleType:
        """The stand-in for the solution.

        Raises:
            BaseException: whatever its import raises.
        """
        found = self._ask_object({"op": "import"})
        if "raised" in found:
            self._raise(self._read(found), found)
        module = _Module("solution")
        number, names = found.get("module"), found.get("names")
        if type(number) is not int or not isinstance(names, list) or not all(isinstance(n, str) for n in names):
            self._stop("malformed", "the import was answered with something else")
        module.__dict__.update(__all__=names, _kodforge_client=self, _kodforge_number=number, __file__="solution.py")
        return module

    def finish(self) -> dict[str, Any]:
        """Tell the solution's process that the tests are over; what it says of itself."""
        return self._ask_object({"op": "finish"})

    def operation(self, op: str, number: int, name: str, *arguments: Any, **keywords: Any) -> Any:
        """One operation on an object of the solution."""
        known: list[Any] = []
        if not keywords and all(map(is_atom, arguments)) and not self.shared.stale():
            found = self._ask([op, number, name, *arguments])
        else:
            fields, writer = self.pack((arguments, keywords))
            known = writer.objects
            found = self._ask({"op": op, "ref": number, "name": name, **fields})
        if isinstance(found, list):
            if len(found) != 1 or isinstance(found[0], list | dict):
                self._stop("malformed", "an answer is no atom")
            return found[0]
        result = self._read(found, known)
        if "raised" in found:
            self._raise(result, found)
        return result

    def _read(self, found: dict[str, Any], known: Iterable[Any] = ()) -> Any:
        """The value of a reply, with all that changed on the way."""
        try:
            result, reader = self.unpack(found, known)
            for index, entry in found.get("changed", {}).items():
                reader.update(reader.objects[int(index)], entry)
            for index, number in found.get("keep", {}).items():
                self.shared.add(number, reader.objects[int(index)])
        except (Malformed, LookupError, AttributeError, TypeError, ValueError) as error:
            self._stop("malformed", f"a reply cannot be read: {error!r}"[:300])
        if self.shared.size > MOST_SHARED:
            self.unportable("the tests share large lists, dictionaries or sets with the solution")
        return result

    def note_judged(self, what: str) -> None:
        """Remember that the solution answered in the tests' stead."""
        self.judged = self.judged or what

    def unportable(self, what: str) -> NoReturn:
        """End the case: the tests use what cannot cross."""
        self._stop("unportable", what)

    def _ask_object(self, frame: dict[str, Any]) -> dict[str, Any]:
        found = self._ask(frame)
        if not isinstance(found, dict):
            self._stop("malformed", "an answer is no object")
        return found

    def _ask(self, frame: Frame) -> Frame:
        try:
            self.channel.send(frame)
            while isinstance(found := self.channel.receive(), dict) and "callback" in found:
                self.channel.send(self._called_back(found))
        except Gone:
            self._stop("gone", "the solution's process is gone")
        except Malformed as error:
            self._stop("malformed", str(error))
        return found

    def _called_back(self, frame: dict[str, Any]) -> dict[str, Any]:
        try:
            function = self._callbacks[frame["callback"]]
            (arguments, keywords), _ = self.unpack(frame)
            advance = frame["method"] == "__next__"
        except (Malformed, LookupError, TypeError, ValueError) as error:
            self._stop("malformed", f"a call of the tests' function cannot be read: {error!r}"[:300])
        try:
            result = next(function) if advance else function(*arguments, **keywords)
        except Exception as error:
            return {"raised": True, **self.pack(error)[0]}
        return self.pack(result)[0]

    def _raise(self, error: Any, found: dict[str, Any]) -> NoReturn:
        if not isinstance(error, BaseException):
            self._stop("malformed", "what was raised is no exception")
        if note := str(found.get("note", ""))[:300]:
            error.add_note(note)
        raise error

    def export(self, value: Any) -> list[Any]:
        """The entry of a value of the tests that is not plain."""
        kind = type(value)
        if isinstance(value, _StandIn | _StandInClass):
            return ["ref", object.__getattribute__(value, "_kodforge_number")]
        if isinstance(value, _Module):
            return ["ref", value.__dict__["_kodforge_number"]]
        if (entry := by_name(value)) is not None:
            return entry
        if isinstance(value, BaseException) and (entry := by_name(kind)) is not None:
            return ["exception", entry, [item for item in value.args if isinstance(item, str | int | float)]]
        if isinstance(value, types.TracebackType):
            return ["none"]
        if isinstance(value, types.FunctionType | types.BuiltinFunctionType | types.MethodType | types.LambdaType):
            return ["callback", self._callback(value)]
        if hasattr(kind, "__next__") and kind.__module__ in ("builtins", "itertools"):
            return ["iterator", self._callback(value)]
        return self.unportable(f"the tests pass a {kind.__name__}")

    def _callback(self, value: Any) -> int:
        self._callbacks.append(value)
        return len(self._callbacks) - 1

    def resolve(self, entry: list[Any]) -> Any:
        """What an entry of the solution's side stands for."""
        match entry:
            case ["class", int(number)]:
                return self._class(number)
            case ["object", int(number), int(kind)]:
                return self._object(number, self._class(kind))
            case ["function", int(number)]:
                return self._object(number, _Function)
            case ["ref", int(number)] if number in self._stand_ins:
                return self._stand_ins[number]
            case ["exception", list(kind), list(arguments)]:
                return _exception(from_name(kind, classes_only=True), arguments)
            case ["raised", int(number), int(kind), list(arguments)]:
                made = self._object(number, self._class(kind))
                if isinstance(made, BaseException):
                    made.args = tuple(arguments)
                return made
        return from_name(entry, classes_only=True)

    def _object(self, number: int, kind: Any) -> Any:
        if number not in self._stand_ins:
            made = kind.__new__(kind)
            made.__dict__.update(_kodforge_client=self, _kodforge_number=number, _kodforge_made=False)
            self._stand_ins[number] = made
        return self._stand_ins[number]

    def _class(self, number: int) -> Any:
        """The stand-in for a class: same name, same bases, and the special methods that it has."""
        if number not in self._stand_ins:
            found = self._ask_object({"op": "describe", "ref": number})
            name = found["name"]
            if not isinstance(name, str):
                raise Malformed("a class has no name")
            bases = tuple(
                from_name(base, classes_only=True) if base[0] == "builtin" else self.resolve(base)
                for base in found["bases"]
            )
            if not any(isinstance(base, _StandInClass) for base in bases):
                bases = (_StandIn, *bases)
            space: dict[str, Any] = {special: _special(special) for special in found["special"] if special in SPECIAL}
            space |= {str(method): _method(str(method)) for method in found["methods"] if str(method)[:2] != "__"}
            space |= {"__module__": "solution", "__doc__": found["doc"] if isinstance(found["doc"], str) else None}
            meta = frozenset(found["meta"]) & _META_SPECIAL
            made = _metaclass(meta)(name, bases, space)
            type.__setattr__(made, "_kodforge_client", self)
            type.__setattr__(made, "_kodforge_number", number)
            self._stand_ins[number] = made
        return self._stand_ins[number]


def _exception(kind: Any, arguments: list[Any]) -> BaseException:
    if not issubclass(kind, BaseException):
        raise Malformed(f"{kind.__name__} is no exception")
    try:
        made: BaseException = kind(*arguments)
    except TypeError:  # UnicodeDecodeError and its like want arguments of their own
        made = kind.__new__(kind)
        made.args = tuple(arguments)
    return made


class _Module(types.ModuleType):
    def __getattr__(self, name: str) -> Any:
        space = self.__dict__
        if name in _MODULE_NAMES or "_kodforge_client" not in space:
            raise AttributeError(name)
        return space["_kodforge_client"].operation("get", space["_kodforge_number"], name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("__"):  # the import system's own
            self.__dict__[name] = value
        else:
            self.__dict__["_kodforge_client"].unportable(f"the tests set solution.{name}")


class _StandInClass(type):
    """The class of stand-in classes: what is asked of a class goes to the real one."""

    def __call__(cls, *arguments: Any, **keywords: Any) -> Any:
        made = cls._kodforge_client.operation("call", cls._kodforge_number, "", *arguments, **keywords)
        if isinstance(made, _StandIn):
            made.__dict__["_kodforge_made"] = cls.__name__[:1].isupper()
        return made

    def __getattr__(cls, name: str) -> Any:
        if (name.startswith("__") and name not in _NAMED) or "_kodforge_number" not in type.__getattribute__(
            cls, "__dict__"
        ):
            raise AttributeError(name)
        return cls._kodforge_client.operation("get", cls._kodforge_number, name)

    def __setattr__(cls, name: str, value: Any) -> None:
        cls._kodforge_client.operation("set", cls._kodforge_number, name, value)


class _StandIn:
    """The class of stand-in objects."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in _NAMED:
            raise AttributeError(name)
        found = _ask(self, "get", name)
        if isinstance(found, _Function) and name in _PLAIN_METHODS and not self.__dict__["_kodforge_made"]:
            found.__dict__["_kodforge_answers"] = name
        return found

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("__traceback__", "__notes__", "__context__", "__cause__", "__suppress_context__", "args"):
            object.__setattr__(self, name, value)
        else:
            _ask(self, "set", name, value)

    def __delattr__(self, name: str) -> None:
        _ask(self, "delete", name)

    def __eq__(self, other: object) -> Any:
        return self is other or NotImplemented

    def __ne__(self, other: object) -> Any:
        return self is not other if isinstance(other, _StandIn) else NotImplemented

    def __hash__(self) -> int:
        return id(self)

    def __str__(self) -> str:
        return _text(self, "__str__")

    def __repr__(self) -> str:
        return _text(self, "__repr__")

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.__dict__["_kodforge_client"].unportable("the tests copy or pickle an object of the solution")


class _Function(_StandIn):
    # A function, method or other callable of the solution, with the docstring of that.
    __doc__ = property(lambda self: _ask(self, "get", "__doc__"))

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        if (name := self.__dict__.get("_kodforge_answers")) and (arguments or keywords):
            self.__dict__["_kodforge_client"].note_judged(f".{name}() of an object where a plain value was expected")
        return _ask(self, "call", "", *arguments, **keywords)

    def __get__(self, instance: object, owner: type | None = None) -> _Function:
        return self


def _ask(stand_in: Any, op: str, name: str, *arguments: Any, **keywords: Any) -> Any:
    space = object.__getattribute__(stand_in, "__dict__")
    if "_kodforge_client" not in space:
        raise AttributeError(name)
    return space["_kodforge_client"].operation(op, space["_kodforge_number"], name, *arguments, **keywords)


def _text(stand_in: Any, name: str) -> str:
    found = _ask(stand_in, "special", name)
    if not isinstance(found, str):
        raise TypeError(f"{name} returned a non-string")
    return found


def _special(name: str) -> Callable[..., Any]:
    """A special method that passes on, and takes note where the solution answers in the tests' stead."""

    def forward(self: Any, *arguments: Any) -> Any:
        if name in _ANSWERS:
            made = self.__dict__["_kodforge_made"]
            others = [item for item in arguments if not isinstance(item, _StandIn)]
            if name in COMPARISONS:
                if arguments and self is arguments[0] and name == "__eq__":
                    return True
                if others and not made:
                    return NotImplemented  # a plain value is compared by the tests' own Python
                self.__dict__["_kodforge_client"].note_judged(f"{name} of {type(self).__name__}")
            elif not made:
                self.__dict__["_kodforge_client"].note_judged(f"{name} of an object where a plain value was expected")
        return _ask(self, "special", name, *arguments)

    forward.__name__ = name
    return forward


def _method(name: str) -> Callable[..., Any]:
    """A method: one message, where looking it up and calling what was found would be two."""

    def forward(self: Any, *arguments: Any, **keywords: Any) -> Any:
        if name in _PLAIN_METHODS and (arguments or keywords) and not self.__dict__["_kodforge_made"]:
            self.__dict__["_kodforge_client"].note_judged(f".{name}() of an object where a plain value was expected")
        return _ask(self, "method", name, *arguments, **keywords)

    forward.__name__ = name
    return forward


_metaclasses: dict[frozenset[str], type[_StandInClass]] = {frozenset(): _StandInClass}


def _metaclass(special: frozenset[str]) -> type[_StandInClass]:
    """A class of classes with the special methods that the real class's class has, such as ``len(Colour)``."""
    if special not in _metaclasses:

        def forward(name: str) -> Callable[..., Any]:
            def method(cls: Any, *arguments: Any) -> Any:
                return cls._kodforge_client.operation("special", cls._kodforge_number, name, *arguments)

            return method

        space = {name: forward(name) for name in special}
        _metaclasses[special] = type("_StandInClass", (_StandInClass,), space)
    return _metaclasses[special]


class Finder:
    """Imports ``solution`` as its stand-in.

    Args:
        hide: is called first, so that no code of the solution runs while the tests can be read.
    """

    def __init__(self, client: Client, hide: Callable[[], None]) -> None:
        self._client, self._hide = client, hide

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name != "solution":
            return None
        import importlib.machinery  # noqa: PLC0415

        return importlib.machinery.ModuleSpec(name, self)  # type: ignore[arg-type]

    def create_module(self, spec: Any) -> types.ModuleType:
        self._hide()
        return self._client.module()

    def exec_module(self, module: types.ModuleType) -> None:
        """The solution has run already, in its own process."""


def install(client: Client, tests: str | None) -> None:
    """Make ``import solution`` give the stand-in.

    Args:
        tests: the file of the tests, if it is one; it is empty once the solution runs.
    """

    def hide() -> None:
        if tests is None:
            return
        with open(tests, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines(keepends=True)
        linecache.cache[tests] = (sum(map(len, lines)), None, lines, tests)  # for messages on what failed
        os.truncate(tests, 0)  # pytest still wants to find the file

    sys.meta_path.insert(0, Finder(client, hide))

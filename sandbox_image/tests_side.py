"""The tests' process of an isolated case: ``solution`` is a stand-in whose calls go to the other process.

Plain values cross by value, so that the tests' own Python compares them; so does what an object holds whose class
derives from a plain one, such as the string of a ``str`` of a class of its own. An object of the solution stays where
it is; a stand-in passes on what is asked of it. Where such an object, and not the tests' Python, gives the answer that
a test asserts (a comparison of two objects, ``x in obj``, ``obj.startswith(...)`` on what should have been a string),
the tests were not the only judge: ``judged`` says so, and the host lowers the tier of the verdict.
"""

from __future__ import annotations

import linecache
import os
import sys
import types
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from sandbox_image.channel import Channel, Frame, Gone, Party, is_atom
from sandbox_image.names import by_name, from_name
from sandbox_image.plain_bases import IMMUTABLE, NAMED
from sandbox_image.stand_ins import (
    META_SPECIAL,
    Function,
    SolutionModule,
    StandIn,
    StandInClass,
    class_space,
    fields_space,
    metaclass,
)
from sandbox_image.values import Malformed

CALLED_BACK = "in a function of the tests that the solution called, "
"""How the reason begins for what cannot cross where the solution had a say in it."""


class Client(Party):
    """The tests' end of the channel.

    Args:
        star: names that a star import may give; the solution has no say in it.
        stop: ends the process and tells why: ``gone`` (the solution's process ended), ``malformed`` (it sent what it
            never sends), ``unportable`` (the tests use what cannot cross).
    """

    def __init__(self, channel: Channel, star: frozenset[str], stop: Callable[[str, str], NoReturn]) -> None:
        super().__init__(channel)
        self._star, self._stop = star, stop
        self._stand_ins: dict[int, Any] = {}
        self._callbacks: list[Any] = []
        self._called = 0
        self.judged = ""

    def module(self) -> types.ModuleType:
        """The stand-in for the solution.

        Raises:
            BaseException: whatever its import raises.
        """
        found = self._ask_object({"op": "import"})
        if "raised" in found:
            self._raise(self._read(found), found)
        module = SolutionModule("solution")
        number, names = found.get("module"), found.get("names")
        if type(number) is not int or not isinstance(names, list) or not all(isinstance(n, str) for n in names):
            self._stop("malformed", "the import was answered with something else")
        public = [name for name in names if name in self._star]
        module.__dict__.update(__all__=public, _kodforge_client=self, _kodforge_number=number, __file__="solution.py")
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
        return result

    def note_judged(self, what: str) -> None:
        """Remember that the solution answered in the tests' stead."""
        self.judged = self.judged or what

    def malformed(self, what: str) -> NoReturn:
        """End the case: the solution's side sent what it never sends."""
        self._stop("malformed", what)

    def unportable(self, what: str) -> NoReturn:
        """End the case: the tests use what cannot cross."""
        self._stop("unportable", f"{CALLED_BACK if self._called else ''}{what}")

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
        self._called += 1
        try:
            result = next(function) if advance else function(*arguments, **keywords)
        except Exception as error:
            answer = {"raised": True, **self.pack(error)[0]}
        else:
            answer = self.pack(result)[0]
        self._called -= 1
        return answer

    def _raise(self, error: Any, found: dict[str, Any]) -> NoReturn:
        if not isinstance(error, BaseException):
            self._stop("malformed", "what was raised is no exception")
        if note := str(found.get("note", ""))[:300]:
            error.add_note(note)
        raise error

    def export(self, value: Any) -> list[Any]:
        """The entry of a value of the tests that is not plain."""
        kind = type(value)
        if isinstance(value, StandIn | StandInClass):
            return ["ref", object.__getattribute__(value, "_kodforge_number")]
        if isinstance(value, SolutionModule):
            return ["ref", value.__dict__["_kodforge_number"]]
        if (entry := by_name(value)) is not None:
            return entry
        if isinstance(value, BaseException):
            # Of a class that the solution does not have it crosses as one of the nearest that it has.
            entry = next(filter(None, map(by_name, kind.__mro__)), None)
            return ["exception", entry, [item for item in value.args if isinstance(item, str | int | float)]]
        if isinstance(value, types.TracebackType):
            return ["none"]
        if isinstance(value, types.FunctionType | types.BuiltinFunctionType | types.MethodType | types.LambdaType):
            return ["callback", self._callback(value)]
        if hasattr(kind, "__next__"):
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
            case ["object", int(number), int(kind), str(base), held]:
                return self._object(number, self._class(kind), base, held)
            case ["function", int(number)]:
                return self._object(number, Function)
            case ["factory", StandInClass() as kind]:  # what it makes is not what the tests make of it
                return self._stand_in(kind._kodforge_number, Function.__new__(Function))
            case ["factory", made]:
                return made
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

    def _object(self, number: int, kind: Any, base: str = "", held: Any = None) -> Any:
        """The stand-in for an object; one of a class that derives from a plain one has its content.

        Raises:
            Malformed: the content is none of the class.
        """
        if number not in self._stand_ins:
            plain: Any = NAMED.get(base)
            if issubclass(kind, tuple(IMMUTABLE)) and not (
                plain in IMMUTABLE and issubclass(kind, plain) and type(held) is plain
            ):
                raise Malformed(f"a {kind.__name__} is not one by its content")
            made = plain.__new__(kind, held) if plain else kind.__new__(kind)
            self._stand_ins[number] = self._stand_in(number, made)
        return self._stand_ins[number]

    def _stand_in(self, number: int, made: Any) -> Any:
        made.__dict__.update(_kodforge_client=self, _kodforge_number=number, _kodforge_made=False)
        return made

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
            if not any(isinstance(base, StandInClass) for base in bases):
                bases = (StandIn, *bases)
            plain = NAMED.get(found["plain"])
            if plain in IMMUTABLE and not any(issubclass(base, plain) for base in bases):
                bases = (*bases, plain)
            space = class_space(found, plain)
            space |= {"__module__": "solution", "__doc__": found["doc"] if isinstance(found["doc"], str) else None}
            meta = frozenset(found["meta"]) & META_SPECIAL
            made = metaclass(meta)(name, bases, space)
            for attribute, value in fields_space(found).items():
                type.__setattr__(made, attribute, value)
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

"""What stands in the tests' process for the solution's module, classes, functions and objects.

Each knows the number of what it stands for and the client that asks for it, ``_kodforge_number`` and
``_kodforge_client`` in its dictionary.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

from sandbox_image.special import BINARY, COMPARISONS

_PLAIN_METHODS = frozenset(name for kind in (str, bytes, list, dict, set, int, float) for name in dir(kind))
META_SPECIAL = frozenset({"__iter__", "__len__", "__getitem__", "__contains__", "__reversed__"})
_ANSWERS = frozenset({*BINARY, *COMPARISONS, "__contains__"})
_NAMED = frozenset({"__name__", "__qualname__", "__doc__", "__wrapped__", "__annotations__", "__defaults__"})
_MODULE_NAMES = frozenset({"__file__", "__path__", "__spec__", "__loader__", "__package__", "__warningregistry__"})


class SolutionModule(types.ModuleType):
    """What ``import solution`` gives."""

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


class StandInClass(type):
    """The class of stand-in classes: what is asked of a class goes to the real one."""

    def __call__(cls, *arguments: Any, **keywords: Any) -> Any:
        made = cls._kodforge_client.operation("call", cls._kodforge_number, "", *arguments, **keywords)
        if isinstance(made, StandIn):
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


class StandIn:
    """The class of stand-in objects."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in _NAMED:
            raise AttributeError(name)
        found = _ask(self, "get", name)
        if isinstance(found, Function) and name in _PLAIN_METHODS and not self.__dict__["_kodforge_made"]:
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
        return self is not other if isinstance(other, StandIn) else NotImplemented

    def __hash__(self) -> int:
        return id(self)

    def __str__(self) -> str:
        return _text(self, "__str__")

    def __repr__(self) -> str:
        return _text(self, "__repr__")

    def __copy__(self) -> Any:
        return _copy(self, "copy")

    def __deepcopy__(self, memo: Any) -> Any:
        return _copy(self, "deepcopy")

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")


class Function(StandIn):
    # A function, method or other callable of the solution, with the docstring of that.
    __doc__ = property(lambda self: _ask(self, "get", "__doc__"))

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        if (name := self.__dict__.get("_kodforge_answers")) and (arguments or keywords):
            self.__dict__["_kodforge_client"].note_judged(f".{name}() of an object where a plain value was expected")
        return _ask(self, "call", "", *arguments, **keywords)

    def __get__(self, instance: object, owner: type | None = None) -> Function:
        return self


def _ask(stand_in: Any, op: str, name: str, *arguments: Any, **keywords: Any) -> Any:
    space = object.__getattribute__(stand_in, "__dict__")
    if "_kodforge_client" not in space:
        raise AttributeError(name)
    return space["_kodforge_client"].operation(op, space["_kodforge_number"], name, *arguments, **keywords)


def _copy(stand_in: Any, op: str) -> Any:
    made = _ask(stand_in, op, "")
    if isinstance(made, StandIn):
        made.__dict__["_kodforge_made"] |= stand_in.__dict__["_kodforge_made"]
    return made


def _text(stand_in: Any, name: str) -> str:
    found = _ask(stand_in, "special", name)
    if not isinstance(found, str):
        raise TypeError(f"{name} returned a non-string")
    return found


def special_method(name: str) -> Callable[..., Any]:
    """A special method that passes on, and takes note where the solution answers in the tests' stead."""

    def forward(self: Any, *arguments: Any) -> Any:
        if name in _ANSWERS:
            made = self.__dict__["_kodforge_made"]
            others = [item for item in arguments if not isinstance(item, StandIn)]
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


def plain_method(name: str) -> Callable[..., Any]:
    """A method: one message, where looking it up and calling what was found would be two."""

    def forward(self: Any, *arguments: Any, **keywords: Any) -> Any:
        if name in _PLAIN_METHODS and (arguments or keywords) and not self.__dict__["_kodforge_made"]:
            self.__dict__["_kodforge_client"].note_judged(f".{name}() of an object where a plain value was expected")
        return _ask(self, "method", name, *arguments, **keywords)

    forward.__name__ = name
    return forward


_metaclasses: dict[frozenset[str], type[StandInClass]] = {frozenset(): StandInClass}


def metaclass(special: frozenset[str]) -> type[StandInClass]:
    """A class of classes with the special methods that the real class's class has, such as ``len(Colour)``."""
    if special not in _metaclasses:

        def forward(name: str) -> Callable[..., Any]:
            def method(cls: Any, *arguments: Any) -> Any:
                return cls._kodforge_client.operation("special", cls._kodforge_number, name, *arguments)

            return method

        space = {name: forward(name) for name in special}
        _metaclasses[special] = type("StandInClass", (StandInClass,), space)
    return _metaclasses[special]

"""What stands in the tests' process for the solution's module, classes, functions and objects.

Each knows the number of what it stands for and the client that asks for it, ``_kodforge_number`` and
``_kodforge_client`` in its dictionary.
"""

from __future__ import annotations

import dataclasses
import operator
import types
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any

from sandbox_image.plain_bases import IMMUTABLE, MUTABLE
from sandbox_image.special import BINARY, COMPARISONS, SPECIAL
from sandbox_image.values import namedtuple_class

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

    def __instancecheck__(cls, instance: Any) -> bool:
        fields = cls.__dict__.get("_kodforge_fields")  # of a named tuple, whose objects cross by value
        return type.__instancecheck__(cls, instance) or (
            fields is not None and type(instance) is namedtuple_class(cls.__name__, fields)
        )

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


class _Asked:
    """An attribute that the solution is asked for, where the stand-in's own plain base has one of that name."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: Any) -> Any:
        if instance is None:
            return owner._kodforge_client.operation("get", owner._kodforge_number, self._name)
        return _ask(instance, "get", self._name)


def _content(value: Any) -> Any:
    """What a stand-in holds now, as one of its plain base; any other value itself."""
    plain = type(value).__dict__.get("_kodforge_plain") if isinstance(value, StandIn) else None
    if plain is None:
        return value
    found = _ask(value, "content", "")
    if type(found) is not plain:
        value.__dict__["_kodforge_client"].malformed("the content of an object is of another kind")
    return found


def _content_method(name: str) -> Callable[..., Any]:
    """A special method that the class has from a plain one: the tests' own Python does it, on what the object holds."""

    def forward(self: Any, *arguments: Any) -> Any:
        if name == "__eq__" and arguments and self is arguments[0]:
            return True
        held, *others = map(_content, (self, *arguments))
        if name in COMPARISONS:  # both of the two have a say, as where they are compared without a stand-in
            return getattr(operator, name)(held, *others)
        return getattr(held, name)(*others)

    forward.__name__ = name
    return forward


def _own_comparison(name: str) -> Callable[..., Any]:
    """A comparison that the class does in its own way: with a plain value it is done as the plain base does it, unless
    the tests themselves made the object."""
    ask, compare = special_method(name), _content_method(name)

    def forward(self: Any, other: Any) -> Any:
        made = isinstance(other, StandIn) or self.__dict__["_kodforge_made"]
        return (ask if made else compare)(self, other)

    forward.__name__ = name
    return forward


def _posing(plain: type) -> property:
    """What makes ``isinstance(obj, list)`` true where the class derives from ``list``, which its stand-in does not."""
    classes: dict[type, type] = {}

    def kind(self: Any) -> type:
        cls: Any = type(self)
        if cls not in classes:
            classes[cls] = type(cls)(cls.__name__, (cls, plain), {"__module__": "solution"})
        return classes[cls]

    return property(kind)


def class_space(found: dict[str, Any], plain: type | None) -> dict[str, Any]:
    """What the stand-in for a class defines.

    Args:
        found: the description of the class, by the solution's side.
        plain: the plain class that it derives from.
    """
    special = SPECIAL.intersection(found["special"])
    inherited = special.intersection(found["inherited"])
    space: dict[str, Any] = {str(name): plain_method(str(name)) for name in found["methods"] if str(name)[:2] != "__"}
    if found["generic"]:
        space["__class_getitem__"] = classmethod(lambda cls, _: cls)
    if plain in IMMUTABLE:
        # A real object of the base, with its content: only what the class does in another way is asked for.
        space |= {name: getattr(plain, name) for name in (*COMPARISONS, "__str__", "__repr__")}
        space |= {name: special_method(name) for name in special - inherited}
        hiding = {name for name in dir(plain) if name[:2] != "__"}.intersection(found["hiding"])
        space |= {name: _Asked(name) for name in hiding}
        return {**space, "__hash__": plain.__hash__}
    space |= {name: special_method(name) for name in special}
    if plain in MUTABLE:
        answers = {*COMPARISONS, "__contains__"}
        if plain not in (deque, OrderedDict):  # whose sums are of the class of their own
            answers |= {name for name in BINARY if name[2] != "i" or name == "__invert__"}
        space |= {name: _content_method(name) for name in answers & inherited}
        space |= {name: _own_comparison(name) for name in special.intersection(COMPARISONS) - inherited}
        if plain is list:  # a list adds itself to lists alone, and a stand-in is none
            space.setdefault("__radd__", lambda self, other: other + _content(self))
        space |= {"_kodforge_plain": plain, "__class__": _posing(plain)}
    return space


def fields_space(found: dict[str, Any]) -> dict[str, Any]:
    """What tells of a stand-in for a class that it is a named tuple or a dataclass.

    Raises:
        Malformed: it is told in another way than it is.
    """
    space: dict[str, Any] = {}
    if found["fields"] is not None:
        space["_kodforge_fields"] = tuple(map(str, found["fields"]))
    if found["dataclass"]:
        fields = {}
        for name, init in found["dataclass"].items():
            fields[name] = made = dataclasses.field(init=bool(init))
            made.name, made.type = name, Any
            made._field_type = dataclasses._FIELD  # type: ignore[attr-defined]
        space["__dataclass_fields__"] = fields
    return space


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

"""The methods that Python looks up on a class, and that an object by reference passes on."""


def _dunder(names: str) -> tuple[str, ...]:
    return tuple(f"__{name}__" for name in names.split())


BINARY = tuple(
    f"__{prefix}{name[2:]}"
    for name in _dunder("add sub mul matmul truediv floordiv mod divmod pow lshift rshift and xor or")
    for prefix in ("", "r", "i")
    if (prefix, name) != ("i", "__divmod__")
)
COMPARISONS = _dunder("eq ne lt le gt ge")
_CONTAINER = _dunder("len iter next reversed contains getitem setitem delitem missing length_hint")
_NUMBER = _dunder("neg pos abs invert int float complex index round trunc floor ceil")
_OTHER = _dunder("bool call enter exit hash str repr format bytes")
SPECIAL = frozenset((*BINARY, *COMPARISONS, *_CONTAINER, *_NUMBER, *_OTHER))

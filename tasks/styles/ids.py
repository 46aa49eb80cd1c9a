"""Ids of rows told in another style: as KodCode has them, with the suffix of the style."""

from __future__ import annotations

from tasks.models import Style

_SUFFIXES = {Style.INSTRUCT: "_I", Style.COMPLETE: "_C", Style.ONLINE_JUDGE: "_O"}
_OWN = _SUFFIXES[Style.INSTRUCT]
_OTHERS = tuple(suffix for style, suffix in _SUFFIXES.items() if style is not Style.INSTRUCT)


def converted_id(question_id: str, style: Style) -> str:
    """The id of a row in another style."""
    return question_id.removesuffix(_OWN) + _SUFFIXES[style]


def is_retold(row_id: str) -> bool:
    """Whether an id is that of a row in another style."""
    return row_id.endswith(_OTHERS)


def origin_id(row_id: str) -> str:
    """The id of the row that one in another style was made of; of any other its own."""
    return row_id[: -len(_OWN)] + _OWN if is_retold(row_id) else row_id

"""Arrow schemas of the rows."""

from __future__ import annotations

import types
from enum import StrEnum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import BaseModel

_SCALARS: dict[type, pa.DataType] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    bytes: pa.binary(),
}


def _arrow_type(annotation: Any) -> tuple[pa.DataType, bool]:
    """The Arrow type of a field's annotation, and whether it may be null."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _arrow_type(arguments[0])
    if origin in (Union, types.UnionType):
        (inner,) = [argument for argument in arguments if argument is not type(None)]
        return _arrow_type(inner)[0], True
    if origin is list:
        item, nullable = _arrow_type(arguments[0])
        return pa.list_(pa.field("item", item, nullable=nullable)), False
    if origin is Literal:
        return pa.string(), False
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return pa.struct(list(arrow_schema(annotation))), False
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return pa.string(), False
    return _SCALARS[annotation], False


def arrow_schema(model: type[BaseModel]) -> pa.Schema:
    """The Arrow schema of a row model: one column per field, nested models as structs.

    Raises:
        KeyError: a field's type has no Arrow counterpart here.
    """
    fields = []
    for name, info in model.model_fields.items():
        kind, nullable = _arrow_type(info.annotation)
        fields.append(pa.field(name, kind, nullable=nullable))
    return pa.schema(fields)


def values(table: pa.Table, name: str) -> list[Any]:
    """A column as Python values."""
    found: list[Any] = table[name].to_pylist()
    return found


def packed(table: pa.Table, name: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """A column of bytes without an object per row: all bytes behind one another, and how many each row has."""
    if not table.num_rows:
        return np.empty(0, np.uint8), np.empty(0, np.int64)
    column = pa.concat_arrays(table[name].chunks)
    _, ends, data = (memoryview(buffer) if buffer else b"" for buffer in column.buffers())
    offsets = np.frombuffer(ends, np.int32)[column.offset : column.offset + len(column) + 1]
    every = np.frombuffer(data, np.uint8)
    return every[offsets[0] : offsets[-1]], np.diff(offsets).astype(np.int64)

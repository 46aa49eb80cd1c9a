"""Hashes of rows, by column, without an object per value: what two releases are compared by."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
_NULL = np.uint64(0x9E3779B97F4A7C15)
_STEP = np.uint64(0xD6E8FEB86659FD93)


def column_hashes(table: pa.Table) -> Hashes:
    """The 64-bit hashes of a table's values: shape (rows, columns). Equal values have equal hashes, in any table."""
    found = np.empty((table.num_rows, table.num_columns), np.uint64)
    for number, column in enumerate(table.columns):
        done = 0
        for chunk in column.chunks:
            found[done : done + len(chunk), number] = _hashes(chunk)
            done += len(chunk)
    return found


def row_hashes(columns: Hashes) -> Hashes:
    """One hash for each row of ``column_hashes``."""
    found = np.zeros(len(columns), np.uint64)
    for number in range(columns.shape[1]):
        found = _mixed(found * _STEP + columns[:, number])
    return found


def _hashes(array: Any) -> Hashes:
    """Of an Arrow array."""
    kind = array.type
    if pa.types.is_struct(kind):
        found = np.full(len(array), kind.num_fields, np.uint64)
        for child in array.flatten():
            found = _mixed(found * _STEP + _hashes(child))
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        found = _of_lists(array)
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        found = _of_values(array.fill_null("").to_numpy(zero_copy_only=False))
    elif pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        found = _of_values(np.array([value.hex() for value in array.fill_null(b"").to_pylist()], object))
    elif pa.types.is_null(kind):
        found = np.zeros(len(array), np.uint64)
    elif pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        found = _of_values(array.fill_null(False if pa.types.is_boolean(kind) else 0).to_numpy(zero_copy_only=False))
    else:
        found = _of_values(np.array([str(value) for value in array.to_pylist()], object))
    return np.where(array.is_null().to_numpy(zero_copy_only=False), _NULL, found) if array.null_count else found


def _of_values(values: NDArray[Any]) -> Hashes:
    return np.asarray(pd.util.hash_array(values, categorize=False), np.uint64)


def _of_lists(array: Any) -> Hashes:
    lengths = array.value_lengths().fill_null(0).to_numpy().astype(np.int64)
    ends = np.cumsum(lengths)
    items = _hashes(array.flatten())
    place = np.arange(len(items), dtype=np.int64) - np.repeat(ends - lengths, lengths)
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(_mixed(items + place.astype(np.uint64) * _STEP))])
    return _mixed(sums[ends] - sums[ends - lengths] + lengths.astype(np.uint64) * _STEP)


def _mixed(values: Hashes) -> Hashes:
    """The finaliser of MurmurHash3 (Appleby 2011, public domain): every bit of a value changes half of the result's."""
    values = (values ^ (values >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    values = (values ^ (values >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return values ^ (values >> np.uint64(33))

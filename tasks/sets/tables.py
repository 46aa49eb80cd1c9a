"""Rows of a set in tables of a bounded size."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from typing import Any

import pyarrow as pa

from tasks.arrow import values
from tasks.models import Split

Piece = tuple[str, pa.Table]
"""A split, and some of its rows."""
Pieces = Callable[[], Iterator[Piece]]
"""All rows of a set, in order; it may be gone through more than once."""


@dataclass(frozen=True)
class SetTable:
    """Some rows of one config of the dataset; those of a split come in order."""

    config: str
    split: str
    table: pa.Table


def split_rows(rows: Iterable[tuple[str, Mapping[str, Any]]], schema: pa.Schema) -> Iterator[Piece]:
    """Rows with their splits, as a table for each split."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for split, row in rows:
        found.setdefault(split, []).append(row)
    for split, those in found.items():
        yield split, pa.Table.from_pylist(those, schema=schema)


def in_tables(config: str, pieces: Iterable[Piece], size: int) -> Iterator[SetTable]:
    """The rows in tables of ``size``, but for the last of each split; of a split no more than that is held."""
    held: dict[str, list[pa.Table]] = {}
    for split, table in pieces:
        parts = held.setdefault(split, [])
        if table.num_rows:
            parts.append(table)
        while sum(part.num_rows for part in parts) >= size:
            whole = pa.concat_tables(parts)
            yield SetTable(config, split, whole.slice(0, size).combine_chunks())
            parts[:] = [whole.slice(size)]
    for split, parts in held.items():
        if sum(part.num_rows for part in parts):
            yield SetTable(config, split, pa.concat_tables(parts).combine_chunks())


def at_most(pieces: Pieces, rows: int | None, seed: int, key: Sequence[str]) -> Iterator[Piece]:
    """All rows, but of ``train`` no more than ``rows``: those whose keys have the smallest hashes.

    Args:
        key: columns that tell the rows apart.
    """
    if rows is None:
        yield from pieces()
        return
    ranks = (rank for split, table in pieces() if split == Split.TRAIN for rank in _ranks(table, seed, key))
    last = max(nsmallest(rows, ranks), default=b"")
    for split, table in pieces():
        stays = [split != Split.TRAIN or rank <= last for rank in _ranks(table, seed, key)]
        yield split, table.filter(pa.array(stays, pa.bool_()))


def _ranks(table: pa.Table, seed: int, key: Sequence[str]) -> Iterator[bytes]:
    for parts in zip(*(values(table, name) for name in key), strict=True):
        told = "\n".join([str(seed), *parts])
        yield hashlib.blake2b(told.encode("utf-8", "surrogatepass"), digest_size=16).digest()

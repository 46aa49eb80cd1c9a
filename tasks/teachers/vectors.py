"""Vectors of texts: out of an OpenAI-compatible server's response, and in the form in which they are kept.

Packed, a vector is its L2-normalised components as little-endian float16: half the size of float32, and its cosines are
off by less than 1e-3. What is used is always what was unpacked, so that an answer from disk equals a fresh one.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.teachers.requests import EmbeddingRequest, Vectors

_SLACK_TOKENS = 4096
"""So far above what can be right a count is still believed: a server may put instructions of its own in front."""
_PACKED = np.dtype("<f2")


def normalised(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows of length 1, shape (n, d); a row of zeros stays one."""
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return (matrix / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def pack(matrix: NDArray[np.float32]) -> list[bytes]:
    """One packed vector per row of a matrix of shape (n, d)."""
    return [row.tobytes() for row in normalised(matrix).astype(_PACKED)]


def unpack(packed: Sequence[bytes], width: int) -> NDArray[np.float32]:
    """Packed vectors as a matrix of shape (n, width)."""
    return np.frombuffer(b"".join(packed), _PACKED).reshape(len(packed), width).astype(np.float32)


def width_of(packed: bytes) -> int:
    """How many dimensions a packed vector has."""
    return len(packed) // _PACKED.itemsize


def read_vectors(data: Any, request: EmbeddingRequest, key: str) -> Vectors:
    """The vectors in a response's JSON, cut to the dimensions that were asked for.

    Components may be numbers or base64 of little-endian float32.

    Raises:
        ValueError: too few or too many vectors, of differing or unexpected dimensions, or no finite numbers.
    """
    # What the body holds is not told: a server's error may echo the key.
    try:
        listed = sorted(enumerate(data["data"]), key=lambda item: _index(item[1], item[0]))
        indices = [_index(one, place) for place, one in listed]
        rows = [_components(one["embedding"]) for _, one in listed]
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, OverflowError):
        raise ValueError(f"no list of vectors in a {type(data).__name__}") from None
    if indices != list(range(len(request.texts))):
        raise ValueError(f"{len(rows)} vectors, or wrongly numbered ones, where {len(request.texts)} were asked for")
    widths = {len(row) for row in rows}
    if len(widths) > 1 or widths == {0}:
        raise ValueError(f"vectors of {', '.join(map(str, sorted(widths)))} dimensions")
    matrix = np.stack(rows)[:, : request.dimensions]
    expected = request.width or request.dimensions
    if expected is not None and matrix.shape[1] != expected:
        raise ValueError(f"vectors of {matrix.shape[1]} dimensions where {expected} were expected")
    if not np.isfinite(matrix).all():
        raise ValueError("vectors with components that are no finite numbers")
    told = _prompt_tokens(data, request)
    return Vectors(
        response_id=key,
        vectors=dict(zip(request.keys, pack(matrix), strict=True)),
        prompt_tokens=request.likely_tokens() if told is None else told,
        estimated=told is None,
    )


def _index(one: Any, place: int) -> int:
    index = one.get("index")
    return place if index is None else int(index)


def _components(told: Any) -> NDArray[np.float32]:
    if isinstance(told, str):
        return np.frombuffer(base64.b64decode(told, validate=True), "<f4").astype(np.float32)
    row = np.asarray(told, np.float32)
    if row.ndim != 1:
        raise ValueError
    return row


def _prompt_tokens(data: dict[str, Any], request: EmbeddingRequest) -> int | None:
    """None where the server tells no number, or none that can be right; some say 0."""
    usage = data.get("usage")
    told = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    if type(told) is int and len(request.texts) <= told <= request.worst_tokens()[0] + _SLACK_TOKENS:
        return told
    return None

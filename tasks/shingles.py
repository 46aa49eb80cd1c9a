"""Texts as sets of word n-grams, by which near-duplicates are told."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SHINGLE = 3
_WORD = re.compile(r"\w+")
_MARKUP = re.compile(r"(?m)^\s*(?:[-*+>]|#+|\d+[.)])\s+|\*\*|__|`|-{3,}|={3,}|(?<=\w)-(?=[^\W\d])")
"""Of Markdown what stands for itself: bullets, headings, emphasis, rules; and the hyphen of a compound."""
_WORD_OR_OPERATOR = re.compile(r"\d+(?:\.\d+)+|\w+|[-+*/%<>=&|^~!@$#]+")
_QUOTED = re.compile(r"(?<!\w)'([^'\n]{1,60})'(?!\w)|(?<!\w)\"([^\"\n]{1,60})\"(?!\w)")
_FACTORS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], np.uint64)
_KNOWN_WORDS = 1 << 20


def without_markup(text: str) -> str:
    """A text without what is only Markdown's."""
    return _MARKUP.sub(" ", text)


def quoted(text: str) -> tuple[str, ...]:
    """What stands between quotes on one line, in order, as it is written: texts, while names stand in backticks."""
    return tuple(found[found.lastindex or 0] for found in _QUOTED.finditer(text))


def canonical(text: str) -> str:
    """Words, numbers and operators with single spaces, lower case but within quotes, where a letter's case may be the
    task: what makes two questions exactly the same."""
    folded, end = [], 0
    for found in _QUOTED.finditer(text):
        folded += [text[end : found.start()].casefold(), found[0]]
        end = found.end()
    return " ".join(_WORD_OR_OPERATOR.findall(without_markup("".join([*folded, text[end:].casefold()]))))


def normalise(text: str) -> str:
    """Letters, digits and single spaces, lower case: what two questions are compared by."""
    return " ".join(_WORD.findall(text.casefold()))


def shingles(text: str) -> set[str]:
    """Word 3-grams of the normalised text; of a shorter text, the text itself."""
    words = normalise(text).split()
    return {" ".join(words[i : i + SHINGLE]) for i in range(max(1, len(words) - SHINGLE + 1))}


class _WordHashes(dict[str, int]):
    """A stable 64-bit hash of each word that was met; Python's own changes from process to process."""

    def __missing__(self, word: str) -> int:
        if len(self) >= _KNOWN_WORDS:
            self.clear()
        value = int.from_bytes(hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
        self[word] = value
        return value


_hashes = _WordHashes()


def shingle_hashes(texts: Sequence[str]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Hashes of the word 3-grams of many texts at once.

    Args:
        texts: as they come from ``normalise``.

    Returns:
        The hashes of all texts in one array, those of a text in its own order and with repetitions, and the offsets,
        shape (len(texts) + 1,), between which each text's lie. Every text has at least one.
    """
    padding = [0] * SHINGLE
    hashes: list[int] = []
    lengths = np.empty(len(texts), np.int64)
    for number, text in enumerate(texts):
        words = [_hashes[word] for word in text.split()]
        words += padding[: max(0, SHINGLE - len(words))]
        lengths[number] = len(words)
        hashes += words
    flat = np.fromiter(hashes, np.uint64, len(hashes))
    grams = np.zeros(max(0, len(flat) - SHINGLE + 1), np.uint64)
    for place, factor in enumerate(_FACTORS):
        grams += flat[place : place + len(grams)] * factor
    grams ^= grams >> np.uint64(29)  # a product's low bits know little of its factors' high ones
    counts = lengths - (SHINGLE - 1)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    starts = np.concatenate([[0], np.cumsum(lengths)])[:-1]
    return grams[np.repeat(starts - offsets[:-1], counts) + np.arange(offsets[-1])], offsets

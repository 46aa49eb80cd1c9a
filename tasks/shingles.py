"""Texts as sets of word n-grams, by which near-duplicates are told."""

from __future__ import annotations

import re

SHINGLE = 3


def normalise(text: str) -> str:
    """Letters, digits and single spaces, lower case: what makes two questions exactly the same."""
    return " ".join(re.findall(r"\w+", text.casefold()))


def shingles(text: str) -> set[str]:
    """Word 3-grams of the normalised text; of a shorter text, the text itself."""
    words = normalise(text).split()
    return {" ".join(words[i : i + SHINGLE]) for i in range(max(1, len(words) - SHINGLE + 1))}

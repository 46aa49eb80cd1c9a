"""Which words of a text any scanner cares for: a cheap pass that spares the others.

Names recur from row to row, so that the verdict on a name is remembered and a text costs little more than its split.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

Marks = frozenset[str]
_WORD = bytes(byte if byte < 128 and (chr(byte).isalnum() or byte in b"_-") else 32 for byte in range(256))
_MOST_REMEMBERED = 300_000
"""Names, about 30 MB; then memory starts afresh."""


class TokenFilter:
    """Tokens of a text, runs of ``[A-Za-z0-9_-]``, that carry a mark.

    Args:
        marks: why a token matters; empty where it does not. Called once per distinct token, so it depends on the
            token alone.
    """

    def __init__(self, marks: Callable[[str], Marks]) -> None:
        self._marks = marks
        self._plain: set[bytes] = set()
        self._marked: dict[bytes, tuple[str, Marks]] = {}

    def __call__(self, text: str) -> Mapping[str, Marks]:
        found = set(text.encode("latin-1", "replace").translate(_WORD).split()) - self._plain
        marked: dict[str, Marks] = {}
        for token in found:
            name, marks = self._marked.get(token) or self._seen_first(token)
            if marks:
                marked[name] = marks
        return marked

    def _seen_first(self, token: bytes) -> tuple[str, Marks]:
        name = token.decode("ascii")
        marks = self._marks(name)
        if marks:
            self._marked[token] = name, marks
            return name, marks
        if len(self._plain) >= _MOST_REMEMBERED:
            self._plain = set()
        self._plain.add(token)
        return name, marks

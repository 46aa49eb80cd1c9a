"""Texts as tokens, in three ways: words, code without the names its author chose, and literal values.

Each is one pass of a regular expression, so that code which does not parse is read as well.
"""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

LOCAL = "\0"
"""Stands for every name that the author of a code was free to choose."""
_WORD = re.compile(r"[^\W_]+")
_STRING = r"""[rRbBfFuU]{0,2}(?:"(?:[^"\\\n]|\\.){0,500}+"|'(?:[^'\\\n]|\\.){0,500}+')"""
"""Of at most so many characters, or a text of nothing but escaped quotes would take hours."""
_CODE = re.compile(
    rf'''\#[^\n]*
    | [rRbBfFuU]{{0,2}}(?:"""(?:[^\\]|\\.)*?(?:"""|\Z)|\'\'\'(?:[^\\]|\\.)*?(?:\'\'\'|\Z))
    | {_STRING}
    | \.?[^\W\d]\w*
    | \d[\w.]*
    | \*\*=?|//=?|[-+*/%&|^=!<>:@]=|->|<<|>>|\.\.\.
    | [^\s\w]''',
    re.VERBOSE | re.DOTALL,
)
_TRIPLE = re.compile(r"[rRbBfFuU]{0,2}(?:\"\"\"|''')")
_LITERAL = re.compile(
    rf"""(?<!\w){_STRING}
    | (?<![\w.])-?\d[\d_]*(?:\.\d+)?(?:[eE][-+]?\d+)?(?!\w)
    | \b(?:True|False|None|true|false|null)\b""",
    re.VERBOSE,
)
_FIXED = frozenset(keyword.kwlist) | frozenset(dir(builtins)) | {"self", "cls"}
_LONGEST_LINE = 1000
_PUNCTUATION = frozenset("()[]{},:;.")
_FENCE = re.compile(r"^[ \t]*(```+|~~~+)[^\n]*\n(.*?)(?:^[ \t]*\1|\Z)", re.DOTALL | re.MULTILINE)
_BARE = re.compile(r"^(?:(?:async )?def|class|from|import) \w[^\n]*", re.MULTILINE)
_EXAMPLE = re.compile(
    r"^\W*(?:for |assert |if )?\w+\(.*\)\s*(?:==?>?|[-\u2013\u2014]+>|[\u2192\u21d2\u279e]|#|returns |is ).*$"
    r"|^\W*(?:For )?[Ee]xamples?\W*\d*\W*$",
    re.MULTILINE,
)
_PROMPT = re.compile(r"^\s*(?:>>>|\.\.\.)", re.MULTILINE)

Token = tuple[str, int, int]
"""What it counts as, and where it stands in its text."""


def lowered(text: str) -> str:
    """Lower case, in as many characters: where a token stands is the same in both."""
    low = text.lower()
    return low if len(low) == len(text) else "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def words(text: str) -> list[str]:
    """Words and numbers in lower case, in order; names in snake_case fall into their words.

    >>> words("Return is_prime(7).")
    ['return', 'is', 'prime', '7']
    """
    return _WORD.findall(lowered(text))


def _literal(token: str) -> str:
    """A string by its content, however it is quoted; a number as it stands."""
    if token[-1] in "\"'":
        return '"' + token[min(token.find("'") % 9, token.find('"') % 9) + 1 : -1]
    return {"true": "True", "false": "False", "null": "None"}.get(token, token)


def literals(text: str) -> list[str]:
    """The values written out in a text, in order: numbers, strings, truth values.

    >>> literals("assert f([1, -2], 'a') == True")
    ['1', '-2', '"a', 'True']
    """
    return [_literal(token) for token in _LITERAL.findall(text)]


def code(text: str) -> list[str]:
    """Tokens of Python without comments, docstrings and layout; strings are quoted alike.

    >>> code("return sorted(x)  # fast")
    ['return', 'sorted', '(', 'x', ')']
    """
    return [
        _literal(token) if token[-1] in "\"'" else token
        for token in _CODE.findall(text)
        if token[0] != "#" and not _triple(token)
    ]


def _triple(token: str) -> bool:
    return token[-1] in "\"'" and _TRIPLE.match(token) is not None


def is_local(token: str) -> bool:
    """Whether a token of ``code`` is a name that its author was free to choose."""
    return (token[0].isalpha() or token[0] == "_") and token not in _FIXED


def is_telling_word(token: str) -> bool:
    """Whether a word is more than a number or a letter."""
    return len(token) > 1 and not token.isdecimal()


def is_telling_code(token: str) -> bool:
    """Whether a token of ``code`` says what is done: no number, and no bracket, comma, colon or dot."""
    return not token[0].isdigit() and token not in _PUNCTUATION


@dataclass(frozen=True)
class Lexer:
    """A way to read a text, and where its tokens stand."""

    read: Callable[[str], list[str]]
    pattern: re.Pattern[str]

    def places(self, text: str) -> list[tuple[int, int]]:
        """Start and end in the text of each token that ``read`` gives."""
        text = lowered(text) if self.read is words else text
        found = (match.span() for match in self.pattern.finditer(text))
        if self.read is not code:
            return list(found)
        return [(start, end) for start, end in found if text[start] != "#" and not _triple(text[start:end])]


WORDS, CODE, LITERALS = Lexer(words, _WORD), Lexer(code, _CODE), Lexer(literals, _LITERAL)


def code_of(question: str) -> Iterator[str]:
    """The code in Markdown: what is fenced; where nothing is, all from the first line that is Python on."""
    if "```" in question or "~~~" in question:
        yield from (match[2] for match in _FENCE.finditer(question))
    elif ("def " in question or "class " in question) and (bare := _BARE.search(question)):
        yield question[bare.start() :]


def prose(prompt: str) -> str:
    """What a prompt says in words: without fences, examples and, where it is code, all but its last docstring."""
    text = _FENCE.sub(" ", prompt)
    if _BARE.search(text) and (docstrings := re.findall(r"(?:\"\"\"|''')(.*?)(?:\"\"\"|'''|\Z)", text, re.DOTALL)):
        text = docstrings[-1]
    lines = text.splitlines()
    kept = [
        line
        for place, line in enumerate(lines)
        if not (_PROMPT.match(line) or _EXAMPLE.match(line[:_LONGEST_LINE]))
        and not (place and lines[place - 1].lstrip().startswith(">>>"))
    ]
    return " ".join(" ".join(kept).split())

"""Reading replies: tolerant of what models really write, strict in what comes out."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from tasks.syntax import parsed

SECTIONS = ("Analysis", "Question", "Signature", "Solution", "Test", "Completion")
_TAG = re.compile(rf"<\|\s*({'|'.join(SECTIONS)})\s+(Begin|End)\s*\|>", re.IGNORECASE)
_OPENING = re.compile(r"([ \t]*)(`{3,}|~{3,})[ \t]*([\w+-]*)[^`]*$")
_CODE_LINE = re.compile(r"(async def|def|class|import|from|@\w|if __name__|[A-Za-z_]\w*\s*(:\s*\w+\s*)?=)(?!=)")
_MOST_ENDS = 8
"""Places where a piece of code is tried to end; each costs a parse."""
_THINK = re.compile(r"\s*<think>(.*?)</think>", re.DOTALL)
_PYTHON = frozenset({"python", "py", "python3"})
_HEADING = re.compile(
    r"""^\s*(?:[#>*_\s]*)                                    # Markdown around it
        (?:(?:coding|programming|practice|new)\s+)?
        (?:(?:question|problem|task|exercise|instruction|challenge)(?:\s+(?:statement|description))?|q(?=\d))\s*
        (?:\(?\#?\d+\)?|[ivx]+)?[ \t]*
        [*_]*[ \t]*(?::|\.|\n|$|(?<=\d)\ -\ |(?<=\w)\ ?[\u2013\u2014]\ )[*_]*\s*""",
    re.IGNORECASE | re.VERBOSE,
)


@dataclass(frozen=True)
class Malformed:
    """A reply without what was asked for, and one sentence on what is missing."""

    reason: str


def split_reasoning(text: str) -> tuple[str, str]:
    """(reasoning, answer): a leading ``<think>`` block is reasoning."""
    if found := _THINK.match(text):
        return found.group(1).strip(), text[found.end() :].lstrip()
    return "", text


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def section(text: str, name: str) -> str | None:
    """What stands between the begin and end tags of a section, stripped; None where it has no begin tag.

    A missing end tag is forgiven: the section ends at the next tag or at the end of the text. Of several sections of
    one name the last begun one counts, since models that correct themselves write the section again.
    """
    text = _unix(text)
    tags = list(_TAG.finditer(text))
    found = None
    for position, tag in enumerate(tags):
        if tag.group(1).lower() == name.lower() and tag.group(2).lower() == "begin":
            end = tags[position + 1].start() if position + 1 < len(tags) else len(text)
            found = text[tag.end() : end].strip()
    return found


@dataclass(frozen=True)
class _Block:
    """A fenced block: its language, its text without the fence's indentation, and its syntax tree if it has one."""

    language: str
    text: str
    tree: ast.Module | None


def _blocks(text: str) -> list[_Block]:
    """Fenced blocks in order; one that is not closed ends with the text.

    Code may hold fences of its own, in a docstring say. So a block of Python ends at the first closing fence up to
    which it parses, and where there is none at the first.
    """
    lines = text.split("\n")
    found: list[_Block] = []
    at = 0
    while at < len(lines):
        opening = _OPENING.match(lines[at])
        at += 1
        if not opening:
            continue
        indent, mark, language = opening.group(1), opening.group(2), opening.group(3).lower()
        ends = [end for end in range(at, len(lines)) if _closes(lines[end], mark)] or [len(lines)]
        tried = [
            _Block(language, _body(lines[at:end], indent or _indent(lines, end)), None) for end in ends[:_MOST_ENDS]
        ]
        chosen, block = 0, tried[0]
        if language in _PYTHON or not language:
            for number, one in enumerate(tried):
                if (tree := parsed(one.text)) is not None:
                    chosen, block = number, _Block(language, one.text, tree)
                    break
        found.append(block)
        at = ends[chosen] + 1
    return found


def _closes(line: str, mark: str) -> bool:
    stripped = line.strip()
    return len(stripped) >= len(mark) and set(stripped) == {mark[0]}


def _indent(lines: list[str], end: int) -> str:
    """The indentation of a closing fence: that of the opening one may have been stripped off."""
    return lines[end][: len(lines[end]) - len(lines[end].lstrip())] if end < len(lines) else ""


def _body(lines: list[str], indent: str) -> str:
    return "\n".join(line.removeprefix(indent) for line in lines)


def _defined(tree: ast.Module) -> set[str]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {node.name for node in tree.body if isinstance(node, kinds)}


def _chosen(blocks: list[_Block]) -> str:
    """The code of several blocks: those that define something, one after another.

    Blocks that define nothing are examples of use. Of blocks that define the same name the last counts, since models
    that correct themselves write the code again.
    """
    ours = [block for block in blocks if block.language in _PYTHON] or [
        block for block in blocks if block.tree is not None
    ]
    parts = [(block, _defined(block.tree)) for block in ours if block.tree is not None and _defined(block.tree)]
    if not parts:
        return (ours or blocks)[0].text
    names: set[str] = set()
    for _, defined in parts:
        if names & defined:
            return parts[-1][0].text
        names |= defined
    return "\n\n".join(block.text.strip("\n") for block, _ in parts)


def _without_prose(text: str) -> str:
    """Code without the sentences around it; the text itself where it is code, or where none can be found."""
    if parsed(text) is not None:
        return text
    lines = text.split("\n")
    first = next((n for n, line in enumerate(lines) if _CODE_LINE.match(line)), None)
    if first is None:
        return text
    ends = [
        n for n in range(len(lines), first, -1) if n == len(lines) or not lines[n].startswith((" ", "\t", ")", "]"))
    ]
    for end in ends[:_MOST_ENDS]:
        part = "\n".join(lines[first:end])
        if (tree := parsed(part)) is not None and tree.body:
            return part
    return text


def code(text: str) -> str:
    """The code in a section: that of its Python fences, of its other fences where none is Python's, or the text itself
    without the prose around it.

    Ends in exactly one newline; empty where there is no code.
    """
    text = _unix(text)
    blocks = _blocks(text)
    body = _chosen(blocks) if blocks else _without_prose(text)
    body = body.strip("\n").rstrip()
    return f"{body}\n" if body.strip() else ""


def parse_code(text: str, name: str) -> str | Malformed:
    """The code in a section of a reply. Whether it parses as Python is the sandbox's to say."""
    raw = section(text, name)
    if raw is None:
        return Malformed(f"the reply has no {name} section")
    return code(raw) or Malformed(f"the {name} section is empty")


def parse_pair(text: str) -> tuple[str, str] | Malformed:
    """Solution and tests of a reply, each as code."""
    solution, test = parse_code(text, "Solution"), parse_code(text, "Test")
    if isinstance(solution, Malformed):
        return solution
    return test if isinstance(test, Malformed) else (solution, test)


def clean_question(text: str) -> str:
    """The question without headings such as ``Question 3:`` or ``**Problem**`` in front; may be empty."""
    text = _unix(text).strip()
    while match := _HEADING.match(text):
        text = text[match.end() :].strip()
    return text


def abstained(text: str) -> bool:
    """Whether the teacher found the document unfit: it says ``BAD_DOCUMENT`` and asks no question."""
    question = section(text, "Question")
    return "BAD_DOCUMENT" in text and (not question or question.startswith("BAD_DOCUMENT"))

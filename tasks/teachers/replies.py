"""Reading replies: tolerant of what models really write, strict in what comes out."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from itertools import islice

from tasks.syntax import parsed

SECTIONS = ("Analysis", "Question", "Signature", "Solution", "Test", "Completion", "Driver", "Inputs")
_TAG = re.compile(rf"<\|\s*({'|'.join(SECTIONS)})\s+(Begin|End)\s*\|>", re.IGNORECASE)
_OPENING = re.compile(r"([ \t]*)(`{3,}|~{3,})[ \t]*([\w+-]*)[^`]*$")
_CODE_LINE = re.compile(r"(async def|def|class|import|from|@\w|if __name__|[A-Za-z_]\w*\s*(:\s*\w+\s*)?=)(?!=)")
_MOST_ENDS = 8
"""Places where a piece of code is tried to end; each costs a parse."""
_THINK = r"(?:<{0}(?:think|thinking|thought|seed:think)>|\[{0}THINK\])"
_THOUGHT_BEGAN = re.compile(_THINK.format(""))
_THOUGHT_BEGINS = re.compile(rf"[ \t]*{_THINK.format('')}")
_THOUGHT_ENDS = re.compile(rf"(?<!['\"])(?<!(?<!`)`){_THINK.format('/')}(?!['\"])(?!`(?!``))")
"""Not a tag that is quoted, as a model may well think about tags; a code fence may stand right beside one."""
_ALONE = re.compile(rf"^[ \t]*{_THINK.format('/')}|{_THINK.format('/')}[ \t\r]*$", re.MULTILINE)
"""The end of a thought at an end of its line, as it stands where a chat template has begun the thought."""
PYTHON = frozenset({"python", "py", "python3"})
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
    """(reasoning, answer): ``<think>`` blocks are reasoning, wherever one begins a line outside code fences.

    A block that is not closed is reasoning to the end, and so is all before a closing tag whose opening one the model's
    chat template has supplied. Code fences within a block are part of it.
    """
    thoughts: list[str] = []
    said: list[str] = []
    at, fence = 0, ""
    end = _ALONE.search(text)
    if end is not None and not _THOUGHT_BEGAN.search(text, 0, end.start()):
        thoughts.append(text[: end.start()])
        at = end.end()
    while at < len(text):
        line = text[at : text.find("\n", at) + 1 or len(text)]
        begin = None if fence else _THOUGHT_BEGINS.match(line)
        if begin is None:
            fence = _fence_behind(line, fence)
            said.append(line)
            at += len(line)
            continue
        begins = at + begin.end()
        closing = _THOUGHT_ENDS.search(text, begins)
        thoughts.append(text[begins : closing.start()] if closing else text[begins:])
        at = closing.end() if closing else len(text)
    if not thoughts:
        return "", text
    return "\n\n".join(filter(None, map(str.strip, thoughts))), "".join(said).lstrip()


def _fence_behind(line: str, fence: str) -> str:
    """The mark of the code fence that is open behind a line; empty where none is."""
    if fence:
        return "" if _closes(line, fence) else fence
    opening = _OPENING.match(line)
    return opening.group(2) if opening else ""


def unix(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def section(text: str, name: str) -> str | None:
    """What stands between the begin and end tags of a section, stripped; None where it has no begin tag.

    A missing end tag is forgiven: the section ends at the next tag or at the end of the text. Of several sections of
    one name the last begun one counts, since models that correct themselves write the section again.
    """
    text = unix(text)
    tags = list(_TAG.finditer(text))
    found = None
    for position, tag in enumerate(tags):
        if tag.group(1).lower() == name.lower() and tag.group(2).lower() == "begin":
            end = tags[position + 1].start() if position + 1 < len(tags) else len(text)
            found = text[tag.end() : end].strip()
    return found


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text without the fence's indentation, and its syntax tree if it has one."""

    language: str
    text: str
    tree: ast.Module | None


def fenced_blocks(text: str) -> list[Block]:
    """Fenced blocks in order; one that is not closed ends with the text.

    Code may hold fences of its own, in a docstring say. So a block of Python ends at the first closing fence up to
    which it parses, and where there is none at the first.
    """
    lines = text.split("\n")
    found: list[Block] = []
    at = 0
    while at < len(lines):
        opening = _OPENING.match(lines[at])
        at += 1
        if not opening:
            continue
        indent, mark, language = opening.group(1), opening.group(2), opening.group(3).lower()
        closing = (end for end in range(at, len(lines)) if _closes(lines[end], mark))
        ends = list(islice(closing, _MOST_ENDS)) or [len(lines)]
        tried = [Block(language, _body(lines[at:end], indent or _indent(lines, end)), None) for end in ends]
        chosen, block = 0, tried[0]
        if language in PYTHON or not language:
            for number, one in enumerate(tried):
                if (tree := parsed(one.text)) is not None:
                    chosen, block = number, Block(language, one.text, tree)
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


def definitions(tree: ast.Module) -> set[str]:
    """Names of the functions and classes of a module."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {node.name for node in tree.body if isinstance(node, kinds)}


def code_of_blocks(blocks: list[Block]) -> str:
    """The code of several blocks: those that define something, one after another.

    Blocks that define nothing are examples of use. Of blocks that define the same name the last counts, since models
    that correct themselves write the code again.
    """
    ours = [block for block in blocks if block.language in PYTHON] or [
        block for block in blocks if block.tree is not None
    ]
    parts = [(block, names) for block in ours if block.tree is not None and (names := definitions(block.tree))]
    if not parts:
        return (ours or blocks)[0].text
    seen: set[str] = set()
    for _, names in parts:
        if seen & names:
            return parts[-1][0].text
        seen |= names
    return "\n\n".join(block.text.strip("\n") for block, _ in parts)


def without_prose(text: str) -> str:
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
    text = unix(text)
    blocks = fenced_blocks(text)
    body = code_of_blocks(blocks) if blocks else without_prose(text)
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
    text = unix(text).strip()
    while match := _HEADING.match(text):
        text = text[match.end() :].strip()
    return text


def abstained(text: str) -> bool:
    """Whether the teacher found the document unfit: it says ``BAD_DOCUMENT`` and asks no question."""
    question = section(text, "Question")
    return "BAD_DOCUMENT" in text and (not question or question.startswith("BAD_DOCUMENT"))

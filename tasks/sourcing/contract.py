"""What of a question its tests will use: name and signature of a function or class, or standard input and output.

In KodCode about 8 % of the questions name the function that their tests import. Here each states it: found by parse,
and where it is missing completed by a declaration that the author is asked for.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tasks.syntax import parse

STDIN = "stdin/stdout"
_FENCE = re.compile(r"(?:```|~~~)[\w+-]*[ \t]*\n(.*?)(?:```|~~~|\Z)", re.DOTALL)
_SPAN = re.compile(r"(`{1,2})(?!`)(.+?)\1", re.DOTALL)
_TYPE = r"[\w.]+(?:\[[\w\[\], .|]*\])?"
_BARE = re.compile(
    r"(?<![\w.`])((?:def\s+)?[A-Za-z_]\w*\((?:[^()\n]|\([^()\n]*\))*\)"
    rf"(?:\s*->\s*{_TYPE}(?:\s*\|\s*{_TYPE})*)?)"
)
_CLASS = re.compile(r"\bclass\s+`?([A-Z]\w*)`?|`([A-Z]\w*)`\s+class\b|\bclass\s+(?:named|called)\s+`?([A-Z]\w*)`?")
_READS = re.compile(
    r"(?i)\bstandard input\b|\bstdin\b|^\W*input( format)?\W*$|\breads?\b[^.\n]{0,60}\binput\b", re.MULTILINE
)
_PRINTS = re.compile(r"(?i)\bstandard output\b|\bstdout\b|^\W*output( format)?\W*$|\bprints?\b", re.MULTILINE)
_MOST_SPANS = 40
_LONGEST = 400


def _as_signature(text: str) -> str | None:
    """The signature that a piece of text is, as in ``f(x: int) -> int``; None where it is none.

    A call such as ``f([1, 2])`` or ``f(3)`` does not parse as one; ``f()`` counts only with a result or after ``def``.
    """
    text = " ".join(text.split()).rstrip(":.;, ")
    is_def = text.startswith(("def ", "async def "))
    if not text or len(text) > _LONGEST or "(" not in text:
        return None
    try:
        (node,) = parse(f"{text if is_def else f'def {text}'}: ...").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return None
    if not (is_def or node.returns or any(ast.iter_child_nodes(node.args))):
        return None
    return _written(node)


def _written(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    keyword = "async def " if isinstance(node, ast.AsyncFunctionDef) else ""
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{keyword}{node.name}({ast.unparse(node.args)}){returns}"


def _declared(code: str) -> Iterator[str]:
    """Signatures of the functions and names of the classes that a block of code declares, bodies or not."""
    candidates = [code, re.sub(r"(?m)^(\s*)((?:async )?def .*?\)(?:\s*->\s*[^:\n]+)?):?[ \t]*$", r"\1\2: ...", code)]
    for candidate in candidates:
        try:
            tree = parse(candidate)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield _written(node)
            elif isinstance(node, ast.ClassDef):
                yield f"class {node.name}"
        return


def contract(question: str) -> list[str]:
    """The signatures that a question states, ``class Name`` for classes, or ``stdin/stdout``; empty where there are
    none."""
    found: list[str] = []
    for block in _FENCE.findall(question):
        found += _declared(block)
    prose = _FENCE.sub("\n", question)
    spans = [text for _, text in _SPAN.findall(prose)][:_MOST_SPANS]
    bare = _BARE.findall(_SPAN.sub(" ", prose))[:_MOST_SPANS]
    found += [signature for text in [*spans, *bare] if (signature := _as_signature(text))]
    found += [f"class {next(filter(None, names))}" for names in _CLASS.findall(prose)]
    if not found and _READS.search(prose) and _PRINTS.search(prose):
        found = [STDIN]
    return list(dict.fromkeys(found))


def entry_points(stated: list[str]) -> list[str]:
    """The names in a contract."""
    names = (re.match(r"(?:class |async def )?(\w+)", one) for one in stated if one != STDIN)
    return [name[1] for name in names if name]


def declaration(reply: str) -> str | None:
    """The one declaration that a text is, a function's or a class's, without bodies; None where it is none."""
    text = "\n".join(line for line in reply.strip().strip("`").splitlines() if line.strip() not in ("python", "```"))
    if signature := _as_signature(text):
        return f"{signature}:" if signature.startswith("async ") else f"def {signature}:"
    try:
        (node,) = parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if not isinstance(node, ast.ClassDef):
        return None
    methods = [item for item in node.body if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)]
    lines = [f"class {node.name}:", *(f"    {_header(item)}: ..." for item in methods)]
    return "\n".join(lines)


def _header(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    written = _written(node)
    return written if written.startswith("async ") else f"def {written}"


def completed(question: str, declared: str) -> str:
    """The question with a declaration added as its last paragraph."""
    return f"{question}\n\nYour solution must define:\n\n```python\n{declared}\n```"


def as_program(question: str) -> str:
    """A question about standard input and output, completed by where the program has to be."""
    if re.search(r"\bmain\(\)", question):
        return question
    return (
        f"{question}\n\nPut the program into a function `main()` that reads standard input and writes standard output."
    )

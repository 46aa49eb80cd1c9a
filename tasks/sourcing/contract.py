"""What of a question its tests will use: name and signature of a function or class, or standard input and output.

In KodCode about 8 % of the questions name the function that their tests import. Here each states it: found by parse,
and where it is missing completed by a declaration that the author is asked for.
"""

from __future__ import annotations

import ast
import builtins
import re
import textwrap
from dataclasses import dataclass

from tasks.syntax import header, parsed

STDIN = "stdin/stdout"
FENCE = re.compile(r"(?:```|~~~)[\w+-]*[ \t]*\n(.*?)(?:```|~~~|\Z)", re.DOTALL)
_SPAN = re.compile(r"(`{1,2})(?!`)(.+?)\1", re.DOTALL)
_ARGUMENTS = r"\((?:[^()]|\([^()]*\))*\)"
_TYPE = r"[\w.]+(?:\[[\w\[\], .|'\"]*\])?"
_RESULT = rf"(?:\s*->\s*{_TYPE}(?:\s*\|\s*{_TYPE})*)?"
_DEF = re.compile(rf"(?<![\w.`])(?:async\s+)?def\s+\w+\s*{_ARGUMENTS}{_RESULT}")
_BARE = re.compile(rf"(?<![\w.`])[A-Za-z_]\w*{_ARGUMENTS}{_RESULT}")
_HEADER = re.compile(rf"((?:async\s+)?def\s+\w+\s*{_ARGUMENTS}(?:\s*->\s*[^:\n]+)?):?[ \t]*(?=\n|\Z)")
_INTRODUCES = re.compile(
    r"(?i)\b(functions?|methods?|generators?|coroutines?|decorators?|named|called|implement|write|define|create|build|signature)\b[^.!?\n]*$"
)
"""What stands before a name that a question asks for, where no types tell that it is a signature."""
_CLASS = re.compile(
    r"\bclass\s+`([A-Z]\w*)[`(:]|`(?:class\s+)?([A-Z]\w*)`\s+class\b|`class\s+([A-Z]\w*)|"
    r"\bclass\s+(?:named|called)\s+`?([A-Z]\w*)|"
    r"\b(?:[Ii]mplement|[Ww]rite|[Dd]efine|[Cc]reate|[Dd]esign|[Bb]uild)\s+(?:an?\s+|the\s+)?(?:\w+\s+)?class\s+([A-Z]\w*)|"
    r"^class\s+([A-Z]\w*)\s*[(:]",
    re.MULTILINE,
)
_NO_NAMES = frozenset({"O", "Theta", "Omega", "o"} | set(dir(builtins)))
_PLURAL = re.compile(r"\w+\((s|es)\)")
_READS = re.compile(
    r"(?i)\bstandard input\b|\bstdin\b|^\W*input( format)?\W*$|\breads?\b[^.\n]{0,60}\binput\b", re.MULTILINE
)
_PRINTS = re.compile(r"(?i)\bstandard output\b|\bstdout\b|^\W*output( format)?\W*$|\bprints?\b", re.MULTILINE)
_MOST = 40
_LONGEST = 400


@dataclass(frozen=True)
class Signature:
    """A signature as written in a text. ``sure``: it says ``def``, or has a type or a default, as no call has."""

    text: str
    name: str
    sure: bool


def _signature(text: str) -> Signature | None:
    """The signature that a piece of text is, as in ``f(x: int) -> int``; None where it is none.

    A call such as ``f([1, 2])`` or ``f(3)`` does not parse as one; ``f()`` counts only with a result or after ``def``.
    """
    text = " ".join(text.split()).rstrip(":.;, ")
    is_def = text.startswith(("def ", "async def "))
    if not text or len(text) > _LONGEST or "(" not in text:
        return None
    tree = parsed(f"{text if is_def else f'def {text}'}: ...")
    if tree is None or len(tree.body) != 1:
        return None
    node = tree.body[0]
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return None
    if not is_def and (node.name in _NO_NAMES or _PLURAL.fullmatch(text) or text.endswith("()")):
        return None
    given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    typed = node.returns or node.args.defaults or any(one.annotation for one in given)
    return Signature(_written(node), node.name, bool(is_def or typed))


def _written(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    return header(node).removeprefix("def ")


def _with_bodies(code: str) -> str:
    """Code whose headers without a body have an empty one."""
    return _HEADER.sub(r"\1: ...", code)


def _parsed(code: str) -> ast.Module | None:
    return parsed(code) or parsed(_with_bodies(code))


def _declared(block: str) -> list[str]:
    """Signatures of the functions and names of the classes that a block of code declares, bodies or not."""
    code = textwrap.dedent(block)
    if tree := _parsed(code):
        found = []
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found.append(_written(node))
            elif isinstance(node, ast.ClassDef):
                found.append(f"class {node.name}")
        if found or tree.body:
            return found
    return [one.text for line in code.splitlines() if (one := _signature(line)) and one.sure]


def contract(question: str) -> list[str]:
    """The signatures that a question states, ``class Name`` for classes, or ``stdin/stdout``; empty where there are
    none."""
    question = question.replace("\\_", "_")  # as Markdown wants it outside code
    found = [one for block in FENCE.findall(question) for one in _declared(block)]
    prose = FENCE.sub("\n", question)
    pieces = [(prose[: one.start()], one[2]) for one in _SPAN.finditer(prose)][:_MOST]
    plain = _SPAN.sub(lambda span: " " * len(span[0]), prose)
    pieces += [(plain[: one.start()], one[0]) for one in _DEF.finditer(plain)][:_MOST]
    pieces += [(plain[: one.start()], one[0]) for one in _BARE.finditer(plain)][:_MOST]
    signatures = [(before, one) for before, text in pieces if (one := _signature(text))]
    sure = [one for _, one in signatures if one.sure]
    known = {one.name for one in sure}
    found += [one.text for one in sure]
    found += [f"class {next(filter(None, names))}" for names in _CLASS.findall(prose)]
    reads = _READS.search(prose) and _PRINTS.search(prose)
    if not found and reads:
        return [STDIN]
    if not sure:
        found += [one.text for before, one in signatures if one.name not in known and _INTRODUCES.search(before[-200:])]
    return list(dict.fromkeys(found))


def entry_points(stated: list[str]) -> list[str]:
    """The names in a contract."""
    names = (re.match(r"(?:class |async def )?(\w+)", one) for one in stated if one != STDIN)
    return [name[1] for name in names if name]


def declaration(reply: str) -> str | None:
    """The one declaration in a text, a function's or a class's, without bodies; None where there is not one."""
    lines = [line for line in reply.strip().splitlines() if not re.fullmatch(r"\s*(```|~~~)?\s*(python|py)?\s*", line)]
    text = textwrap.dedent("\n".join(lines)).strip().strip("`").strip()
    if signature := _signature(text):
        return _as_header(signature.text)
    nodes = [node for node in tree.body if not isinstance(node, _BESIDE)] if (tree := _parsed(text)) else []
    if not nodes:
        told = [one for line in lines if (one := _signature(line.strip().strip("`"))) and one.sure]
        return _as_header(told[0].text) if len(told) == 1 else None
    if len(nodes) != 1 or not isinstance(nodes[0], ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return None
    node = nodes[0]
    if not isinstance(node, ast.ClassDef):
        return _as_header(_written(node))
    for inner in ast.walk(node):
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
            inner.body = [ast.Expr(ast.Constant(...))]
    node.body = [one for one in node.body if not isinstance(one, ast.Expr)] or [ast.Expr(ast.Constant(...))]
    return re.sub(r":\n\s+\.\.\.", ": ...", re.sub(r"\n\s*\n", "\n", ast.unparse(node)))


_BESIDE = (ast.Import, ast.ImportFrom, ast.Expr)
"""Statements that may stand beside a declaration."""


def _as_header(signature: str) -> str:
    return f"{signature}:" if signature.startswith("async ") else f"def {signature}:"


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

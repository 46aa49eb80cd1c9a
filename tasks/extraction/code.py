"""The program in what a reasoning model said."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Sequence
from itertools import chain

from tasks.digests import digest_of
from tasks.execution.aliases import bound_names
from tasks.extraction.completion import completed, does_something, in_front, names_read, stub_in
from tasks.models import Style
from tasks.syntax import parsed
from tasks.teachers.replies import PYTHON, Block, code_of_blocks, definitions, fenced_blocks, unix, without_prose

_READS = re.compile(r"\binput\s*\(|\bstdin\b|\bopen\(0\b")
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_BINDS = (*_DEFINITIONS, ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign)
_BUILT_IN = frozenset(dir(builtins))


def extraction_digest() -> str:
    """Changes where answers may be read otherwise."""
    return digest_of("tasks.extraction", (".py",))


def code_in(text: str, question: str, style: Style) -> str:
    """The program in an answer, apart from the model's reasoning; empty where there is none.

    KodCode takes the first Python block. Here it is the blocks that define something, one after another, and of
    several that define the same the last, since models that correct themselves write the code again; for
    `online_judge` the last block that reads its input, behind the definitions of earlier ones. What this code uses and
    another block imports or defines goes with it. Blocks of other languages are never taken, and unfenced code where
    it stands alone or between sentences. For `complete` it is joined to the stub. Whether it parses is the sandbox's
    to say.

    Args:
        text: what the model said after it had thought.
    """
    text = unix(text)
    stub = stub_in(question) if style is Style.COMPLETE else ""
    blocks = [block for block in fenced_blocks(text) if _is_python(block)]
    if blocks:
        found = _program(blocks) if style is Style.ONLINE_JUDGE else code_of_blocks(blocks)
        found = _with_needed(blocks, found, stub)
        found = completed(stub, found) if stub else found
    else:
        found = _unfenced(text, stub)
    found = found.strip("\n").rstrip()
    return f"{found}\n" if found else ""


def _is_python(block: Block) -> bool:
    """Whether a block says it is Python, or says nothing and is."""
    if block.language:
        return block.language in PYTHON and bool(block.text.strip())
    return block.tree is not None and any(map(does_something, block.tree.body))


def _program(blocks: list[Block]) -> str:
    """A program that reads its input, with what other blocks before it define for it."""
    last = next((block for block in reversed(blocks) if _READS.search(block.text)), None)
    if last is None:
        return code_of_blocks(blocks)
    own = definitions(last.tree) if last.tree else set()
    helpers = [
        block
        for block in blocks[: blocks.index(last)]
        if block.tree and not _READS.search(block.text) and (names := definitions(block.tree)) and not names & own
    ]
    return "\n\n".join(block.text.strip("\n") for block in chain(helpers, [last]))


def _with_needed(blocks: Sequence[Block], code: str, stub: str) -> str:
    """Code behind the blocks that bind names which neither it nor the stub binds: imports in a block of their own, or
    what stood beside an earlier version. Blocks that do more than bind are examples of use."""
    tree = parsed(code)
    if tree is None:
        return code
    nodes = [node for one in (tree, parsed(stub)) if one for node in ast.walk(one)]
    bound = bound_names(nodes) | {node.arg for node in nodes if isinstance(node, ast.arg)} | _BUILT_IN
    needed = names_read(tree)
    kept: list[str] = []
    for block in reversed(blocks):
        if block.tree is None or not all(isinstance(node, _BINDS) for node in block.tree.body):
            continue
        names = {
            name
            for node in block.tree.body
            for name in bound_names([node] if isinstance(node, _DEFINITIONS) else list(ast.walk(node)))
        }
        if names & (needed - bound):  # what the code binds again stands behind, and wins
            kept.insert(0, block.text.strip("\n"))
            bound |= names
            needed |= names_read(block.tree)
    return in_front(kept, code, tree) if kept else code


def _unfenced(text: str, stub: str) -> str:
    """Code outside any fence: small models forget the opening one."""
    for part in dict.fromkeys((text, text.partition("\n```")[0])):
        if stub and (joined := completed(stub, part)) != part:
            return joined
        found = without_prose(part)
        tree = parsed(found)
        if tree is not None and any(map(does_something, tree.body)):
            return completed(stub, found) if stub else found
    return ""

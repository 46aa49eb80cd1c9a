"""Asserts that say what they compared, for tests that run without pytest.

pytest's own rewriting knows more kinds of assert, and takes longer than all else such tests do.
"""

from __future__ import annotations

import ast
import types

from _pytest._io.saferepr import saferepr

_LEFT, _RIGHT, _EXPLAIN = "@left", "@right", "@explain"  # no names that a source could have
_SYMBOLS: dict[type[ast.cmpop], str] = {
    **{ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="},
    **{ast.In: "in", ast.NotIn: "not in", ast.Is: "is", ast.IsNot: "is not"},
}
_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")


def compile_asserts(source: str, path: str) -> types.CodeType:
    """Compile tests so that ``assert a == b``, where it fails, says what both were.

    The code needs ``explain_in`` called with its globals.

    Raises:
        SyntaxError: the source does not parse.
    """
    tree = ast.parse(source, path)
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        for name in _BLOCKS:
            block = getattr(node, name, None)
            if isinstance(block, list):
                waiting.extend(block)
                if any(isinstance(part, ast.Assert) for part in block):
                    block[:] = [new for part in block for new in _telling(part)]
    return compile(tree, path, "exec", dont_inherit=True)


def explain_in(space: dict[str, object]) -> None:
    """Give globals what the asserts call."""
    space[_EXPLAIN] = lambda left, symbol, right: f"assert {saferepr(left)} {symbol} {saferepr(right)}"


def _telling(node: ast.stmt) -> list[ast.stmt]:
    """An assert that keeps what it compares until it has held; any other statement as it is."""
    if not isinstance(node, ast.Assert) or node.msg is not None:
        return [node]
    if not isinstance(node.test, ast.Compare) or len(node.test.ops) != 1:
        return [node]
    test, (operator,) = node.test, node.test.ops
    load, store = ast.Load(), ast.Store()
    left = test.left = ast.NamedExpr(ast.Name(_LEFT, store), test.left)
    right = ast.NamedExpr(ast.Name(_RIGHT, store), test.comparators[0])
    test.comparators = [right]
    told: list[ast.expr] = [ast.Name(_LEFT, load), ast.Constant(_SYMBOLS[type(operator)]), ast.Name(_RIGHT, load)]
    node.msg = ast.Call(ast.Name(_EXPLAIN, load), told, [])
    forget = ast.Assign([ast.Name(_LEFT, store), ast.Name(_RIGHT, store)], ast.Constant(None))
    made = [left, left.target, right, right.target, node.msg, node.msg.func, *told]
    for part in (*made, forget, *forget.targets, forget.value):
        ast.copy_location(part, node)
    return [node, forget]

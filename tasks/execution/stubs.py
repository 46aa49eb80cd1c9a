"""The negative control: a solution whose functions do nothing. Tests that still pass are vacuous."""

from __future__ import annotations

import ast

from tasks.syntax import parse

_BODY = "raise NotImplementedError('stub')"


class _Stub(ast.NodeTransformer):
    def _empty(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        node.body = parse(_BODY).body
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._empty(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._empty(node)

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        (raising,) = parse("(_ for _ in ()).throw(NotImplementedError('stub'))").body
        assert isinstance(raising, ast.Expr)
        node.body = raising.value
        return node


def stub(solution: str) -> str:
    """The solution with the body of every function and lambda replaced by a raise; all names stay defined.

    Raises:
        SyntaxError: the solution does not parse.
    """
    return ast.unparse(ast.fix_missing_locations(_Stub().visit(parse(solution)))) + "\n"

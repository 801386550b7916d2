"""Programs that watch for their own operations that are hard to do in one's head."""

from __future__ import annotations

import ast

from transforms.programs.form import parse

_WATCH = """
import operator as _operator
_hard = []
def _seen(name, left, right):
    numbers = (int, float, complex)
    if isinstance(left, numbers) and isinstance(right, numbers):
        if float in (type(left), type(right)) or (
            right > 1 if name == "pow" else abs(left) > 3 < abs(right)
        ):
            _hard.append(f"{left!r} {name} {right!r}")
    elif name == "mod":  # of texts: a format
        pass
    elif hasattr(left, "__len__") and hasattr(right, "__len__") and len(left) > 3 < len(right):
        _hard.append(f"{name} of long sequences")
    return right
def _apply(name, left, right):
    return getattr(_operator, name)(left, _seen(name, left, right))
"""
_OPERATORS = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.FloorDiv: "floordiv", ast.Mod: "mod",
    ast.Pow: "pow", ast.LShift: "lshift", ast.RShift: "rshift", ast.BitAnd: "and_",
    ast.BitOr: "or_", ast.BitXor: "xor",
}  # fmt: skip


class _Watched(ast.NodeTransformer):
    """Has each operator look at its operands."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        name = _OPERATORS.get(type(node.op))
        if name is None:
            return node
        arguments = [ast.Constant(name), node.left, node.right]
        return ast.Call(ast.Name("_apply", ast.Load()), arguments, [])

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        self.generic_visit(node)
        target = ast.parse(ast.unparse(node.target), mode="eval").body
        arguments = [ast.Constant(_OPERATORS.get(type(node.op), "add")), target, node.value]
        node.value = ast.Call(ast.Name("_seen", ast.Load()), arguments, [])
        return node


def watched(code: str) -> str:
    """Returns a program that runs `code` and whose output is its first operation that is hard to do
    in one's head; None where it has none.

    Hard are operations on numbers that are both beyond 3 or that are no integers, powers above 1,
    and operators on two sequences that are both longer than 3.
    """
    tree = ast.fix_missing_locations(_Watched().visit(parse(code)))
    return f"{_WATCH}{ast.unparse(tree)}\noutput = _hard[0] if _hard else None\n"

"""The structure of a program: what is left when names and constants are taken away."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Iterator
from typing import Any

from transforms.programs.form import Fields, Readers, assigned, is_name
from transforms.programs.names import NOWHERE, Names
from transforms.programs.source import source_of

_NUMBERS = (int, float, complex)


def fingerprint(code: str) -> str:
    """Returns a 32-digit hexadecimal hash of the program's structure.

    Equal for programs that differ in the names of their own variables, functions and input keys,
    in constants, in tables of constants, in comments, docstrings, annotations and unused imports,
    in how an import is written, in the order of the operands of `+`, `*`, `==` and `!=`, or in a
    comparison turned round. Operators, attributes, builtins and imported functions count, and so
    does the number of input keys.

    A name is written as the depth of the scope that binds it and its place in that scope's order of
    binding, so that operands can be put in order without regard to what is named elsewhere.

    Raises:
        Unparsable: `code` does not parse.
    """
    source = source_of(code)
    canonical = _Canonical(source.tree, source.names).statements(source.tree.body)
    return hashlib.blake2b(canonical.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


_WRITTEN = Fields(
    frozenset({"ctx", "type_comment", "kind", "type_params", "annotation", "returns", "simple"})
)

_VALUES = Readers(_WRITTEN)
_OPERATORS = (ast.operator, ast.unaryop, ast.boolop, ast.cmpop)


class _Canonical:
    """Writes syntax as text with names and constants normalised."""

    def __init__(self, tree: ast.Module, names: Names) -> None:
        self._names = names
        self._inputs = set(assigned(tree, "input"))

    def statements(self, body: list[ast.stmt]) -> str:
        """Leaves out what has no effect when the program runs, or is resolved with the names."""
        texts = [self.of(statement) for statement in body]
        return "[" + ";".join(text for text in texts if text) + "]"

    def of(self, node: Any) -> str:
        return _WRITERS[type(node)](self, node)

    def _list(self, nodes: list[Any]) -> str:
        if nodes and isinstance(nodes[0], ast.stmt):
            return self.statements(nodes)
        return "[" + ",".join([_WRITERS[type(node)](self, node) for node in nodes]) + "]"

    def _other(self, node: Any) -> str:
        match node:
            case ast.Import() | ast.ImportFrom() | ast.Global() | ast.Nonlocal() | ast.Pass():
                return ""
            case ast.Expr(value=ast.Constant()):
                return ""
            case ast.AnnAssign(value=None):
                in_class = node.target in self._names.home
                return f"field({self._name(node.target)})" if in_class else ""
            case ast.AnnAssign():
                return f"Assign([{self.of(node.target)}],{self.of(node.value)})"
            case ast.Dict() if node in self._inputs:
                return f"input({len(node.keys)})"
            case ast.expr() if _is_literal(node):
                return _literal_kind(node)
            case ast.JoinedStr():  # the text between the values is constant
                values = [each for each in node.values if isinstance(each, ast.FormattedValue)]
                return f"f({','.join(map(self.of, values))})"
            case ast.ClassDef() | ast.ExceptHandler() | ast.MatchAs() | ast.MatchStar():
                name = self._name(node) if node in self._names.home else ""
                return f"{name}:{self._without(node, 'name')}"
            case ast.MatchMapping():
                return self._without(node, "rest")
        return self._generic(node)

    def _without(self, node: ast.AST, left_out: str) -> str:
        names = [name for name in _WRITTEN[type(node)] if name != left_out]
        return f"{type(node).__name__}({','.join([self.of(getattr(node, n)) for n in names])})"

    def _generic(self, node: ast.AST) -> str:
        kind = type(node)
        parts = [_WRITERS[type(value)](self, value) for value in _VALUES[kind](node)]
        return f"{kind.__name__}({','.join(parts)})"

    def _name(self, node: Any) -> str:
        scope, name = self._names.home[node]
        if scope is None or scope.kind == "class":  # a builtin, or an attribute
            return name
        if name in scope.names:
            return f"{scope.depth}_{scope.names[name]}"
        return scope.imports[name]

    def _attribute(self, node: ast.Attribute) -> str:
        return f"{self.of(node.value)}.{node.attr}"

    def _operation(self, node: ast.BinOp) -> str:
        if not isinstance(node.op, (ast.Add, ast.Mult)):
            return self._generic(node)
        operands = sorted([self.of(operand) for operand in _operands(node, type(node.op))])
        return f"{type(node.op).__name__}({','.join(operands)})"

    def _comparison(self, node: ast.Compare) -> str:
        operands = [self.of(operand) for operand in (node.left, *node.comparators)]
        operators = [type(op).__name__ for op in node.ops]
        if all(operator in ("Gt", "GtE") for operator in operators):
            operands.reverse()
            operators = ["Lt" if operator == "Gt" else "LtE" for operator in reversed(operators)]
        elif operators in (["Eq"], ["NotEq"]):
            operands.sort()
        return f"Compare({','.join(operators)},{','.join(operands)})"

    def _call(self, node: ast.Call) -> str:
        if node in self._inputs and is_name(node.func, "dict") and not node.args:
            return f"input({len(node.keywords)})"
        scope, name = self._names.home.get(node.func, NOWHERE)
        own = scope is not None and name in scope.names  # its keywords are names, not operations
        keywords = []
        for keyword in node.keywords:
            label = "**" if keyword.arg is None else "" if own else keyword.arg
            keywords.append(f"{label}={self.of(keyword.value)}")
        return f"Call({self.of(node.func)},{self.of(node.args)},{','.join(keywords)})"

    def _function(self, node: Any) -> str:
        args = node.args
        shape = [len(args.posonlyargs), len(args.args), len(args.kwonlyargs)]
        stars = f"{'*' if args.vararg else ''}{'**' if args.kwarg else ''}"
        defaults = self.of(args.defaults) + self.of(args.kw_defaults)
        if isinstance(node, ast.Lambda):
            return f"Lambda({shape}{stars},{defaults},{self.of(node.body)})"
        return (
            f"{type(node).__name__}({self._name(node)},{shape}{stars},{defaults},"
            f"{self.of(node.decorator_list)},{self.statements(node.body)})"
        )


class _Writers(dict[type, Callable[[_Canonical, Any], str]]):
    """Type of node, or of what else a field holds -> what writes it."""

    def __missing__(self, kind: type) -> Callable[[_Canonical, Any], str]:
        if issubclass(kind, _OPERATORS):
            name = f"{kind.__name__}()"
            return self.setdefault(kind, lambda canonical, node: name)
        if issubclass(kind, ast.AST):
            return self.setdefault(kind, _Canonical._other)
        # an identifier, a number of dots, None
        return self.setdefault(kind, lambda canonical, value: str(value))


_WRITERS = _Writers(
    {
        list: _Canonical._list,
        ast.Name: _Canonical._name,
        ast.Constant: lambda canonical, node: _literal_kind(node),
        ast.Attribute: _Canonical._attribute,
        ast.BinOp: _Canonical._operation,
        ast.Compare: _Canonical._comparison,
        ast.Call: _Canonical._call,
        **dict.fromkeys((ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda), _Canonical._function),
        **dict.fromkeys(  # the most frequent: found at once, without the cases of the others
            (
                *(ast.Assign, ast.AugAssign, ast.Return, ast.For, ast.While, ast.If, ast.IfExp),
                *(ast.BoolOp, ast.Subscript, ast.Slice, ast.comprehension, ast.FormattedValue),
                *(ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
            ),
            _Canonical._generic,
        ),
    }
)


def _operands(node: ast.expr, operator: type[ast.operator]) -> Iterator[ast.expr]:
    """Yields the operands of a chain such as a + b + c."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, operator):
        yield from _operands(node.left, operator)
        yield from _operands(node.right, operator)
    else:
        yield node


def _is_literal(node: ast.AST | None) -> bool:
    """Whether the expression is a constant, a signed number, or a display of such (not empty)."""
    match node:
        case ast.Constant():
            return True
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=ast.Constant(value=value)):
            return isinstance(value, _NUMBERS)
        case ast.List() | ast.Tuple() | ast.Set():
            return bool(node.elts) and all(_is_literal(item) for item in node.elts)
        case ast.Dict():
            return bool(node.keys) and all(_is_literal(n) for n in (*node.keys, *node.values))
    return False


def _literal_kind(node: Any) -> str:
    if isinstance(node, ast.UnaryOp) or isinstance(getattr(node, "value", None), _NUMBERS):
        return "number"
    return type(node.value if isinstance(node, ast.Constant) else node).__name__

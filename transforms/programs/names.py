"""Which scope binds each name of a program: what the checks and the fingerprint stand on."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Literal

from transforms.programs.form import FIELDS, VALUES, NodesByType, nodes_by_type


@dataclass(eq=False)
class Scope:
    """A module, function, class or comprehension, and the names bound in it."""

    kind: Literal["module", "function", "class", "comprehension"]
    parent: Scope | None = None
    depth: int = 0
    names: dict[str, int] = field(default_factory=dict)
    """Names in the order in which the text binds them."""
    imports: dict[str, str] = field(default_factory=dict)
    """Imported names and what they stand for, such as np: numpy."""

    def bind(self, name: str) -> None:
        self.names.setdefault(name, len(self.names))

    def find(self, name: str) -> Scope | None:
        """Returns the scope that binds `name` as seen from here; None for a builtin."""
        scope: Scope | None = self
        while scope is not None:
            visible = scope is self or scope.kind != "class"
            if visible and (name in scope.names or name in scope.imports):
                return scope
            scope = scope.parent
        return None


Binding = tuple[Scope | None, str]
"""A variable: the scope that binds it (None for a builtin), and its name."""
NOWHERE: Binding = (None, "")


class Names:
    """Finds, for every node that carries a name, the scope that binds the name.

    Annotations are not visited, and their names have no home: they name types.

    Args:
        by_type: the nodes of the tree (see `nodes_by_type`), where the caller has them already.
    """

    def __init__(self, tree: ast.Module, by_type: NodesByType | None = None) -> None:
        self.by_type = nodes_by_type(tree) if by_type is None else by_type
        self.module = self._scope = Scope("module")
        self.scope_of: dict[ast.AST, Scope] = {tree: self.module}
        self._seen: list[tuple[ast.AST, str, Scope]] = []
        self._declared: dict[tuple[Scope, str], Scope | None] = {}
        for statement in tree.body:
            self.visit(statement)
        self.home: dict[ast.AST, Binding] = {
            node: (scope if name in scope.names else scope.find(name), name)
            for node, name, scope in self._seen
        }

    def of(self, *types: type[ast.AST]) -> Iterator[Any]:
        """Yields the nodes of some types, one type after the other."""
        return chain.from_iterable(self.by_type.get(each, ()) for each in types)

    @property
    def imported(self) -> set[str]:
        """The top-level modules that the program imports, in any of its scopes."""
        scopes = {self.module, *self.scope_of.values()}
        return {of.partition(".")[0] for scope in scopes for of in scope.imports.values()}

    def _bind(self, node: ast.AST, name: str, scope: Scope | None = None) -> None:
        scope = scope or self._scope
        if self._declared and (scope, name) in self._declared:  # global or nonlocal
            outer = self._declared[scope, name]
            if outer is not None:
                outer.bind(name)
        else:
            scope.bind(name)
        self._seen.append((node, name, scope))

    def _within(self, node: ast.AST, kind: Any, parts: list[Any]) -> None:
        outer = self._scope
        self._scope = self.scope_of[node] = Scope(kind, outer, outer.depth + 1)
        for part in parts:
            if isinstance(part, ast.arg):
                self._bind(part, part.arg)
            else:
                self.visit(part)
        self._scope = outer

    def visit(self, node: ast.AST) -> None:
        _VISITORS[type(node)](self, node)

    def generic_visit(self, node: ast.AST) -> None:
        for value in VALUES[type(node)](node):  # as `children` does, without a list for each node
            if type(value) is list:
                for item in value:
                    _VISITORS[type(item)](self, item)
            else:
                _VISITORS[type(value)](self, value)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self._seen.append((node, node.id, self._scope))
        else:
            self._bind(node, node.id)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        scope = self._scope
        while scope.kind == "comprehension" and scope.parent is not None:
            scope = scope.parent
        self._bind(node.target, node.target.id, scope)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)
        if node.value is not None or self._scope.kind == "class":
            self.visit(node.target)

    def visit_Assign(self, node: ast.Assign) -> None:
        for part in (node.value, *node.targets):
            self.visit(part)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._bind(node, node.name)
        for decorator in node.decorator_list:
            self.visit(decorator)
        self._visit_function(node, node.args, node.body)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._visit_function(node, node.args, [node.body])

    def _visit_function(self, node: ast.AST, args: ast.arguments, body: list[Any]) -> None:
        for default in (*args.defaults, *args.kw_defaults):
            if default is not None:
                self.visit(default)
        self._within(node, "function", [*parameters(args), *body])

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._bind(node, node.name)
        for part in (*node.decorator_list, *node.bases, *node.keywords):
            self.visit(part)
        self._within(node, "class", list(node.body))

    def _visit_comprehension(self, node: Any) -> None:
        first = node.generators[0]
        self.visit(first.iter)
        elements = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        generators = [first.target, *first.ifs, *node.generators[1:]]
        self._within(node, "comprehension", [*generators, *elements])

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _visit_comprehension

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for part in (node.iter, node.target, *node.ifs):
            self.visit(part)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            whole = alias.name if alias.asname else alias.name.partition(".")[0]
            self._scope.imports[alias.asname or whole] = whole

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            origin = "." * node.level + (node.module or "")
            self._scope.imports[alias.asname or alias.name] = f"{origin}.{alias.name}"

    def visit_Global(self, node: ast.Global) -> None:
        for name in node.names:
            self._declared[self._scope, name] = self.module

    def visit_Nonlocal(self, node: ast.Nonlocal) -> None:
        for name in node.names:
            self._declared[self._scope, name] = None

    def _visit_named(self, node: Any) -> None:
        name = node.rest if isinstance(node, ast.MatchMapping) else node.name
        if name is not None:
            self._bind(node, name)
        self.generic_visit(node)

    visit_ExceptHandler = visit_MatchAs = visit_MatchStar = visit_MatchMapping = _visit_named


class _Visitors(dict[type, Callable[[Names, Any], None]]):
    """Type of node -> what visits it: found by type, where `ast.NodeVisitor` makes a name of it.

    None and text, which stand among nodes, have nothing to visit.
    """

    def __missing__(self, kind: type) -> Callable[[Names, Any], None]:
        inner = issubclass(kind, ast.AST) and FIELDS[kind]
        return self.setdefault(kind, Names.generic_visit if inner else lambda names, node: None)


_VISITORS = _Visitors(
    {
        getattr(ast, name.removeprefix("visit_")): visitor
        for name, visitor in vars(Names).items()
        if name.startswith("visit_")
    }
)


def parameters(args: ast.arguments) -> list[ast.arg]:
    """Returns the parameters in the order in which they are declared."""
    starred = [args.vararg] if args.vararg else []
    last = [args.kwarg] if args.kwarg else []
    return [*args.posonlyargs, *args.args, *starred, *args.kwonlyargs, *last]


def origin(node: ast.expr, names: Names) -> str | None:
    """Returns what a name or a chain of attributes stands for (`math.gcd`), if it was imported."""
    attributes: list[str] = []
    while isinstance(node, ast.Attribute):
        attributes.insert(0, node.attr)
        node = node.value
    scope, name = names.home.get(node, NOWHERE)
    if scope is None or name not in scope.imports or name in scope.names:
        return None
    return ".".join([scope.imports[name], *attributes])

"""Which keys of its input a program never reads."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import chain

from transforms.programs.form import children, input_keys, solution_of, text_of
from transforms.programs.names import NOWHERE, Binding, Names, parameters

_HARMLESS_CALLS = ("len", "bool", "isinstance", "print", "type")
_HARMLESS_METHODS = ("keys", "copy", "update", "clear")
_READING_METHODS = ("get", "pop", "setdefault")
_MAY_GIVE = (ast.Name, ast.Call, ast.Dict, ast.BoolOp, ast.Subscript)
"""Expressions that may be the input dict, or the value of a key."""


def unused_inputs(tree: ast.Module, names: Names | None = None) -> set[str]:
    """Returns the input keys that the program never reads, of those that `input_keys` sees.

    A key is read by the name of a parameter that `**input` fills, by `p["key"]` or `p.get("key")`
    on the dict under whatever name it travels, or with all others where the dict is used whole
    (`p.values()`, `p[name]`, `f(p)` with a function that is not the program's own). A parameter or
    variable that only receives a key's value and is never read does not use it.
    """
    keys, names = input_keys(tree), names or Names(tree)
    if not keys or _reads_each(tree, keys, names):
        return set()
    return keys - _used_keys(tree, keys, names)


def _reads_each(tree: ast.Module, keys: set[str], names: Names) -> bool:
    """Whether each key is read as a parameter of `solution(**input)`: what most programs do, and
    what needs no look at where else the dict goes."""
    solution = solution_of(tree)
    named = [node for node in names.of(ast.FunctionDef) if node.name == "solution"]
    if solution is None or named != [solution]:
        return False
    called, given = (names.module, "solution"), (names.module, "input")
    is_spread = any(
        keyword.arg is None and names.home.get(keyword.value) == given
        for call in names.of(ast.Call)
        if names.home.get(call.func) == called
        for keyword in call.keywords
    )
    scope, kwarg = names.scope_of[solution], solution.args.kwarg
    declared = {each.arg for each in parameters(solution.args) if each is not kwarg}
    if not is_spread or not keys <= declared:
        return False
    read = {
        node.id
        for node in names.of(ast.Name)
        if isinstance(node.ctx, ast.Load) and names.home.get(node, NOWHERE)[0] is scope
    }
    return keys <= read


def _used_keys(tree: ast.Module, keys: set[str], names: Names) -> set[str]:
    flow = _InputFlow(tree, keys, names)
    used: set[str] = set()
    whole: list[ast.Name] = []
    for node in names.of(ast.Name):
        if not isinstance(node.ctx, ast.Load):
            continue
        binding = names.home.get(node, NOWHERE)
        if binding in flow.carriers:
            used |= flow.carriers[binding]
        if binding in flow.aliases and node not in flow.tracked:
            whole.append(node)
    if whole and not keys <= used:
        nodes = chain.from_iterable(names.by_type.values())
        parents = {child: node for node in nodes for child in children(node)}
        for node in whole:
            read = _keys_read(node, parents, flow.tracked)
            used |= keys if read is None else read
    return used


def _keys_read(
    node: ast.Name, parents: dict[ast.AST, ast.AST], tracked: set[ast.AST]
) -> set[str] | None:
    """Returns the keys read where the dict is mentioned by `node`; None where it is used whole."""
    parent = parents[node]
    above = parents.get(parent)
    match parent:
        case ast.Subscript(ctx=ast.Load()) if parent.value is node:
            key = text_of(parent.slice)
            return None if key is None else set() if parent in tracked else {key}
        case ast.Subscript() if parent.value is node:  # written to
            return set()
        case ast.Attribute(attr=attr) if attr in _HARMLESS_METHODS:
            return set()
        case ast.Attribute(attr=attr) if attr in _READING_METHODS and isinstance(above, ast.Call):
            key = text_of(above.args[0]) if above.args else None
            return None if key is None else set() if above in tracked else {key}
        case ast.Call(func=ast.Name(id=name)) if name in _HARMLESS_CALLS:
            return set()
        case ast.Compare(left=left) if left is not node and isinstance(
            parent.ops[0], (ast.In, ast.NotIn)
        ):
            return set()
        case ast.For() | ast.comprehension() if parent.iter is node:  # its keys alone
            return set()
        case ast.If() | ast.While() | ast.IfExp() if parent.test is node:
            return set()
        case ast.UnaryOp(op=ast.Not()):
            return set()
    return None


def _to_names(target: ast.expr, value: ast.expr | None) -> Iterator[tuple[ast.Name, ast.expr]]:
    """Yields the names of an assignment that may get the input dict or the value of a key, and what
    they get."""
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for one, its_value in zip(target.elts, value.elts, strict=False):
            yield from _to_names(one, its_value)
    elif isinstance(target, ast.Name) and isinstance(value, _MAY_GIVE):
        yield target, value


class _InputFlow:
    """Follows the input dict, and single values of it, through assignments and the program's calls.

    aliases: variables that hold the dict. carriers: variables that hold the value of a key.
    tracked: the expressions by which they got it.
    """

    def __init__(self, tree: ast.Module, keys: set[str], names: Names) -> None:
        self.names = names
        self.aliases: set[Binding] = {(self.names.module, "input")}
        self.carriers: dict[Binding, set[str]] = {}
        self.tracked: set[ast.AST] = set()
        self._keys = keys
        self._reached: set[ast.FunctionDef] = set()
        functions = {names.home[node]: node for node in names.of(ast.FunctionDef)}
        self._calls = [
            (function, node)
            for node in names.of(ast.Call)
            if (function := functions.get(names.home.get(node.func, NOWHERE))) is not None
        ]
        assigned = [
            *((target, node.value) for node in names.of(ast.Assign) for target in node.targets),
            *((node.target, node.value) for node in names.of(ast.AnnAssign, ast.NamedExpr)),
        ]
        self._assigned = [pair for each in assigned for pair in _to_names(*each)]
        self._follow()
        solution = solution_of(tree)
        if solution is not None and solution not in self._reached:  # called in a way not seen
            self._spread(solution)
            for parameter in parameters(solution.args):
                if parameter.arg not in keys:
                    self.aliases.add((self.names.scope_of[solution], parameter.arg))
            self._follow()

    def _follow(self) -> None:
        before = -1
        while before != (now := self._size()):
            before = now
            for function, call in self._calls:
                self._call(function, call)
            for target, value in self._assigned:
                self._give(self.names.home.get(target, NOWHERE), value)

    def _size(self) -> int:
        return len(self.aliases) + sum(map(len, self.carriers.values())) + len(self._reached)

    def _call(self, function: ast.FunctionDef, call: ast.Call) -> None:
        scope = self.names.scope_of[function]
        args = function.args
        positional = [*args.posonlyargs, *args.args]
        for parameter, value in zip(positional, call.args, strict=False):
            if isinstance(value, ast.Starred):
                break
            if self._give((scope, parameter.arg), value):
                self._reached.add(function)
        named = {parameter.arg for parameter in (*args.args, *args.kwonlyargs)}
        for keyword in call.keywords:
            if keyword.arg in named:
                if self._give((scope, keyword.arg or ""), keyword.value):
                    self._reached.add(function)
            elif keyword.arg is None and self._is_dict(keyword.value):
                self._track(keyword.value)
                self._spread(function)

    def _spread(self, function: ast.FunctionDef) -> None:
        """The function is called with `**input`."""
        self._reached.add(function)
        scope = self.names.scope_of[function]
        for parameter in parameters(function.args):
            if parameter is function.args.kwarg:
                self.aliases.add((scope, parameter.arg))
            elif parameter.arg in self._keys:
                self.carriers.setdefault((scope, parameter.arg), set()).add(parameter.arg)

    def _give(self, binding: Binding, value: ast.expr) -> bool:
        """Notes what a variable gets where that is the dict or the value of a key."""
        if self._is_dict(value):
            self.aliases.add(binding)
            self._track(value)
            return True
        key = self._key_of(value)
        if key is not None:
            self.carriers.setdefault(binding, set()).add(key)
            self.tracked.add(value)
        return key is not None

    def _is_dict(self, value: ast.expr) -> bool:
        """Whether `value` is the input dict, or a copy of it."""
        match value:
            case ast.Name():
                return self.names.home.get(value) in self.aliases
            case ast.Call(func=ast.Attribute(attr="copy", value=of)):
                return self._is_dict(of)
            case ast.Call(func=ast.Name(id="dict" | "copy" | "deepcopy"), args=[of]):
                return self._is_dict(of)
            case ast.Call(func=ast.Attribute(attr="copy" | "deepcopy"), args=[of]):
                return self._is_dict(of)
            case ast.Dict():
                return any(
                    key is None and self._is_dict(of)
                    for key, of in zip(value.keys, value.values, strict=True)
                )
            case ast.BoolOp():
                return any(self._is_dict(of) for of in value.values)
        return False

    def _key_of(self, value: ast.expr) -> str | None:
        """Returns the key whose value the expression reads from the dict, if it is no more."""
        match value:
            case ast.Subscript() if self._is_dict(value.value):
                return text_of(value.slice)
            case ast.Call(func=ast.Attribute(attr=attr, value=of), args=[first, *_]) if (
                attr in _READING_METHODS and self._is_dict(of)
            ):
                return text_of(first)
        return None

    def _track(self, value: ast.expr) -> None:
        self.tracked |= {
            node
            for node in ast.walk(value)
            if isinstance(node, ast.Name) and self.names.home.get(node) in self.aliases
        }

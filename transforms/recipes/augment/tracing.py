"""Programs that say what they compute: every expression's value, and the way control flow took."""

from __future__ import annotations

import ast
import copy
from collections.abc import Sequence
from typing import Any

from transforms.programs.form import assigned

MAX_EVENTS = 20_000
"""Values noted in one run, at most; a run that goes on is given up."""

_ORDERS = ("max", "min", "sorted")
_PRELUDE = '''
import json as _json
from fractions import Fraction as _Fraction
from decimal import Decimal as _Decimal
import zlib as _zlib

class _Enough(Exception):
    pass

class _Notes:
    """What one run computes: values by place and occurrence, and a checksum of its way."""

    def __init__(self):
        self.values, self.counts, self.path, self.events = {}, {}, 0, 0

    def step(self, *what):
        self.path = _zlib.crc32(repr(what).encode(), self.path)
        self.events += 1
        if self.events > MAX_EVENTS:
            raise _Enough

    def number(self, place, value):
        kind = type(value)
        if kind is _Fraction:
            self.values[place] = float(value)
            self.values[place + ".n"] = value.numerator
            self.values[place + ".d"] = value.denominator
        elif kind is _Decimal:
            self.values[place] = float(value)
        elif kind is int and abs(value) > 10 ** 15:
            return
        elif kind is str:
            if len(value) <= 40:
                self.values[place] = value
            self.step(place)
            return
        else:
            self.values[place] = value
        whole = value.denominator == 1 if kind is _Fraction else float(value).is_integer()
        self.step(place, (value > 0) - (value < 0), whole)

    def note(self, key, value):
        kind = type(value)
        if kind is bool:
            self.step(key, value)
        elif kind in (int, float, _Fraction, _Decimal, str):
            self.counts[key] = count = self.counts.get(key, 0) + 1
            self.number(f"{key}.{count}", value)
        elif isinstance(value, (list, tuple, set, frozenset, dict)):
            self.counts[key] = count = self.counts.get(key, 0) + 1
            self.step(key, len(value))
            self.values[f"{key}.{count}.len"] = len(value)
            if isinstance(value, dict):
                value = value.values()
            elif isinstance(value, (set, frozenset)):
                return
            for index, item in enumerate(list(value)[:60]):
                if type(item) in (int, float, str, _Fraction, _Decimal):
                    self.number(f"{key}.{count}.{index}", item)
        return

def _note(key, value):
    _notes.note(key, value)
    return value

def _order(key, function):
    """The function, which also notes how its arguments are ordered."""
    def ordered(*items, **named):
        if len(items) == 1:
            items = (list(items[0]),)
            _rank(key, function, items[0], named.get("key"))
        else:
            _rank(key, function, items, named.get("key"))
        return function(*items, **named)
    return ordered

def _rank(key, function, items, by):
    try:
        keys = [by(item) for item in items] if by else list(items)
        if function is sorted:
            _notes.step(key, sorted(range(len(keys)), key=keys.__getitem__))
        else:
            _notes.step(key, keys.index(function(keys)) if keys else -1)
    except TypeError:
        pass

def _sorting(key, items, **named):
    if type(items) is list:
        _rank(key, sorted, items, named.get("key"))
    items.sort(**named)

def _run(compiled, candidate):
    """The notes of one run and its output, or None where it fails."""
    global _notes
    _notes = _Notes()
    variables = {"__name__": "__main__", "_note": _note, "_order": _order, "_sorting": _sorting,
                 "_candidate": candidate}
    try:
        exec(compiled, variables)
        output = _json.dumps(variables["output"])
    except Exception:
        return None
    return _notes, output

def _wanted(values, targets):
    numbers = [value for value in targets if not isinstance(value, str)]
    def is_target(value):
        if isinstance(value, str):
            return value in targets
        return any(abs(value - target) <= slack for target, slack in targets_with_slack)
    targets_with_slack = [tuple(pair) for pair in numbers]
    return [place for place, value in values.items() if is_target(value)]

def _all(compiled, candidates, targets, most):
    first = _run(compiled, candidates[0])
    if first is None:
        return None
    notes, output = first
    places = _wanted(notes.values, targets)[:most]
    rows = []
    for candidate in candidates:
        ran = _run(compiled, candidate)
        if ran is None or ran[0].path != notes.path:
            rows.append(None)
        else:
            rows.append([ran[1], [ran[0].values.get(place) for place in places]])
    return {"places": places, "rows": rows}
'''


class _Noting(ast.NodeTransformer):
    """Wraps every expression that is evaluated in a call that notes its value."""

    def __init__(self) -> None:
        self._count = 0

    def _key(self) -> str:
        self._count += 1
        return str(self._count)

    def _noted(self, node: ast.expr) -> ast.expr:
        return ast.copy_location(_call("_note", self._key(), node), node)

    def visit(self, node: ast.AST) -> Any:
        """Visits a node: an expression that is loaded comes back noted."""
        if isinstance(node, (ast.Constant, ast.Starred, ast.Slice)):
            return self.generic_visit(node)
        if isinstance(node, ast.JoinedStr):
            return self._noted(self._visit_joined(node))
        if isinstance(node, ast.Lambda):
            node.body = self.visit(node.body)
            return node
        if isinstance(node, (ast.Name, ast.Attribute, ast.Subscript, ast.List, ast.Tuple)) and not (
            isinstance(node.ctx, ast.Load)
        ):
            return self.generic_visit(node)
        if isinstance(node, ast.Call):
            return self._noted(self._visit_call(node))
        if isinstance(node, (ast.ListComp, ast.SetComp, ast.GeneratorExp)) and isinstance(
            node.elt, ast.Constant
        ):  # how often it is evaluated counts, though not what it is
            node.elt = self._noted(node.elt)
        if isinstance(node, ast.expr):
            visited = self.generic_visit(node)
            return self._noted(visited) if isinstance(visited, ast.expr) else visited
        return super().visit(node)

    def _visit_joined(self, node: ast.JoinedStr) -> ast.JoinedStr:
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                part.value = self.visit(part.value)
        return node

    def _visit_call(self, node: ast.Call) -> ast.expr:
        node.args = [self.visit(argument) for argument in node.args]
        for keyword in node.keywords:
            keyword.value = self.visit(keyword.value)
        if isinstance(node.func, ast.Name) and node.func.id in _ORDERS:
            key = ast.Constant(self._key())
            node.func = ast.Call(ast.Name("_order", ast.Load()), [key, node.func], [])
        elif isinstance(node.func, ast.Attribute):
            if node.func.attr == "sort" and not node.args:
                items = self.visit(node.func.value)
                return ast.Call(
                    ast.Name("_sorting", ast.Load()),
                    [ast.Constant(self._key()), items],
                    node.keywords,
                )
            if not isinstance(node.func.value, ast.Name):
                node.func.value = self.visit(node.func.value)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.body = self._visited(node.body)
        return node

    def visit_For(self, node: ast.For) -> ast.For:
        """Visits a loop: each turn is noted, whatever its body computes."""
        node.iter, node.target = self.visit(node.iter), self.visit(node.target)
        turn = ast.Expr(_call("_note", self._key(), ast.Constant(True)))
        node.body = [turn, *self._visited(node.body)]
        node.orelse = self._visited(node.orelse)
        return node

    def _visited(self, body: list[ast.stmt]) -> list[ast.stmt]:
        return [line for statement in body for line in _lines(self.visit(statement))]

    def visit_AugAssign(self, node: ast.AugAssign) -> list[ast.stmt]:
        node.value = self.visit(node.value)
        if not isinstance(node.target, ast.Name):
            return [node]
        after = ast.Expr(self._noted(ast.Name(node.target.id, ast.Load())))
        return [node, after]

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AnnAssign:
        if node.value is not None:
            node.value = self.visit(node.value)
        return node


def _lines(visited: Any) -> list[ast.stmt]:
    return visited if isinstance(visited, list) else [visited]


def _call(name: str, key: str, node: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), [ast.Constant(key), node], [])


def tracing_program(
    tree: ast.Module, candidates: Sequence[Any], targets: Sequence[Any], most: int
) -> str:
    """Returns a program that runs another one on several inputs and puts out what it computed.

    Its output is null where the first input fails; else `places`, the names of the values noted
    on the first input that are among the targets, and `rows`: for each input null (it failed, or
    went another way than the first) or [the output as JSON, the values of the places].

    Another way is another branch, count, order, sign, or a fraction where there was a whole number.

    Args:
        targets: [number, slack] or text.
        most: places, at most.
    """
    tree = copy.deepcopy(tree)
    (value,) = assigned(tree, "input")
    for statement in tree.body:
        if isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value is value:
            statement.value = ast.Name("_candidate", ast.Load())
    noting = _Noting()
    tree.body = [
        line
        for statement in tree.body
        for line in (
            [statement]
            if isinstance(statement, ast.Assign) and _is_candidate(statement.value)
            else _lines(noting.visit(statement))
        )
    ]
    ast.fix_missing_locations(tree)
    source = ast.unparse(tree)
    return "\n".join(
        [
            _PRELUDE.replace("MAX_EVENTS", str(MAX_EVENTS)),
            "input = {}",
            "def solution(): pass",
            f"output = _all(compile({source!r}, '<program>', 'exec'), {list(candidates)!r}, "
            f"{list(targets)!r}, {most})",
        ]
    )


def _is_candidate(value: ast.expr) -> bool:
    return isinstance(value, ast.Name) and value.id == "_candidate"

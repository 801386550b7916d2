"""Programs that print what they do, step by step."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator

from transforms.programs.form import nodes_of, parse

_NAME = re.compile(r"(?:^|, )([\w.]+) = ")
_DOTTED = re.compile(r"[\w.]+")
_MARK = re.compile(r"(?<![\w'\"])(-)(?=\d)|(?<=\d)(\.)(?=\d)")
ADDRESS = re.compile(r"\bat 0x[0-9a-f]{4}")
"""That of an object, in the text that Python gives it."""
_TAKING = frozenset({"pop", "popleft", "popitem", "setdefault", "heappop", "heappushpop"})
"""Functions that change what they are called of, or their argument, and have a value as well."""


def printing(code: str, without: Collection[str] = ()) -> str:
    """Returns a unified program that prints the variables and attributes that the statements of its
    functions and loops change, each time that they do, and its output at the end; those of some
    names not, nor those that begin with an underscore, which nobody reads.

    >>> print(printing("def solution(n):\\n    n += 1\\n    return n\\noutput = solution(1)"))
    def solution(n):
        n += 1
        print(f"n = {n!r}")
        return n
    output = solution(1)
    print(f"Final answer: {output!r}")
    <BLANKLINE>

    Raises:
        Unparsable: the code is no program.
    """
    lines, nodes = code.rstrip().split("\n"), nodes_of(parse(code))
    stored = {node.id for node in nodes if isinstance(node, ast.Name) and _is_stored(node)}
    stored |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    owners = stored | {node.name for node in nodes if isinstance(node, ast.ClassDef)}
    imported = {
        (alias.asname or alias.name).partition(".")[0]
        for node in nodes
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }
    prints: list[tuple[int, str]] = []
    for node in nodes:
        changed = dict.fromkeys(_changed(node, imported))
        known = (n for n in changed if n in stored or ("." in n and n.partition(".")[0] in owners))
        names = [name for name in known if name not in without and not name.startswith("_")]
        if not names:
            continue
        assert isinstance(node, ast.stmt)
        first = node.body[0] if isinstance(node, ast.For) else node
        indent = lines[first.lineno - 1][: first.col_offset]
        if indent and not indent.strip():  # neither of the module itself, nor on another's line
            place = first.lineno - 1 if isinstance(node, ast.For) else node.end_lineno or 0
            text = ", ".join(f"{name} = {{{name}!r}}" for name in names)
            prints.append((place, f'{indent}print(f"{text}")'))
    for place, text in sorted(prints, reverse=True):
        lines.insert(place, text)
    return "\n".join([*lines, 'print(f"Final answer: {output!r}")', ""])


def unsettled(one: str, other: str) -> set[str]:
    """Returns the variables that stand in lines in which two runs of a printing program differ, or
    that hold the address of an object.

    >>> run = "a = 1, b = <C object at 0x7f01>\\nc = 2\\nd = {'y', 'x'}"
    >>> sorted(unsettled(run, run.replace("{'y', 'x'}", "{'x', 'y'}")))
    ['a', 'b', 'd']
    """
    lines = zip(one.split("\n"), other.split("\n"), strict=False)
    return {
        name
        for own, its in lines
        if own != its or ADDRESS.search(own)
        for name in _NAME.findall(own)
    }


def implausible(printed: str, own: str) -> str:
    """Returns a line of a run in which a variable, or the answer, is negative or no whole number,
    though it never is in the program's own run; empty where there is none.

    >>> implausible("men = -11\\nFinal answer: 0", "men = 5\\nFinal answer: 1")
    'men = -11'
    >>> implausible("men = 2\\nchange = -3", "men = 5\\nchange = -1")
    ''
    """
    usual: dict[tuple[str, ...], set[str]] = {}
    for line in own.split("\n"):
        usual.setdefault(_names(line), set()).update(_marks(line))
    lines = (line for line in printed.split("\n") if _names(line) in usual)
    return next((line for line in lines if _marks(line) - usual[_names(line)]), "")


def _names(line: str) -> tuple[str, ...]:
    return tuple(_NAME.findall(line))


def _marks(line: str) -> set[str]:
    """Which of a minus sign and a decimal point the numbers of a line have."""
    return {sign or point for sign, point in _MARK.findall(line)} - {""}


def _is_stored(name: ast.Name) -> bool:
    return isinstance(name.ctx, ast.Store)


def _changed(node: ast.AST, imported: Collection[str]) -> Iterator[str]:
    """Yields what a statement changes: its targets, what a method is called of, and what a function
    of a module is called with."""
    match node:
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                yield from _base(target)
            for call in nodes_of(value):
                if isinstance(call, ast.Call) and _name(call.func) in _TAKING:
                    yield from _changed_by(call, imported)
        case ast.AugAssign(target=target) | ast.For(target=target):
            yield from _base(target)
        case ast.AnnAssign(target=target, value=ast.expr()):
            yield from _base(target)
        case ast.Delete(targets=targets):
            for target in targets:
                if isinstance(target, ast.Subscript):
                    yield from _base(target)
        case ast.Expr(value=ast.Call() as call):
            yield from _changed_by(call, imported)


def _name(function: ast.expr) -> str:
    return ast.unparse(function).rpartition(".")[2]


def _changed_by(call: ast.Call, imported: Collection[str]) -> Iterator[str]:
    if ast.unparse(call.func).partition(".")[0] in imported:
        for argument in call.args[:1]:
            yield from _base(argument)
    elif isinstance(call.func, ast.Attribute):
        yield from _base(call.func.value)


def _base(target: ast.expr) -> Iterator[str]:
    """Yields the variables, or attributes of variables, that a target is a part of."""
    match target:
        case ast.Name(id=name):
            yield name
        case ast.Attribute(value=of):
            text = ast.unparse(target)
            yield from [text] if _DOTTED.fullmatch(text) else _base(of)
        case ast.Subscript(value=of) | ast.Starred(value=of):
            yield from _base(of)
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            for part in parts:
                yield from _base(part)

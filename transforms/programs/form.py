"""The form of a unified program: its three parts, its input, its lines."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from itertools import chain
from operator import attrgetter
from typing import Any

MAX_DEPTH = 150
"""Deepest nesting that is parsed; 3,002 real programs reach 30, and Python recurses to 1,000."""

_FILENAME = "<program>"
# A program's own warnings (an invalid escape, 1if) say nothing to the person who runs a pipeline.
for _category in (SyntaxWarning, DeprecationWarning):
    warnings.filterwarnings("ignore", category=_category, module=_FILENAME)


class Unparsable(ValueError):
    """The text is not a Python program, or one too large or too deeply nested to look at."""


def parse(code: str) -> ast.Module:
    """Returns the syntax tree of `code`.

    Raises:
        Unparsable: for any text that is not a program, hostile text included.
    """
    return parsed(code)[0]


NodesByType = Mapping[type[ast.AST], list[Any]]
"""Type of node -> the nodes of that type."""


def parsed(code: str) -> tuple[ast.Module, NodesByType]:
    """Returns the syntax tree of `code` and its nodes by their type (see `nodes_by_type`).

    Raises:
        Unparsable: as `parse` does.
    """
    try:
        tree = ast.parse(code, filename=_FILENAME)
    except SyntaxError as error:
        raise Unparsable(f"line {error.lineno}: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise Unparsable(str(error) or type(error).__name__) from None
    return tree, nodes_by_type(tree)


_NO_NODES = frozenset(
    {
        *("ctx", "id", "attr", "arg", "name", "asname", "module", "level", "rest"),
        *("kind", "type_comment", "conversion", "simple", "is_async", "tag"),
    }
)
"""Fields that hold no node worth a visit. `ctx` holds one of three nodes that all names share."""


class Fields(dict[type[ast.AST], tuple[str, ...]]):
    """Type of node -> its fields, without some that are left out."""

    def __init__(self, left_out: frozenset[str]) -> None:
        self._left_out = left_out

    def __missing__(self, node_type: type[ast.AST]) -> tuple[str, ...]:
        fields = tuple(name for name in node_type._fields if name not in self._left_out)
        return self.setdefault(node_type, fields)


FIELDS = Fields(_NO_NODES)
FIELDS[ast.Constant] = ()
"""Type of node -> its fields that may hold nodes."""


class Readers(dict[type[ast.AST], Callable[[Any], Iterable[Any]]]):
    """Type of node -> what reads the values of all its `fields` at once."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields

    def __missing__(self, node_type: type[ast.AST]) -> Callable[[Any], Iterable[Any]]:
        names = self._fields[node_type]
        if len(names) > 1:
            return self.setdefault(node_type, attrgetter(*names))
        return self.setdefault(node_type, lambda node: [getattr(node, name) for name in names])


VALUES = Readers(FIELDS)
"""Type of node -> what reads those values of a node that hold nodes, lists of nodes, or None."""


def children(node: ast.AST) -> list[ast.AST]:
    """The nodes that `ast.iter_child_nodes` yields, without Load, Store and Del."""
    return _below([node])


def _below(level: list[Any]) -> list[Any]:
    """The nodes right below some nodes, without Load, Store and Del."""
    found: list[Any] = []
    for node in level:
        kind = type(node)
        if FIELDS[kind]:
            for value in VALUES[kind](node):
                if type(value) is list:
                    found += value
                else:
                    found.append(value)
    return [each for each in found if isinstance(each, ast.AST)]


def nodes_of(tree: ast.AST) -> list[Any]:
    """Returns the nodes that `ast.walk` yields, in its order, without Load, Store and Del; in a
    fifth of its time."""
    found: list[Any] = []
    level: list[Any] = [tree]
    while level:
        found += level
        level = _below(level)
    return found


def nodes_by_type(tree: ast.AST) -> NodesByType:
    """Returns the nodes of a tree by their type, each in the order of `ast.walk`, without Load,
    Store and Del.

    Raises:
        Unparsable: the tree is nested more than `MAX_DEPTH` levels deep.
    """
    found: defaultdict[type[ast.AST], list[Any]] = defaultdict(list)
    level: list[ast.AST] = [tree]
    for _ in range(MAX_DEPTH):
        for node in level:
            found[type(node)].append(node)
        level = _below(level)
        if not level:
            return dict(found)
    raise Unparsable(f"nested more than {MAX_DEPTH} levels deep")


def assigned(tree: ast.Module, name: str) -> list[ast.expr]:
    """Returns the values that top-level statements assign to `name`, in their order."""
    values = []
    for statement in tree.body:
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            targets = [statement.target]
        else:
            continue
        for target in targets:
            if isinstance(target, ast.Name) and target.id == name:
                assert statement.value is not None
                values.append(statement.value)
                break
    return values


def solution_of(tree: ast.Module) -> ast.FunctionDef | None:
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == "solution":
            return statement
    return None


def is_unified(tree: ast.Module) -> bool:
    """Whether the program sets `input` once, to what can be a dict, and defines the other two."""
    inputs = assigned(tree, "input")
    never_a_dict = (
        ast.Constant, ast.JoinedStr, ast.List, ast.Tuple, ast.Set, ast.Lambda, ast.Compare,
        ast.ListComp, ast.SetComp, ast.GeneratorExp,
    )  # fmt: skip
    return (
        len(inputs) == 1
        and not isinstance(inputs[0], never_a_dict)
        and solution_of(tree) is not None
        and bool(assigned(tree, "output"))
    )


def literal_input(tree: ast.Module) -> dict[Any, Any] | None:
    """Returns the program's `input` where it is a literal dict, else None."""
    inputs = assigned(tree, "input")
    if len(inputs) != 1 or not isinstance(inputs[0], ast.Dict):
        return None
    try:
        value = ast.literal_eval(inputs[0])
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None
    return value if isinstance(value, dict) else None


def input_keys(tree: ast.Module) -> set[str]:
    """Returns the input's keys that the text shows: of a dict display, or of `dict(key=…)`."""
    keys: set[str] = set()
    for value in assigned(tree, "input"):
        if isinstance(value, ast.Dict):
            keys |= {text for key in value.keys if (text := text_of(key)) is not None}
        elif isinstance(value, ast.Call) and is_name(value.func, "dict"):
            keys |= {keyword.arg for keyword in value.keywords if keyword.arg is not None}
    return keys


def as_literal(value: Any) -> str:
    """Returns `value` as Python code in the manner of people and formatters: double quotes."""
    match value:
        case str() if "\\" not in repr(value) and '"' not in value:
            return f'"{value}"'
        case dict():
            return (
                "{" + ", ".join(f"{as_literal(k)}: {as_literal(v)}" for k, v in value.items()) + "}"
            )
        case list():
            return f"[{', '.join(map(as_literal, value))}]"
        case tuple() if len(value) > 1:
            return f"({', '.join(map(as_literal, value))})"
    return repr(value)


def with_input(code: str, new_input: dict[str, Any]) -> str:
    """Returns `code` with the value of its top-level `input = …` replaced, the rest as it was.

    Raises:
        Unparsable: `code` does not parse.
        ValueError: `code` sets no `input`, or `new_input` cannot be written as a literal.
    """
    try:
        literal = as_literal(new_input)
        same = ast.literal_eval(literal) == new_input
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        same = False
    if not same:  # infinity, not a number, an object
        raise ValueError("the input cannot be written as a Python literal")
    return _with_input_text(code, literal)


def masked_input(code: str) -> str:
    """Returns `code` with `...` in place of its input. Raises as `with_input` does.

    >>> masked_input("input = {'n': 3}\\noutput = input['n'] + 1")
    "input = ...\\noutput = input['n'] + 1"
    """
    return _with_input_text(code, "...")


def _with_input_text(code: str, text: str) -> str:
    before, after = _around_input(code)
    return before + text + after


@lru_cache(maxsize=8)  # a program is given several inputs, one after another
def _around_input(code: str) -> tuple[str, str]:
    inputs = assigned(parse(code), "input")
    if len(inputs) != 1:
        raise ValueError(f"the program sets `input` {len(inputs)} times, not once")
    source = code.encode()
    starts = [0] + [match.end() for match in re.finditer(rb"\r\n|\r|\n", source)]
    value = inputs[0]
    assert value.end_lineno is not None and value.end_col_offset is not None
    begin = starts[value.lineno - 1] + value.col_offset
    end = starts[value.end_lineno - 1] + value.end_col_offset
    return source[:begin].decode(), source[end:].decode()


_LINE_END = re.compile(r"\r\n|\r|\n")
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_LEFT_OUT = (ast.Import, ast.ImportFrom, *_DOCUMENTED)
"""Nodes some of whose lines are no code."""
_NONE = ("", "#")
"""What a line without code begins with."""


def _no_code(node: Any) -> Any:
    """The statement of an import, or of a docstring; None where there is none."""
    if not isinstance(node, _DOCUMENTED):
        return node
    first = node.body[0] if node.body else None
    is_text = isinstance(first, ast.Expr) and text_of(first.value) is not None
    return first if is_text else None


def code_lines(code: str, by_type: NodesByType | None = None) -> int:
    """Returns how many lines of `code` are neither blank, comment, docstring nor import.

    `by_type` holds the nodes of its syntax tree, where the caller has them already.

    Raises:
        Unparsable: `code` does not parse.
    """
    skipped: set[int] = set()
    by_type = parsed(code)[1] if by_type is None else by_type
    for node in chain.from_iterable(by_type.get(each, ()) for each in _LEFT_OUT):
        if (left_out := _no_code(node)) is not None:
            skipped.update(range(left_out.lineno, (left_out.end_lineno or left_out.lineno) + 1))
    lines = [line.strip() for line in _LINE_END.split(code)]
    return len([n for n, line in enumerate(lines, 1) if line[:1] not in _NONE and n not in skipped])


def text_of(node: ast.AST | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def is_name(node: ast.AST, *names: str) -> bool:
    return isinstance(node, ast.Name) and node.id in names


def is_same_program(code: str, other: str) -> bool:
    """Whether two texts are one program but for comments and layout.

    >>> is_same_program("x = (1)  # one", "x = 1"), is_same_program("x = 1", "x = 1.0")
    (True, False)
    """
    try:
        return ast.dump(parse(code)) == ast.dump(parse(other))
    except Unparsable:
        return False


def without_comments(code: str) -> str:
    """Returns a program without its comments, its layout else as it was; a text that is no program
    as it is.

    >>> without_comments("# all\\na = '#'  # one\\n")
    "a = '#'\\n"
    """
    lines: list[str | None] = [*code.split("\n")]
    try:
        for token in tokenize.generate_tokens(io.StringIO(code).readline):
            if token.type == tokenize.COMMENT:
                row, column = token.start
                lines[row - 1] = (lines[row - 1] or "")[:column].rstrip() or None
    except (tokenize.TokenError, SyntaxError):
        return code
    return "\n".join(line for line in lines if line is not None)

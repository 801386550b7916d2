"""Reads the literals of a trace: values with their types, as `transforms.sandbox.literals` writes.

Built-in values come back as themselves. What is not one becomes an Instance, a Text or an Opaque:
no class of the program exists here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

_PLAIN_BITS = 8192
"""Integers of more bits have more digits than Python writes by default."""


class InvalidLiteral(ValueError):
    """What should be a literal is none."""


@dataclass(eq=True, repr=False)
class Instance:
    """An object whose class is not built in."""

    type: str
    base: Any = None
    """Its value as one of a built-in type that its class extends; None where there is none.

    The arguments of an exception, the members of a deque and the contents of an array count."""
    fields: dict[str, Any] = field(default_factory=dict)
    """Attributes of its dict and slots."""

    def __hash__(self) -> int:
        return hash(self.type)  # the fields may hold the instance itself

    def __repr__(self) -> str:
        parts = [] if self.base is None else [repr(self.base)]
        return (
            f"{self.type}({', '.join([*parts, *(f'{k}={v!r}' for k, v in self.fields.items())])})"
        )


@dataclass(frozen=True, repr=False)
class Text:
    """An immutable value that its text says all of: a Decimal, a date, a sympy expression."""

    type: str
    text: str

    def __repr__(self) -> str:
        return self.text


@dataclass(eq=False, repr=False)
class Opaque:
    """Something without a value to show, such as a function; equal to nothing but itself."""

    name: str

    def __repr__(self) -> str:
        return f"<{self.name}>"


def decode(literal: Any) -> Any:
    """Returns the value that a literal stands for, as parsed from JSON.

    Raises:
        InvalidLiteral: it is none, or is nested too deeply.

    >>> decode({"dict": [[{"tuple": [1, 2]}, {"set": [3]}]]})
    {(1, 2): {3}}
    >>> decode([[0], {"ref": 1}, {"float": "nan"}, {"object": ["Point", None, {"x": 1}]}])
    [[0], [0], nan, Point(x=1)]
    """
    if not isinstance(literal, (list, dict)):
        return literal
    try:
        return _Decoder().value(literal)
    except (TypeError, ValueError, KeyError, IndexError, OverflowError, RecursionError) as error:
        raise InvalidLiteral(f"not the literal of a value: {error}") from None


class _Decoder:
    """Builds one value; containers are numbered before they are filled, as they were written."""

    def __init__(self) -> None:
        self._numbered: list[Any] = []

    def value(self, literal: Any) -> Any:
        if isinstance(literal, list):
            return self._list(literal)
        if not isinstance(literal, dict):
            return literal
        [(tag, content)] = literal.items()
        return self._TAGS[tag](self, content)

    def _list(self, items: list[Any]) -> list[Any]:
        made: list[Any] = self._number([])
        made += items if _are_plain(items) else map(self.value, items)
        return made

    def _dict(self, pairs: list[Any]) -> dict[Any, Any]:
        made: dict[Any, Any] = self._number({})
        if _are_plain(chain.from_iterable(pairs)):
            made.update(pairs)
            return made
        for key, item in pairs:
            key = self.value(key)
            made[key] = self.value(item)
        return made

    def _set(self, items: list[Any]) -> set[Any]:
        made: set[Any] = self._number(set())
        made.update(map(self.value, items))
        return made

    def _object(self, content: Any) -> Instance:
        type_, base, fields = content
        made = self._number(Instance(_text(type_)))
        made.base = self.value(base)
        for name, item in fields.items():
            made.fields[name] = self.value(item)
        return made

    def _number(self, made: Any) -> Any:
        self._numbered.append(made)
        return made

    _TAGS: dict[str, Callable[[_Decoder, Any], Any]] = {
        "tuple": lambda self, items: tuple(items if _are_plain(items) else map(self.value, items)),
        "frozenset": lambda self, items: frozenset(map(self.value, items)),
        "dict": _dict,
        "set": _set,
        "object": _object,
        "bytearray": lambda self, text: self._number(bytearray.fromhex(text)),
        "opaque": lambda self, name: self._number(Opaque(_text(name))),
        "ref": lambda self, number: self._numbered[number],
        "text": lambda self, content: Text(*map(_text, content)),
        "bytes": lambda self, text: bytes.fromhex(text),
        "str": lambda self, text: bytes.fromhex(text).decode(errors="surrogatepass"),
        "int": lambda self, text: int(text, 16),
        "float": lambda self, text: float(_text(text)),
        "complex": lambda self, parts: complex(*map(self.value, parts)),
    }


def _are_plain(literals: Iterable[Any]) -> bool:
    """Whether all literals are the values that they stand for, as parsed from JSON."""
    return _CONTAINERS.isdisjoint(map(type, literals))


_CONTAINERS = frozenset({list, dict})


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidLiteral("a name is text")
    return value


def is_plain(value: Any) -> bool:
    """Whether a value is written out whole by `repr`, so that `ast.literal_eval` gives it back.

    >>> is_plain([(1, "a"), {2.5: {b"x"}}]), is_plain([float("nan")]), is_plain(Text("date", "d"))
    (True, False, False)
    """
    return _is_plain(value, 60)


def _is_plain(value: Any, depth: int) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return value.bit_length() <= _PLAIN_BITS
    if value is None or isinstance(value, (str, bytes)):
        return True
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if not isinstance(value, (list, tuple, set)) or depth == 0:  # a list may hold itself
        return False
    return all(_is_plain(item, depth - 1) for item in value)

"""Whether a predicted value is the one that a run gave: nothing of the prediction is run."""

from __future__ import annotations

import ast
import json
import math
from typing import Any

from transforms.programs.form import Unparsable, parse

_MOST_CHARS = 20_000
_SLACK = 1e-6
"""Relative difference of floats that `tolerant` forgives."""


class NotLiteral(ValueError):
    """An answer is no literal, such as a call."""


def read_literal(text: str) -> Any:
    """Returns the value of a Python literal.

    Raises:
        NotLiteral: the text is anything else; a call or a name is never evaluated.

    >>> read_literal(" (1, {'a': -2.5}) ")
    (1, {'a': -2.5})
    >>> read_literal("f(3)")
    Traceback (most recent call last):
    transforms.programs.questions.answers.NotLiteral: not a literal: 'f(3)'
    """
    try:
        [statement] = parse(text.strip()).body if len(text) <= _MOST_CHARS else [None]
        if isinstance(statement, ast.Expr):
            return ast.literal_eval(statement.value)
    except (Unparsable, TypeError, ValueError, MemoryError, RecursionError):
        pass
    raise NotLiteral(f"not a literal: {text[:100]!r}")


def strict(answer: str, gold: str) -> bool:
    """Whether an answer is the literal of the gold value: every type inside counts, and the order
    of a dict does not.

    >>> strict("{'b': (1,), 'a': 2}", "{'a': 2, 'b': (1,)}")
    True
    >>> strict("[1]", "(1,)"), strict("1", "True")
    (False, False)
    """
    try:
        return _is_same(read_literal(answer), read_literal(gold))
    except NotLiteral:
        return False


def _is_same(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(_is_same, one, other))
    if isinstance(one, dict):
        return _same_members(one, other) and all(_is_same(one[key], other[key]) for key in one)
    if isinstance(one, set):
        return _same_members(one, other)
    return bool(one == other) and (not isinstance(one, float) or repr(one) == repr(other))


def _same_members(one: Any, other: Any) -> bool:
    """Whether two sets, or the keys of two dicts, are equal with their types."""
    there = {key: key for key in other}
    return len(one) == len(other) and all(key in there and _is_same(key, there[key]) for key in one)


def tolerant(answer: str, gold: str) -> bool:
    """Whether an answer is the gold value as JSON or Python writes it.

    A tuple is a list, a whole float its integer, a key its text, and floats may differ by a
    millionth; integers, texts, booleans and None are exact, and order counts except in sets.

    >>> tolerant('{"1": [true, 0.30000000000000004]}', "{1: (True, 0.3)}"), tolerant("1", "True")
    (True, False)
    """
    try:
        return is_close(read_value(answer), read_literal(gold))
    except NotLiteral:
        return False


def read_value(text: str) -> Any:
    """Returns the value that a text writes as JSON or, where it is none, as a Python literal.

    Raises:
        NotLiteral: it is neither.

    >>> read_value('{"a": [true, null]}')
    {'a': [True, None]}
    """
    try:
        return json.loads(text[: _MOST_CHARS + 1], parse_constant=_refuse)
    except (ValueError, RecursionError):
        return read_literal(text)


def _refuse(name: str) -> None:
    raise NotLiteral(f"{name} is no value")


def is_close(one: Any, other: Any) -> bool:
    """Whether two values are the same as `tolerant` compares; may raise RecursionError.

    >>> is_close([1, {"a": 2.0}], (1.0000000001, {"a": 2})), is_close(True, 1)
    (True, False)
    """
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        if isinstance(one, int) and isinstance(other, int):
            return one == other
        try:
            return math.isclose(one, other, rel_tol=_SLACK)
        except OverflowError:  # an integer that no float comes near
            return False
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(is_close, one, other))
    if isinstance(other, set) and isinstance(one, (set, list, tuple)):
        rest = list(one)
        for item in other:
            match = next((n for n, there in enumerate(rest) if is_close(there, item)), None)
            if match is None:
                return False
            del rest[match]
        return not rest
    if isinstance(one, dict) and isinstance(other, dict):
        there = {_key(key): value for key, value in other.items()}
        mine = {_key(key): value for key, value in one.items()}
        if not len(mine) == len(one) == len(other) == len(there):
            return False
        return mine.keys() == there.keys() and all(is_close(mine[k], there[k]) for k in mine)
    return type(one) is type(other) and bool(one == other)


def _key(key: Any) -> str:
    if key is None or isinstance(key, bool):
        return json.dumps(key)
    return key if isinstance(key, str) else repr(key)

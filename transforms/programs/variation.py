"""Inputs like a program's own: drawn at random, and told from what is none."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from itertools import combinations
from typing import Any

from transforms.engine.ids import derived_seed

_MOST_CHARS = 2000
"""Longest input that is drawn, as a literal."""


def drawn_inputs(record_id: str, inputs: dict[str, Any], count: int) -> Iterator[dict[str, Any]]:
    """Yields up to `count` different inputs like `inputs` (see `unlike`), itself not among them.

    They derive from the record's id. What a program asks of its input beyond types and signs is not
    known here, so it may fail on some of them.
    """
    rng = random.Random(derived_seed(0, "inputs", record_id))
    before = {repr(inputs)}
    for _ in range(20 * count):
        changed = {k: _varied(v, rng) if rng.random() < 0.6 else v for k, v in inputs.items()}
        text = repr(changed)
        if text in before or len(text) > _MOST_CHARS or unlike(changed, inputs):
            continue
        before.add(text)
        yield changed
        if len(before) > count:
            return


def likely_inputs(record_id: str, inputs: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """Returns up to `count` of ten times as many inputs that `drawn_inputs` yields: those that most
    likely make sense where the own one does, as `oddities` counts."""
    drawn = drawn_inputs(record_id, inputs, 10 * count)
    return sorted(drawn, key=lambda each: oddities(each, inputs))[:count]


def oddities(inputs: dict[str, Any], own: dict[str, Any]) -> int:
    """In how many places an input is odd beside the own one: zero or empty, a changed text, over
    100 percent, two numbers in another order of size, two lengths that were equal and are not.

    >>> oddities({"people": 7, "women": 18}, {"people": 20, "women": 9})
    1
    >>> oddities({"rows": [3, 0], "left": [1, 2]}, {"rows": [3, 4], "left": [1, 2]})
    2
    """
    odd = sum(_is_odd(inputs[key], value) for key, value in own.items())
    odd += sum("percent" in key and _swapped(inputs[key], 100, own[key], 100) for key in own)
    for one, other in combinations(own, 2):
        odd += _swapped(inputs[one], inputs[other], own[one], own[other])
    return odd


def _is_odd(value: Any, own: Any) -> bool:
    """Whether a value, or a part of one, is zero or empty where the own one is not, or a text that
    has been changed."""
    if isinstance(own, (list, tuple)) and isinstance(value, (list, tuple)) and value:
        return any(map(_is_odd, value, own))
    if isinstance(own, str):
        return bool(value != own)
    return not isinstance(own, bool) and bool(own) and not value


def _swapped(one: Any, other: Any, own: Any, its: Any) -> bool:
    """Whether two numbers are in another order than the own two, or lists of the same length have
    such numbers, or are no longer of the same length."""
    values = (one, other, own, its)
    if all(isinstance(value, (int, float)) for value in values):
        return (one < other and own > its) or (one > other and own < its)
    is_of_parts = len({*map(type, values)}) == 1 and isinstance(own, (list, tuple, str))
    if not is_of_parts or len(own) != len(its):
        return False
    if len(one) != len(other):
        return True
    return not isinstance(own, str) and any(map(_swapped, one, other, own, its))


def _varied(value: Any, rng: random.Random) -> Any:
    """Returns a value of the same type: numbers up to twice as large, texts of the same letters."""
    match value:
        case bool():
            return rng.random() < 0.5
        case int():
            size = rng.choice((1, abs(value) // 2 + 1, 2 * abs(value) + 2))
            return rng.randint(0, size) if value >= 0 else -rng.randint(1, size)
        case float():
            places = len(repr(value).partition(".")[2])
            return round(value * rng.uniform(0, 2), places)
        case str():
            size = max(0, len(value) + rng.randint(-2, 2))
            return "".join(rng.choices(sorted(set(value)), k=size)) if value else value
        case list():
            size = len(value) if rng.random() < 0.5 else max(0, len(value) + rng.randint(-2, 2))
            items = value if size == len(value) else rng.choices(value, k=size) if value else []
            return [_varied(item, rng) if rng.random() < 0.7 else item for item in items]
        case tuple():
            return tuple(_varied(item, rng) for item in value)
        case dict():
            return {key: _varied(item, rng) for key, item in value.items()}
    return value


def unlike(inputs: Any, own: dict[str, Any]) -> str:
    """Returns in what `inputs` is no input like a program's own; empty where it is one.

    It has the same keys, and values of the same types: numbers that are not negative where the own
    one is not, at most 1,000 or 100 times the own; texts and lists of up to 100 parts or four times
    the own length; a list's items, and a nested dict's keys and values, each like one of the own.

    >>> unlike({"n": 0, "ok": True}, {"n": 5, "ok": False})
    ''
    >>> unlike({"n": -1}, {"n": 5}), unlike({"m": 1}, {"n": 5})
    ('n is negative', 'its keys are m, not n')
    """
    if not isinstance(inputs, dict) or inputs.keys() != own.keys():
        keys = ", ".join(map(str, inputs)) if isinstance(inputs, dict) else "none"
        return f"its keys are {keys}, not {', '.join(own)}"
    faults = (_unlike(inputs[key], value, key) for key, value in own.items())
    return next(filter(None, faults), "")


def _unlike(value: Any, own: Any, name: str) -> str:
    if isinstance(own, (int, float)) and not isinstance(own, bool):
        return _unlike_number(value, own, name)
    kind = (list, tuple) if isinstance(own, (list, tuple)) else type(own)
    if not isinstance(value, kind):
        return f"{name} is {type(value).__name__}, not {type(own).__name__}"
    if isinstance(own, (str, list, tuple, dict)) and len(value) > max(100, 4 * len(own)):
        return f"{name} has {len(value)} parts"
    if isinstance(own, dict) and isinstance(value, dict):
        return _unlike_any([*value], [*own], name) or _unlike_any(
            [*value.values()], [*own.values()], name
        )
    return _unlike_any(value, own, name) if isinstance(own, (list, tuple)) else ""


def _unlike_any(values: Any, own: Any, name: str) -> str:
    """Why one of some values is like none of the own ones; empty where each is like one."""
    for value in values:
        faults = (_unlike(value, each, f"{name}[...]") for each in own)
        first = next(faults, f"{name} is not empty")
        if first and all(faults):
            return first
    return ""


def _unlike_number(value: Any, own: float, name: str) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return f"{name} is {type(value).__name__}, not a number"
    if isinstance(own, int) and not isinstance(value, int):
        return f"{name} is no integer"
    if isinstance(value, float) and not math.isfinite(value):
        return f"{name} is {value}"
    if own >= 0 > value:
        return f"{name} is negative"
    return f"{name} is too large" if abs(value) > max(1000, 100 * abs(own)) else ""

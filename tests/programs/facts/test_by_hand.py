"""What small programs hold before each line, as worked out by hand."""

from __future__ import annotations

import pytest

from tests.programs.facts.running import traced
from transforms.programs.facts import Opaque, final_values, states

PROGRAMS = {
    "assignments": (
        "a = 2\nb = a * 3\na = b - 1",
        [(1, {}), (2, {"a": 2}), (3, {"a": 2, "b": 6})],
        {"a": 5, "b": 6},
    ),
    "swap": (
        "a, b = 1, 2\na, b = b, a",
        [(1, {}), (2, {"a": 1, "b": 2})],
        {"a": 2, "b": 1},
    ),
    "branch": (
        "x = 3\nif x > 2:\n    y = 'big'\nelse:\n    y = 'small'",
        [(1, {}), (2, {"x": 3}), (3, {"x": 3})],
        {"x": 3, "y": "big"},
    ),
    "for": (
        "t = 0\nfor i in (5, 6):\n    t += i",
        [
            (1, {}), (2, {"t": 0}), (3, {"t": 0, "i": 5}), (2, {"t": 5, "i": 5}),
            (3, {"t": 5, "i": 6}), (2, {"t": 11, "i": 6}),
        ],
        {"t": 11, "i": 6},
    ),
    "while and else": (
        "n = 2\nwhile n:\n    n -= 1\nelse:\n    n = 'end'",
        [(1, {}), (2, {"n": 2}), (3, {"n": 2}), (2, {"n": 1}), (3, {"n": 1}), (2, {"n": 0}),
         (5, {"n": 0})],
        {"n": "end"},
    ),
    "break skips else": (
        "for i in range(5):\n    if i == 1:\n        break\nelse:\n    i = 9",
        [(1, {}), (2, {"i": 0}), (1, {"i": 0}), (2, {"i": 1}), (3, {"i": 1})],
        {"i": 1},
    ),
    "list is changed in place": (
        "xs = [3, 1]\nys = xs\nys.sort()\nxs += [7]",
        [(1, {}), (2, {"xs": [3, 1]}), (3, {"xs": [3, 1], "ys": [3, 1]}),
         (4, {"xs": [1, 3], "ys": [1, 3]})],
        {"xs": [1, 3, 7], "ys": [1, 3, 7]},
    ),
    "dict with number and tuple keys": (
        "d = {1: 'a'}\nd[2, 3] = {4}\ndel d[1]",
        [(1, {}), (2, {"d": {1: "a"}}), (3, {"d": {1: "a", (2, 3): {4}}})],
        {"d": {(2, 3): {4}}},
    ),
    "handler": (
        "try:\n    x = int('z')\nexcept ValueError:\n    x = -1\nfinally:\n    x *= 2",
        [(1, {}), (2, {}), (3, {}), (4, {}), (6, {"x": -1})],
        {"x": -2},
    ),
    "match": (
        "match [1, 2, 3]:\n    case []:\n        r = 0\n    case [head, *tail]:\n        r = head",
        [(1, {}), (2, {}), (4, {}), (5, {"head": 1, "tail": [2, 3]})],
        {"head": 1, "tail": [2, 3], "r": 1},
    ),
    "several statements on a line": ("a = 1; b = 2\nc = a + b", [(1, {}), (2, {"a": 1, "b": 2})],
                                     {"a": 1, "b": 2, "c": 3}),
    "walrus": (
        "if (n := len('abc')) > 2:\n    n *= 2",
        [(1, {}), (2, {"n": 3})],
        {"n": 6},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("code", "before", "final"), PROGRAMS.values(), ids=PROGRAMS.keys())
def test_variables_are_as_worked_out_by_hand(code, before, final):
    trace = traced(code)
    lines = [(event.line, held) for event, held in states(trace) if event.kind == "line"]
    assert lines == before
    assert final_values(trace) == final


def test_the_variables_of_a_function_are_as_worked_out_by_hand():
    trace = traced(
        "def f(n, to=[]):\n    to.append(n)\n    n = -n\n    return to\nr = f(4)\ns = f(5)"
    )
    lines = [
        (event.line, held)
        for event, held in states(trace)
        if event.function == "f" and event.kind == "line"
    ]
    assert lines == [
        (2, {"n": 4, "to": []}), (3, {"n": 4, "to": [4]}), (4, {"n": -4, "to": [4]}),
        (2, {"n": 5, "to": [4]}), (3, {"n": 5, "to": [4, 5]}), (4, {"n": -5, "to": [4, 5]}),
    ]  # fmt: skip
    final = final_values(trace)
    assert isinstance(final.pop("f"), Opaque)
    assert final == {"r": [4, 5], "s": [4, 5]}

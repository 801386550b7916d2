"""A claim is read as a trace only where its events are such as frames have."""

from __future__ import annotations

import json

import pytest

from tests.programs.facts.running import traced
from transforms.programs.facts import InvalidTrace, call_tree, read_trace, values_after


def claim(*events: dict, cut: object = None) -> str:
    return json.dumps({"cut": cut, "events": events})


CALL = {"e": "call", "f": 0, "d": 0, "n": "<module>", "l": 0}
LINE = {"e": "line", "f": 0, "d": 0, "l": 1}
RETURN = {"e": "return", "f": 0, "d": 0, "l": 1}


def test_a_whole_trace_is_read():
    trace = read_trace(claim(CALL, LINE, RETURN))
    assert [(event.kind, event.line) for event in trace.events] == [
        ("call", 0), ("line", 1), ("return", 1),
    ]  # fmt: skip


def test_a_trace_that_was_cut_may_end_in_the_middle():
    trace = read_trace(claim(CALL, LINE, cut="events"))
    assert (trace.cut, len(trace.recorded)) == ("events", 2)


OUT_OF_FORM = {
    "no JSON": "{",
    "no object": "[]",
    "no events": '{"cut": null}',
    "cut is no text": claim(CALL, cut=1),
    "a frame never ends": claim(CALL, LINE),
    "no frame": claim(LINE),
    "two returns": claim(CALL, RETURN, RETURN),
    "an unknown kind": claim(CALL, {**LINE, "e": "jump"}, RETURN),
    "a frame that never began": claim(CALL, {**LINE, "f": 3}, RETURN),
    "a frame number used twice": claim(CALL, CALL, RETURN, RETURN),
    "another depth": claim(CALL, {**LINE, "d": 1}, RETURN),
    "a line before the first": claim(CALL, {**LINE, "l": -1}, RETURN),
    "a line that is no number": claim(CALL, {**LINE, "l": "1"}, RETURN),
    "a truth value for a number": claim(CALL, {**LINE, "l": True}, RETURN),
    "resuming what does not wait": claim(CALL, {**LINE, "e": "resume"}, RETURN),
    "an exception without a class": claim(CALL, {**LINE, "e": "exception"}, RETURN),
    "changes that are none": claim(CALL, {**LINE, "c": [1]}, RETURN),
    "a value that is no literal": claim(CALL, {**LINE, "c": {"x": {"y": 1}}}, RETURN),
    "aliases that are none": claim(CALL, {**LINE, "a": [1]}, RETURN),
    "a call without a name": claim({**CALL, "n": None}, RETURN),
    "nested too deeply": '{"cut": null, "events": ' + "[" * 90_000 + "]" * 90_000 + "}",
    "a number with too many digits": claim(CALL, RETURN).replace(": 1}", ": " + "1" * 9000 + "}"),
}


@pytest.mark.parametrize("text", OUT_OF_FORM.values(), ids=OUT_OF_FORM.keys())
def test_what_is_out_of_form_is_refused(text):
    with pytest.raises(InvalidTrace, match="^no valid trace: "):
        read_trace(text)


def test_the_values_after_a_line_are_those_of_each_run():
    trace = traced("""
        def f(x):
            y = x * 2
            return y
        a = f(1)
        b = [f(i) for i in (2, 3)]
        """)
    assert values_after(trace, 2, "y") == [2, 4, 6]
    assert values_after(trace, 4, "a") == [2]
    assert values_after(trace, 4, "b") == []


def test_a_line_that_an_exception_ended_leaves_no_value():
    trace = traced("x = 1\ntry:\n    x = 1 / 0\nexcept ZeroDivisionError:\n    x = 2")
    assert values_after(trace, 3, "x") == []
    assert values_after(trace, 5, "x") == [2]


def test_the_call_tree_has_arguments_and_values_in_order():
    trace = traced("""
        def leaf(n, *more, **named):
            return n + len(more) + len(named)
        def root(n):
            return leaf(n, 1) * leaf(n, k=2)
        out = root(3)
        """)
    [root] = call_tree(trace).calls
    assert (root.function, root.arguments, root.line, root.returned) == ("root", {"n": 3}, 5, 16)
    assert [(leaf.arguments, leaf.line, leaf.returned) for leaf in root.calls] == [
        ({"n": 3, "more": (1,), "named": {}}, 4, 4),
        ({"n": 3, "more": (), "named": {"k": 2}}, 4, 4),
    ]


def test_a_trace_without_events_has_no_calls():
    assert call_tree(read_trace(claim())) is None

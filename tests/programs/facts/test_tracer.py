"""The tracer records what a program does, in order, whatever the program is made of."""

from __future__ import annotations

import contextlib
import json
import marshal
import sys

import pytest

from tests.programs.facts.running import told, traced
from transforms.programs.facts import CutTrace, Opaque, are_aliases, call_tree, final_values, states


def changes(trace, name, function="<module>"):
    """The values of a variable in the order in which it got them."""
    return [
        event.changed[name]
        for event in trace.events
        if event.function == function and name in event.changed
    ]


def test_a_generator_yields_and_goes_on_in_the_frame_that_it_began():
    trace = traced("""
        def count(n):
            for i in range(n):
                yield i * 10
        out = list(count(2))
        """)
    assert told(trace, "count") == [
        "line 2", "line 3", "yield 3", "resume 3", "line 2", "line 3", "yield 3", "resume 3",
        "line 2", "return 2",
    ]  # fmt: skip
    [call] = call_tree(trace).calls
    assert (call.arguments, call.yielded, call.returned) == ({"n": 2}, [0, 10], None)
    assert changes(trace, "n", "count") == [2]


def test_a_generator_that_is_closed_is_left_by_an_exception():
    trace = traced("""
        def forever():
            while True:
                yield 1
        g = forever()
        next(g)
        g.close()
        """)
    assert told(trace, "forever")[-3:] == ["resume 3", "exception 3", "unwind 3"]


def test_delegation_to_a_generator_hands_its_values_through_both_frames():
    trace = traced("""
        def inner():
            got = yield 1
            return got
        def outer():
            kept = yield from inner()
            return kept
        g = outer()
        next(g)
        try:
            g.send(5)
        except StopIteration as end:
            out = end.value
        """)
    assert final_values(trace)["out"] == 5
    assert told(trace, "outer") == ["line 5", "yield 5", "resume 5", "line 6", "return 6"]


def test_a_coroutine_waits_and_goes_on():
    trace = traced("""
        import asyncio
        async def late(x):
            await asyncio.sleep(0)
            return x
        async def both():
            return await late(1) + await late(2)
        out = asyncio.run(both())
        """)
    assert final_values(trace)["out"] == 3
    assert told(trace, "late").count("yield 3") == 2


def test_a_recursive_function_has_a_frame_and_a_depth_for_each_call():
    trace = traced("""
        def fact(n):
            if n == 0:
                return 1
            return n * fact(n - 1)
        out = fact(3)
        """)
    calls = [event for event in trace.events if event.kind == "call"][1:]
    assert [(call.depth, call.frame, dict(call.changed)) for call in calls] == [
        (1, 1, {"n": 3}), (2, 2, {"n": 2}), (3, 3, {"n": 1}), (4, 4, {"n": 0}),
    ]  # fmt: skip
    returned = [event.value for event in trace.events if event.kind == "return"]
    assert returned == [1, 1, 2, 6, None]


def test_a_function_expression_has_a_frame_of_its_own():
    trace = traced("double = lambda x: x * 2\nout = sorted([3, 1], key=double)")
    assert [event.value for event in trace.events if event.function == "<lambda>"][2::3] == [6, 2]


def test_a_comprehension_leaves_the_variables_of_its_frame_alone():
    trace = traced("n = 2\nout = [n for n in range(3)]")
    assert final_values(trace) == {"n": 2, "out": [0, 1, 2]}


def test_an_exception_that_is_caught_is_an_event_and_the_frame_goes_on():
    trace = traced("""
        def f(x):
            try:
                return 1 / x
            except ZeroDivisionError as error:
                return -1
        out = f(0)
        """)
    assert told(trace, "f") == [
        "line 2", "line 3", "exception 3", "line 4", "line 5", "return 5",
    ]  # fmt: skip
    [raised] = [event for event in trace.events if event.kind == "exception"]
    assert (raised.error, raised.value) == ("ZeroDivisionError", ("division by zero",))
    [call] = call_tree(trace).calls
    assert (call.returned, call.error) == (-1, None)


def test_an_exception_leaves_each_frame_that_does_not_catch_it():
    trace = traced("""
        def inner():
            raise KeyError("k")
        def outer():
            inner()
        outer()
        """)
    assert told(trace, "outer") == ["line 4", "exception 4", "unwind 4"]
    tree = call_tree(trace)
    assert [tree.error, tree.calls[0].error, tree.calls[0].calls[0].error] == ["KeyError"] * 3


def test_a_suppressed_exception_and_a_return_in_finally_are_no_unwinding():
    trace = traced("""
        from contextlib import suppress
        def f():
            with suppress(KeyError): {}["a"]
        def g():
            try:
                raise ValueError
            finally:
                return 2
        out = [f(), g()]
        """)
    assert told(trace, "f")[-1] == "return 3"
    assert told(trace, "g")[-1] == "return 8"


def test_the_end_of_an_iterator_is_no_exception_of_the_loop():
    trace = traced("""
        class Empty:
            def __iter__(self):
                return self
            def __next__(self):
                raise StopIteration
        for _ in Empty():
            pass
        """)
    assert not [line for line in told(trace) if line.startswith("exception")]


def test_an_early_exit_ends_the_trace_whole():
    trace = traced("x = 1\nraise SystemExit\nx = 2")
    assert final_values(trace) == {"x": 1}
    assert told(trace)[-1] == "unwind 2"


def test_a_closure_shows_the_variable_that_it_shares():
    trace = traced("""
        def counter():
            n = 0
            def step():
                nonlocal n
                n += 1
                return n
            step()
            return step() + n
        out = counter()
        """)
    assert changes(trace, "n", "counter.<locals>.step") == [0, 1, 1, 2]
    assert changes(trace, "n", "counter") == [0, 1, 2]
    assert final_values(trace)["out"] == 4


def test_a_class_body_is_a_frame_and_an_object_shows_its_attributes():
    trace = traced("""
        class Box:
            size = 3
            def __init__(self, n):
                self.n = n
            def grow(self):
                self.n += 1
        box = Box(1)
        box.grow()
        """)
    assert changes(trace, "size", "Box") == [3]
    assert [repr(value) for value in changes(trace, "box")] == ["Box(n=1)", "Box(n=2)"]
    assert [repr(value) for value in changes(trace, "self", "Box.__init__")] == [
        "Box()", "Box(n=1)",
    ]  # fmt: skip


def test_a_change_through_another_name_of_the_object_shows_under_both():
    trace = traced("""
        a = [1]
        b = a
        c = [1]
        b.append(2)
        done = True
        """)
    assert changes(trace, "a") == changes(trace, "b") == [[1], [1, 2]]
    assert changes(trace, "c") == [[1]]
    last = trace.events[-1]
    assert are_aliases(last, "a", "b")
    assert not are_aliases(last, "a", "c")


def test_names_stop_being_aliases_when_one_gets_another_object():
    trace = traced("a = b = {}\nb = dict(a)\nc = 1")
    groups = [event.aliases for event in trace.events]
    assert groups == [(), (), (("a", "b"),), (), ()]


def test_equal_numbers_and_texts_are_no_aliases():
    trace = traced("a = b = 5\nc = d = 'x'\ne = f = (1, 2)\ng = h = None")
    assert trace.events[-1].aliases == ()


def test_a_function_that_changes_its_argument_changes_what_its_caller_holds():
    trace = traced("""
        def add(items):
            items.append(9)
        mine = [1]
        add(mine)
        out = mine
        """)
    assert changes(trace, "mine") == [[1], [1, 9]]


def test_a_deleted_variable_is_gone():
    trace = traced("x = 1\ny = 2\ndel x\nz = 3")
    assert final_values(trace) == {"y": 2, "z": 3}
    assert [event.gone for event in trace.events][-2] == ("x",)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("1", "True"), ("0.0", "-0.0"), ("1", "1.0"), ("[1]", "[True]"), ("(1,)", "[1]"),
        ("{1: 2}", "{1: 2.0}"), ("'a'", "b'a'"), ("{1}", "frozenset({1})"),
        ("{'a': 1, 'b': 2}", "{'b': 2, 'a': 1}"),
    ],
)  # fmt: skip
def test_an_equal_value_of_another_type_or_order_is_a_change(before, after):
    trace = traced(f"x = {before}\nx = {after}\ny = 0")
    assert [repr(value) for value in changes(trace, "x")] == [before, after]


def test_the_same_value_again_is_no_change():
    trace = traced("x = [1, float('nan')]\nx = [1, float('nan')]\ny = float('nan')\ny = y + 0")
    assert len(changes(trace, "x")) == len(changes(trace, "y")) == 1


def test_a_large_value_is_recorded_in_full_within_the_budget():
    trace = traced("x = list(range(20_000))\ny = 'a' * 100_000")
    assert final_values(trace) == {"x": list(range(20_000)), "y": "a" * 100_000}


@pytest.mark.parametrize(
    ("code", "limits", "cut"),
    [
        ("for i in range(99): pass", {"events": 50}, "events"),
        ("x = 'a' * 5000", {"size": 4000}, "bytes"),
        ("x = []\nfor _ in range(99): x = [x]", {}, "depth"),
        ("x = list(range(9000))\nfor i in range(5000):\n    x[i] += 1", {}, "bytes"),
        ("def f(n): f(n + 1)\ntry: f(0)\nexcept RecursionError: pass", {}, "recursion"),
        ("import threading\nthreading.Thread(target=int).start()", {}, "threads"),
        ("import _thread\n_thread.start_new_thread(int, ())", {}, "threads"),
    ],
)
def test_a_trace_that_was_cut_says_why_and_gives_no_facts(code, limits, cut):
    trace = traced(code, **limits)
    assert trace.cut == cut
    with pytest.raises(CutTrace, match=cut):
        final_values(trace)


def test_a_report_is_never_larger_than_its_budget():
    trace = traced("x = ''\nfor i in range(400): x += chr(200 + i)", size=10_000)
    assert trace.cut == "bytes"


def test_near_the_recursion_limit_a_whole_trace_has_what_ran_and_the_rest_is_cut():
    """The tracer's own frames count too, so each distance from the limit is tried."""
    ran: list[int] = []

    class Shown:
        def __init__(self, show):
            self.show = show

        def __repr__(self):
            return self.show()

    def deep(show, depth):
        value = Shown(show)
        for _ in range(depth):
            value = [value]
        with contextlib.suppress(RecursionError):
            repr(value)

    cuts = set()
    for depth in range(sys.getrecursionlimit() - 200, sys.getrecursionlimit()):
        ran.clear()
        code = "def f():\n    ran.append(1)\n    return 'x'\ndeep(f, depth)\nx = 1"
        trace = traced(code, deep=deep, depth=depth, ran=ran)
        cuts.add(trace.cut)
        if trace.cut is None:
            assert any(event.function == "f" for event in trace.events) == bool(ran)
    assert None in cuts and len(cuts) > 1


INTERFERENCE = [
    "import sys\nsys.settrace(None)\nx = 1",
    "import sys\nkept = sys.gettrace()\nsys.settrace(None)\nx = 1\nsys.settrace(kept)\ny = 2",
    "import sys\nsys.settrace(lambda *_: None)\nx = 1",
    "import builtins\nkept, builtins.type = type, None\nx = 1\nbuiltins.type = kept",
]


@pytest.mark.parametrize("code", INTERFERENCE)
def test_a_program_that_interferes_cuts_its_trace(code):
    assert traced(code).cut == "tracing"


@pytest.mark.parametrize(
    "code",
    [
        "import sys\nkept = sys.settrace\ndel sys.settrace\nx = 1",
        "import sys\nkept = sys.settrace\nsys.settrace = sys.gettrace = None\nx = 1",
        "import sys\nsys.modules['threading'] = 5\nx = 1",
        "import json, marshal\njson.dumps = marshal.dumps = None\nx = 1",
    ],
)
def test_a_program_that_replaces_what_it_can_reach_changes_nothing(code, monkeypatch):
    for name, value in {"settrace": sys.settrace, "gettrace": sys.gettrace}.items():
        monkeypatch.setattr(sys, name, value)
    for module in (json, marshal):
        monkeypatch.setattr(module, "dumps", module.dumps)
    monkeypatch.setitem(sys.modules, "threading", sys.modules["threading"])
    trace = traced(code)
    assert final_values(trace)["x"] == 1


def test_a_program_runs_the_code_of_its_classes_no_more_often_than_untraced():
    code = """
        class Loud:
            def __repr__(self):
                calls.append("repr"); return "x"
            def __eq__(self, other):
                calls.append("eq"); return False
            def __hash__(self):
                calls.append("hash"); return 1
            def __getattribute__(self, name):
                calls.append("get"); return 1
            def __del__(self):
                calls.append("del")
        a = [Loud()]
        a[0] = 1
        b = 2
        """
    calls: list[str] = []
    traced(code, calls=calls)
    assert calls == ["del"]


def test_a_function_is_opaque():
    trace = traced("def f():\n    return 1")
    assert isinstance(final_values(trace)["f"], Opaque)


def test_the_state_at_a_line_is_what_it_begins_with():
    trace = traced("x = 1\nx = x + 1\nx = x * 5")
    at = [(event.line, variables) for event, variables in states(trace) if event.kind == "line"]
    assert at == [(1, {}), (2, {"x": 1}), (3, {"x": 2})]


def test_an_array_that_gets_another_shape_or_type_has_changed_though_its_bytes_have_not():
    trace = traced("""
        import numpy
        a = numpy.arange(4)
        a = a.reshape(2, 2)
        a = a.view("uint64")
        a = a.copy()
        held = [a]
        held[0] = a.reshape(4)
        end = 1
        """)
    assert [value.fields for value in changes(trace, "a")] == [
        {"dtype": "int64", "shape": (4,)},
        {"dtype": "int64", "shape": (2, 2)},
        {"dtype": "uint64", "shape": (2, 2)},
    ]
    assert [value.fields["shape"] for [value] in changes(trace, "held")] == [(2, 2), (4,)]

"""A trace's text can be read back, and holds what the run did."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.programs.facts.running import traced
from transforms.programs.facts import CutTrace, Instance, Kind, states
from transforms.programs.trace_text import (
    SAME,
    Frame,
    folded,
    frames_of,
    literal,
    parse_trace,
    render,
)

PROGRAMS = {
    "loop": """
        def solution(n):
            t = []
            for i in range(n):
                t += [i * 2]
            return t
        output = solution(3)""",
    "recursion": """
        def solution(n):
            return 1 if n < 2 else n * solution(n - 1)
        output = solution(4)""",
    "generator": """
        def pairs(n):
            for i in range(n):
                j = i * i
                yield j
        def solution(n):
            total = 0
            for p in pairs(n):
                total += p
            return {"total": total, "all": {p for p in pairs(n)}}
        output = solution(3)""",
    "exception": """
        def risky(x):
            y = 1 / x
            return y
        def solution(x):
            try:
                z = risky(x)
            except ZeroDivisionError as error:
                z = "none"
            del x
            return z
        output = solution(0)""",
    "objects": """
        import enum
        class Node:
            def __init__(self, n):
                self.n = n
        class Colour(enum.Enum):
            RED = 1
        def solution(n):
            first = Node(n)
            colour = Colour(1)
            loop = []
            loop.append(loop)
            return first.n
        output = solution(7)""",
}


@pytest.fixture(params=PROGRAMS, ids=str)
def run(request):
    code = textwrap.dedent(PROGRAMS[request.param]).strip("\n")
    trace = traced(code)
    return code, trace, list(frames_of(code, trace, "solution"))


def test_text_is_read_back_as_the_frames_that_it_shows(run) -> None:
    _, _, frames = run
    assert parse_trace(render(frames)) == frames


def test_there_is_a_frame_for_each_event_of_the_call_and_what_it_calls(run) -> None:
    _, trace, frames = run
    inside = [
        event
        for event in trace.events
        if event.frame > 0 and event.function not in ("Node", "Colour")
    ]
    assert len(frames) == len(inside)


def test_the_changes_folded_are_the_variables_at_the_end(run) -> None:
    _, trace, frames = run
    ends = [
        v
        for event, v in states(trace)
        if event.function == "solution" and event.kind is Kind.RETURN
    ]
    assert folded(frames) == {name: literal(value) for name, value in ends[-1].items()}


def test_the_last_frame_returns_the_output(run) -> None:
    code, _, frames = run
    variables: dict[str, object] = {}
    exec(code, variables)
    assert frames[-1].value == literal(variables["output"])


def test_no_text_is_made_of_a_trace_that_was_cut() -> None:
    code = textwrap.dedent(PROGRAMS["loop"])
    with pytest.raises(CutTrace):
        list(frames_of(code, traced(code, events=5), "solution"))


_TEXTS = st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]))
_FRAMES = st.builds(
    Frame,
    st.sampled_from(["call", "line", "return", "exception"]),
    st.dictionaries(_TEXTS, _TEXTS | st.just(SAME), max_size=3),
    _TEXTS,
    st.none() | _TEXTS,
)


@given(st.lists(_FRAMES, min_size=1))
def test_any_frames_survive_their_text(frames: list[Frame]) -> None:
    assert parse_trace(render(frames)) == frames


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x = 1",
        "@line {}",
        '@line {"a": 1} | x',
        "@jump {} | x",
        "@line [] | x",
        "@call {} 1 | x",
    ],
)
def test_text_that_shows_no_frames_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_trace(text)


def test_an_object_is_shown_with_what_it_holds() -> None:
    code = textwrap.dedent(PROGRAMS["objects"]).strip("\n")
    shown = folded(frames_of(code, traced(code), "solution"))
    assert (shown["first"], shown["colour"], shown["loop"]) == ("Node(n=7)", "Colour.RED", "<list>")


def test_a_value_that_holds_itself_or_has_no_end_of_parts_is_its_class() -> None:
    node = Instance("Node")
    node.fields["next"] = node
    shared: Any = 1
    for _ in range(50):
        shared = Instance("Pair", None, {"one": shared, "other": shared})
    assert [literal(node), literal([node]), literal(shared)] == ["<Node>", "<list>", "<Pair>"]

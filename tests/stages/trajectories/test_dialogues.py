"""Dialogue forms: calls and results round-trip through text, and what is shown depends on cells."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.sandbox.jobs import CellResult, Status
from transforms.stages.trajectories.dialogue_forms import DIALOGUES, dialogue_of
from transforms.stages.trajectories.dialogues import PYTHON, Body, Dialogue, cut, stable

TEXTS = sorted(name for name, form in DIALOGUES.items() if form.body is not Body.NATIVE)
CONTINUING = [name for name in TEXTS if DIALOGUES[name].continues]
LINES = st.lists(st.text("abc =()'\"0{}\\\tπ#", max_size=12), max_size=4).map("\n".join)
WORDS = st.text("abc .,?0123456789\n", max_size=30)
NAMES = st.sampled_from(["search", "python", "go_2"])


def seen(**fields: Any) -> CellResult:
    values = {"status": Status.OK, "value": None, "stdout": "", "error_type": None, "error": None}
    return CellResult(**{**values, "after": (), "wall_seconds": 0, "cpu_seconds": 0, **fields})


def called(form: Dialogue, name: str, lines: str, arguments: dict[str, str]) -> tuple[str, str]:
    """The tool and the text of a call that a form can hold."""
    if form.body is Body.JSON:
        return name, json.dumps(arguments)
    if form.body is Body.LINE:
        return form.line, " ".join(lines.split())
    return (name if form.body is Body.QUERY else PYTHON), lines


@given(st.sampled_from(TEXTS), NAMES, LINES, st.dictionaries(NAMES, LINES, max_size=2), WORDS)
def test_a_written_call_is_read_as_it_was(
    form_name: str, name: str, lines: str, arguments: dict[str, str], prose: str
) -> None:
    form = DIALOGUES[form_name]
    name, text = called(form, name, lines, arguments)
    written = form.write(name, text)
    [read] = form.read(prose + "\n" + written)
    assert (read.name, read.fault) == (name, None)
    if form.body is Body.JSON:
        assert json.loads(read.text) == json.loads(text)
    else:
        assert read.text == text
    assert (prose + "\n" + written)[read.start : read.end] == written


@given(st.sampled_from(CONTINUING), st.lists(st.tuples(NAMES, LINES, LINES, WORDS), max_size=3))
def test_a_text_of_calls_and_results_is_split_into_them(
    form_name: str, turns: list[tuple[str, str, str, str]]
) -> None:
    form, text = DIALOGUES[form_name], ""
    for name, code, result, prose in turns:
        text += f"{prose}\n" + form.write(name if form.body is Body.QUERY else PYTHON, code)
        text += form.shown(name, result, text)
    parts = list(form.parts(text))
    assert "".join(part.raw for part in parts) == text
    assert [part.body for part in parts if part.kind == "call"] == [code for _, code, _, _ in turns]
    assert [part.body for part in parts if part.kind == "result"] == [r for _, _, r, _ in turns]


@pytest.mark.parametrize("name", [name for name in TEXTS if DIALOGUES[name].stop])
@given(prose=WORDS, code=LINES)
def test_the_mark_that_the_engine_cut_off_is_put_back(name: str, prose: str, code: str) -> None:
    form = DIALOGUES[name]
    whole = f"{prose}\n{form.write(PYTHON, code)}"
    if name == "step":
        whole = f"<step>\n{whole}\n</step>"
    stops = form.stops()
    whole += "" if whole.rstrip().endswith(stops) else stops[0]
    text = whole[: min(place for stop in stops if (place := whole.find(stop)) >= 0)]
    turn = form.turn(text, stopped=True)
    assert (turn.text, turn.fault) == (whole, "")
    assert [(call.name, call.text) for call in turn.calls] == [(PYTHON, code)]
    assert form.turn(whole, stopped=True)._replace(restored=turn.restored) == turn


@pytest.mark.parametrize("name", TEXTS)
def test_nothing_is_put_back_where_the_answer_hit_its_limit(name: str) -> None:
    form = DIALOGUES[name]
    text = form.write(PYTHON, '{"code": "1"}' if form.body is Body.JSON else "1")[:-3]
    assert form.turn(text, stopped=False).text == text


@pytest.mark.parametrize("name", TEXTS)
def test_plain_text_calls_nothing(name: str) -> None:
    text = "It adds up to {4}.\nThe answer is \\boxed{4}."
    turn = DIALOGUES[name].turn(text, stopped=True)
    assert (turn.text, turn.calls) == (text, ())
    assert bool(turn.fault) == bool(DIALOGUES[name].frames)


def test_an_output_fence_is_put_back_at_the_beginning_of_a_line_alone() -> None:
    form = DIALOGUES["fence"]
    for text in ("```python\n1\n```\n", "```python\n1\n```\n\n"):
        assert form.turn(text, stopped=True).text == f"{text}```output"
    ended = form.turn("```python\n1\n```", stopped=True)
    assert (ended.restored, [call.code for call in ended.calls]) == ("", ["1"])
    assert form.shown(PYTHON, "2", ended.text) == "\n```output\n2\n```\n"


def test_a_call_before_the_end_of_a_turn_is_not_run_in_a_text_that_is_continued() -> None:
    assert DIALOGUES["fence"].turn("```python\n1\n```\nSo it is 1.", stopped=True).calls == ()


@pytest.mark.parametrize(
    ("name", "text"),
    [("fence", "```python\nx = 1"), ("hermes", '<tool_call>{"name": "python"'), ("step", "hi")],
)
def test_a_call_that_is_not_closed_and_text_outside_of_the_frames_are_faults(
    name: str, text: str
) -> None:
    assert DIALOGUES[name].turn(text, stopped=True).fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [("{1}", "the call is no JSON: Expecting"), ('{"tool": "python"}', "the call has no name")],
)
def test_a_call_that_cannot_be_read_says_why(text: str, fault: str) -> None:
    [call] = DIALOGUES["hermes"].read(f"<tool_call>\n{text}\n</tool_call>")
    assert call.fault is not None and call.fault.startswith(fault)


def test_a_word_such_as_error_in_an_action_does_not_make_it_unreadable() -> None:
    [call] = DIALOGUES["actions"].read('So:\n{"action": "debug", "params": {"error_msg": "error"}}')
    assert (call.name, json.loads(call.text)) == ("debug", {"error_msg": "error"})


def test_a_result_cannot_end_its_block_early() -> None:
    text = DIALOGUES["interpreter"].shown(PYTHON, "</interpreter> 5 <code>")
    assert text.count("</interpreter>") == 1


@given(st.text(max_size=40), st.integers(1, 30), st.sampled_from(["start", "end", "middle"]))
def test_a_cut_text_is_as_long_as_allowed_and_begins_and_ends_as_the_whole(
    text: str, limit: int, keeps: str
) -> None:
    short = cut(text, limit, keeps, "..")
    assert len(short) == min(len(text), limit)
    if len(text) > limit > 2:
        head, _, tail = short.partition("..") if keeps != "end" else ("", "", short[2:])
        assert text.startswith(head) and text.endswith(tail if keeps != "start" else "")


@pytest.mark.parametrize(
    ("name", "fields", "text"),
    [
        ("fence", {"stdout": "1\n", "value": "2"}, "1\n2"),
        ("fence", {"stdout": "1\n", "status": Status.RUNTIME_ERROR, "error": "a\nb"}, "1\na\nb"),
        ("interpreter", {"stdout": "1\n", "value": "2"}, "1"),
        ("interpreter", {"value": "2"}, "2"),
        ("interpreter", {"status": Status.RUNTIME_ERROR, "error": "a\nKeyError"}, "KeyError"),
        ("blocks", {}, "<empty_execution>"),
        ("native", {"status": Status.CRASHED}, "crashed"),
    ],
)  # fmt: skip
def test_a_result_is_shown_as_its_form_has_it(name: str, fields: dict[str, Any], text: str) -> None:
    assert DIALOGUES[name].observed(seen(**fields)) == text


def test_what_is_shown_holds_no_address_colour_path_or_frame_of_a_library() -> None:
    error = (
        "Traceback (most recent call last):\n"
        '  File "<cell 1>", line 2, in f\n    loads("{")\n'
        '  File "/usr/lib/python3.11/json/__init__.py", line 346, in loads\n'
        "    return _default_decoder.decode(s)\n           ^^^^^^\n"
        "ValueError: \x1b[31m<object at 0x7f00beef>\x1b[0m in /tmp/x1/a.txt"
    )
    assert stable(error) == (
        "Traceback (most recent call last):\n"
        '  File "<cell 1>", line 2, in f\n    loads("{")\n'
        "ValueError: <object at 0x...> in a.txt"
    )


def test_the_budget_is_told_while_there_is_one() -> None:
    form = DIALOGUES["fence"]
    told = [form.budget(left) for left in (2, 0, None)]
    assert "2 more" in told[0] and "No more" in told[1] and told[2] == ""


def test_a_setting_names_a_form_and_changes_its_fields() -> None:
    form = dialogue_of({"form": "fence", "limit": None, "role": "user"})
    assert (form.limit, form.continues, form.result) == (None, False, DIALOGUES["fence"].result)
    assert pickle.loads(pickle.dumps(form)) == form == dialogue_of(form)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("fences", "there is no dialogue 'fences': the forms are fence, "),
        ({"form": "fence", "stops": []}, "a dialogue has no field 'stops'"),
        ({"form": "fence", "limit": 0}, "limit: Input should be greater than or equal to 1"),
    ],
)
def test_a_wrong_setting_is_one_clear_line(value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dialogue_of(value)


@pytest.mark.parametrize(
    ("marks", "text", "answer"),
    [
        (None, "So \\boxed{7} it is.", "7"),
        (["<<<", ">>>"], "<<<8>>> no, <<< 7 >>>", "7"),
        (["<<<", ">>>"], "\\boxed{7}", None),
        (["<<<", ">>>"], "<<<>>>", None),
    ],
)
def test_the_final_answer_stands_between_its_marks(
    marks: Any, text: str, answer: str | None
) -> None:
    assert dialogue_of({"form": "fence", "answer": marks}).answered(text) == answer


def test_nothing_is_put_back_that_opens_a_result_in_a_turn_of_its_own() -> None:
    turn = dialogue_of({"form": "fence", "role": "user"}).turn("```python\n1\n```\n", stopped=True)
    assert (turn.restored, [call.code for call in turn.calls]) == ("", ["1"])


def test_stops_are_named_after_the_tools() -> None:
    stops = DIALOGUES["queries"].stops(["search", "code"])
    assert stops == ("<|end_search_query|>", "<|end_code_query|>")

"""Any record is shown: short fields in a line, long ones whole, conversations turn by turn."""

from hypothesis import given
from hypothesis import strategies as st

from transforms.engine.records import ToolCall
from transforms.publish.fields import fields_of, turns_of

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(JSON)
def test_any_value_is_shown(value):
    fields_of(value)
    fields_of({"field": value})


@given(st.lists(st.dictionaries(st.sampled_from(["role", "content", "tool_calls", "name"]), JSON)))
def test_what_looks_like_a_conversation_is_shown_too(value):
    fields_of({"messages": value})


def test_a_call_is_read_in_both_of_its_forms():
    flat = {"id": "c", "name": "python", "arguments": '{"code": "print(1)\\nprint(2)"}'}
    nested = {"id": "c", "type": "function", "function": {**flat, "arguments": {"code": "x"}}}
    [turn] = turns_of([{"role": "assistant", "content": None, "tool_calls": [flat, nested]}])
    assert turn.calls == (
        ToolCall("c", "python", "print(1)\nprint(2)"),
        ToolCall("c", "python", "x"),
    )


def test_a_conversation_that_only_repeats_other_fields_is_left_out():
    messages = [{"role": "user", "content": "How many?"}, {"role": "assistant", "content": "Two."}]
    row = {"instruction": "How many?", "solution": "Two.", "messages": messages}
    assert fields_of(row).blocks == ()
    assert [b.title for b in fields_of({**row, "solution": "Other."}).blocks] == ["messages"]


def test_attempts_are_shown_one_by_one():
    attempts = [
        {"text": "long " * 20, "answer": "2", "agrees": True},
        {"text": "b", "agrees": False},
    ]
    [block] = fields_of({"attempts": attempts}).blocks
    assert [item.facts for item in block.items] == [
        (("answer", "2"), ("agrees", "true")),
        (("text", "b"), ("agrees", "false")),
    ]

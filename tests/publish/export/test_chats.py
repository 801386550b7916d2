"""Conversations have the form that chat templates read, whatever row they come from."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.publish.export.chats import (
    LeftOut,
    arguments,
    conversation,
    for_templates,
    is_error,
)

CALL = {"id": "c1", "name": "python", "arguments": '{"code": "1 + 1"}'}
TALK = [
    {"role": "user", "content": "1 + 1?", "reasoning": None, "tool_calls": None},
    {"role": "assistant", "content": "", "reasoning": "I compute.", "tool_calls": [CALL]},
    {"role": "tool", "content": "2", "tool_call_id": "c1", "name": None},
    {"role": "assistant", "content": "2.", "tool_calls": None},
]


@pytest.mark.parametrize(
    "row",
    [
        {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]},
        {"problem": "q", "solution": "a", "messages": None},
        {"instruction": "q", "solution": "a", "reasoning": None},
        {
            "prompt": [{"role": "user", "content": "q"}],
            "chosen": [{"role": "assistant", "content": "a"}],
            "rejected": [{"role": "assistant", "content": "b"}],
        },
    ],
)
def test_each_form_of_row_is_a_question_and_its_answer(row):
    assert conversation(row) == (
        [{"role": "user", "content": "q"}],
        [{"role": "assistant", "content": "a"}],
    )


def test_a_row_without_an_answer_is_a_question_alone_and_one_without_a_question_is_none():
    assert conversation({"problem": "q", "solution": None}) == (
        [{"role": "user", "content": "q"}],
        [],
    )
    assert conversation({"problem": None, "code": "x = 1"}) is None
    assert conversation({"messages": [{"role": "assistant", "content": "a"}]}) is None


def test_messages_have_no_key_that_they_do_not_use():
    said = conversation({"messages": TALK})
    shown = for_templates([*said.prompt, *said.completion], "reasoning_content")
    assert [sorted(message) for message in shown] == [
        ["content", "role"],
        ["content", "reasoning_content", "role", "tool_calls"],
        ["content", "role", "tool_call_id"],
        ["content", "role"],
    ]
    assert shown[1]["tool_calls"] == [
        {
            "id": "c1",
            "type": "function",
            "function": {"name": "python", "arguments": {"code": "1 + 1"}},
        }
    ]


@pytest.mark.parametrize(
    ("reasoning", "said"),
    [
        ("thinking", {"content": "a", "thinking": "t"}),
        ("inline", {"content": "<think>\nt\n</think>\n\na"}),
        ("drop", {"content": "a"}),
    ],
)
def test_reasoning_stands_where_it_is_asked_for(reasoning, said):
    [shown] = for_templates([{"role": "assistant", "content": "a", "reasoning": "t"}], reasoning)
    assert shown == {"role": "assistant", **said}


@pytest.mark.parametrize(
    "text",
    ["", "1 + 1", "[1]", '{"a": 1', "null", "[" * 10**5]
    + ['{"a": NaN}', '{"a": 1e999}', r'{"a": "\ud800"}', f'{{"a": [{2**63}]}}'],
)
def test_arguments_that_are_no_object_do_not_fit(text):
    with pytest.raises(LeftOut, match="arguments are not a JSON object"):
        arguments(text)


@given(
    st.dictionaries(st.text(), st.text() | st.integers(-(2**62), 2**62) | st.lists(st.booleans()))
)
def test_arguments_are_read_as_they_were_written(value):
    assert arguments(json.dumps(value)) == value


@pytest.mark.parametrize(
    "text",
    [
        "Traceback (most recent call last):\n  File ...\nValueError: a\nb",
        "  File \"<cell 1>\", line 1\n    x = (\n        ^\nSyntaxError: '(' was never closed",
        "so far\nKeyboardInterrupt",
        "over 1 s of CPU time",
        "over 512 MiB in all of its processes",
        "memory_limit",
        "xxx\nwrote over 64 KiB",
        "ended without a result, exit status 3",
        "numpy.linalg.LinAlgError: Singular matrix",
    ],
)
def test_an_observation_of_an_error_is_one(text):
    assert is_error({"role": "tool", "content": text})
    assert not is_error({"role": "assistant", "content": text})


@pytest.mark.parametrize(
    "text", ["", "43", "ok", "The mean error is 3", "Error rate: 2", "{'Error': 1}", "over 3 of 4"]
)
def test_an_observation_of_a_value_is_no_error(text):
    assert not is_error({"role": "tool", "content": text})

"""A thought is split from the answer after it, whatever it stands between."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.text.thoughts import split_thought

THOUGHT = "Maybe \\boxed{9}?\n```python\nprint(1)\n```\nNo: what else?"
_TEXT = st.text('abc .\n`{}\\"=1', min_size=1).filter(str.strip)
_OWN = ("[[", "]]")


@given(_TEXT, _TEXT)
def test_a_thought_in_the_usual_or_in_own_tags_is_split_off(thought: str, answer: str) -> None:
    for opening, closing in (("<think>", "</think>"), ("[THINK]", "[/THINK]"), _OWN):
        split = split_thought(f"{opening}{thought}{closing}\n{answer}", _OWN)
        assert split == (thought.strip(), answer.lstrip())


@given(_TEXT, _TEXT)
def test_a_closing_tag_needs_no_opening_one(thought: str, answer: str) -> None:
    assert split_thought(f"{thought}</think>{answer}") == (thought.strip(), answer.lstrip())


@given(_TEXT, _TEXT, _TEXT)
def test_several_thoughts_are_one_before_the_last_answer(one: str, two: str, answer: str) -> None:
    split = split_thought(f"<think>{one}</think><think>{two}</think>{answer}")
    assert split == ((one + two).strip(), answer.lstrip())


@given(_TEXT)
def test_a_thought_that_never_ends_has_no_answer(thought: str) -> None:
    assert split_thought(f"<think>{thought}") == (thought.strip(), "")
    assert split_thought(f"a</think>b<think>{thought}").answer == ""
    assert split_thought(thought, ("", "</think>")) == (thought.strip(), "")


@given(_TEXT)
def test_a_text_without_a_thought_stays_as_it_is(text: str) -> None:
    assert split_thought(text) == (None, text)


@given(st.text("<>think/[]|◁▷ \n5", max_size=60))
def test_an_answer_has_no_thought_left_in_it(text: str) -> None:
    assert split_thought(split_thought(text).answer).thought is None


@pytest.mark.parametrize(
    ("text", "thought", "answer"),
    [
        (
            f"<|channel|>analysis<|message|>{THOUGHT}<|end|><|start|>assistant"
            "<|channel|>final<|message|>It is 5.<|return|>",
            THOUGHT,
            "It is 5.<|return|>",
        ),
        (f"<|channel|>analysis<|message|>{THOUGHT}", THOUGHT, ""),
        ("<think>\n\n</think>\n\nIt is 5.", None, "It is 5."),
        ("<Reasoning>Or 4?</Reasoning>It is 5.", "Or 4?", "It is 5."),
    ],
)
def test_channels_and_empty_thoughts_are_known(text: str, thought: str | None, answer: str) -> None:
    assert split_thought(text) == (thought, answer)

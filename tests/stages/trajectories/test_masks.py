"""Masks hide what they say from the loss, give a reason for it, and change no text."""

from __future__ import annotations

import pickle
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from transforms.engine import stage
from transforms.engine.records import Message
from transforms.stages.trajectories import masks
from transforms.stages.trajectories.masks import RULES, Mask, Rule, reasons_of
from transforms.stages.trajectories.records import Trajectory, Turn, learned, turn, turns_of

FAILED = 'Traceback (most recent call last):\n  File "<cell>", line 1\nNameError: no a'
ARGUMENTS = {"other_agents": {"keep": ("solver",)}, "before": {"sentences": ("But wait",)}}
RULE = TypeAdapter(Rule)


def rule(name):
    return RULE.validate_python({name: ARGUMENTS[name]} if name in ARGUMENTS else name)


def talk(*said, agent=""):
    """A user's question, and then turns: a text is the model's own, a text in a tuple is shown."""
    turns = turns_of([Message("user", "How many?")])
    for each in said:
        shown = isinstance(each, tuple)
        message = Message("tool" if shown else "assistant", each[0] if shown else each)
        turns = (*turns, turn(turns, message, sampled=not shown, continues=shown, agent=agent))
    return turns


def seen(turns):
    """The texts that are learned, turn by turn; those without any are left out."""
    texts = ["".join(t.content[a:b] for a, b in learned(t)) for t in turns]
    return [text for text in texts if text]


def block(code):
    return f"Let me see.\n```python\n{code}\n```\n"


def test_of_an_output_within_sampled_text_the_opening_fence_alone_is_learned() -> None:
    output = "42\n```"
    turns = RULES["output_blocks"](talk(f"I run it.\n```output\n{output}\nSo 42."))
    [span] = turns[1].spans
    assert turns[1].content[span.start : span.end] == output
    assert seen(turns) == ["I run it.\n```output\n\nSo 42."]


def test_a_failing_block_of_code_is_not_learned_and_the_text_around_it_is() -> None:
    turns = talk(block("a"), (f"```output\n{FAILED}\n```\n",), block("1"), ("1",), "It is 1.")
    assert seen(RULES["failing_code"](turns)) == ["Let me see.\n\n", block("1"), "It is 1."]


def test_the_turn_whose_call_failed_is_not_learned_and_the_next_one_is() -> None:
    turns = RULES["failed_calls"](talk(block("a"), (FAILED,), block("1"), ("1",), "It is 1."))
    assert seen(turns) == [block("1"), "It is 1."]
    assert turns[1].unlearned == "failed_call" and turns[1].content == block("a")


def test_nothing_before_a_switch_of_ways_is_learned() -> None:
    turns = rule("before")(talk(block("a"), (FAILED,), "Hm. But wait, 6 * 7 = 42. But wait."))
    assert seen(turns) == ["But wait, 6 * 7 = 42. But wait."]


def test_of_several_agents_one_is_learned() -> None:
    turns = (*talk("Plan."), *talk("Solved.", agent="solver"))
    assert seen(rule("other_agents")(turns)) == ["Solved."]
    assert seen(RULES["other_agents"](turns, keep=("",))) == ["Plan."]
    assert seen(RULES["all_but_last"](turns)) == ["Solved."]


def test_examples_that_were_shown_are_not_learned() -> None:
    turns = (*talk("Like this.", agent="demonstration"), *talk("Solved."))
    assert seen(RULES["demonstrations"](turns)) == ["Solved."]


TEXTS = st.sampled_from(
    [
        "",
        "It is 1.",
        block("a"),
        block("a")[:-4],
        "Hm. But wait, no.",
        "```output\n1\n```\n",
        FAILED,
    ]
)
TURNS = st.lists(
    st.builds(
        partial(Turn, id="t"),
        st.sampled_from(["user", "assistant", "tool"]),
        TEXTS,
        sampled=st.booleans(),
        agent=st.sampled_from(["", "solver", "demonstration"]),
    ),
    max_size=6,
).map(tuple)


@given(TURNS, st.lists(st.sampled_from(sorted(RULES)), max_size=4))
def test_what_is_learned_is_within_what_was_sampled_and_every_mask_has_a_reason(turns, names):
    masked = turns
    for name in names:
        masked = rule(name)(masked)
    for before, after in zip(turns, masked, strict=True):
        assert replace(after, spans=(), unlearned=None) == before
        assert before.sampled or not learned(after)
        covered = sum(end - start for start, end in learned(after))
        hides = covered < len(before.content) and before.sampled
        assert not hides or after.unlearned or after.spans
        assert all(span.reason and span.start < span.end for span in after.spans)
        assert {span.end <= len(before.content) for span in after.spans} <= {True}


@given(TURNS, st.sampled_from(sorted(RULES)))
def test_a_rule_that_is_applied_again_hides_no_more(turns, name):
    once = rule(name)(turns)
    assert [learned(t) for t in rule(name)(once)] == [learned(t) for t in once]


def trajectory(turns):
    return Trajectory(
        id="t1", problem="How many?", reference="1", messages=turns, calls=(), tokens=0,
        seed_ids=("s1",), source="mine", license="MIT",
    )  # fmt: skip


def hide_all(turns):
    return tuple(masks.unlearned(turn, "mine") for turn in turns)


def test_a_recipe_lists_rules_by_name_and_import_path_and_they_are_pickled() -> None:
    listed = ["failed_calls", {"before": {"sentences": ["But wait"]}}, f"{__name__}.hide_all"]
    rules = tuple(RULE.validate_python(each) for each in listed)
    mask = pickle.loads(pickle.dumps(Mask(rules=rules[:2])))
    turns = talk(block("a"), (FAILED,), "Hm. But wait, 42.")
    masked = mask.of(trajectory(turns)).messages
    assert seen(masked) == ["But wait, 42."]
    assert reasons_of(masked) == ["before_switch", "failed_call"]
    assert rules[2].__module__ == __name__
    verdict = Mask(rules=rules).of(trajectory(turns))
    assert (verdict.reason, verdict.detail) == (
        "nothing_learned",
        "before_switch, failed_call, mine",
    )


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        ("failed_call", "failed_call is none of other_agents, .*, and no import path"),
        ("nowhere.rule", "there is no function nowhere.rule"),
        ("before", "before.sentences: Field required"),
        ({"failed_calls": {"most": 1}}, "failed_calls.most: Extra inputs are not permitted"),
        ({"before": {}, "failed_calls": {}}, "neither a name nor"),
    ],
)
def test_a_rule_that_is_not_there_or_does_not_fit_is_one_line(listed, said) -> None:
    with pytest.raises(ValueError, match=said):
        stage.chosen(listed, RULES)

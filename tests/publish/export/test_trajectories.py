"""Trajectories leave with the loss exactly on what is learned of them, or not at all."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.publish.export.test_formats import exported
from tests.publish.export.trajectories import (
    CODE,
    ERROR,
    FAILING,
    OUTPUT,
    QUESTION,
    run_of,
    trajectory,
    turns,
)
from tests.stages.trajectories.talking import SEED, conversing, played, script
from transforms.engine.errors import SettingsError
from transforms.engine.plain import as_plain
from transforms.engine.records import Message, ToolCall
from transforms.publish.export import masks, templates
from transforms.publish.export.chats import conversation, first_lost, joined
from transforms.publish.export.masks import learned_of, tokens_of, use_training_template
from transforms.stages.trajectories.masks import RULES, Mask
from transforms.stages.trajectories.records import Span, Trajectory, Turn, turn, turns_of
from transforms.training.trainer import load_tokenizer


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    loaded = load_tokenizer("embedded")
    use_training_template(loaded)
    return loaded


def learned_text(tokenizer: Any, row: dict[str, Any]) -> str:
    """The learned tokens as text, with a bar between parts."""
    parts = groupby(row["labels"], key=lambda label: label != -100)
    return "|".join(tokenizer.decode(list(part)) for is_learned, part in parts if is_learned)


WHOLE = turns(CODE, OUTPUT, "It is forty-two.")


def test_tokens_are_learned_where_turns_are_and_with_the_end_of_the_message(
    tmp_path: Path, tokenizer: Any
) -> None:
    [row], left = exported(run_of(tmp_path, [trajectory(WHOLE)]), "sft", shape="tokens")
    assert learned_text(tokenizer, row) == f"{CODE}|It is forty-two.<|im_end|>\n"
    text = tokenizer.decode(row["input_ids"])
    assert f"{CODE}{OUTPUT}It is forty-two.<|im_end|>" in text and QUESTION in text
    assert not left and "advantages" not in {k for k, v in row.items() if v is not None}


def test_masked_code_is_seen_and_not_learned(tmp_path: Path, tokenizer: Any) -> None:
    talk = RULES["failing_code"](turns(FAILING, ERROR, CODE, OUTPUT, "It is forty-two."))
    [row], _ = exported(run_of(tmp_path, [trajectory(talk)]), "sft", shape="tokens")
    learned = learned_text(tokenizer, row)
    assert "print(a)" not in learned and "NameError" not in learned
    assert learned.startswith("I compute it.\n|") and CODE in learned
    assert "print(a)" in tokenizer.decode(row["input_ids"])


def test_of_a_real_conversation_the_opening_of_outputs_is_learned_and_no_output(
    tmp_path: Path, tokenizer: Any
) -> None:
    """As MuMath-Code masks; the failing block goes as in DualDistill."""
    texts = ["```python\nprint(b)\n```\n", "```python\nprint(6 * 7 + 1)\n```\n", "\\boxed{43}"]
    talk = played(conversing("fence").episode(SEED), script(*texts))
    [(row, _)] = talk.result
    masked = Mask(rules=(RULES["failing_code"],)).of(row)
    assert isinstance(masked, Trajectory)
    [made], _ = exported(run_of(tmp_path, [masked]), "sft", shape="tokens")
    end = f"{texts[1]}```output|{texts[2]}<|im_end|>\n"
    assert learned_text(tokenizer, made) == f"\n```output|{end}"
    seen = tokenizer.decode(made["input_ids"])
    assert "".join(turn.content for turn in row.messages[2:]) in seen
    assert "NameError" in seen and "\n43\n" in seen


@pytest.mark.parametrize("shape", ["messages", "prompt_completion", "sharegpt"])
def test_a_row_whose_masks_a_shape_cannot_carry_is_left_out_with_the_shape_that_can(
    tmp_path: Path, shape: str
) -> None:
    rows, left = exported(run_of(tmp_path, [trajectory(WHOLE)]), "sft", shape=shape)
    assert not rows
    assert left == {"a part of a message is not learned (format.shape=tokens carries that)": 1}


def in_turns(*said: str) -> tuple[Turn, ...]:
    """A conversation in which results are turns of their own."""
    talk = turns_of([Message("user", QUESTION)])
    for place, text in enumerate(said):
        role = "tool" if place % 2 else "assistant"
        talk = (*talk, turn(talk, Message(role, text), sampled=place % 2 == 0))
    return talk


def test_masks_of_whole_turns_are_a_loss_mask_of_messages(tmp_path: Path) -> None:
    talk = RULES["failed_calls"](in_turns("print(a)", ERROR, "print(6 * 7)", "42", "It is 42."))
    run = run_of(tmp_path, [trajectory(talk)])
    [row], _ = exported(run, "sft")
    assert row["loss_mask"] == [False, False, False, True, False, True]
    assert [set(message) for message in row["messages"]] == [{"role", "content"}] * 6
    rows, left = exported(run, "sft", shape="prompt_completion")
    assert not rows and list(left) == [
        "a turn is not learned (format.shape=messages or tokens carries that)"
    ]


def test_a_turn_that_branches_share_is_learned_once(tmp_path: Path, tokenizer: Any) -> None:
    """As KAT-Coder trains trees: every node once over all branches."""
    shared = turns(CODE, OUTPUT)
    ends = ["It is forty-two.", "So the answer is forty-two.", "42: forty-two."]
    branches = [
        (*shared, turn(shared, Message("assistant", end), sampled=True, continues=True))
        for end in ends
    ]
    run = run_of(tmp_path, [trajectory(branch) for branch in branches])
    rows, _ = exported(run, "sft", shape="tokens", solutions="all", once=True)
    learned = "|".join(learned_text(tokenizer, row) for row in rows)
    assert [learned.count(text) for text in (CODE, *ends)] == [1] * 4
    assert all(CODE in tokenizer.decode(row["input_ids"]) for row in rows)


def test_wrong_attempts_that_a_run_keeps_are_no_examples_to_learn_from(tmp_path: Path) -> None:
    rows = [trajectory(WHOLE), trajectory(turns(CODE, OUTPUT, "41."), score=0.0)]
    run = run_of(tmp_path, rows)
    examples, _ = exported(run, "sft", shape="tokens", solutions="all")
    assert [row["id"] for row in examples] == [rows[0].id]
    [pair], _ = exported(run, "preference")
    assert pair["chosen"][-1]["content"].endswith("forty-two.")
    [asked], _ = exported(run, "rl")
    assert asked["answer"] == "42"


def test_the_mean_label_of_a_prefix_is_the_share_of_right_ends(tmp_path: Path) -> None:
    ends = [("It is forty-two.", 1.0), ("It is 41.", 0.0), ("It is 40.", 0.0), ("So 42.", 1.0)]
    run = run_of(tmp_path, [trajectory(turns(CODE, OUTPUT, end), score) for end, score in ends])
    labels: dict[str, list[float]] = defaultdict(list)
    for row in exported(run, "value")[0]:
        labels[row["completion"][-1]["content"]].append(row["label"])
    assert labels["I compute it.\n"] == [1.0, 1.0, 0.0, 0.0]
    assert {labels[f"{CODE}{OUTPUT}{end}"][0] == score for end, score in ends} == {True}
    of_turns = [row["completion"] for row in exported(run, "value", steps="turn")[0]]
    assert [said[-1]["content"] for said in of_turns[::2]] == [CODE] * 4


def test_advantages_of_turns_are_those_of_their_tokens(tmp_path: Path, tokenizer: Any) -> None:
    worth = iter([0.5, -1.0])
    talk = tuple(replace(each, advantage=next(worth)) if each.sampled else each for each in WHOLE)
    [row], _ = exported(run_of(tmp_path, [trajectory(talk)]), "sft", shape="tokens")
    pairs = zip(row["advantages"], row["labels"], strict=True)
    assert {(worth, label != -100) for worth, label in pairs} == {
        (0.5, True), (-1.0, True), (0.0, False),
    }  # fmt: skip


PIECES = st.sampled_from(["It is", " 42.\n", "```output\n4", "2\n```\n\n", "é…😀", "  ", "x = 1\n"])


@given(st.lists(st.tuples(PIECES, st.booleans(), st.integers(0, 4), st.integers(0, 9)), min_size=1))
def test_learned_tokens_lie_within_learned_characters(tokenizer: Any, pieces: Any) -> None:
    talk = turns_of([Message("user", QUESTION)])
    for place, (text, is_sampled, start, end) in enumerate(pieces):
        message = Message("assistant", text)
        span = (Span(start, min(end, len(text)), "r"),) if start < min(end, len(text)) else ()
        fields = {"sampled": is_sampled or not place, "continues": place > 0, "spans": span}
        talk = (*talk, turn(talk, message, **fields))
    chat = joined([as_plain(each) for each in talk])
    what = learned_of(chat, errors=True)
    plain = [{"role": m["role"], "content": m["content"]} for m in chat]
    made = tokens_of(plain, what, None, tokenizer)
    text = tokenizer.apply_chat_template(plain, tokenize=False)
    assert tokenizer.decode(made.input_ids) == text
    content = plain[-1]["content"]
    is_verbatim = content in text
    shown = content if is_verbatim else content.strip()
    first = text.index(shown, text.index("assistant\n")) - content.index(shown)
    parts = [part for one in chat[-1].get("turns", ()) for part in one["learned"]]
    may = {first + n for start, end in parts for n in range(start, end)}
    may |= set(range(first + content.index(shown) + len(shown), len(text)))  # its closing mark
    offsets = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    for label, (start, end) in zip(made.labels, offsets["offset_mapping"], strict=True):
        assert label == -100 or set(range(start, end)) <= may


def test_reasoning_and_calls_are_learned_with_their_turn_alone() -> None:
    call = ToolCall("c1", "python", '{"code": "6 * 7"}')
    talk = turns_of([Message("user", QUESTION)])
    for message in (
        Message("assistant", "", "Let me see.", tool_calls=(call,)),
        Message("tool", "42", tool_call_id="c1"),
        Message("assistant", "It is 42."),
    ):
        talk = (*talk, turn(talk, message, sampled=message.role == "assistant"))
    row = as_plain(trajectory(talk))
    said = conversation(row)
    assert said is not None
    assert learned_of([*said.prompt, *said.completion], errors=True) == [
        (),
        masks.WHOLE,
        (),
        masks.WHOLE,
    ]
    masked = RULES["all_but_last"](talk)
    said = conversation(as_plain(trajectory(masked)))
    assert said is not None
    assert learned_of(said.completion, errors=True) == [(), (), masks.WHOLE]


def test_a_template_that_drops_calls_tools_or_texts_is_told_of() -> None:
    """verl issue 3960 and slime issue 1008: what was trained was not what was sampled."""
    call = {"function": {"name": "python", "arguments": {"code": "print('a\\n')"}}}
    chat = [
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "42"},
    ]
    shown = f"{QUESTION} python {call['function']['arguments']['code']} 42"
    assert first_lost(chat, shown, ["python"]) is None
    assert first_lost(chat, f"{QUESTION} 42") == "the call of python in message 1"
    assert first_lost(chat[:1], QUESTION, ["search"]) == "the tool search"
    assert first_lost(chat[::2], f"42 {QUESTION}") == "message 1 (tool)"


def test_a_template_that_rewrites_a_text_is_one_line(tmp_path: Path) -> None:
    shout = "{% for m in messages %}{{ m.content | upper }}{% endfor %}"
    loaded = load_tokenizer("embedded")
    loaded.chat_template = shout
    loaded.save_pretrained(tmp_path / "shout")
    check = templates.TemplateCheck(str(tmp_path / "shout"))
    with pytest.raises(SettingsError, match=r"row r1: .* does not show message 0 \(user\)"):
        check("r1", [{"role": "user", "content": QUESTION}], None)
    rows, left = exported(
        run_of(tmp_path / "run", [trajectory(WHOLE)]), "sft", shape="tokens",
        tokenizer=str(tmp_path / "shout"),
    )  # fmt: skip
    assert not rows and list(left) == [
        "the chat template does not show a text, call or tool as it is stored"
    ]


def test_trl_collates_tokens_and_labels_as_they_are(tmp_path: Path, tokenizer: Any) -> None:
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    rows = [trajectory(WHOLE), trajectory(turns(CODE, OUTPUT, "So it is, forty-two."))]
    made, _ = exported(run_of(tmp_path, rows), "sft", shape="tokens", solutions="all")
    batch = DataCollatorForLanguageModeling(pad_token_id=tokenizer.pad_token_id)(made)
    for row, labels in zip(made, batch["labels"].tolist(), strict=True):
        size = len(row["labels"])
        assert labels[:size] == row["labels"] and set(labels[size:]) <= {-100}

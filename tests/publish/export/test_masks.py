"""Labels are the tokens of the messages that are learned, and no other."""

from pathlib import Path

import pytest

from tests.publish.export import runs
from tests.publish.export.test_formats import exported
from transforms.publish.export.masks import learned_of, loss_mask, masked
from transforms.training.trainer import load_tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer("embedded")


def test_only_an_assistants_turns_are_learned():
    talk = [{"role": role} for role in ("system", "user", "assistant", "user", "assistant")]
    assert loss_mask(learned_of(talk, errors=True)) == [False, False, True, False, True]


def test_labels_are_the_tokens_of_learned_turns(tmp_path: Path, tokenizer) -> None:
    from trl.chat_template_utils import qwen3_training_chat_template

    tokenizer.chat_template = qwen3_training_chat_template
    rows, _ = exported(runs.tool_math(tmp_path), "sft", solutions="all", mask_errors=True)
    row = max(rows, key=lambda row: len(row["messages"]))
    made = masked(row, tokenizer)
    learned = tokenizer.decode([label for label in made["labels"] if label != -100])
    assert len(made["labels"]) == len(made["input_ids"])
    assert "42 + 1" in learned and "boxed{43}" in learned
    assert "a + 1" not in learned  # the turn whose call was an error
    assert "NameError" not in learned and "Use the tool" not in learned
    whole = tokenizer.decode(made["input_ids"])
    assert "a + 1" in whole and "NameError" in whole


def test_a_template_that_renders_a_beginning_in_another_way_is_named(tokenizer) -> None:
    tokenizer.chat_template = (
        "{% for m in messages %}{% if loop.last %}<last>{% endif %}{{ m.content }}{% endfor %}"
    )
    example = {
        "id": "r1",
        "messages": [{"role": role, "content": "a"} for role in ("user", "assistant", "user")],
        "loss_mask": [False, True, False],
    }
    with pytest.raises(ValueError, match="row r1: .* renders message 1 in another way"):
        masked(example, tokenizer)

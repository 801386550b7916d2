"""The loss is on what is learned alone, and a checkpoint counts once it is whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.benches.programs import shipped_seeds
from tests.training.tiny import SMALL, train_settings, write_tiny_model
from transforms.training.examples import PROMPTS, TrainingExample, example, load_prompts
from transforms.training.trainer import build_trainer, last_checkpoint, load_tokenizer, token_count


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_tiny_model(tmp_path_factory.mktemp("tiny"))


def _examples(api: str) -> list[TrainingExample]:
    """An example of each task, of different lengths."""
    settings = train_settings()
    prompts = load_prompts(settings.prompts, PROMPTS)
    pairs = zip(PROMPTS, shipped_seeds(), strict=False)
    made = [example(task, seed, prompts[task], api) for task, seed in pairs]
    return [item for item in made if item is not None]


@pytest.mark.parametrize("lora", ["default", "off"])
@pytest.mark.parametrize("api", ["chat", "completions"])
def test_the_loss_is_the_cross_entropy_of_the_completions_tokens(
    model: str, tmp_path: Path, api: str, lora: str
) -> None:
    import torch

    settings = train_settings(
        f"model.name={model}", "model.dtype=float32", f"lora={lora}", "optim.max_length=2048"
    )
    trainer = build_trainer(settings, _examples(api), [], tmp_path)
    batch = trainer.data_collator([trainer.train_dataset[i] for i in range(len(PROMPTS))])
    tokenizer = load_tokenizer(model)
    total, learned = 0.0, 0
    for item in _examples(api):
        form = item.as_trl()
        if api == "chat":
            prompt = tokenizer.apply_chat_template(
                form["prompt"], tokenize=False, add_generation_prompt=True
            )
            # the chat's template ends a turn with the end of text and a new line
            text = f"{prompt}{item.completion}{tokenizer.eos_token}\n"
        else:
            prompt = form["prompt"]
            text = f"{prompt}{item.completion}{tokenizer.eos_token}"
        ids = torch.tensor(tokenizer(text).input_ids)
        asked = len(tokenizer(prompt).input_ids)
        with torch.no_grad():
            logits = trainer.model(input_ids=ids[None]).logits[0, asked - 1 : -1]
        total += torch.nn.functional.cross_entropy(logits, ids[asked:], reduction="sum").item()
        learned += len(ids) - asked
    with torch.no_grad():
        loss = trainer.compute_loss(trainer.model, batch)
    assert loss.item() == pytest.approx(total / learned, rel=1e-4)


@pytest.mark.parametrize("api", ["chat", "completions"])
def test_tokens_are_counted_as_they_are_trained_on(model: str, tmp_path: Path, api: str) -> None:
    settings = train_settings(f"model.name={model}", *SMALL, "optim.max_length=2048")
    made = _examples(api)
    trainer = build_trainer(settings, made, [], tmp_path)
    trained = sorted(len(row["input_ids"]) for row in trainer.train_dataset)
    assert sorted(token_count(load_tokenizer(model), item) for item in made) == trained


def test_the_last_whole_checkpoint_is_the_one_that_counts(tmp_path: Path) -> None:
    for step, whole in ((5, True), (20, True), (100, False)):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        if whole:
            (folder / "trainer_state.json").write_text("{}")
    assert last_checkpoint(tmp_path) == str(tmp_path / "checkpoint-20")
    assert last_checkpoint(tmp_path / "nothing") is None

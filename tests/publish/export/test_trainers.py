"""Trainers take exports as they are: TRL trains on them, verl's reader finds its fields."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import datasets
import pytest

from pipelines.export import ExportSettings, export
from tests.publish.export import runs
from tests.training.tiny import write_tiny_model
from transforms.engine.run_folder import RunFolder
from transforms.training.trainer import hush


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    hush()
    return write_tiny_model(tmp_path_factory.mktemp("tiny"))


def loaded(run: RunFolder, folder: Path, *overrides: str) -> datasets.DatasetDict:
    """What `datasets` finds in the export of a run."""
    from rich.console import Console

    from tests.pipelines.commands import settings_of

    given = [f"run={run.root}", f"output_dir={folder}/export", "template=null", *overrides]
    export(settings_of("export", ExportSettings, *given), Console(quiet=True))
    return datasets.load_dataset(f"{folder}/export", cache_dir=f"{folder}/cache")


def options(folder: Path) -> dict[str, Any]:
    return {
        "output_dir": str(folder / "out"),
        "max_steps": 3,
        "per_device_train_batch_size": 2,
        "report_to": [],
        "use_cpu": True,
        "bf16": False,
        "save_strategy": "no",
        "disable_tqdm": True,
        "logging_steps": 1,
    }


def losses(trainer: Any) -> list[float]:
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


@pytest.mark.parametrize(
    ("recipe", "shape", "masks"),
    [("caco", "messages", False), ("tool_math", "prompt_completion", True)],
)
def test_sft_learns_from_conversations_and_from_prompts_with_completions(
    model: str, tmp_path: Path, recipe: str, shape: str, masks: bool
) -> None:
    from trl import SFTConfig, SFTTrainer

    given = [f"format.shape={shape}", "format.solutions=all"]
    rows = loaded(runs.RUNS[recipe](tmp_path / "run"), tmp_path, *given)["train"]
    trainer = SFTTrainer(
        model, args=SFTConfig(**options(tmp_path), max_length=512), train_dataset=rows
    )
    assert len(losses(trainer)) == 3
    assert (-100 in trainer.train_dataset[0]["labels"]) == masks


def test_sft_learns_the_messages_of_the_loss_mask(model: str, tmp_path: Path) -> None:
    from transformers import AutoTokenizer
    from trl import SFTConfig, SFTTrainer
    from trl.chat_template_utils import qwen3_training_chat_template

    from transforms.publish.export.masks import masked

    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.chat_template = qwen3_training_chat_template
    run = runs.tool_math(tmp_path / "run")
    rows = loaded(run, tmp_path, "format.solutions=all", "format.mask_errors=true")["train"]
    wanted = [masked(row, tokenizer) for row in rows]
    tokens = rows.map(masked, fn_kwargs={"tokenizer": tokenizer}, remove_columns=rows.column_names)
    trainer = SFTTrainer(
        model,
        args=SFTConfig(**options(tmp_path), max_length=2048),
        train_dataset=tokens,
        processing_class=tokenizer,
    )
    assert [row["labels"] for row in trainer.train_dataset] == [one["labels"] for one in wanted]
    assert len(losses(trainer)) == 3


@pytest.mark.parametrize("recipe", ["tool_math", "judge"])
def test_dpo_learns_from_pairs(model: str, tmp_path: Path, recipe: str) -> None:
    from trl import DPOConfig, DPOTrainer

    rows = loaded(runs.RUNS[recipe](tmp_path / "run"), tmp_path, "format=preference")["train"]
    trainer = DPOTrainer(
        model, args=DPOConfig(**options(tmp_path), max_length=512), train_dataset=rows
    )
    assert len(losses(trainer)) == 3


def test_grpo_asks_the_prompts_and_hands_the_reward_every_column(
    model: str, tmp_path: Path
) -> None:
    from trl import GRPOConfig, GRPOTrainer

    seen: list[dict[str, Any]] = []

    def reward(prompts: Any, completions: Any, **columns: Any) -> list[float]:
        seen.append(columns)
        truths = columns["answer"]
        said = [completion[-1]["content"] for completion in completions]
        return [float(truth in text) for truth, text in zip(truths, said, strict=True)]

    rows = loaded(runs.caco(tmp_path / "run"), tmp_path, "format=rl", "format.control=true")
    trainer = GRPOTrainer(
        model,
        reward_funcs=reward,
        args=GRPOConfig(**options(tmp_path), num_generations=2, max_completion_length=8),
        train_dataset=rows["train"],
    )
    assert len(losses(trainer)) == 3
    [columns, *_] = seen
    assert set(columns["answer"]) == {"7"} and columns["control"][0]["wrong"] == "8"


def test_verl_reads_its_fields(model: str, tmp_path: Path) -> None:
    """As RLHFDataset of verl 0.8 reads a row, and its reward manager the answer."""
    from transformers import AutoTokenizer

    run = runs.caco(tmp_path / "run")
    loaded(run, tmp_path, "format=rl", "format.trainer=verl")
    file = f"{tmp_path}/export/data/train-00000-of-00001.parquet"
    tokenizer = AutoTokenizer.from_pretrained(model)
    rows = datasets.load_dataset("parquet", data_files=file, cache_dir=f"{tmp_path}/verl")["train"]
    for number, row in enumerate(rows):
        assert tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True)
        assert isinstance(row["data_source"], str) and isinstance(row["ability"], str)
        assert row["reward_model"] == {"style": "rule", "ground_truth": "7"}
        assert row["extra_info"].get("index", 0) == number
        assert row["extra_info"].get("tools_kwargs", {}) == {}
        assert isinstance(json.dumps(row["extra_info"]), str)

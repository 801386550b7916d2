"""Trainers take exports as they are: TRL trains on them, verl's reader finds its fields."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import datasets
import pytest
from rich.console import Console

from pipelines.export import ExportSettings, export
from tests.pipelines.commands import settings_of
from tests.publish.export import runs
from tests.publish.export.test_formats import exported
from tests.training.tiny import write_tiny_model
from transforms.engine.paths import PROJECT
from transforms.engine.run_folder import RunFolder
from transforms.publish.reward import compute_score, rewards
from transforms.training.trainer import hush, load_tokenizer


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    hush()
    return write_tiny_model(tmp_path_factory.mktemp("tiny"))


def loaded(run: RunFolder, folder: Path, *overrides: str) -> datasets.DatasetDict:
    """What `datasets` finds in the export of a run."""
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


def test_the_code_of_the_page_trains_on_the_exports_that_it_makes(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a small model of Qwen3's template, few generated tokens and one epoch."""
    from trl.chat_template_utils import qwen3_chat_template

    shutil.copytree(model, tmp_path / "model")
    tokenizer = load_tokenizer(model)
    tokenizer.chat_template = qwen3_chat_template
    tokenizer.save_pretrained(tmp_path / "model")
    run = runs.caco(tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    page = (PROJECT / "docs" / "export.md").read_text()
    for words in re.findall(r"^cotmill export runs/first (.*)$", page, re.M):
        given = [word.replace("exports/", f"{tmp_path}/exports/") for word in words.split()]
        settings = settings_of("export", ExportSettings, f"run={run.root}", *given)
        export(settings, Console(quiet=True))
    code = "\n".join(re.findall(r"```python\n(.*?)```", page, re.S))
    code = code.replace("Qwen/Qwen3-0.6B", f"{tmp_path}/model")
    quick = "\\1, num_train_epochs=1, use_cpu=True, bf16=False, report_to=[], save_strategy='no'"
    code = re.sub(r'(Config\("[^"]*")', quick, code)
    code = code.replace('"models/rl"', '"models/rl", max_completion_length=8')
    names: dict[str, Any] = {"__name__": "docs"}
    exec(compile(code, "export.md", "exec", dont_inherit=True), names)
    assert len(names["rows"]) == len(names["prompts"]) == 3 and len(names["pairs"]) == 6
    assert any(label == -100 for label in names["tokens"][0]["labels"])


def test_sft_learns_the_completions_of_conversations_with_tools(model: str, tmp_path: Path) -> None:
    from trl import SFTConfig, SFTTrainer

    given = ["format.shape=prompt_completion", "format.solutions=all"]
    rows = loaded(runs.tool_math(tmp_path / "run"), tmp_path, *given)["train"]
    trainer = SFTTrainer(
        model, args=SFTConfig(**options(tmp_path), max_length=512), train_dataset=rows
    )
    assert len(losses(trainer)) == 3
    assert -100 in trainer.train_dataset[0]["labels"]


def test_dpo_learns_from_pairs_of_conversations_with_tools(model: str, tmp_path: Path) -> None:
    from trl import DPOConfig, DPOTrainer

    rows = loaded(runs.tool_math(tmp_path / "run"), tmp_path, "format=preference")["train"]
    trainer = DPOTrainer(
        model, args=DPOConfig(**options(tmp_path), max_length=512), train_dataset=rows
    )
    assert len(losses(trainer)) == 3


@pytest.mark.parametrize(("solution", "worth"), [("3 + 4 = 7. The answer is 7.", 1), ("So 8.", 0)])
def test_columns_of_each_trainer_are_what_its_reward_function_needs(
    tmp_path: Path, solution: str, worth: float
) -> None:
    run = runs.caco(tmp_path / "run")
    rows, _ = exported(run, "rl")
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    assert rewards(columns["prompt"], [solution] * len(rows), **columns) == [worth] * len(rows)
    for row in exported(run, "rl", trainer="verl")[0]:
        truth = row["reward_model"]["ground_truth"]
        assert compute_score(row["data_source"], solution, truth, row["extra_info"]) == worth


def test_verl_reads_its_fields(model: str, tmp_path: Path) -> None:
    """As RLHFDataset of verl 0.8 reads a row, and its reward manager the answer."""
    run = runs.caco(tmp_path / "run")
    loaded(run, tmp_path, "format=rl", "format.trainer=verl")
    file = f"{tmp_path}/export/data/train-00000-of-00001.parquet"
    tokenizer = load_tokenizer(model)
    rows = datasets.load_dataset("parquet", data_files=file, cache_dir=f"{tmp_path}/verl")["train"]
    for number, row in enumerate(rows):
        assert tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True)
        assert isinstance(row["data_source"], str) and isinstance(row["ability"], str)
        assert row["reward_model"] == {"style": "rule", "ground_truth": "7"}
        assert row["extra_info"].get("index", 0) == number
        assert row["extra_info"].get("tools_kwargs", {}) == {}
        assert isinstance(json.dumps(row["extra_info"]), str)

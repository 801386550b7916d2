"""cotmill bench trainers: some steps with each of TRL's trainers on a run's exports as they are."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from typing import Any

from pydantic import Field
from rich.console import Console

from pipelines.benches.shown import plain, table_of
from pipelines.export import ExportSettings, export
from pipelines.hydra_app import composed
from transforms.engine.errors import SettingsError
from transforms.engine.settings import Group, parse_settings
from transforms.models.embedded.smollm2 import weights_of
from transforms.publish.reward import rewards
from transforms.training.trainer import hush, require_trl


class BenchTrainersSettings(Group):
    """Everything `cotmill bench trainers` can be told."""

    run: str = Field(description="folder of a finished run, whose rows are exported")
    model: str = Field("embedded", description="model that is trained: embedded, a name or folder")
    steps: int = Field(ge=1, description="steps of each trainer, of two examples")
    max_tokens: int = Field(ge=1, description="longest example, and longest generated completion")


SETTINGS = BenchTrainersSettings

_EXPORTS = {
    "SFT": ("format=sft", "format.shape=prompt_completion"),
    "DPO": ("format=preference",),
    "GRPO": ("format=rl",),
}
"""Trainer -> what its examples are exported with."""


def trained(settings: BenchTrainersSettings) -> Iterator[dict[str, Any]]:
    """Yields for each trainer: trainer, examples, steps, first and last loss, for GRPO the mean
    reward (null for others), and seconds.

    Raises CotmillError where the run cannot be exported, such as one without rejected attempts.
    """
    import datasets
    from transformers import PrinterCallback

    require_trl()
    hush()
    for name, overrides in _EXPORTS.items():
        with tempfile.TemporaryDirectory(prefix="cotmill-trainers-") as folder:
            given = [f"run={settings.run}", f"output_dir={folder}/export", "template=null"]
            chosen = parse_settings(composed("export", [*given, *overrides]), ExportSettings)
            export(chosen, Console(quiet=True))
            rows = datasets.load_dataset(f"{folder}/export", cache_dir=f"{folder}/cache")["train"]
            started = time.monotonic()
            trainer = _trainer(name, settings, rows, folder)
            if not len(trainer.train_dataset):  # TRL leaves out what has nothing to learn
                raise SettingsError(
                    f"max_tokens={settings.max_tokens} cuts every example of {name} before its "
                    "answer: set a larger one"
                )
            trainer.remove_callback(PrinterCallback)
            trainer.train()
            history = trainer.state.log_history
        losses = [entry["loss"] for entry in history if "loss" in entry]
        earned = [entry["reward"] for entry in history if "reward" in entry]
        yield {
            "trainer": name,
            "examples": len(rows),
            "steps": len(losses),
            "first_loss": losses[0],
            "last_loss": losses[-1],
            "reward": sum(earned) / len(earned) if earned else None,
            "seconds": round(time.monotonic() - started, 1),
        }


def _trainer(name: str, settings: BenchTrainersSettings, examples: Any, folder: str) -> Any:
    import torch
    import trl

    model, cpu = str(weights_of(settings.model)), not torch.cuda.is_available()
    options: dict[str, Any] = {
        "output_dir": f"{folder}/out",
        "max_steps": settings.steps,
        "per_device_train_batch_size": 2,
        "use_cpu": cpu,
        "bf16": not cpu,
        "model_init_kwargs": {"dtype": "float32" if cpu else "bfloat16"},
        "report_to": [],
        "save_strategy": "no",
        "disable_tqdm": True,
        "log_level": "error",
        "logging_steps": 1,
    }
    if name == "SFT":
        sft = trl.SFTConfig(**options, max_length=settings.max_tokens)
        return trl.SFTTrainer(model, args=sft, train_dataset=examples)
    if name == "DPO":
        dpo = trl.DPOConfig(**options, max_length=settings.max_tokens)
        return trl.DPOTrainer(model, args=dpo, train_dataset=examples)
    grpo = trl.GRPOConfig(**options, num_generations=2, max_completion_length=settings.max_tokens)
    earned: Any = rewards
    return trl.GRPOTrainer(model, earned, args=grpo, train_dataset=examples)


def bench(settings: BenchTrainersSettings) -> None:
    """Losses, rewards and seconds of TRL's trainers on a run's exports."""
    console = plain()
    shown = ("examples", "steps", "first loss", "last loss", "reward", "seconds")
    table = table_of(["trainer"], shown)
    rows = []
    for row in trained(settings):
        rows.append(row)
        earned = "" if row["reward"] is None else f"{row['reward']:.2f}"
        losses = (f"{row['first_loss']:.3f}", f"{row['last_loss']:.3f}")
        counts = (str(row["examples"]), str(row["steps"]))
        table.add_row(row["trainer"], *counts, *losses, earned, str(row["seconds"]))
        console.print(f"{row['trainer']}: {row['seconds']} s")
    console.print(table)
    print(json.dumps({"bench": "trainers", "model": settings.model, "rows": rows}))

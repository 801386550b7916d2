"""cotmill train: verified seeds, or accepted rows, into a model that writes more of them."""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from hydra.core.hydra_config import HydraConfig
from rich.console import Console
from rich.table import Table

from pipelines.hydra_app import run_command
from transforms.engine.errors import RunFolderError, SettingsError, SourceError
from transforms.engine.ids import content_id
from transforms.engine.machine import machine
from transforms.engine.manifest import lineage, now
from transforms.engine.recipe import Segment
from transforms.engine.records import Seed
from transforms.engine.run_folder import RunFolder, absolute
from transforms.engine.segments import run_segment
from transforms.engine.tables import from_row
from transforms.engine.versions import versions
from transforms.models.pool import kinds_of
from transforms.sources import ReadSeeds, check_source
from transforms.stages.unify import ValidateSeeds
from transforms.training.card import model_card
from transforms.training.curve import draw_losses, losses
from transforms.training.examples import TrainingExample, examples, load_prompts
from transforms.training.exported import TASK, Conversation, conversations, manifest_of
from transforms.training.trainer import (
    Learnable,
    TrainSettings,
    fine_tune,
    hush,
    load_tokenizer,
    public_name,
    require_trl,
    token_count,
)

_STAGES = "stages/01-seeds"
_LONGEST_VERIFICATION = timedelta(hours=12)
"""How long the other processes of a group wait while the first verifies the seeds."""


def train(settings: TrainSettings, command: str, console: Console) -> dict[str, Any]:
    """Trains into `output_dir` and returns the training's manifest.

    The seeds are verified first, as a run verifies them: a segment of its own, with its rejects.
    In a process group (accelerate, torchrun) the first process does that, and the others wait.

    Raises CotmillError, one line that names the thing and the fix.
    """
    if "://" in settings.output_dir:
        raise RunFolderError(
            f"output_dir={settings.output_dir}: training writes to a local folder; name one"
        )
    require_trl()
    import torch
    from accelerate import PartialState

    hush()
    # Processes without a GPU find each other only where they are told to use the CPU.
    state = PartialState(cpu=not torch.cuda.is_available(), timeout=_LONGEST_VERIFICATION)
    run = RunFolder(absolute(settings.output_dir))
    manifest: dict[str, Any] = {}
    with contextlib.ExitStack() as held:
        with state.main_process_first():
            if state.is_main_process:
                if settings.examples is None:
                    for line in check_source(settings.source):
                        console.print(line, highlight=False, markup=False, soft_wrap=True)
                found = held.enter_context(
                    run.claimed(
                        resume=settings.resume, overwrite=settings.overwrite, identity="training_id"
                    )
                )
                manifest = begin(settings, command, run, found, console)
        return _train(settings, run, manifest, state.is_main_process, console)


def _train(
    settings: TrainSettings,
    run: RunFolder,
    manifest: dict[str, Any],
    is_main_process: bool,
    console: Console,
) -> dict[str, Any]:
    """Trains on the verified seeds, or on an export; the main process keeps the manifest, the
    others have none."""
    root = Path(run.root)
    training: Sequence[Learnable]
    held_out: Sequence[Learnable]
    if settings.examples is not None:
        training, held_out, counts = exported(settings.examples, settings)
    else:
        seeds = read_stage(root / _STAGES)
        check_holdout(seeds, settings.tasks.holdout_kinds)
        training, held_out, counts = divide(seeds, settings)
    if not training:
        raise SourceError(
            "no example is left to train on: see rejects/ for seeds that were not verified, "
            "tasks.holdout_kinds for kinds left out, optim.max_length for examples too long"
        )
    if is_main_process:
        manifest["examples"] = counts
        manifest["lineage"] = (
            lineage(run, _STAGES)
            if settings.examples is None
            else manifest_of(settings.examples)["lineage"]
        )
        run.write_manifest(manifest)
        print_examples(console, counts)
    trained = fine_tune(settings, training, held_out, root, lambda entry: show(console, entry))
    if is_main_process:
        manifest.update(
            status="complete",
            finished=now(),
            figures=trained.figures,
            log=trained.log,
            base_model=public_name(settings.model.name),
        )
        draw_losses(trained.log, trained.folder / "loss.png")
        (trained.folder / "README.md").write_text(model_card(manifest))
        run.write_manifest(manifest)
        manifest["model_folder"] = str(trained.folder)
    return manifest


def begin(
    settings: TrainSettings, command: str, run: RunFolder, found: dict[str, Any], console: Console
) -> dict[str, Any]:
    """Verifies the seeds, unless the training `found` in the folder has done that, or an export is
    trained on."""
    identity = content_id("training", identity_of(settings))
    if found and found["training_id"] != identity:
        raise RunFolderError(
            f"output_dir={run.root} holds a training with other settings: leave resume=true out "
            "and name another folder, or add overwrite=true"
        )
    manifest = {
        "training_id": identity,
        "status": "running",
        "started": now(),
        "finished": None,
        "command": command,
        "config": settings.model_dump(mode="json", by_alias=True),
        "versions": versions(),
        "machine": machine(),
        "segments": found.get("segments", []),
    }
    run.write_manifest(manifest)
    if settings.examples is None and not manifest["segments"]:
        console.print("verifying the seeds", highlight=False)
        segment = Segment(
            name="seeds",
            label="01-seeds",
            folder=_STAGES,
            stages=(
                ReadSeeds(source=settings.source, sandbox=settings.sandbox),
                ValidateSeeds(sandbox=settings.sandbox, filter=settings.filter),
            ),
            reads=None,
            writes=Seed,
            fingerprint=identity,
        )
        manifest["segments"] = [run_segment(segment, None, run, settings)]
        run.write_manifest(manifest)
    return manifest


def identity_of(settings: TrainSettings) -> dict[str, Any]:
    """The settings that decide what is trained: a resumed training must have the same."""
    free = {"output_dir", "resume", "overwrite", "runner", "sink"}
    values = settings.model_dump(mode="json", exclude=free)
    for name in ("log_steps", "save_steps"):
        del values["optim"][name]
    prompts = load_prompts(settings.prompts, settings.tasks.mix)
    values["prompts"] = {task: prompt.identity() for task, prompt in prompts.items()}
    values["sandbox"] = settings.sandbox.identity()
    if settings.examples is not None:
        values["examples"] = manifest_of(settings.examples)
    return values


def read_stage(folder: Path) -> list[Seed]:
    """The verified seeds, in the order of their ids."""
    files = sorted(folder.glob("*.parquet"))
    rows = (row for file in files for row in pq.read_table(file).to_pylist())
    return sorted((from_row(Seed, row) for row in rows), key=lambda seed: seed.id)


def check_holdout(seeds: Sequence[Seed], holdout_kinds: Sequence[str]) -> None:
    """Raises SettingsError where no seed is of a kind that is to be held out."""
    kinds = kinds_of(seeds)
    unknown = sorted(set(holdout_kinds) - set(kinds))
    if unknown:
        raise SettingsError(
            f"tasks.holdout_kinds: no verified seed is of the kind {unknown[0]}: the seeds have "
            f"{', '.join(kinds) or 'no kinds'}"
        )


def divide(
    seeds: Iterable[Seed], settings: TrainSettings
) -> tuple[list[TrainingExample], list[TrainingExample], dict[str, dict[str, int]]]:
    """Returns examples to train on, examples of held-out kinds, and the counts of each task.

    Of those held out, each task has at most `tasks.max_held_out`, drawn by their seeds' ids.

    Examples longer than `optim.max_length` are in neither: cut off, they would teach a model to
    end in the middle.
    """
    tasks = settings.tasks
    prompts = load_prompts(settings.prompts, tasks.mix)
    tokenizer = load_tokenizer(settings.model.name)
    names = ("training", "tokens", "held_out", "too_long")
    counts: dict[str, dict[str, int]] = {
        task: dict.fromkeys(names, 0) for task, weight in tasks.mix.items() if weight
    }
    training, held_out = [], []
    in_drawn_order = sorted(seeds, key=lambda seed: content_id("held out", seed.id))
    for item in examples(in_drawn_order, tasks, prompts, settings.seed):
        count, tokens = counts[item.task], token_count(tokenizer, item)
        if tokens > settings.optim.max_length:
            count["too_long"] += 1
        elif item.kind in tasks.holdout_kinds:
            if count["held_out"] < tasks.max_held_out:
                held_out.append(item)
                count["held_out"] += 1
        else:
            training.append(item)
            count["training"] += 1
            count["tokens"] += tokens
    return training, held_out, counts


def exported(
    folder: str, settings: TrainSettings
) -> tuple[list[Conversation], list[Conversation], dict[str, dict[str, int]]]:
    """Returns an export's conversations to train on, those held out, and their counts.

    Those longer than `optim.max_length` are in neither: cut off, they would teach a model to end in
    the middle.
    """
    manifest_of(folder)
    tokenizer = load_tokenizer(settings.model.name)
    fitting: dict[str, list[Conversation]] = {"train": [], "validation": []}
    too_long = 0
    for split, kept in fitting.items():
        for item in conversations(folder, split, tokenizer):
            if len(item.input_ids) > settings.optim.max_length:
                too_long += 1
            else:
                kept.append(item)
    training, held_out = fitting["train"], fitting["validation"]
    tokens = sum(len(item.input_ids) for item in training)
    counts = {"training": len(training), "tokens": tokens, "held_out": len(held_out)}
    return training, held_out, {TASK: {**counts, "too_long": too_long}}


def print_examples(console: Console, counts: dict[str, dict[str, int]]) -> None:
    table = Table(title="Examples", title_justify="left", box=None, pad_edge=False)
    for name in ("task", "training", "tokens", "held out", "too long"):
        table.add_column(name, justify="left" if name == "task" else "right")
    for task, count in counts.items():
        table.add_row(task, *(f"{number:,}" for number in count.values()))
    console.print(table, "")


def show(console: Console, entry: dict[str, Any]) -> None:
    """Prints an entry of the log in one line: where the training is, and when it will end."""
    found = {name: points[-1][1] for name, points in losses([entry]).items()}
    if found:
        step, steps = entry["step"], entry["steps"]
        where = f"step {step}/{steps}" if steps else "before the training"
        said = ", ".join(f"{name} loss {value:.3f}" for name, value in found.items())
        minutes = math.ceil(entry["seconds_left"] / 60)
        left = f", {minutes} min left" if 0 < step < steps else ""
        console.print(f"{where}: {said}{left}", highlight=False, soft_wrap=True)


def _main(settings: TrainSettings) -> None:
    overrides = [text.lstrip("+") for text in HydraConfig.get().overrides.task]
    command = " ".join(["cotmill train", *overrides])
    console = Console(file=sys.stdout)
    manifest = train(settings, command, console)
    if manifest:
        folder, lora = manifest["model_folder"], settings.lora.rank
        key = "backend.adapter" if lora else "backend.model"
        console.print(
            f"\n{folder}: the {'adapter' if lora else 'model'}, its card (README.md) and the loss "
            f"(loss.png). Use it: cotmill synthesize {key}={folder}",
            highlight=False,
            soft_wrap=True,
        )


def main() -> None:
    run_command("train", "verified seeds, or a run, into a model", TrainSettings, _main)

"""Supervised fine-tuning by TRL, with PEFT's LoRA or of all weights."""

from __future__ import annotations

import importlib
import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol

from pydantic import Field, model_validator

from transforms.engine.errors import BackendError, one_line
from transforms.engine.runner_settings import DirectSettings
from transforms.engine.settings import Folder, FolderSettings, Group, SinkSettings
from transforms.models.embedded.adapters import adapter_folder
from transforms.models.embedded.model_cache import share
from transforms.models.embedded.smollm2 import EMBEDDED, weights_of
from transforms.programs.checks import FilterSettings
from transforms.sandbox.settings import SandboxSettings
from transforms.sources.read import AnySource
from transforms.training.examples import TaskSettings, TrainingExample


class ModelSettings(Group):
    """The model that is trained."""

    name: str = Field(description="model name or path; `embedded` is the small model of make demo")
    dtype: Literal["bfloat16", "float16", "float32"] = Field(
        description="type of the weights; LoRA weights are float32 while they are trained"
    )
    attention: str | None = Field(
        None, description="sdpa, flash_attention_2, eager ... (null: the model's default)"
    )


class LoraSettings(Group):
    """Low-rank adaptation by PEFT, or none."""

    rank: int = Field(ge=0, description="rank of the adapter (0: train all weights instead)")
    alpha: int = Field(ge=1, description="the adapter is scaled by alpha / rank")
    dropout: float = Field(0.0, ge=0, lt=1, description="dropout before the adapter")
    target_modules: str | list[str] = Field(
        "all-linear", description="layers that get one: all-linear, or their names"
    )
    start: str | None = Field(
        None,
        description="adapter to go on from, which then decides rank, alpha and layers: a folder, "
        "or the name of one in data/models (null: a new one)",
    )

    @model_validator(mode="after")
    def _start_is_lora(self) -> LoraSettings:
        if self.start is not None and not self.rank:
            raise ValueError("lora.start goes on from an adapter, and rank 0 trains none")
        return self


class OptimSettings(Group):
    """How the loss is brought down."""

    learning_rate: float = Field(gt=0, description="highest learning rate")
    schedule: Literal["cosine", "linear", "constant_with_warmup"] = Field(
        description="how the learning rate falls after the warm-up"
    )
    warmup: float = Field(ge=0, description="warm-up: steps, or below 1 a share of all steps")
    epochs: float = Field(gt=0, description="times that the examples are seen")
    max_steps: int | None = Field(None, ge=1, description="steps, at most (null: epochs)")
    batch_size: int = Field(ge=1, description="sequences on a device at once")
    accumulate: int = Field(1, ge=1, description="batches per step")
    max_length: int = Field(
        ge=32, description="cutoff, tokens: longer examples are left out, and counted"
    )
    packing: bool = Field(
        description="fill sequences of max_length with several examples each (best on GPUs with "
        "flash attention); false: batches of examples of about one length"
    )
    gradient_checkpointing: bool = Field(
        description="compute activations twice instead of keeping them: less memory, slower"
    )
    weight_decay: float = Field(0.0, ge=0, description="decoupled weight decay (AdamW)")
    max_grad_norm: float = Field(1.0, gt=0, description="gradients are clipped to this norm")
    log_steps: int = Field(10, ge=1, description="steps between entries of the log")
    save_steps: int = Field(ge=1, description="steps between checkpoints; the last two are kept")
    eval_steps: int | None = Field(
        None, ge=1, description="steps between evaluations on held-out seeds (null: at the end)"
    )


class TrainSettings(FolderSettings):
    """Everything `cotmill train` can be told."""

    output_dir: Folder = Field(description="local folder for checkpoints and the trained model")
    examples: str | None = Field(
        None,
        description="folder of cotmill export format=sft, whose conversations are trained on by "
        "their loss masks, and whose validation split is held out (null: the tasks of the seeds)",
    )
    source: AnySource
    prompts: str = Field(description="folder of the prompt files that the model will be asked with")
    model: ModelSettings
    lora: LoraSettings
    optim: OptimSettings
    tasks: TaskSettings
    seed: int = Field(0, ge=0, description="seed of every random choice")
    sandbox: SandboxSettings
    filter: FilterSettings
    runner: DirectSettings
    sink: SinkSettings


class Learnable(Protocol):
    """An example that can be trained on."""

    @property
    def task(self) -> str:
        """What the loss on held-out examples is reported for."""
        ...

    def as_trl(self) -> dict[str, Any]:
        """The example in a form that TRL trains on."""
        ...


@dataclass(frozen=True)
class Trained:
    """What a training leaves."""

    folder: Path
    """What `backend.adapter` (LoRA) or `backend.model` (all weights) names."""
    log: list[dict[str, Any]]
    """The trainer's log: an entry every `log_steps` with step and loss, and the evaluations."""
    figures: dict[str, Any]
    """Steps, the seconds that the last of them took (all, if nothing was resumed), parameters."""


def require_trl() -> None:
    """Raises BackendError, one line, where what training needs is not installed."""
    for package in ("torch", "transformers", "trl", "peft"):
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise BackendError(
                f"training needs {package} ({error}): pip install 'cotmill[train]'"
            ) from error


def hush() -> None:
    """Keeps what TRL and the libraries below it tell and draw off the terminal, errors excepted."""
    import datasets
    import transformers

    datasets.disable_progress_bars()
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    logging.getLogger("trl").setLevel(logging.ERROR)


def public_name(name: str) -> str:
    """What a saved model names as its base: not the folder that the embedded model is built in."""
    return "HuggingFaceTB/SmolLM2-135M-Instruct" if name == EMBEDDED else name


def load_tokenizer(name: str) -> Any:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(weights_of(name))
    except (OSError, ValueError) as error:
        raise _unloadable(name, error) from error


def _unloadable(name: str, error: Exception) -> BackendError:
    return BackendError(f"model.name={name} cannot be loaded: {one_line(error)}")


def _load_model(settings: ModelSettings) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    try:
        return AutoModelForCausalLM.from_pretrained(
            weights_of(settings.name),
            dtype=getattr(torch, settings.dtype),
            attn_implementation=settings.attention,
        )
    except (OSError, ValueError, ImportError) as error:  # ImportError: flash attention is missing
        raise _unloadable(settings.name, error) from error


def token_count(tokenizer: Any, example: TrainingExample) -> int:
    """Tokens of an example as it is trained on, its end of text included."""
    form = example.as_trl()
    if isinstance(form["prompt"], str):
        return len(tokenizer(form["prompt"] + form["completion"]).input_ids) + 1
    turns = form["prompt"] + form["completion"]
    return len(tokenizer.apply_chat_template(turns, tokenize=True, return_dict=True)["input_ids"])


def fine_tune(
    settings: TrainSettings,
    training: Sequence[Learnable],
    held_out: Sequence[Learnable],
    root: Path,
    tell: Callable[[dict[str, Any]], None],
) -> Trained:
    """Trains and saves under `root`: `checkpoints/`, then `adapter/` or `model/`.

    `tell` is given each log entry. With `settings.resume`, training goes on from the last
    checkpoint there. In a process group (accelerate, torchrun) each process trains on its share.

    Raises:
        BackendError: the model cannot be loaded.
    """
    checkpoint = last_checkpoint(root / "checkpoints") if settings.resume else None
    clock = _Clock(tell)
    trainer = build_trainer(settings, training, held_out, root, [clock.callback()])
    weights = list(trainer.model.parameters())
    sizes = [getattr(weight, "ds_numel", weight.numel()) for weight in weights]  # sharded or not
    if held_out and checkpoint is None:
        trainer.evaluate()  # before the first step: what the model could do without this training
        clock.before = trainer.state.log_history
    trainer.train(resume_from_checkpoint=checkpoint)
    if held_out:
        trainer.evaluate()
    folder = root / ("adapter" if settings.lora.rank else "model")
    save(trainer, folder, settings)
    return Trained(
        folder,
        trainer.state.log_history,
        {
            "steps": trainer.state.global_step,
            "timed_steps": trainer.state.global_step - clock.first_step,
            "seconds": round(time.monotonic() - clock.begun, 1),
            "parameters_trained": sum(
                size for size, weight in zip(sizes, weights, strict=True) if weight.requires_grad
            ),
            "parameters": sum(sizes),
        },
    )


def build_trainer(
    settings: TrainSettings,
    training: Sequence[Learnable],
    held_out: Sequence[Learnable],
    root: Path,
    callbacks: Sequence[Any] = (),
) -> Any:
    """Returns TRL's trainer, ready to train on `training`; each task of `held_out` is evaluated."""
    import torch
    from accelerate import PartialState
    from datasets import Dataset
    from peft import LoraConfig, PeftModel
    from transformers import PrinterCallback

    cpu = not torch.cuda.is_available()
    # Before the model is loaded: ZeRO-3 shards the weights as they are read, by these arguments.
    arguments = _arguments(settings, root, cpu, evaluates=bool(held_out))
    model = _load_model(settings.model)
    lora = settings.lora
    peft = None
    if lora.start is not None:
        start = str(adapter_folder(lora.start, "lora.start"))
        model = PeftModel.from_pretrained(model, start, is_trainable=True)
    elif lora.rank:
        peft = LoraConfig(
            r=lora.rank,
            lora_alpha=lora.alpha,
            lora_dropout=lora.dropout,
            target_modules=lora.target_modules,
            task_type="CAUSAL_LM",
        )
    evaluations = {
        task: Dataset.from_list([item.as_trl() for item in held_out if item.task == task])
        for task in dict.fromkeys(item.task for item in held_out)
    }
    trainer = _trainer_class(cpu and PartialState().num_processes == 1)(
        model=model,
        args=arguments,
        processing_class=load_tokenizer(settings.model.name),
        train_dataset=Dataset.from_list([item.as_trl() for item in training]),
        eval_dataset=evaluations or None,
        peft_config=peft,
        callbacks=list(callbacks),
    )
    trainer.remove_callback(PrinterCallback)
    if lora.rank:  # peft would ask the Hub at each checkpoint whether the vocabulary has grown
        trainer.model.save_pretrained = partial(
            trainer.model.save_pretrained, save_embedding_layers=False
        )
    return trainer


def _trainer_class(alone_on_cpu: bool) -> Any:
    from trl import SFTTrainer

    if not alone_on_cpu:
        return SFTTrainer
    import torch

    class CompletionTrainer(SFTTrainer):
        """Scores the tokens that are learned, and no others.

        TRL's fused head does so on GPUs; on a CPU it scores every token of the prompts too, for
        figures that nobody asks for here: 329 tokens/s against 493 (SmolLM2-135M, 2 cores).
        It goes past the wrapper that adds up the gradients of several processes.
        """

        def compute_loss(
            self,
            model: Any,
            inputs: Any,
            return_outputs: bool = False,
            num_items_in_batch: Any = None,
        ) -> Any:
            whole = self.accelerator.unwrap_model(model)
            whole = whole.get_base_model() if hasattr(whole, "peft_config") else whole
            given = {name: value for name, value in inputs.items() if name != "labels"}
            labels = inputs["labels"][:, 1:]
            learned = labels != -100
            states = whole.base_model(**given, use_cache=False).last_hidden_state[:, :-1]
            logits = whole.get_output_embeddings()(states[learned]).float()
            loss = torch.nn.functional.cross_entropy(logits, labels[learned], reduction="sum")
            loss = loss / (learned.sum() if num_items_in_batch is None else num_items_in_batch)
            return (loss, {}) if return_outputs else loss

    return CompletionTrainer


def save(trainer: Any, folder: Path, settings: TrainSettings) -> None:
    """Writes the adapter, or the whole model with its tokenizer, as vLLM loads it.

    Every process must call it, where there are several; the first one writes.
    """
    trainer.save_model(str(folder))
    if not trainer.is_world_process_zero():
        return
    leftovers = ["training_args.bin", "README.md"]  # a pickle, and a card with nothing in it
    if settings.lora.rank:
        _publish(folder, settings.model)
        # The tokenizer is the base's, and larger than the adapter.
        leftovers += ["chat_template.jinja", "tokenizer.json", "tokenizer_config.json"]
    for leftover in leftovers:
        (folder / leftover).unlink(missing_ok=True)
    share(folder)


def _publish(folder: Path, model: ModelSettings) -> None:
    """Names the base in an adapter as others know it, and casts its weights to the base's type.

    They are trained in float32, since small steps vanish in bfloat16, and served in the other.
    """
    import torch
    from safetensors.torch import load_file, save_file

    config = folder / "adapter_config.json"
    content = json.loads(config.read_text()) | {"base_model_name_or_path": public_name(model.name)}
    config.write_text(json.dumps(content, indent=2) + "\n")
    weights = folder / "adapter_model.safetensors"
    dtype = getattr(torch, model.dtype)
    cast = {name: weight.to(dtype) for name, weight in load_file(weights).items()}
    save_file(cast, weights, metadata={"format": "pt"})


def last_checkpoint(folder: Path) -> str | None:
    """The last whole checkpoint in a folder, which has its state, written last; None if none is."""
    whole = folder.glob("checkpoint-*/trainer_state.json")
    steps = {int(state.parent.name.rpartition("-")[2]): state.parent for state in whole}
    return str(steps[max(steps)]) if steps else None


def _arguments(settings: TrainSettings, root: Path, cpu: bool, evaluates: bool) -> Any:
    from trl import SFTConfig

    optim = settings.optim
    return SFTConfig(
        output_dir=str(root / "checkpoints"),
        use_cpu=cpu,
        bf16=settings.model.dtype == "bfloat16",
        learning_rate=optim.learning_rate,
        lr_scheduler_type=optim.schedule,
        warmup_steps=optim.warmup,
        num_train_epochs=optim.epochs,
        max_steps=optim.max_steps or -1,
        per_device_train_batch_size=optim.batch_size,
        per_device_eval_batch_size=optim.batch_size,
        gradient_accumulation_steps=optim.accumulate,
        gradient_checkpointing=optim.gradient_checkpointing,
        weight_decay=optim.weight_decay,
        max_grad_norm=optim.max_grad_norm,
        ddp_find_unused_parameters=False,
        max_length=optim.max_length,
        packing=optim.packing,
        train_sampling_strategy="random" if optim.packing else "group_by_length",
        completion_only_loss=True,
        logging_steps=optim.log_steps,
        logging_first_step=True,
        eval_strategy="steps" if evaluates and optim.eval_steps else "no",
        eval_steps=optim.eval_steps,
        save_steps=optim.save_steps,
        save_total_limit=2,
        seed=settings.seed,
        disable_tqdm=True,
        report_to="none",
        dataloader_num_workers=0,
        dataloader_pin_memory=not cpu,
    )


class _Clock:
    """Passes each entry of the trainer's log on, with the step, all steps, and the seconds left."""

    def __init__(self, tell: Callable[[dict[str, Any]], None]) -> None:
        self._tell = tell
        self.begun = time.monotonic()
        self.first_step = 0
        """The step of the checkpoint that the training went on from."""
        self.before: list[dict[str, Any]] = []
        """What was logged before the training, which begins with a log of its own."""

    def callback(self) -> Any:
        from transformers import TrainerCallback

        clock = self

        class Callback(TrainerCallback):
            def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
                clock.begun, clock.first_step = time.monotonic(), state.global_step
                state.log_history[:0] = clock.before  # checkpoints keep it

            def on_log(
                self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any
            ) -> None:
                if state.is_world_process_zero:
                    clock.entry(state.global_step, state.max_steps, logs or {})

        return Callback()

    def entry(self, step: int, steps: int, logs: dict[str, Any]) -> None:
        done = step - self.first_step
        each = (time.monotonic() - self.begun) / done if done > 0 else 0.0
        self._tell({**logs, "step": step, "steps": steps, "seconds_left": each * (steps - step)})

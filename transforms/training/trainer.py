"""Supervised fine-tuning by TRL, with PEFT's LoRA or of all weights."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transforms.errors import BackendError
from transforms.generation.adapters import adapter_folder
from transforms.generation.embedded import EMBEDDED, embedded_model
from transforms.settings import TrainSettings
from transforms.training.examples import TrainingExample


@dataclass(frozen=True)
class Trained:
    """What a training leaves."""

    folder: Path
    """What `backend.adapter` (LoRA) or `backend.model` (all weights) names."""
    log: list[dict[str, Any]]
    """The trainer's log: an entry every `log_steps` with step and loss, and the evaluations."""
    figures: dict[str, Any]
    """Steps, seconds, parameters trained and in all."""


def require_trl() -> None:
    """Raises BackendError, one line, where what training needs is not installed."""
    for package in ("torch", "transformers", "trl", "peft"):
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise BackendError(
                f"training needs {package} ({error}): pip install 'cotmill[train]'"
            ) from error


def base_folder(name: str) -> str:
    """Where the weights of `model.name` are: the embedded model's folder, or the name itself."""
    return str(embedded_model()) if name == EMBEDDED else name


def public_name(name: str) -> str:
    """What a saved model names as its base: not the folder that the embedded model is built in."""
    return "HuggingFaceTB/SmolLM2-135M-Instruct" if name == EMBEDDED else name


def load_tokenizer(name: str) -> Any:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(base_folder(name))
    except (OSError, ValueError) as error:
        raise BackendError(_unloadable(name, error)) from error


def _unloadable(name: str, error: Exception) -> str:
    first = " ".join(str(error).split())[:300]
    return f"model.name={name} cannot be loaded: {first}"


def token_count(tokenizer: Any, example: TrainingExample) -> int:
    """Tokens of an example as it is trained on, its end of text included."""
    form = example.as_trl()
    if isinstance(form["prompt"], str):
        return len(tokenizer(form["prompt"] + form["completion"]).input_ids) + 1
    turns = form["prompt"] + form["completion"]
    return len(tokenizer.apply_chat_template(turns, tokenize=True, return_dict=True)["input_ids"])


def fine_tune(
    settings: TrainSettings,
    training: Sequence[TrainingExample],
    held_out: Sequence[TrainingExample],
    root: Path,
    tell: Callable[[dict[str, Any]], None],
) -> Trained:
    """Trains and saves under `root`: `checkpoints/`, then `adapter/` or `model/`.

    `tell` is given each log entry. With `settings.resume`, training goes on from the last
    checkpoint there. In a process group (accelerate, torchrun) each process trains on its share.

    Raises:
        BackendError: the model cannot be loaded.
    """
    import torch
    from datasets import Dataset
    from peft import LoraConfig, PeftModel
    from transformers import AutoModelForCausalLM, PrinterCallback

    cpu = not torch.cuda.is_available()
    checkpoint = _last_checkpoint(root) if settings.resume else None
    tokenizer = load_tokenizer(settings.model.name)
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(
            base_folder(settings.model.name),
            dtype=getattr(torch, settings.model.dtype),
            attn_implementation=settings.model.attention,
        )
    except (OSError, ValueError) as error:
        raise BackendError(_unloadable(settings.model.name, error)) from error
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
    begun = time.monotonic()
    trainer = _trainer_class(cpu)(
        model=model,
        args=_config(settings, root, cpu, evaluates=bool(evaluations)),
        processing_class=tokenizer,
        train_dataset=Dataset.from_list([item.as_trl() for item in training]),
        eval_dataset=evaluations or None,
        peft_config=peft,
        callbacks=[_callback(tell, begun)],
    )
    trainer.remove_callback(PrinterCallback)
    trained, total = (trainer.model.num_parameters(only_trainable=only) for only in (True, False))
    if evaluations and checkpoint is None:
        trainer.evaluate()  # before the first step: what the model could do without this training
    trainer.train(resume_from_checkpoint=checkpoint)
    if evaluations:
        trainer.evaluate()
    folder = root / ("adapter" if lora.rank else "model")
    save(trainer, folder, settings.model.name)
    return Trained(
        folder,
        trainer.state.log_history,
        {
            "steps": trainer.state.global_step,
            "seconds": round(time.monotonic() - begun, 1),
            "parameters_trained": trained,
            "parameters": total,
        },
    )


def _trainer_class(cpu: bool) -> Any:
    from trl import SFTTrainer

    if not cpu:
        return SFTTrainer
    import torch

    class CompletionTrainer(SFTTrainer):
        """Scores the tokens that are learned, and no others.

        TRL's fused head does so on GPUs; on a CPU it scores every token of the prompts too, for
        figures that nobody asks for here: 329 tokens/s against 493 (SmolLM2-135M, 2 cores).
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


def save(trainer: Any, folder: Path, base: str) -> None:
    """Writes the adapter, or the whole model with its tokenizer, as vLLM loads it."""
    model = trainer.accelerator.unwrap_model(trainer.model)
    if hasattr(model, "peft_config"):
        for config in model.peft_config.values():
            config.base_model_name_or_path = public_name(base)
        # Trained in float32, since small steps vanish in bfloat16; served in the model's own type.
        dtype = next(p.dtype for n, p in model.named_parameters() if "lora_" not in n)
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.data = parameter.data.to(dtype)
    trainer.save_model(str(folder))
    for leftover in ("training_args.bin", "README.md"):  # a pickle, and a card with nothing in it
        (folder / leftover).unlink(missing_ok=True)


def _last_checkpoint(root: Path) -> str | None:
    """The last whole checkpoint; None where the training was stopped before its first."""
    from transformers.trainer_utils import get_last_checkpoint

    folder = root / "checkpoints"
    return get_last_checkpoint(str(folder)) if folder.is_dir() else None


def _config(settings: TrainSettings, root: Path, cpu: bool, evaluates: bool) -> Any:
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


def _callback(tell: Callable[[dict[str, Any]], None], begun: float) -> Any:
    """Passes each entry of the trainer's log to `tell`, with the step and the seconds so far."""
    from transformers import TrainerCallback

    class Callback(TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if state.is_world_process_zero:
                tell(
                    {
                        "step": state.global_step,
                        "steps": state.max_steps,
                        "seconds": time.monotonic() - begun,
                        **(logs or {}),
                    }
                )

    return Callback()

"""LoRA adapters: where they are, and weights that have one merged into them."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from transforms.engine.errors import BackendError
from transforms.engine.ids import content_id
from transforms.engine.paths import DATA
from transforms.models.backends.settings import VllmBackend
from transforms.models.digests import adapter_digest, model_digest
from transforms.models.embedded.model_cache import built_once, quiet
from transforms.models.embedded.smollm2 import weights_of


def model_path(backend: VllmBackend) -> str:
    """Returns what vLLM loads as the model: a folder or a name, the adapter merged if asked so.

    Raises:
        BackendError: the embedded model, or the merging, lacks a package or a file.
    """
    model = weights_of(backend.model)
    if backend.adapter is None or not backend.merge_adapter:
        return model
    return str(merged_model(model, adapter_folder(backend.adapter, f"{backend.place}.adapter")))


def adapter_path(backend: VllmBackend) -> str | None:
    """Returns the folder of the adapter that vLLM applies; None where there is none to apply."""
    if backend.adapter is None or backend.merge_adapter:
        return None
    return str(adapter_folder(backend.adapter, f"{backend.place}.adapter"))


def adapter_folder(name: str, setting: str = "backend.adapter") -> Path:
    """Returns the folder of the adapter that `setting` names: one in data/models/, or a path."""
    shipped = DATA / "models" / name
    folder = shipped if shipped.is_dir() else Path(name).expanduser().absolute()
    if not (folder / "adapter_config.json").is_file():
        raise BackendError(
            f"{setting}={name} is no folder of a LoRA adapter: it holds no adapter_config.json"
        )
    return folder


def merged_model(model: str, adapter: Path) -> Path:
    """Returns the folder of `model` with `adapter` added to its weights, built once in the cache.

    The sum is made in float32 and written in the model's own type. Files of other content, in the
    same places, are merged anew.

    Raises:
        BackendError: a file of either cannot be read, or a package is missing.
    """
    weights = model_digest(Path(model)) if Path(model).exists() else model
    digest = content_id("merged", weights, adapter_digest(adapter))[:16]
    return built_once(
        f"merged-{digest}",
        partial(_merge, model, adapter),
        what=f"{model} with {adapter} merged",
        room="room for the model",
    )


def _merge(model: str, adapter: Path, folder: Path) -> None:
    try:
        import torch
        from peft import PeftModel
        from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
    except ImportError as error:
        raise BackendError(
            f"merging an adapter needs peft ({error}): pip install 'cotmill[cpu]', or on a "
            "GPU 'cotmill[gpu]', or set backend.merge_adapter=false"
        ) from error
    with quiet():
        dtype = AutoConfig.from_pretrained(model).dtype
        base = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
        merged = PeftModel.from_pretrained(base, str(adapter)).merge_and_unload().to(dtype)
        merged.save_pretrained(folder)
        AutoTokenizer.from_pretrained(model).save_pretrained(folder)

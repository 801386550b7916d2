"""LoRA adapters: where they are, and weights that have one merged into them."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path

from transforms.errors import BackendError
from transforms.generation.embedded import weights_of
from transforms.generation.model_cache import built_once, quiet
from transforms.paths import DATA
from transforms.settings import VllmBackend


def model_path(backend: VllmBackend) -> str:
    """Returns what vLLM loads as the model: a folder or a name, the adapter merged if asked so.

    Raises:
        BackendError: the embedded model, or the merging, lacks a package or a file.
    """
    model = weights_of(backend.model)
    if backend.adapter is None or not backend.merge_adapter:
        return model
    return str(merged_model(model, adapter_folder(backend.adapter)))


def adapter_path(backend: VllmBackend) -> str | None:
    """Returns the folder of the adapter that vLLM applies; None where there is none to apply."""
    if backend.adapter is None or backend.merge_adapter:
        return None
    return str(adapter_folder(backend.adapter))


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

    The sum is made in float32 and written in the model's own type.
    """
    digest = hashlib.blake2b(model.encode(), digest_size=8)
    for file in ("adapter_config.json", "adapter_model.safetensors"):
        try:
            digest.update((adapter / file).read_bytes())
        except OSError as error:
            raise BackendError(f"the adapter {adapter} cannot be read: {error}") from error
    return built_once(
        f"merged-{digest.hexdigest()}",
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
            f"merging an adapter needs peft ({error}): pip install 'cotmill[train]', "
            "or set backend.merge_adapter=false"
        ) from error
    with quiet():
        dtype = AutoConfig.from_pretrained(model).dtype
        base = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
        merged = PeftModel.from_pretrained(base, str(adapter)).merge_and_unload().to(dtype)
        merged.save_pretrained(folder)
        AutoTokenizer.from_pretrained(model).save_pretrained(folder)

"""An adapter is merged into weights once, and they then answer as model and adapter would."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.training.tiny import write_tiny_model
from transforms.engine.errors import BackendError
from transforms.models.embedded.adapters import merged_model


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    folder = write_tiny_model(tmp_path / "model")  # of the embedded model's cache
    monkeypatch.setenv("COTMILL_CACHE", str(tmp_path / "cache"))
    return folder


def _write_adapter(model: str, folder: Path, seed: int) -> Path:
    """Writes an adapter of random weights."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    base = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    config = LoraConfig(
        r=4, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False
    )
    get_peft_model(base, config).save_pretrained(folder, save_embedding_layers=False)
    return folder


def test_merged_weights_answer_as_model_and_adapter(model: str, tmp_path: Path) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    adapter = _write_adapter(model, tmp_path / "adapter", seed=1)
    ids = torch.arange(100, 120)[None]

    def logits(folder: str, adapted: bool) -> torch.Tensor:
        loaded = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        if adapted:
            loaded = PeftModel.from_pretrained(loaded, str(adapter))
        with torch.no_grad():
            found: torch.Tensor = loaded(input_ids=ids).logits
        return found

    merged = logits(str(merged_model(model, adapter)), False)
    error = (merged - logits(model, True)).norm()
    assert error < 0.05 * (merged - logits(model, False)).norm()


def test_it_is_merged_once_for_each_adapter(model: str, tmp_path: Path) -> None:
    one, other = (_write_adapter(model, tmp_path / f"{seed}", seed) for seed in (1, 2))
    folder = merged_model(model, one)
    written = (folder / "model.safetensors").stat().st_mtime_ns
    assert merged_model(model, one) == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == written
    assert merged_model(model, other) != folder


def test_other_users_of_the_machine_may_read_merged_weights(model: str, tmp_path: Path) -> None:
    folder = merged_model(model, _write_adapter(model, tmp_path / "adapter", seed=1))
    modes = {path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert (folder.stat().st_mode & 0o777, modes) == (0o755, {0o644})


def test_without_peft_it_says_what_to_install(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = _write_adapter(model, tmp_path / "adapter", seed=1)
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(
        BackendError, match=r"merging an adapter needs peft .*cotmill\[cpu\].*cotmill\[gpu\]"
    ):
        merged_model(model, adapter)

"""A LoRA adapter of the embedded model, of rank 4 and with random weights."""

from __future__ import annotations

import json
from pathlib import Path

from transforms.models.embedded.smollm2 import embedded_model

_RANK = 4


def write_adapter(folder: Path) -> None:
    """Writes the adapter into `folder` in the form that peft gives its adapters."""
    import torch
    from safetensors.torch import save_file

    config = json.loads((embedded_model() / "config.json").read_text())
    hidden, heads = config["hidden_size"], config["num_attention_heads"]
    values = hidden // heads * config["num_key_value_heads"]
    torch.manual_seed(0)
    weights = {}
    for layer in range(config["num_hidden_layers"]):
        for name, size in {"q_proj": hidden, "v_proj": values}.items():
            place = f"base_model.model.model.layers.{layer}.self_attn.{name}"
            weights[f"{place}.lora_A.weight"] = torch.randn(_RANK, hidden) / 10
            weights[f"{place}.lora_B.weight"] = torch.randn(size, _RANK) / 10
    save_file(weights, str(folder / "adapter_model.safetensors"))
    about = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": _RANK, "lora_alpha": 8}
    about |= {"target_modules": ["q_proj", "v_proj"], "bias": "none"}
    (folder / "adapter_config.json").write_text(json.dumps(about))

"""A model of two small layers with the embedded model's tokenizer, and settings to train it."""

from __future__ import annotations

from pathlib import Path

from hydra import compose, initialize_config_dir

from pipelines.hydra_app import settable, to_settings
from transforms.engine.paths import CONF
from transforms.models.embedded.smollm2 import embedded_model
from transforms.training.trainer import TrainSettings

SMALL = ("optim.batch_size=2", "optim.max_length=448", "optim.log_steps=1", "sandbox.slots=2")
"""Overrides for trainings of a few steps."""


def write_tiny_model(folder: Path) -> str:
    """Writes the model, random but the same each time, and returns its folder."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(embedded_model())
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
    )
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def train_settings(*overrides: str) -> TrainSettings:
    """The settings that `cotmill train` composes of these overrides."""
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        config = compose("train", [settable(item) for item in overrides])
        return to_settings(config, TrainSettings)

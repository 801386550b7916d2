"""A tiny Idefics3 with random weights and the embedded model's tokenizer."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from transformers import AutoTokenizer, Idefics3Config, Idefics3ForConditionalGeneration

from transforms.models.embedded.smollm2 import embedded_model

SEEN = 4
"""Tokens of what a picture shows: 56 x 56 pixels in patches of 14, four patches a token."""
TOKENS = SEEN + 3
"""Tokens of a picture: one before, one after, and one that says it is whole."""
_IMAGE = "<image>"
_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['content'] is string %}{{ m['content'] }}{% else %}{% for part in m['content'] %}"
    "{% if part['type'] == 'text' %}{{ part['text'] }}{% else %}" + _IMAGE + "{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def write_tiny_vision_model(folder: Path) -> None:
    """Writes a model that vLLM loads: 6 million weights, most of them of its tokens."""
    tokenizer = AutoTokenizer.from_pretrained(embedded_model())
    marks = ["<fake_token_around_image>", _IMAGE, "<end_of_utterance>", "<global-img>"]
    tokenizer.add_special_tokens({"additional_special_tokens": marks})
    tokenizer.chat_template = _TEMPLATE
    tokenizer.save_pretrained(folder)
    size = {"hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 2}
    size["num_hidden_layers"] = 2
    text = {"model_type": "llama", "num_key_value_heads": 2, "head_dim": 32}
    text |= {"vocab_size": len(tokenizer), "max_position_embeddings": 512}
    config = Idefics3Config(
        image_token_id=tokenizer.convert_tokens_to_ids(_IMAGE),
        pad_token_id=tokenizer.eos_token_id,
        scale_factor=2,
        text_config=size | text,
        vision_config=size | {"image_size": 56, "patch_size": 14},
    )
    torch.manual_seed(0)
    Idefics3ForConditionalGeneration(config).to(torch.bfloat16).save_pretrained(folder)
    processor = {"processor_class": "Idefics3Processor", "image_seq_len": SEEN}
    (folder / "processor_config.json").write_text(json.dumps(processor))
    edge = {"longest_edge": 56}
    pictures = {"do_image_splitting": False, "size": edge, "max_image_size": edge}
    pictures |= {"image_processor_type": "Idefics3ImageProcessor"}
    (folder / "preprocessor_config.json").write_text(json.dumps(pictures))

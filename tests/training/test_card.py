"""The model card tells what was trained, from what, how far, and with which command."""

from __future__ import annotations

from typing import Any

import yaml

from tests.training.test_curve import LOG
from transforms.training.card import model_card


def _manifest(**changes: Any) -> dict[str, Any]:
    return {
        "config": {
            "lora": {"rank": 12},
            "tasks": {"api": "completions", "holdout_kinds": ["geometry"]},
        },
        "base_model": "HuggingFaceTB/SmolLM2-135M-Instruct",
        "command": "cotmill train optim.max_steps=2",
        "lineage": [{"source": "cotmill/seeds", "license": "Apache-2.0", "seeds": 194}],
        "examples": {"solve": {"training": 170, "tokens": 30000, "held_out": 20, "too_long": 4}},
        "figures": {
            "steps": 2,
            "timed_steps": 2,
            "seconds": 90.0,
            "parameters_trained": 3_663_360,
            "parameters": 138_178_368,
        },
        "log": LOG,
        **changes,
    }


def _header(card: str) -> dict[str, Any]:
    header: dict[str, Any] = yaml.safe_load(card.split("---\n")[1])
    return header


def test_the_hub_reads_base_and_licence_from_its_header() -> None:
    header = _header(model_card(_manifest()))
    assert header["base_model"] == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert (header["license"], header["library_name"]) == (["apache-2.0"], "peft")


def test_it_has_the_command_the_counts_and_the_losses() -> None:
    card = model_card(_manifest())
    for said in (
        "cotmill train optim.max_steps=2",
        "Kinds held out: geometry.",
        "| solve | 170 |",
        "| held-out solve | 2.500 | 1.750 |",
        "3,663,360 of 138,178,368 parameters",
    ):
        assert said in card


def test_a_whole_model_is_used_by_its_own_key() -> None:
    config = {**_manifest()["config"], "lora": {"rank": 0}}
    card = model_card(_manifest(config=config))
    assert "backend.model=FOLDER" in card and "backend.adapter" not in card
    assert _header(card)["library_name"] == "transformers"


def test_a_training_that_was_resumed_tells_the_time_of_the_steps_it_timed() -> None:
    figures = {**_manifest()["figures"], "steps": 20, "timed_steps": 5}
    assert "20 steps, the last 5 of them in 2 minutes" in model_card(_manifest(figures=figures))

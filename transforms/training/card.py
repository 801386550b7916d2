"""The model card of a training: a README.md that the Hugging Face Hub reads."""

from __future__ import annotations

from typing import Any

import yaml

from transforms.publish.card import seeds_table, table
from transforms.training.curve import losses


def model_card(manifest: dict[str, Any]) -> str:
    """Returns the card of a finished training from its manifest."""
    config, base, figures = manifest["config"], manifest["base_model"], manifest["figures"]
    lora = config["lora"]["rank"]
    timed = figures["timed_steps"]
    last = f", the last {timed} of them" if timed < figures["steps"] else ""
    header = {
        "license": sorted({row["license"].lower() for row in manifest["lineage"]}),
        "base_model": base,
        "library_name": "peft" if lora else "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["cotmill", "reasoning", "code", *(["lora"] if lora else [])],
    }
    if config.get("examples"):
        what = "on verified reasoning data"
        data = "conversations whose answers were verified. The loss is on the turns learned alone."
        how, held_out = "backend.api=chat", "An example is a conversation:"
    else:
        what = "to write verified reasoning data"
        data = (
            "programs that were run, and on the problems and solutions that agree with them. The "
            "loss is on the completions alone."
        )
        how = f"backend.api={config['tasks']['api']} sampling=trained"
        held_out = (
            f"Kinds held out: {', '.join(config['tasks']['holdout_kinds']) or 'none'}. "
            "An example is the prompt of one of cotmill's stages and the answer to it:"
        )
    parts = [
        f"---\n{yaml.safe_dump(header, sort_keys=False)}---",
        f"# {base.split('/')[-1]}, trained {what}",
        f"{f'A LoRA adapter of rank {lora} for' if lora else 'All weights of'} {base}, fine-tuned "
        f"with `cotmill train` on {data}",
        f"```bash\n{manifest['command']}\n```",
        "Name this folder to have cotmill write with it: "
        f"`cotmill synthesize {'backend.adapter' if lora else 'backend.model'}=FOLDER {how}`.",
        "## Data",
        seeds_table(manifest),
        held_out,
        table(
            ("task", "trained on", "their tokens", "held out", "too long"),
            [
                (task, n["training"], n["tokens"], n["held_out"], n["too_long"])
                for task, n in manifest["examples"].items()
            ],
        ),
        "## Training",
        f"{figures['steps']} steps{last} in {figures['seconds'] / 60:.0f} minutes; "
        f"{figures['parameters_trained']:,} of {figures['parameters']:,} parameters trained.",
        table(
            ("loss, nats per learned token", "first", "last"),
            [
                (name, f"{points[0][1]:.3f}", f"{points[-1][1]:.3f}")
                for name, points in losses(manifest["log"]).items()
            ],
        ),
        "![loss over steps](loss.png)",
    ]
    return "\n\n".join(parts) + "\n"

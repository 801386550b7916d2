"""An export of conversations, as a trainer learns it: tokens, and labels by its loss masks."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transforms.engine.errors import SettingsError
from transforms.images.rows import COLUMN
from transforms.publish.export.masks import masked, use_training_template

TASK = "export"
"""What the examples of an export are counted and evaluated as."""


@dataclass(frozen=True)
class Conversation:
    """The tokens of a conversation, and which of them are learned."""

    input_ids: list[int]
    labels: list[int]
    """-100 for each token that is not learned."""
    task: str = TASK

    def as_trl(self) -> dict[str, Any]:
        """The form that TRL trains on: tokens and labels."""
        return {"input_ids": self.input_ids, "labels": self.labels}


def manifest_of(folder: str) -> dict[str, Any]:
    """Returns the manifest of an export of `format=sft format.shape=messages`.

    Raises SettingsError where the folder holds no such export.
    """
    try:
        found: dict[str, Any] = json.loads((Path(folder) / "manifest.json").read_text())
    except (OSError, ValueError):
        found = {}
    form = found.get("config", {}).get("format", {})
    if (found.get("command"), form.get("type"), form.get("shape")) != ("export", "sft", "messages"):
        raise SettingsError(
            f"examples={folder} is no export of conversations: make one with cotmill export RUN "
            "format=sft format.shape=messages output_dir=FOLDER"
        )
    return found


def conversations(folder: str, split: str, tokenizer: Any) -> Iterator[Conversation]:
    """Yields the conversations of a split (train, validation) of an export; none where it has none.

    Args:
        tokenizer: of the model that learns them; where TRL has a training template for its chat
            template, that is what renders them.

    Raises:
        SettingsError: a conversation shows pictures; it calls tools, and the chat template does not
            show them; or the template renders a turn in another way once the conversation goes on.
    """
    from datasets import load_dataset
    from trl.chat_template_utils import supports_tool_calling

    shows_tools = supports_tool_calling(tokenizer)
    use_training_template(tokenizer)
    with tempfile.TemporaryDirectory(prefix="cotmill-examples-") as cache:
        for row in load_dataset(folder, cache_dir=cache).get(split, ()):
            if row.get(COLUMN):
                raise SettingsError(
                    f"row {row['id']} shows pictures, which cotmill train does not learn from: "
                    "give the export to TRL's SFTTrainer with a vision model"
                )
            if not shows_tools and any(turn.get("tool_calls") for turn in row["messages"]):
                raise SettingsError(
                    f"row {row['id']} calls tools, which the chat template of model.name does not "
                    "show: train a model whose template does"
                )
            try:
                tokens = masked(row, tokenizer)
                yield Conversation(tokens["input_ids"], tokens["labels"])
            except ValueError as error:
                raise SettingsError(f"examples={folder}: {error}") from None

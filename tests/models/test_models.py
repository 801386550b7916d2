"""The adapters that ship: small, documented, and useful without anything else."""

import json
import re
from pathlib import Path

import pytest
import yaml

from transforms.engine.paths import CONF, DATA

ADAPTERS = sorted(path.parent for path in (DATA / "models").glob("*/adapter_config.json"))
_TASKS = yaml.safe_load((CONF / "train" / "embedded.yaml").read_text())["tasks"]
_PLACE = re.compile(rb"(?<![\w:/.])/[\w.-]{3,}/")
"""An absolute path."""


@pytest.mark.parametrize("folder", ADAPTERS, ids=lambda folder: folder.name)
def test_an_adapter_is_below_8_mb_and_names_no_place_of_a_machine(folder: Path) -> None:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 8_000_000
    about = json.loads((folder / "adapter_config.json").read_text())
    assert about["base_model_name_or_path"] == "HuggingFaceTB/SmolLM2-135M-Instruct"
    for path in files:
        content = path.read_bytes()
        if path.suffix == ".safetensors":  # what it says of itself; weights may look like anything
            content = content[8 : 8 + int.from_bytes(content[:8], "little")]
        assert not _PLACE.search(content), path


@pytest.mark.parametrize("folder", ADAPTERS, ids=lambda folder: folder.name)
def test_an_adapter_s_card_says_how_it_was_made_and_from_what(folder: Path) -> None:
    card = (folder / "README.md").read_text()
    header = yaml.safe_load(card.split("---")[1])
    assert header["license"] == ["apache-2.0"]
    assert "cotmill train train=embedded" in card
    assert ", ".join(_TASKS["holdout_kinds"]) in card


def test_the_embedded_backend_and_the_demo_use_a_shipped_adapter_and_its_kinds() -> None:
    backend = yaml.safe_load((CONF / "backend" / "embedded.yaml").read_text())
    assert backend["adapter"] in {folder.name for folder in ADAPTERS}
    lines = [line for path in (DATA / "seeds").glob("*.jsonl") for line in path.open()]
    demo = yaml.safe_load((CONF / "sampling" / "demo.yaml").read_text())["kinds"]
    assert set(demo) == {json.loads(line)["kind"] for line in lines} - set(_TASKS["holdout_kinds"])

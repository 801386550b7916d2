"""The dataset card."""

import pytest
from huggingface_hub import DatasetCard
from hypothesis import given
from hypothesis import strategies as st

from tests.publish.report.folder import manifest
from transforms.publish.card import dataset_card, size_category, table


def a_manifest(**entries: object) -> dict:
    made = manifest(seeds=3, ran=2, accepted=1) | {"kinds": []}
    made["config"]["recipe"] = {"name": "caco", "about": "Rows.", "citation": ""}
    return made | entries


@given(st.integers(1, 10**9))
def test_a_size_lies_within_its_category(rows):
    units = {"K": 10**3, "M": 10**6, "B": 10**9}
    bounds = [
        int(part.rstrip("KMB")) * units.get(part[-1], 1)
        for part in size_category(rows).split("<")
        if part != "n"
    ]
    assert rows < bounds[-1] or bounds[-1] == 10**9
    assert len(bounds) == 1 or bounds[0] <= rows


@pytest.mark.parametrize("text", ["a | b", "a\n| b"])
def test_a_cell_keeps_within_its_column(text):
    assert table(("kind",), [(text,)]).splitlines()[2:] == ["| a \\| b |"]


def test_the_front_matter_of_a_run_folder_is_what_its_manifest_tells():
    lineage = [{"source": "s", "license": name, "seeds": 1} for name in ("MIT", "CC-BY-4.0")]
    card = DatasetCard(dataset_card(a_manifest(lineage=lineage)))
    assert card.data.license == ["cc-by-4.0", "mit"]
    assert card.data["configs"][0]["data_files"][0]["path"] == "data/train-*.parquet"


def test_sources_of_the_hub_are_named_at_any_depth_and_others_are_not():
    sources = {
        "hub": {"type": "huggingface", "path": "openai/gsm8k"},
        "local": {"type": "huggingface", "path": "~"},
        "file": {"type": "jsonl", "path": "seeds/mine.jsonl"},
    }
    made = a_manifest()
    made["config"]["source"] = {"type": "mix", "sources": sources}
    assert DatasetCard(dataset_card(made)).data.source_datasets == ["openai/gsm8k"]
    made["config"]["source"] = sources["file"]
    assert DatasetCard(dataset_card(made)).data.source_datasets is None


def test_limits_tell_of_a_run_that_is_not_complete_and_of_no_benchmark():
    card = dataset_card(a_manifest(status="incomplete", unanswered=4))
    assert "4 records unanswered" in card and "No benchmark was compared" in card

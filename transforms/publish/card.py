"""The dataset card of a run: a README.md that the Hugging Face Hub reads."""

from __future__ import annotations

import os
import re
from typing import Any

from huggingface_hub import DatasetCardData

from transforms.publish.licensing import hub_license

LOCAL = """```python
from datasets import load_dataset

rows = load_dataset("parquet", data_files="data/*.parquet")["train"]
```"""
"""How the rows of a run folder are loaded."""
_SIZES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B")


def size_category(rows: int) -> str:
    """The Hub's name for a number of rows.

    >>> size_category(999), size_category(1000), size_category(10**9)
    ('n<1K', '1K<n<10K', '100M<n<1B')
    """
    return _SIZES[min(max(len(str(rows)) - 3, 0), len(_SIZES) - 1)]


def dataset_card(
    manifest: dict[str, Any],
    data: DatasetCardData | None = None,
    load: str = LOCAL,
    licensed: str = "",
) -> str:
    """Returns the card of a finished run from its manifest.

    Args:
        data: front matter (None: what the manifest alone tells).
        load: how the rows are loaded, in Markdown.
        licensed: under what the rows may be used, in Markdown (empty: left out).
    """
    recipe = manifest["config"]["recipe"]
    columns = [(c["name"], c["type"], c["meaning"]) for c in manifest.get("columns", [])]
    models = _models(manifest)
    parts = [
        f"# Verified reasoning data, recipe {manifest['recipe']}",
        f"{recipe.get('about', '')} {manifest['accepted']:,} rows. Made with cotmill "
        f"{manifest['versions'].get('cotmill', '')} by its recipe {manifest['recipe']}"
        f"{_cited(recipe)}. `manifest.json` holds every setting, version and count.".strip(),
        load,
        *(["## Columns", table(("column", "type", "meaning"), columns)] if columns else []),
        *(["## Models", models] if models else []),
        "## Funnel",
        _funnel(manifest),
        *(["## Kinds of problem", _kinds(manifest)] if manifest["kinds"] else []),
        "## Decontamination",
        _decontamination(manifest),
        *(["## Seeds", seeds_table(manifest)] if manifest["lineage"] else []),
        *(["## Licence", licensed] if licensed else []),
        "## Known limits",
        _limits(manifest),
        f"Run `{manifest['run_id']}`, {manifest['finished']}.",
    ]
    front = (data or card_data(manifest)).to_yaml()
    return f"---\n{front}\n---\n\n" + "\n\n".join(parts) + "\n"


def card_data(manifest: dict[str, Any]) -> DatasetCardData:
    """Returns the front matter that a manifest tells; licences are those of the seeds."""
    licenses = sorted({row["license"] for row in manifest["lineage"]})
    return DatasetCardData(
        pretty_name=f"Verified reasoning data, recipe {manifest['recipe']}",
        **(hub_license(licenses) if licenses else {"license": "unknown"}),
        annotations_creators=["machine-generated"],
        language_creators=["machine-generated"],
        source_datasets=_hub_sources(manifest["config"].get("source")) or None,
        task_categories=["text-generation"],
        tags=["synthetic", "reasoning", "cotmill", manifest["recipe"]],
        size_categories=[size_category(manifest["accepted"])],
        configs=[
            {
                "config_name": "default",
                "data_files": [{"split": "train", "path": "data/train-*.parquet"}],
            }
        ],
    )


def _hub_sources(source: Any) -> list[str]:
    """The datasets of the Hub among a run's sources."""
    if not isinstance(source, dict):
        return []
    below = [name for each in source.get("sources", {}).values() for name in _hub_sources(each)]
    named = str(source.get("path") or "")
    on_the_hub = re.fullmatch(r"[\w.-]+/[\w.-]+", named) and not os.path.exists(named)
    own = [named] if source.get("type") == "huggingface" and on_the_hub else []
    return sorted({*below, *own})


def _cited(recipe: dict[str, Any]) -> str:
    """Where a recipe's method comes from; papers of arXiv as links, which the Hub follows."""
    cited = recipe.get("citation")
    link = r"[arXiv \1](https://arxiv.org/abs/\1)"
    return f" ({re.sub(r'arXiv ([0-9.]+[0-9])', link, cited)})" if cited else ""


def _models(manifest: dict[str, Any]) -> str:
    """What each model wrote at each stage, and for how many tokens; empty where none was asked."""
    rows = [
        (stage["name"], model, f"{_written(spent):,}")
        for segment in manifest["segments"]
        for stage in segment["stages"]
        for model, spent in stage.get("models", {}).items()
    ]
    return table(("stage", "model", "tokens generated"), rows) if rows else ""


def _written(spent: dict[str, int]) -> int:
    """Tokens generated, by this run or by one whose ledger it read."""
    return spent.get("tokens.generated", 0) + spent.get("tokens.recorded", 0)


def _limits(manifest: dict[str, Any]) -> str:
    """What a reader must not take the rows for."""
    stages = [stage for segment in manifest["segments"] for stage in segment["stages"]]
    limits = [
        "Texts are written by models. A row passed the checks of the funnel above, which no human "
        "has repeated: a problem may be worded badly and its answer be computed all the same.",
        "Problems resemble their seeds: the rows say nothing of kinds that no seed has.",
    ]
    if not any(stage.get("benchmarks") for stage in stages):
        limits.append(
            "No benchmark was compared: compare the rows with what you evaluate on before you "
            "train on them."
        )
    if _models(manifest):
        limits.append("The terms of the models named above may limit what the rows are used for.")
    if manifest["status"] != "complete":
        limits.append(
            f"The run is not complete (status: {manifest['status']}, "
            f"{manifest.get('unanswered', 0):,} records unanswered): these are the rows so far."
        )
    return "\n".join(f"- {limit}" for limit in limits)


def _kinds(manifest: dict[str, Any]) -> str:
    """How many rows there are of each kind of problem."""
    if not any(row["kind"] for row in manifest["kinds"]):
        return "The prompts for programs named no kind."
    return table(
        ("kind", "rows"), [(row["kind"] or "none named", row["rows"]) for row in manifest["kinds"]]
    )


def seeds_table(manifest: dict[str, Any]) -> str:
    """Where the verified seeds come from, and under which licences."""
    return table(
        ("source", "licence", "verified seeds"),
        [(row["source"], row["license"], row["seeds"]) for row in manifest["lineage"]],
    )


def _funnel(manifest: dict[str, Any]) -> str:
    """Each stage's account; unanswered records have a column where there are any."""
    stages = [stage for segment in manifest["segments"] for stage in segment["stages"]]
    put_off = any(stage.get("unanswered") for stage in stages)
    return table(
        ("stage", "in", "kept", "rejected", *(["unanswered"] if put_off else []), "reasons"),
        [
            (
                stage["name"],
                stage["in"],
                stage["kept"],
                sum(stage["rejected"].values()),
                *([stage.get("unanswered", 0)] if put_off else []),
                ", ".join(f"{name} {n}" for name, n in stage["rejected"].items()),
            )
            for stage in stages
        ],
    )


def _decontamination(manifest: dict[str, Any]) -> str:
    """Which benchmarks the rows were compared with, and how many items of each."""
    stages = [stage for segment in manifest["segments"] for stage in segment["stages"]]
    counts = [item for stage in stages for item in stage.get("benchmarks", {}).items()]
    if not counts:
        return "The rows were compared with no benchmark."
    return "Rows that repeat an item of these benchmarks were rejected:\n\n" + table(
        ("benchmark", "items compared", "items that could not be read"),
        [(name, count["items"], count.get("unreadable", 0)) for name, count in counts],
    )


def table(head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    """A table in Markdown."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(value: Any) -> str:
    """A cell's text; kinds and names of models may hold anything."""
    return " ".join(str(value).split()).replace("|", "\\|")

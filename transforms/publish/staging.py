"""What of a run folder is published, laid out in a local folder as the Hub will hold it."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from transforms.engine.errors import PublishError
from transforms.engine.files import FileSystems
from transforms.engine.run_folder import RunFolder, files_below
from transforms.publish.scrub import REMOVED, Scrubber

_BATCH = 1024


@dataclass(frozen=True)
class Rows:
    """What is known of the accepted rows once they are laid out."""

    count: int
    arrow_bytes: int
    """Size in memory, as `datasets` reports it."""
    file_bytes: int
    """Size of the Parquet files."""
    schema: pa.Schema
    licenses: Mapping[str, int] | None
    """Licence -> rows that state it (empty text: none); None where rows have no such column."""
    scrubbed: int
    """Rows in which a secret or a path of this machine was replaced."""


def stage_rows(run: RunFolder, folder: Path, scrubber: Scrubber) -> Rows:
    """Lays out the shards of a run's accepted rows below `folder`/data.

    A local shard that needs no change is linked, not copied.

    Raises PublishError where the run has no accepted row.
    """
    (folder / "data").mkdir()
    licenses = Counter[str]()
    count = arrow_bytes = file_bytes = scrubbed = 0
    schema = pa.schema([])
    for path in filter(_is_shard, files_below(run.path("data"))):
        target = folder / "data" / FileSystems.split(path)[1]
        _bring(path, target)
        changed = 0
        with pq.ParquetFile(target) as shard:
            schema = shard.schema_arrow
            for batch in shard.iter_batches(_BATCH):
                clean, replaced = scrubber.rows(batch)
                changed += replaced
                count += clean.num_rows
                arrow_bytes += clean.nbytes
                if "license" in schema.names:
                    licenses.update(text or "" for text in clean.column("license").to_pylist())
        if changed:
            _rewrite(target, scrubber)
        scrubbed += changed
        file_bytes += target.stat().st_size
    if not count:
        raise PublishError(f"run={run.root} has no accepted row in data/: nothing to publish")
    stated = licenses if "license" in schema.names else None
    return Rows(count, arrow_bytes, file_bytes, schema, stated, scrubbed)


def _is_shard(path: str) -> bool:
    name = FileSystems.split(path)[1]
    return name.startswith("train-") and name.endswith(".parquet")


def _bring(path: str, target: Path) -> None:
    if "://" not in path:
        target.symlink_to(os.path.abspath(path))
        return
    with (
        FileSystems.open(path, compression_type="uncompressed") as source,
        target.open("wb") as copy,
    ):
        shutil.copyfileobj(source, copy)


def _rewrite(path: Path, scrubber: Scrubber) -> None:
    """Puts a scrubbed copy of a shard in its place, or in that of a link to it."""
    rewritten = path.with_name(f".{path.name}")
    with pq.ParquetFile(path) as shard:
        compression = shard.metadata.row_group(0).column(0).compression.lower()
        with pq.ParquetWriter(
            rewritten, shard.schema_arrow, compression=compression.replace("uncompressed", "none")
        ) as writer:
            for batch in shard.iter_batches(shard.metadata.row_group(0).num_rows):
                writer.write_batch(scrubber.rows(batch)[0])
    rewritten.replace(path)


def published_manifest(manifest: dict[str, Any], scrubber: Scrubber) -> dict[str, Any]:
    """Returns the manifest as it is published: scrubbed, without the options of a runner."""
    published = scrubber.manifest(manifest)
    runner = published["config"].get("runner")
    if isinstance(runner, dict) and runner.get("options"):
        runner["options"] = REMOVED
    assert isinstance(published, dict)
    return published


def stage_page(run: RunFolder, name: str, folder: Path, scrubber: Scrubber) -> None:
    """Lays out a scrubbed page of the run, such as report.html, where the run has it."""
    path = run.path(name)
    if FileSystems.exists(path):
        with FileSystems.open(path, compression_type="uncompressed") as source:
            text = source.read().decode()
        (folder / name).write_text(scrubber.text(text), encoding="utf-8")


def stage_manifest(published: dict[str, Any], folder: Path) -> None:
    """Lays out manifest.json."""
    text = json.dumps(published, indent=2, ensure_ascii=False)
    (folder / "manifest.json").write_text(f"{text}\n", encoding="utf-8")

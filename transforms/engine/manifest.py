"""The manifest: what a run was told, what it did, and where its rows come from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from transforms.engine.files import FileSystems
from transforms.engine.machine import machine
from transforms.engine.recipe import Segment
from transforms.engine.run_folder import RunFolder, files_below
from transforms.engine.run_settings import RunSettings
from transforms.engine.tables import arrow_schema, meanings, plain_type
from transforms.engine.versions import versions
from transforms.images.rows import COLUMN, MEANING, holds_pictures, image_schema
from transforms.models.budget import Price, price_of
from transforms.sandbox.isolation import Layer


def now() -> str:
    """The time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def new_manifest(
    settings: RunSettings, segments: Sequence[Segment], layers: Iterable[Layer]
) -> dict[str, Any]:
    """The manifest of a run that has begun; `layers` stand around the programs it runs."""
    row = segments[-1].writes
    schema, meant = arrow_schema(row), meanings(row)
    if holds_pictures(row):
        schema, meant = image_schema(schema), {**meant, COLUMN: MEANING}
    return {
        "run_id": segments[-1].fingerprint,
        "recipe": settings.recipe.name,
        "columns": [
            {"name": c.name, "type": plain_type(c.type), "meaning": meant.get(c.name, "")}
            for c in schema
        ],
        "status": "running",
        "started": now(),
        "finished": None,
        "config": settings.model_dump(mode="json", by_alias=True),
        "versions": versions(),
        "machine": machine(),
        "sandbox": [asdict(layer) for layer in layers],
        "segments": [],
        "open_segment": None,
    }


def seeds_folder(segments: Sequence[Segment]) -> str:
    """The folder of what a recipe is made from: of the last segment that writes records of the
    type that its source gives."""
    return [s.folder for s in segments if s.writes is segments[0].writes][-1]


def finish_manifest(
    manifest: dict[str, Any],
    run: RunFolder,
    segments: Sequence[Segment],
    prices: Mapping[str, Price],
) -> None:
    """Adds what is known only at the end: accepted rows, tokens, their cost, kinds, lineage.

    The status is `complete`, or `incomplete` where records are unanswered.
    """
    unanswered = sum(map(unanswered_in, manifest["segments"]))
    accepted = manifest["segments"][-1]["rows"]
    tokens = {"prompt": 0, "cached": 0, "generated": 0, "recorded": 0}
    saved = 0.0
    for spent in _spent(manifest):
        for name in tokens:
            tokens[name] += spent.get(f"tokens.{name}", 0)
        saved += tokens_saved(spent)
    written = tokens["generated"] + tokens["recorded"]
    manifest.update(
        status="incomplete" if unanswered else "complete",
        unanswered=unanswered,
        finished=now(),
        accepted=accepted,
        tokens={**tokens, "saved_estimate": round(saved)},
        # Recorded tokens were paid for by an earlier run, but a row needs them all the same.
        tokens_per_accepted=round(written / accepted, 1) if accepted else None,
        kinds=kinds(run, manifest["segments"][-1]["folder"]),
        lineage=lineage(run, seeds_folder(segments)),
    )
    if prices:
        add_cost(manifest, prices)


def unanswered_in(segment: dict[str, Any]) -> int:
    """Records that are put off in a segment, by its entry in a manifest."""
    return sum(stage.get("unanswered", 0) for stage in segment["stages"])


def _spent(manifest: dict[str, Any]) -> Iterator[dict[str, int]]:
    """Yields the tallies of each model of each stage."""
    for segment in manifest["segments"]:
        for stage in segment["stages"]:
            yield from stage.get("models", {}).values()


def add_cost(manifest: dict[str, Any], prices: Mapping[str, Price]) -> None:
    """Adds to each stage, and in sum, what its tokens cost by the price table.

    `paid` is for what was asked; `recorded` is what the responses found in the ledger cost an
    earlier run or attempt. Models without a price are named in `unpriced`, not counted.
    """
    unpriced = set()
    total = {"paid": 0.0, "recorded": 0.0}
    for segment in manifest["segments"]:
        for stage in segment["stages"]:
            stage.pop("cost", None)
            for model, spent in stage.get("models", {}).items():
                if model not in prices:
                    unpriced.add(model)
                    continue
                cost = stage.setdefault("cost", {"paid": 0.0, "recorded": 0.0})
                asked = ("tokens.prompt", "tokens.cached", "tokens.generated")
                found = ("tokens.recorded.prompt", "tokens.recorded.cached", "tokens.recorded")
                for name, tallies in (("paid", asked), ("recorded", found)):
                    amount = price_of(prices[model], *(spent.get(tally, 0) for tally in tallies))
                    cost[name] += amount
                    total[name] += amount
    accepted = manifest["accepted"]
    manifest["cost"] = {
        **total,
        "per_accepted": sum(total.values()) / accepted if accepted else None,
        "unpriced": sorted(unpriced),
    }


def tokens_saved(spent: dict[str, int]) -> float:
    """An estimate of the tokens that early verdicts spared a stage: requests not made, each taken
    to be as long as the mean of those made."""
    made = spent.get("requests", 0) + spent.get("requests.recorded", 0)
    written = spent.get("tokens.generated", 0) + spent.get("tokens.recorded", 0)
    return spent.get("requests.saved", 0) * written / made if made else 0.0


def lineage(run: RunFolder, folder: str) -> list[dict[str, Any]]:
    """The records of a folder by source and licence, most first; none where they name neither."""
    return _count_by(run, folder, ["source", "license"], "seeds")


def kinds(run: RunFolder, folder: str) -> list[dict[str, Any]]:
    """Accepted rows by kind of problem, most first; none where they have no such column."""
    return _count_by(run, folder, ["kind"], "rows")


def _count_by(run: RunFolder, folder: str, columns: list[str], count: str) -> list[dict[str, Any]]:
    """Counts the rows of a folder's Parquet files by some of their columns."""
    frames = []
    for path in files_below(run.path(folder)):
        if path.endswith(".parquet"):
            with FileSystems.open(path, compression_type="uncompressed") as source:
                file = pq.ParquetFile(source)  # read_table imports Arrow's datasets: 0.2 s
                if set(columns) <= set(file.schema_arrow.names):
                    frame = pl.DataFrame(file.read(columns))
                    frames.append(frame.group_by(columns).len(count))
    if not frames:
        return []
    return (
        pl.concat(frames)
        .group_by(columns)
        .agg(pl.col(count).sum())
        .sort([count, *columns], descending=[True, *(False for _ in columns)], nulls_last=True)
        .to_dicts()
    )


def segments_of(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """The entries of a manifest's segments; of a command over any Parquet, its stages as one."""
    if "segments" in manifest or "command" not in manifest:
        return manifest.get("segments", [])
    stages = [{"draws": False, **stage} for stage in manifest.get("stages", [])]
    one = {"name": manifest["command"], "folder": "data", "rows": manifest.get("accepted", 0)}
    return [{**one, "seconds": 0.0, "stages": stages}] if stages else []

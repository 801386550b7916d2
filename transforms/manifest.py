"""The manifest: what a run was told, what it did, and where its rows come from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import polars as pl
from apache_beam.io.filesystems import FileSystems

from transforms.execution.isolation import Layer
from transforms.run_folder import RunFolder, files_below
from transforms.settings import Settings
from transforms.versions import versions


def now() -> str:
    """The time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def new_manifest(settings: Settings, run_id: str, layers: Iterable[Layer]) -> dict[str, Any]:
    """The manifest of a run that has begun; `layers` stand around the programs it runs."""
    return {
        "run_id": run_id,
        "recipe": settings.recipe.name,
        "status": "running",
        "started": now(),
        "finished": None,
        "config": settings.model_dump(mode="json", by_alias=True),
        "versions": versions(),
        "sandbox": [asdict(layer) for layer in layers],
        "segments": [],
    }


def finish_manifest(manifest: dict[str, Any], run: RunFolder, seeds_folder: str) -> None:
    """Adds what is known only at the end: accepted rows, tokens, lineage."""
    accepted = manifest["segments"][-1]["rows"]
    generated, recorded, saved = 0, 0, 0.0
    for segment in manifest["segments"]:
        for stage in segment["stages"]:
            for spent in stage.get("models", {}).values():
                generated += spent.get("tokens.generated", 0)
                recorded += spent.get("tokens.recorded", 0)
                saved += tokens_saved(spent)
    manifest.update(
        status="complete",
        finished=now(),
        accepted=accepted,
        tokens={"generated": generated, "recorded": recorded, "saved_estimate": round(saved)},
        # Recorded tokens were paid for by an earlier run, but a row needs them all the same.
        tokens_per_accepted=round((generated + recorded) / accepted, 1) if accepted else None,
        lineage=lineage(run, seeds_folder),
    )


def tokens_saved(spent: dict[str, int]) -> float:
    """An estimate of the tokens that early verdicts spared a stage: requests not made, each taken
    to be as long as the mean of those made."""
    made = spent.get("requests", 0) + spent.get("requests.recorded", 0)
    written = spent.get("tokens.generated", 0) + spent.get("tokens.recorded", 0)
    return spent.get("requests.saved", 0) * written / made if made else 0.0


def lineage(run: RunFolder, folder: str) -> list[dict[str, Any]]:
    """Verified seeds by source and licence, most first."""
    frames = []
    for path in files_below(run.path(folder)):
        if path.endswith(".parquet"):
            with FileSystems.open(path, compression_type="uncompressed") as source:
                frames.append(pl.read_parquet(source.read(), columns=["source", "license"]))
    if not frames:
        return []
    return (
        pl.concat(frames)
        .group_by("source", "license")
        .len("seeds")
        .sort(["seeds", "source", "license"], descending=[True, False, False])
        .to_dicts()
    )

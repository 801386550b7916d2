"""What a run wrote, to be held against another's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

TIMINGS = ("wall_seconds", "cpu_seconds", "peak_mb")


def rows(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Every row a run wrote, by file, without what a clock measured."""

    def plain(row: dict[str, Any]) -> dict[str, Any]:
        if "record" in row:
            row = {**row, "record": plain(json.loads(row["record"]))}
        return {key: value for key, value in row.items() if key not in TIMINGS}

    return {
        str(path.relative_to(folder)): [plain(row) for row in pl.read_parquet(path).to_dicts()]
        for place in ("data", "stages", "rejects", "unanswered")
        for path in sorted((folder / place).rglob("*.parquet"))
    }

"""What a ledger holds, by stage and model."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from transforms.generation.ledger import PartGone, ledger_folder, read_columns

_KEYS = ["stage", "model"]
_SUMS = ["prompt_tokens", "cached_tokens", "generated_tokens"]


@dataclass(frozen=True)
class LedgerStatus:
    """A ledger's parts, their bytes, and its responses."""

    parts: int
    bytes: int
    by_stage: pl.DataFrame
    """One row a stage and model: responses, prompt, cached and generated tokens."""


def ledger_status(folder: str) -> LedgerStatus:
    """Reads the parts of a ledger, without their texts, and sums them up."""
    parts = ledger_folder(folder)
    sums = [pl.DataFrame(schema={**dict.fromkeys(_KEYS, pl.String), "responses": pl.UInt32})]
    for part in parts:
        try:
            table = read_columns(part.path, [*_KEYS, *_SUMS])
        except PartGone:
            continue
        if table is not None:
            frame = (
                pl.DataFrame(table)
                .group_by(_KEYS)
                .agg(pl.len().alias("responses"), pl.col(_SUMS).sum())
            )
            sums.append(frame)
    total = pl.concat(sums, how="diagonal").group_by(_KEYS).sum().sort(_KEYS)
    return LedgerStatus(len(parts), sum(part.bytes for part in parts), total)

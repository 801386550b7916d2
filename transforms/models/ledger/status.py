"""What a ledger holds, by stage and model."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from transforms.models.ledger.parts import (
    SCHEMA,
    PartGone,
    PartUnreadable,
    ledger_folder,
    read_columns,
)
from transforms.models.requests import UNANSWERED

_KEYS = ["stage", "model"]
_SUMS = ["prompt_tokens", "cached_tokens", "generated_tokens"]


@dataclass(frozen=True)
class LedgerStatus:
    """A ledger's parts, their bytes, and its responses."""

    parts: int
    bytes: int
    by_stage: pl.DataFrame
    """One row a stage and model: responses, those of them that are failures of the request itself
    and marks of unanswered requests, then prompt, cached and generated tokens."""
    unreadable: list[str]
    """Parts that are damaged, each with the reason."""


def ledger_status(folder: str) -> LedgerStatus:
    """Reads the parts of a ledger, each of them whole, and sums them up.

    Raises:
        LedgerError: a part cannot be read now.
    """
    parts = ledger_folder(folder)
    unreadable = []
    sums = [pl.DataFrame(schema={**dict.fromkeys(_KEYS, pl.String), "responses": pl.UInt32})]
    for part in parts:
        try:
            sums.append(_sums(read_columns(part.path, SCHEMA.names)))
        except PartGone:
            continue
        except PartUnreadable as error:
            unreadable.append(str(error))
    total = pl.concat(sums, how="diagonal").group_by(_KEYS).sum().sort(_KEYS)
    return LedgerStatus(len(parts), sum(part.bytes for part in parts), total, unreadable)


def _sums(table: pa.Table) -> pl.DataFrame:
    unanswered = pl.col("error_kind").is_in(sorted(UNANSWERED)).fill_null(False)
    return (
        pl.DataFrame(table.select([*_KEYS, *_SUMS, "error_kind"]))
        .group_by(_KEYS)
        .agg(
            pl.len().alias("responses"),
            (pl.col("error_kind").is_not_null() & ~unanswered).sum().alias("failed"),
            unanswered.sum().alias("unanswered"),
            pl.col(_SUMS).sum(),
        )
    )

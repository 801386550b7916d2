"""Rows of a dataset that the `datasets` library opens: on the Hub, or in a local folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PBegin, PCollection

from transforms.errors import SourceError
from transforms.ids import canonical_json
from transforms.settings import HuggingFaceSource
from transforms.sources.files import one_line
from transforms.sources.parquet import wanted_columns
from transforms.sources.rows import Row, check_columns, plain

_SHARDS = 32
"""Pieces that workers read apart: enough for as many workers."""


def _saved(path: str) -> bool:
    """Whether the folder was written by `save_to_disk`, which `load_dataset` does not read."""
    return any((Path(path) / name).is_file() for name in ("dataset_dict.json", "state.json"))


def check(source: HuggingFaceSource) -> None:
    """Asks for the dataset's description; its rows are not downloaded.

    Raises:
        SourceError: no such dataset, configuration or split, or a mapped column is missing.
    """
    import datasets

    where = f"dataset {source.path}"
    try:
        if _saved(source.path):
            features = _open(source).features
        else:
            builder = datasets.load_dataset_builder(source.path, source.config)
            splits = builder.info.splits or datasets.get_dataset_split_names(
                source.path, source.config
            )
            if source.split not in splits:
                raise _no_split(source, list(splits))
            features = builder.info.features
    except SourceError:
        raise
    except Exception as error:  # the library raises some ten types, its dependencies more
        raise SourceError(f"{where} cannot be opened: {one_line(error)}") from error
    if features is not None:
        check_columns(where, source.columns, set(features))


def _no_split(source: HuggingFaceSource, splits: list[str]) -> SourceError:
    return SourceError(
        f"dataset {source.path} has no split {source.split} (source.split): "
        f"it has {', '.join(splits)}"
    )


def _open(source: HuggingFaceSource) -> Any:
    """Returns the split, its rows memory-mapped from the library's cache."""
    import datasets

    if not _saved(source.path):
        return datasets.load_dataset(source.path, source.config, split=source.split)
    found = datasets.load_from_disk(source.path)
    if isinstance(found, datasets.Dataset):
        return found
    if source.split not in found:
        raise _no_split(source, list(found))
    return found[source.split]


@lru_cache(maxsize=4)
def _opened(text: str) -> Any:
    return _open(HuggingFaceSource.model_validate_json(text))


def rows_of_shard(source: HuggingFaceSource, shard: int) -> Iterator[Row]:
    """Yields the rows of one of the `_SHARDS` pieces, of the columns that can fill a seed."""
    dataset = _opened(source.model_dump_json())
    total = min(source.limit or len(dataset), len(dataset))
    own = range(total * shard // _SHARDS, total * (shard + 1) // _SHARDS)
    if not own:
        return
    columns = [c for c in wanted_columns(source.columns) if c in dataset.column_names]
    place = f"{source.path}, {source.split}"
    for number, record in zip(own, dataset.select_columns(columns).select(own), strict=True):
        yield Row.make(source.path, canonical_json(plain(record)), f"{place}, row {number}")


def license_of(source: HuggingFaceSource) -> str | None:
    """Returns the licence that the dataset states, else the one in the settings."""
    return (_opened(source.model_dump_json()).info.license or "").strip() or source.license


@dataclass
class ReadHuggingFace(beam.PTransform):
    """PBegin -> PCollection[Row]: each worker opens the dataset, and reads the shards it is given.

    With a limit, the first rows of the split.
    """

    source: HuggingFaceSource

    def expand(self, begin: PBegin) -> PCollection:
        source = self.source
        return (
            begin
            | "Shards" >> beam.Create(range(_SHARDS))
            | "Rows" >> beam.FlatMap(lambda shard: rows_of_shard(source, shard))
        )

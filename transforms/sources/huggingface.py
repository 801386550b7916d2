"""Rows of a dataset that the `datasets` library opens: on the Hub, or in a local folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import apache_beam as beam
from apache_beam.pvalue import PBegin, PCollection
from huggingface_hub import hf_hub_download
from pydantic import Field

from transforms.engine.errors import SourceError, first_line
from transforms.engine.files import FileSystems
from transforms.engine.ids import canonical_json
from transforms.engine.settings import LocalOrNot
from transforms.sandbox.settings import SandboxSettings
from transforms.sources.base import SourceSettings
from transforms.sources.columns import ColumnMap, check_columns, outline, wanted_columns
from transforms.sources.files import content_of, suffixes
from transforms.sources.jsonl import JsonlSource
from transforms.sources.licenses import card_license, spdx, stated
from transforms.sources.parquet import ParquetSource
from transforms.sources.rows import Row, plain, with_seed

_SHARDS = 32
"""Pieces that workers read apart: enough for as many workers."""

_KINDS = {".parquet": "parquet", ".csv": "csv", ".tsv": "csv", ".json": "json", ".jsonl": "json"}
"""The format of a data file, as the library names it."""


class HuggingFaceSource(SourceSettings):
    """Seeds from a dataset that `datasets.load_dataset` opens."""

    type: Literal["huggingface"]
    path: LocalOrNot = Field(description="dataset name on the Hub, or a local folder or file")
    config: str | None = Field(None, description="configuration of the dataset")
    split: str = Field("train", description="split to read")
    name: str | None = Field(
        None, description="what the rows name as their source (null: the path)"
    )
    columns: ColumnMap = Field(
        {}, description="seed field -> the dataset's column, as for source=jsonl"
    )
    license: str | None = Field(
        None, description="SPDX licence, where the dataset's card states none"
    )

    def check(self) -> list[str]:
        files = as_files(self)
        notes = self._check_dataset() if files is None else files.check()
        return [*notes, *filter(None, [license_of(self)[1]])]

    def _check_dataset(self) -> list[str]:
        """Asks for the dataset's description; its rows are not downloaded.

        Returns lines that tell how its columns are read.

        Raises:
            SourceError: no such dataset, configuration or split, or a mapped column is missing.
        """
        import datasets

        where = f"dataset {self.path}"
        if _saved(self.path):
            features = _open(self).features
        else:
            builder = _builder(self)
            try:
                splits = builder.info.splits or datasets.get_dataset_split_names(
                    self.path, builder.config.name
                )
            except Exception as error:
                raise SourceError(f"{where} cannot be opened: {first_line(error)}") from error
            if self.split not in splits:
                raise _no_split(self, list(splits))
            features = builder.info.features
        if features is None:
            return []
        return check_columns(where, self.columns, [outline(features.arrow_schema)])

    def rows(self) -> beam.PTransform:
        files = as_files(self)
        return ReadHuggingFace(self) if files is None else files.rows()

    def seeds(self, sandbox: SandboxSettings, answers: bool) -> beam.PTransform:
        return beam.Map(with_seed, self.columns, license_of(self)[0], answers)

    def content(self) -> Any:
        """A dataset of the Hub by its revision."""
        if os.path.isdir(self.path):
            return content_of(FileSystems.join(self.path, "**"))
        return _revision(self.path, self.config)


def _saved(path: str) -> bool:
    """Whether the folder was written by `save_to_disk`, which `load_dataset` does not read."""
    return any((Path(path) / name).is_file() for name in ("dataset_dict.json", "state.json"))


def as_files(source: HuggingFaceSource) -> JsonlSource | ParquetSource | None:
    """Returns a local file, or the split of a local folder of data files, as the source of those
    files; None for datasets on the Hub and folders that the library alone can read.

    cotmill's own readers take a column that is null in one file and text in another, where the
    library ends. A lone file has no configurations and splits, so theirs are not looked at; nor is
    the configuration where the folder knows none.

    Raises:
        SourceError: no such configuration or split.
    """
    if _saved(source.path):
        return None
    if os.path.isdir(source.path):
        kind, files = _data_files(source)
    elif os.path.isfile(source.path):
        kind, files = _KINDS.get(suffixes(source.path)[0], "json"), [source.path]
    else:
        return None
    fields = {
        "path": files,
        "name": source.name or source.path,
        "columns": source.columns,
        "license": license_of(source)[0],
        "limit": source.limit,
    }
    if kind == "parquet":
        return ParquetSource(type="parquet", **fields)
    return JsonlSource(type="jsonl", **fields) if kind in ("json", "csv") else None


def _data_files(source: HuggingFaceSource) -> tuple[str, list[str]]:
    """Returns the format of a local folder's data files, and the files of the split."""
    builder = _builder(source)
    splits = builder.config.data_files or {}
    if builder.name not in _KINDS.values():
        return builder.name, []
    if source.split not in splits:
        raise _no_split(source, list(map(str, splits)))
    return builder.name, [str(path) for path in splits[source.split]]


def _builder(source: HuggingFaceSource) -> Any:
    """Opens a dataset's description.

    Raises:
        SourceError: no such dataset or configuration, or several and none is named.
    """
    import datasets

    where = f"dataset {source.path}"
    try:
        names = datasets.get_dataset_config_names(source.path)
        config = source.config
        if names == ["default"] and os.path.isdir(source.path):
            config = None
        if config is not None and config not in names:
            raise SourceError(
                f"{where} has no configuration {config} (source.config): it has {', '.join(names)}"
            )
        if config is None and len(names) > 1:
            default = datasets.get_dataset_default_config_name(source.path)
            if default is None:
                raise SourceError(
                    f"{where} has several configurations: name one, such as "
                    f"source.config={names[0]}; it has {', '.join(names)}"
                )
        return datasets.load_dataset_builder(source.path, config)
    except SourceError:
        raise
    except Exception as error:  # the library raises some ten types, its dependencies more
        raise SourceError(f"{where} cannot be opened: {first_line(error)}") from error


def _no_split(source: HuggingFaceSource, splits: list[str]) -> SourceError:
    return SourceError(
        f"dataset {source.path} has no split {source.split} (source.split): "
        f"it has {', '.join(splits)}"
    )


def _open(source: HuggingFaceSource) -> Any:
    """Returns the split, its rows memory-mapped from the library's cache."""
    import datasets

    if not _saved(source.path):
        try:
            return datasets.load_dataset(source.path, source.config, split=source.split)
        except Exception as error:
            cause = error.__cause__ or error
            what = first_line(cause)
            raise SourceError(f"dataset {source.path} cannot be read: {what}") from error
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
        yield Row.make(
            source.name or source.path, canonical_json(plain(record)), f"{place}, row {number}"
        )


@lru_cache(maxsize=64)
def _revision(path: str, config: str | None) -> str | None:
    import datasets

    try:
        return str(datasets.load_dataset_builder(path, config).hash)
    except Exception:  # the library raises some ten types
        return None


@lru_cache(maxsize=16)
def _license_of(path: str) -> tuple[str | None, str | None]:
    card = os.path.join(path if os.path.isdir(path) else os.path.dirname(path), "README.md")
    if not os.path.exists(path):
        try:
            card = hf_hub_download(path, "README.md", repo_type="dataset")
        except Exception:  # offline, gated, or without a card: the settings may say it
            return None, None
    return card_license(card)


def license_of(source: HuggingFaceSource) -> tuple[str | None, str | None]:
    """Returns the licence that the dataset's card states, else the one it was saved with, else the
    one in the settings; and a line where the card's is none that SPDX knows.
    """
    license, note = _license_of(source.path)
    if license is None and _saved(source.path):
        license = spdx(_opened(source.model_dump_json()).info.license or "")
    return license or stated(source.license), note


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

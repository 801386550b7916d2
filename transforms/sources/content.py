"""What a source holds, as JSON: a run whose source has changed reads it again."""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from typing import Any, get_args

from apache_beam.io.filesystems import FileSystems

from transforms.engine.code import code_digest
from transforms.engine.run_folder import absolute
from transforms.engine.versions import versions
from transforms.sources.function import FunctionSource
from transforms.sources.huggingface import HuggingFaceSource
from transforms.sources.read import AnySource, MixSource
from transforms.sources.run import RunSource

SOURCES: tuple[type, ...] = get_args(get_args(AnySource)[0])
"""The classes of source settings."""
_READ_BYTES = 64_000_000
"""Files of a source that are larger together are known by their sizes and times alone."""


def content(source: AnySource) -> Any:
    """Returns what tells the content of a source from another under the same settings.

    A function by the code that it rests on. Files by a digest of their bytes; many or remote ones
    by size and time of change. A dataset of the Hub by its revision. None where nothing can be
    read: `check_source` says why.
    """
    if isinstance(source, MixSource):
        return {name: content(part) for name, part in source.sources.items()}
    if isinstance(source, RunSource):
        return files(FileSystems.join(absolute(source.path), "data", "*.parquet"))
    if isinstance(source, HuggingFaceSource):
        if os.path.isdir(source.path):
            return files(FileSystems.join(source.path, "**"))
        return _revision(source.path, source.config)
    if isinstance(source, FunctionSource):
        return code_digest(source.function.rpartition(".")[0])
    path = getattr(source, "path", None)
    return versions().get("reasoning-gym") if path is None else files(path)


def files(pattern: str) -> list[Any] | None:
    """Returns [name, bytes, digest or time of change] of the files that match, sorted."""
    try:
        matched = FileSystems.match([pattern])[0].metadata_list
    except Exception:  # each filesystem has its own error for what is not there
        return None
    readable = "://" not in pattern and sum(f.size_in_bytes for f in matched) <= _READ_BYTES
    return sorted(
        [
            FileSystems.split(file.path)[1],
            file.size_in_bytes,
            _digest(file.path) if readable else file.last_updated_in_seconds,
        ]
        for file in matched
    )


def _digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


@lru_cache(maxsize=64)
def _revision(path: str, config: str | None) -> str | None:
    import datasets

    try:
        return str(datasets.load_dataset_builder(path, config).hash)
    except Exception:  # the library raises some ten types
        return None

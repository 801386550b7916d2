"""Hashes of the files of models and adapters."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from transforms.engine.errors import BackendError
from transforms.engine.ids import content_id
from transforms.engine.paths import cache_folder
from transforms.engine.tables import write_text

_WEIGHTS = frozenset(
    (".safetensors", ".bin", ".pt", ".pth", ".gguf", ".json", ".jinja", ".model", ".txt")
)
"""Files of a model's folder that decide what it answers: weights, settings, tokenizer."""


def model_digest(place: Path) -> str:
    """Returns the hash of a model's file, or of the files of its folder that decide its answers.

    Raises:
        BackendError: a file cannot be read.
    """
    if place.is_file():
        return _digest([place])
    return _digest(file for file in place.iterdir() if file.suffix in _WEIGHTS and file.is_file())


def adapter_digest(folder: Path) -> str:
    """Returns the hash of an adapter's weights and configuration.

    Raises:
        BackendError: a file cannot be read.
    """
    return _digest([folder / "adapter_config.json", *folder.glob("adapter_model.*")])


def _digest(files: Iterable[Path]) -> str:
    ordered = sorted(files)
    try:
        with ThreadPoolExecutor(4) as threads:
            digests = list(threads.map(_file_digest, ordered))
    except OSError as error:
        raise BackendError(f"a model's file cannot be read: {error}") from error
    return content_id("files", [[f.name, d] for f, d in zip(ordered, digests, strict=True)])


def _file_digest(file: Path) -> str:
    """Hashes a file, once for all runs as long as it is not touched: the cache keeps its hash.

    A file's change time, unlike its modification time, cannot be set back.
    """
    about = file.stat()
    touched = [about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns]
    kept = cache_folder() / "digests" / content_id("file", str(file.absolute()), touched)
    with contextlib.suppress(OSError):
        return kept.read_text()
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    with contextlib.suppress(OSError):  # a cache that cannot be written costs time alone
        write_text(str(kept), digest)
    return digest

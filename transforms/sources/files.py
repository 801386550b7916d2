"""Finding and opening a source's files, with errors that name them."""

from __future__ import annotations

import hashlib
import io
import os
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pyarrow as pa
from apache_beam.io.filesystem import BeamIOError, CompressionTypes

from transforms.engine.errors import SourceError, first_line
from transforms.engine.files import FileSystems

_CODECS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
_BUFFER = 1 << 20
_READ_BYTES = 64_000_000
"""Files of a source that are larger together are told apart by their sizes and times alone."""


def matching(path: str | list[str]) -> list[str]:
    """Returns the files that a path or glob matches, or several do, in the order of their names.

    A file of that very name goes before what its name matches as a glob: `a[1].jsonl`.

    Raises:
        SourceError: there are none, one is a folder, or the filesystem cannot be reached.
    """
    if isinstance(path, list):
        return [file for one in path for file in matching(one)]
    if os.path.isdir(path):
        raise SourceError(
            f"source.path={path} is a folder: name its files, such as {os.path.join(path, '*')}, "
            f"or read it as a dataset: source=huggingface source.path={path}"
        )
    try:
        if is_glob(path) and FileSystems.exists(path):
            return [path]
        found = FileSystems.match([path])[0].metadata_list
    except (BeamIOError, ValueError, OSError) as error:
        raise SourceError(f"source.path={path} cannot be listed: {first_line(error)}") from error
    if not found:
        raise SourceError(f"source.path={path} matches no file: check the path, and quote a glob")
    return sorted(metadata.path for metadata in found)


def content_of(path: str | list[str]) -> list[Any] | None:
    """Returns [name, bytes, digest or time of change] of the files that a path or glob matches, or
    several do, sorted: what tells their content from another. None where they cannot be listed."""
    try:
        matched = FileSystems.match([path] if isinstance(path, str) else path)
    except Exception:  # each filesystem has its own error for what is not there
        return None
    files = [file for one in matched for file in one.metadata_list]
    readable = not any("://" in file.path for file in files)
    readable = readable and sum(file.size_in_bytes for file in files) <= _READ_BYTES
    return sorted(
        [
            FileSystems.split(file.path)[1],
            file.size_in_bytes,
            _digest(file.path) if readable else file.last_updated_in_seconds,
        ]
        for file in files
    )


def _digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def is_glob(path: str) -> bool:
    """Whether a path has characters that stand for others in a glob."""
    return re.search(r"[*?\[]", path) is not None


def named(path: str | list[str], paths: list[str]) -> str:
    """Returns what an error calls a source's files: the one, or how they were asked for."""
    if len(paths) == 1:
        return paths[0]
    return f"source.path={path}" if isinstance(path, str) else f"{paths[0]} and others"


def suffixes(path: str) -> tuple[str, str]:
    """Returns the ending that tells a file's format, and the one that tells its compression.

    >>> suffixes("a.b/train.JSONL.gz"), suffixes("x.csv"), suffixes("x.zst")
    (('.jsonl', '.gz'), ('.csv', ''), ('', '.zst'))
    """
    stem, last = os.path.splitext(path.lower())
    return (os.path.splitext(stem)[1], last) if last in _CODECS else (last, "")


def open_whole(path: str) -> io.BufferedReader:
    """Opens a file to be read from its start, decompressed as its name's ending tells.

    A compressed file that was cut off is an error at its end, not a shorter file: Beam's own
    reader stops there without a word.
    """
    raw = FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)
    codec = _CODECS.get(suffixes(path)[1])
    if codec is None:
        return io.BufferedReader(cast(io.RawIOBase, raw))
    return io.BufferedReader(pa.CompressedInputStream(pa.PythonFile(raw, "r"), codec), _BUFFER)


@contextmanager
def reading(path: str) -> Iterator[None]:
    """Turns what goes wrong while a file is read into one line that names the file.

    Raises:
        SourceError: the file cannot be read.
    """
    try:
        yield
    except (OSError, EOFError, ValueError, zlib.error, BeamIOError) as error:
        said, hint = first_line(error), ""
        if "Truncated" in said:
            hint = ": it was cut off, so fetch it again"
        elif "header check" in said:
            hint = f": it is not, or not to its end, what its ending {suffixes(path)[1]} says"
        elif isinstance(error, UnicodeDecodeError):
            hint = ": convert it to UTF-8"
        raise SourceError(f"{path} cannot be read: {said}{hint}") from error

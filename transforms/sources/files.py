"""Finding and opening a source's files, with errors that name them."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from apache_beam.io.filesystem import BeamIOError
from apache_beam.io.filesystems import FileSystems

from transforms.errors import SourceError


def matching(path: str) -> list[str]:
    """Returns the files that a path or glob matches, in the order of their names.

    Raises:
        SourceError: there are none, or the filesystem cannot be reached.
    """
    try:
        found = FileSystems.match([path])[0].metadata_list
    except (BeamIOError, ValueError, OSError) as error:
        raise SourceError(f"source.path={path} cannot be listed: {one_line(error)}") from error
    if not found:
        raise SourceError(f"source.path={path} matches no file: check the path, and quote a glob")
    return sorted(metadata.path for metadata in found)


@contextmanager
def reading(path: str) -> Iterator[None]:
    """Turns what goes wrong while a file is read into one line that names the file.

    Raises:
        SourceError: the file cannot be read.
    """
    try:
        yield
    except (OSError, EOFError, ValueError, zlib.error, BeamIOError) as error:
        raise SourceError(f"{path} cannot be read: {one_line(error)}") from error


def one_line(error: BaseException) -> str:
    """Returns the first line of an error's message, or its type where it has none."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__

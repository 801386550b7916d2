"""Files on disk and in object stores: Beam's `FileSystems`, with Arrow's clients for s3:// and gs://.

Every module that opens files imports `FileSystems` from here, so each process that does so knows
the stores, whoever started it: the driver, its local workers, and workers that a pool or a
container starts. Beam's own s3io makes a client for each open, exists and match, which costs more
than the requests themselves; here a process makes one for each bucket.

How s3:// is reached: by runner.options (`Place`), else as AWS's tools do: AWS_ENDPOINT_URL_S3 or
AWS_ENDPOINT_URL, AWS_REGION or AWS_DEFAULT_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and
AWS_SESSION_TOKEN, else the profile in ~/.aws, else the machine's role. How gs:// is reached: by
Google's default credentials; STORAGE_EMULATOR_HOST names an emulator.
"""

from __future__ import annotations

import contextlib
import os
import posixpath
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, lru_cache
from typing import IO, Any, NamedTuple, cast

import pyarrow.fs as stores
from apache_beam.io.filesystem import (
    BeamIOError,
    CompressedFile,
    CompressionTypes,
    FileMetadata,
    FileSystem,
)
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions, S3Options
from apache_beam.options.value_provider import RuntimeValueProvider

from transforms.engine.errors import SettingsError, StoreError, one_line

__all__ = ["FileSystems", "in_store", "make_folder", "new_file", "replace", "use_options"]

_SCHEMES = ("s3", "gs")
_ATTEMPTS = 12
"""How often a request to s3:// is sent, at most, while the store fails: for 50 seconds, the waits
doubling from 25 ms. Arrow's other strategy waits a second first, and stops early in a bad hour."""
_PATIENCE = timedelta(minutes=1)
"""How long a request to gs:// is repeated while the store fails."""
_SPOOLED = 32_000_000
"""Bytes of a new file for a store that are held in memory; a larger one is held on disk."""


class Place(NamedTuple):
    """Beam's pipeline options on s3:// (`s3_endpoint_url`, ...); None leaves it to AWS's way."""

    s3_endpoint_url: str | None = None
    s3_region_name: str | None = None
    s3_access_key_id: str | None = None
    s3_secret_access_key: str | None = None
    s3_session_token: str | None = None


@lru_cache(8)
def _place(options: PipelineOptions) -> Place:
    view = options.view_as(S3Options)
    return Place(*(getattr(view, name) for name in Place._fields))


def use_options(options: Mapping[str, Any]) -> None:
    """Gives this process's `FileSystems` pipeline options, before a pipeline does.

    Raises SettingsError for one of Beam's on s3:// that these clients do not take.
    """
    for name in options:
        if name.startswith("s3_") and name not in Place._fields:
            raise SettingsError(
                f"runner.options.{name} is not taken: s3_endpoint_url says by http:// or https:// "
                "whether TLS is used (docs/stores.md)"
            )
    FileSystems.set_options(PipelineOptions.from_dictionary(dict(options)))


def in_store(path: str) -> bool:
    """Whether a path is in an object store.

    >>> in_store("s3://bucket/run"), in_store("/tmp/run")
    (True, False)
    """
    return path.startswith(tuple(f"{scheme}://" for scheme in _SCHEMES))


@cache
def _s3(bucket: str, place: Place) -> stores.FileSystem:
    return stores.S3FileSystem(
        access_key=place.s3_access_key_id,
        secret_key=place.s3_secret_access_key,
        session_token=place.s3_session_token,
        region=place.s3_region_name or stores.resolve_s3_region(bucket),
        endpoint_override=place.s3_endpoint_url,
        allow_delayed_open=True,  # a small file is one request
        retry_strategy=stores.AwsDefaultS3RetryStrategy(max_attempts=_ATTEMPTS),
    )


@cache
def _gs(emulator: str | None) -> stores.FileSystem:
    if emulator is None:
        return stores.GcsFileSystem(retry_time_limit=_PATIENCE)
    protocol, _, address = emulator.rpartition("://")
    return stores.GcsFileSystem(
        anonymous=True,
        scheme=protocol or "http",
        endpoint_override=address,
        retry_time_limit=_PATIENCE,
    )


def _client(scheme: str, bucket: str, place: Place) -> stores.FileSystem:
    env = os.environ.get
    if scheme == "gs":
        return _gs(env("STORAGE_EMULATOR_HOST"))
    endpoint = place.s3_endpoint_url or env("AWS_ENDPOINT_URL_S3") or env("AWS_ENDPOINT_URL")
    region = place.s3_region_name or env("AWS_REGION") or env("AWS_DEFAULT_REGION")
    if endpoint and not region:
        region = "us-east-1"  # stores of other makers have none
    return _s3(bucket, place._replace(s3_endpoint_url=endpoint, s3_region_name=region))


class _Store(FileSystem):
    """An object store as Beam sees it. A key that ends with a slash is a folder, not a file."""

    def __init__(self, scheme: str, place: Place) -> None:
        super().__init__(None)
        self._scheme, self._prefix, self._place = scheme, f"{scheme}://", place

    @classmethod
    def scheme(cls) -> str:
        return "store of cotmill"  # of no path: `_filesystem` finds it, not Beam

    @contextlib.contextmanager
    def _at(self, path: str) -> Iterator[tuple[stores.FileSystem, str]]:
        """The client of a path's bucket, and the path as that takes it: BUCKET/KEY.

        Raises StoreError for what goes wrong in the block, but FileNotFoundError as it is.
        """
        place = path.removeprefix(self._prefix).rstrip("/")
        try:
            yield _client(self._scheme, place.partition("/")[0], self._place), place
        except FileNotFoundError:
            raise
        except OSError as error:
            raise StoreError(
                f"{path}: the object store fails ({one_line(error)}): see to its address, the keys "
                "and the bucket (docs/stores.md), then go on with resume=true"
            ) from error

    def join(self, basepath: str, *paths: str) -> str:
        return "/".join([basepath.rstrip("/"), *(path.strip("/") for path in paths)])

    def split(self, path: str) -> tuple[str, str]:
        head, name = posixpath.split(path.removeprefix(self._prefix))
        return self._prefix + head, name

    def mkdirs(self, path: str) -> None:
        pass

    def has_dirs(self) -> bool:
        return False

    def _list(self, dir_or_prefix: str) -> Iterator[FileMetadata]:
        with self._at(self.split(dir_or_prefix)[0]) as (client, place):
            infos = client.get_file_info(
                stores.FileSelector(place, recursive=True, allow_not_found=True)
            )
        found = (self._metadata(info) for info in infos if info.type == stores.FileType.File)
        return (file for file in found if file.path.startswith(dir_or_prefix))

    def _metadata(self, info: stores.FileInfo) -> FileMetadata:
        return FileMetadata(self._prefix + info.path, info.size, (info.mtime_ns or 0) / 1e9)

    def _info(self, path: str) -> stores.FileInfo:
        with self._at(path) as (client, place):
            return client.get_file_info(place)

    def exists(self, path: str) -> bool:
        return bool(self._info(path).type != stores.FileType.NotFound)

    def metadata(self, path: str) -> FileMetadata:
        info = self._info(path)
        if info.type != stores.FileType.File:
            raise BeamIOError("there is no such file", {path: FileNotFoundError(path)})
        return self._metadata(info)

    def size(self, path: str) -> int:
        return self.metadata(path).size_in_bytes

    def last_updated(self, path: str) -> float:
        return self.metadata(path).last_updated_in_seconds

    def checksum(self, path: str) -> str:
        found = self.metadata(path)
        return f"{found.size_in_bytes} {found.last_updated_in_seconds}"

    def open(self, path: str, mime_type: str = "", compression_type: str = "auto") -> Any:
        with self._at(path) as (client, place):
            return _coded(client.open_input_file(place), path, compression_type)

    def create(self, path: str, mime_type: str = "", compression_type: str = "auto") -> Any:
        with self._at(path) as (client, place):
            return _coded(
                client.open_output_stream(place, compression=None), path, compression_type
            )

    def upload(self, file: IO[bytes], path: str) -> None:
        """Writes the rest of a file to the store; readers see all of it or nothing."""
        with (
            self._at(path) as (client, place),
            client.open_output_stream(place, compression=None) as sink,
        ):
            shutil.copyfileobj(file, sink, 1 << 20)

    def copy(self, source_file_names: list[str], destination_file_names: list[str]) -> None:
        for source, target in zip(source_file_names, destination_file_names, strict=True):
            with self._at(source) as (client, place), self._at(target) as (_, target_place):
                client.copy_file(place, target_place)

    def rename(self, source_file_names: list[str], destination_file_names: list[str]) -> None:
        self.copy(source_file_names, destination_file_names)
        self.delete(source_file_names)

    def delete(self, paths: Iterable[str]) -> None:
        for path in paths:
            # Another process deleted it, or this one did, by a request whose answer was lost.
            with contextlib.suppress(FileNotFoundError), self._at(path) as (client, place):
                client.delete_file(place)


def _coded(file: Any, path: str, compression: str) -> Any:
    """A file of a store, and around it what Beam compresses by the ending of the path."""
    if compression == CompressionTypes.AUTO:
        compression = CompressionTypes.detect_compression_type(path)
    return (
        file if compression == CompressionTypes.UNCOMPRESSED else CompressedFile(file, compression)
    )


def _filesystem(path: str) -> FileSystem:
    scheme = FileSystems.get_scheme(path)
    if scheme not in _SCHEMES:
        return _filesystem_of_beam(path)
    options = FileSystems._pipeline_options or RuntimeValueProvider.runtime_options or {}
    if isinstance(options, PipelineOptions):
        return _Store(scheme, _place(options))
    return _Store(scheme, Place(*map(options.get, Place._fields)))


_filesystem_of_beam = FileSystems.get_filesystem
# Beam keeps its file systems in a list that only grows, and refuses two of one scheme.
setattr(FileSystems, "get_filesystem", staticmethod(_filesystem))  # noqa: B010


@dataclass
class NewFile:
    """A file that is being written (by `new_file`)."""

    file: IO[bytes]
    path: str
    """Where it goes once it is whole; emptied, it goes nowhere."""


@contextlib.contextmanager
def new_file(path: str) -> Iterator[NewFile]:
    """A file to write that appears, whole, when the block ends well, or never.

    On disk it is a hidden file in the folder of `path`, which is created, and renamed in the end.
    In a store, where a rename is a copy, it is held here and sent in the end.

    Raises StoreError where the store does not take it.
    """
    if in_store(path):
        with tempfile.SpooledTemporaryFile(_SPOOLED) as spool:
            new = NewFile(cast(IO[bytes], spool), path)
            yield new
            if new.path:
                spool.seek(0)
                cast(_Store, FileSystems.get_filesystem(new.path)).upload(new.file, new.path)
        return
    folder, name = FileSystems.split(path)
    make_folder(folder)
    hidden = FileSystems.join(folder, f".{name}.{uuid.uuid4().hex}")
    moved = False
    try:
        with FileSystems.create(hidden, compression_type=CompressionTypes.UNCOMPRESSED) as file:
            new = NewFile(file, path)
            yield new
        if new.path:
            replace(hidden, new.path)
            moved = True
    finally:
        if not moved:
            with contextlib.suppress(Exception):
                FileSystems.delete([hidden])


def make_folder(folder: str) -> None:
    """Creates a folder and its parents unless it is there (a no-op on object stores)."""
    try:
        FileSystems.mkdirs(folder)
    except OSError:
        if not FileSystems.exists(folder):
            raise


def replace(source: str, target: str) -> None:
    """Renames a file over another."""
    try:
        FileSystems.rename([source], [target])
    except BeamIOError:
        # Some filesystems refuse to rename onto a file that exists.
        FileSystems.delete([target])
        FileSystems.rename([source], [target])

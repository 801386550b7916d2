"""Examples as Parquet or JSON Lines, in shards whose names say their split."""

from __future__ import annotations

import base64
import contextlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from itertools import islice
from types import TracebackType
from typing import IO, Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from transforms.engine.errors import SettingsError
from transforms.engine.files import FileSystems, new_file
from transforms.images.rows import COLUMN, TYPE, with_images
from transforms.publish.export.forms import MESSAGES

Files = Literal["parquet", "jsonl"]
_PLAIN = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
_BATCH = 1000
_BATCH_OF_PICTURES = 64


class Spool:
    """Examples by split, as JSON Lines in files of their own, until all of them are known.

    How many there are decides the names of shards, and what they use decides the columns.
    """

    def __init__(self, types: Mapping[str, pa.DataType]) -> None:
        self._types = types
        self._files: dict[str, IO[str]] = {}
        self._open = contextlib.ExitStack()
        self._used: set[str] = set()
        self._plain = True
        self.rows: dict[str, int] = {}
        """Split -> examples so far."""

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def add(self, split: str, values: Mapping[str, Any]) -> None:
        """Adds an example; its values are JSON, and bytes of pictures."""
        if split not in self._files:
            file = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115, closed by _open
            self._files[split] = self._open.enter_context(file)
        used = {name: values[name] for name in self._types if values.get(name) is not None}
        for name, value in used.items():
            if self._plain and self._types[name] == MESSAGES:
                self._plain = all(map(_is_plain, value))
        self._used |= used.keys()
        self._files[split].write(json.dumps(used, ensure_ascii=False, default=_as_text) + "\n")
        self.rows[split] = self.rows.get(split, 0) + 1

    def write(self, folder: str, files: Files, rows_per_shard: int, compression: str) -> None:
        """Writes SPLIT-00000-of-00001.parquet or .jsonl, and so on, each atomically.

        Raises:
            SettingsError: JSON Lines are asked for, and cannot hold pictures.
        """
        if files == "jsonl" and COLUMN in self._used:
            raise SettingsError("files=jsonl cannot hold the rows' pictures: set files=parquet")
        for split, count in self.rows.items():
            self._files[split].seek(0)
            shards = -(-count // rows_per_shard)
            for shard in range(shards):
                # shards of one size, or of one row more
                size = count // shards + (shard < count % shards)
                path = FileSystems.join(folder, f"{split}-{shard:05d}-of-{shards:05d}.{files}")
                lines = islice(self._files[split], size)
                with new_file(path) as new:
                    if files == "jsonl":
                        new.file.writelines(line.encode() for line in lines)
                    else:
                        self._parquet(new.file, lines, compression)

    def _parquet(self, sink: Any, lines: Iterator[str], compression: str) -> None:
        messages = _PLAIN if self._plain else MESSAGES
        types = {n: messages if t == MESSAGES else t for n, t in self._types.items()}
        schema = pa.schema([(name, kind) for name, kind in types.items() if name in self._used])
        objects = [name for name in schema.names if types[name] == MESSAGES]
        stored = pa.schema(
            [(f.name, pa.list_(pa.string()) if f.name in objects else f.type) for f in schema]
        )
        size = _BATCH
        if COLUMN in schema.names:
            size = _BATCH_OF_PICTURES
            if self._types[COLUMN] == TYPE:
                schema = with_images(schema)
        with pq.ParquetWriter(sink, schema, compression=compression) as writer:
            while batch := [json.loads(line) for line in islice(lines, size)]:
                for row in batch:
                    for image in row.get(COLUMN, ()):
                        image["bytes"] = base64.b64decode(image["bytes"])
                    for name in objects:
                        row[name] = [json.dumps(one, ensure_ascii=False) for one in row[name]]
                writer.write_table(pa.Table.from_pylist(batch, stored).cast(schema))


def _as_text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _is_plain(message: dict[str, Any]) -> bool:
    """Whether a message has a role and a text alone; one with pictures has parts in its place."""
    return message.keys() == {"role", "content"} and isinstance(message["content"], str)

"""Pictures in Parquet rows, as `datasets` has them: the column `images`, with the bytes."""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import pyarrow as pa

from transforms.engine.records import Picture
from transforms.images.blobs import Blobs, file_name

COLUMN = "images"
MEANING = "The pictures of the messages, in their order, each with its bytes"
TYPE = pa.list_(pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
"""A picture's path is the name that its hash gives it."""
_BATCH_BYTES = 8 << 20
"""Bytes of pictures that are held at a time, and stand in a row group, about."""


@cache
def holds_pictures(cls: Any) -> bool:
    """Whether records of a type have a field for pictures, at any depth."""
    if dataclasses.is_dataclass(cls):
        hints = typing.get_type_hints(cls)
        fields = [hints[field.name] for field in dataclasses.fields(cls)]
        return issubclass(typing.cast(type, cls), Picture) or any(map(holds_pictures, fields))
    return any(map(holds_pictures, typing.get_args(cls)))


def pictures_of(record: Any) -> tuple[Picture, ...]:
    """Returns the pictures that a record's row carries, in order: those of its messages, each as
    often as it is shown; of a record whose messages show none, those of its fields."""
    messages = tuple(getattr(record, "messages", ()))
    return tuple(_pictures(messages)) or tuple(_pictures(record))


def _pictures(value: Any) -> Iterator[Picture]:
    if isinstance(value, Picture):
        yield value
    elif isinstance(value, tuple):
        for each in value:
            yield from _pictures(each)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from _pictures(getattr(value, field.name))


def size_of(record: Any) -> int:
    """Bytes of the pictures of a record's row."""
    return sum(picture.size for picture in pictures_of(record))


def image_schema(schema: pa.Schema) -> pa.Schema:
    """Returns the schema of rows with pictures.

    Raises:
        TypeError: the rows have a column of this name already.
    """
    if COLUMN in schema.names:
        raise TypeError(f"records with pictures have a field {COLUMN} of their own: rename it")
    return with_images(schema.append(pa.field(COLUMN, TYPE)))


def with_images(schema: pa.Schema) -> pa.Schema:
    """Returns a schema by which `load_dataset` gives the column `images` as a list of Image: its
    metadata declare the feature of every column."""
    from datasets import Features, Image, List

    features = Features({**Features.from_arrow_schema(schema), COLUMN: List(Image())})
    said = json.dumps({"info": {"features": features.to_dict()}})
    return schema.with_metadata({"huggingface": said})


def image_rows(records: Iterable[Any], blobs: Blobs) -> Iterator[list[dict[str, Any]]]:
    """Yields batches of records as plain values, with their pictures' bytes."""
    batch: list[dict[str, Any]] = []
    held = 0
    for record in records:
        seen = pictures_of(record)
        images = [{"bytes": blobs.get(each), "path": file_name(each)} for each in seen]
        batch.append({**dataclasses.asdict(record), COLUMN: images})
        held += sum(each.size for each in seen)
        if held >= _BATCH_BYTES or len(batch) == 1000:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch

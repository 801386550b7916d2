"""What episodes that were played ahead of their stage came to, on disk until that stage comes."""

from __future__ import annotations

import os
import pickle
import uuid
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa

from transforms.engine.blocks import pack, unpack

_KEY_BYTES = 16
_ENTRY = np.dtype([("key", f"S{_KEY_BYTES}"), ("start", "<u8"), ("bytes", "<u4"), ("size", "<u4")])
"""Of an index: the key, and where its result is in the data file, compressed and not."""


def key_of(sandbox: Any, recall: Any) -> bytes:
    """What an episode's result depends on within a run, as a hash.

    Args:
        sandbox: the identity of the sandbox's settings.
        recall: the stage and the record (`transforms.models.effects.Recall`).
    """
    return blake2b(repr((sandbox, recall)).encode(), digest_size=_KEY_BYTES).digest()


class ResultWriter:
    """Keeps results in files of its own: any number of processes may write into one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: tuple[BinaryIO, BinaryIO] | None = None

    def add(self, key: bytes, result: Any) -> None:
        if self._files is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            path = self._folder / uuid.uuid4().hex
            self._files = (
                path.with_suffix(".data").open("wb"),
                path.with_suffix(".index").open("wb"),
            )
        data, index = self._files
        size, compressed = pack([result])
        assert isinstance(compressed, bytes)
        entry = np.array((key, data.tell(), len(compressed), size), _ENTRY)
        data.write(compressed)
        index.write(entry.tobytes())

    def close(self) -> None:
        for file in self._files or ():
            file.close()
        self._files = None


class ResultReader:
    """Finds results that were closed before the reader was made: 56 bytes of memory for each."""

    def __init__(self, folder: Path) -> None:
        self._paths = sorted(folder.glob("*.data"))
        empty = np.empty(0, _ENTRY)
        parts = [_entries(path.with_suffix(".index")) for path in self._paths]
        entries = np.concatenate([empty, *parts])
        order = np.argsort(entries["key"], kind="stable")
        files = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        self._entries, self._files = entries[order], files[order]
        self._keys = np.ascontiguousarray(self._entries["key"])

    def __len__(self) -> int:
        return len(self._keys)

    def get(self, key: bytes) -> Any:
        """Returns a result; None where there is none, or none that can be read."""
        wanted = np.frombuffer(key, f"S{_KEY_BYTES}")[0]
        place = int(np.searchsorted(self._keys, wanted))
        if place == len(self._keys) or self._keys[place] != wanted:
            return None
        _, start, length, size = self._entries[place].item()
        with (
            suppress(OSError, pa.ArrowException, pickle.UnpicklingError, EOFError),
            self._paths[self._files[place]].open("rb", buffering=0) as file,
        ):
            file.seek(start)
            (result,) = unpack((size, file.read(length)))
            return result
        return None


def _entries(path: Path) -> np.ndarray:
    """The entries of an index; what a killed process wrote half of its last one is left out."""
    with suppress(FileNotFoundError):
        whole = os.path.getsize(path) // _ENTRY.itemsize
        return np.fromfile(path, _ENTRY, count=whole)
    return np.empty(0, _ENTRY)

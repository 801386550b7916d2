"""Which requests a ledger has answers to, and where: 24 bytes a response, texts left on disk."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from transforms.generation.ledger import (
    ANSWER,
    PartGone,
    first_of,
    ledger_parts,
    read_columns,
    set_aside,
    to_responses,
)
from transforms.generation.requests import Response

_ID = "S16"


class LedgerIndex:
    """The ids of a ledger's responses, sorted, each with its part and row.

    Holds 16 + 8 bytes a response, so 24 MB for a million; only the id column of the parts is
    read for it. Any thread may use it.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._lock = threading.RLock()
        self._paths: list[str] = []
        self._numbers: dict[str, int] = {}
        self._ids = np.empty(0, _ID)
        self._parts = np.empty(0, np.uint32)
        self._rows = np.empty(0, np.uint32)

    def __len__(self) -> int:
        """Responses held, several of one request counted apart."""
        return len(self._ids)

    def refresh(self) -> None:
        """Takes in what was written to the folder, and forgets what is gone from it."""
        with self._lock:
            while True:
                listed = ledger_parts(self._folder)
                try:
                    found = {path: part_ids(path) for path in listed if path not in self._numbers}
                    break
                except PartGone:  # compacted since it was listed: its rows are in another part
                    continue
            gone = [self._numbers.pop(path) for path in self._numbers.keys() - set(listed)]
            if gone:
                self._keep(~np.isin(self._parts, np.array(gone, np.uint32)))
            if found:
                self._add(found)

    def _add(self, found: Mapping[str, np.ndarray]) -> None:
        ids, parts, rows = [self._ids], [self._parts], [self._rows]
        for path, new in found.items():
            number = len(self._paths)
            self._paths.append(path)
            self._numbers[path] = number
            ids.append(new)
            parts.append(np.full(len(new), number, np.uint32))
            rows.append(np.arange(len(new), dtype=np.uint32))
        self._ids, self._parts, self._rows = map(np.concatenate, (ids, parts, rows))
        self._keep(np.argsort(self._ids, kind="stable"))

    def _keep(self, which: np.ndarray) -> None:
        self._ids, self._parts, self._rows = self._ids[which], self._parts[which], self._rows[which]

    def holds(self, request_ids: Sequence[str]) -> list[bool]:
        """Says for each request whether there is a response to it."""
        with self._lock:
            left, right = self._range(request_ids)
        return (left < right).tolist()

    def _range(self, request_ids: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        wanted = np.array([bytes.fromhex(request_id) for request_id in request_ids], _ID)
        ids = self._ids
        return np.searchsorted(ids, wanted), np.searchsorted(ids, wanted, side="right")

    def read(self, request_ids: Iterable[str]) -> dict[str, Response]:
        """Returns the responses that the ledger has, one a request (`first_of`).

        Each row group that holds any of them is read once. A part that is gone, since compacted
        into another, is looked for anew; one that turns out to be corrupt is set aside, and what
        it held is not returned.
        """
        wanted = sorted(set(request_ids))
        while True:
            try:
                return self._read(wanted)
            except PartGone:
                self.refresh()

    def _read(self, wanted: list[str]) -> dict[str, Response]:
        with self._lock:
            left, right = self._range(wanted)
            where = np.concatenate(
                [np.arange(a, b) for a, b in zip(left, right, strict=True)] or [np.empty(0, int)]
            ).astype(int)
            parts, rows, paths = self._parts[where], self._rows[where], self._paths
        found: defaultdict[str, list[Response]] = defaultdict(list)
        for part in np.unique(parts).tolist():
            table = read_columns(paths[part], ANSWER, np.sort(rows[parts == part]))
            for response in to_responses(table) if table is not None else ():
                found[response.id].append(response)
        return {key: first_of(responses) for key, responses in found.items()}


def part_ids(path: str) -> np.ndarray:
    """Returns the ids of a part in their order, 16 bytes each; none where it cannot be read."""
    table = read_columns(path, ["id"])
    if table is None:
        return np.empty(0, _ID)
    try:
        ids = [bytes.fromhex(text) for text in table["id"].to_pylist()]
        if any(len(each) != 16 for each in ids):
            raise ValueError("an id is not of 32 hexadecimal digits")
    except ValueError as error:
        set_aside(path, error)
        ids = []
    return np.array(ids, _ID)


_opening = threading.Lock()
_indexes: dict[str, LedgerIndex] = {}


def open_index(folder: str) -> LedgerIndex:
    """Returns this process's index of a ledger, up to date."""
    with _opening:
        index = _indexes.setdefault(folder, LedgerIndex(folder))
    index.refresh()
    return index

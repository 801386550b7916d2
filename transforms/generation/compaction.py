"""Compaction: a ledger's many small parts become few large ones, with one row a request."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from apache_beam.io.filesystem import BeamIOError
from apache_beam.io.filesystems import FileSystems

from transforms.errors import LedgerError
from transforms.generation.ledger import (
    ORDER,
    SCHEMA,
    Part,
    PartGone,
    ledger_folder,
    new_part,
    read_columns,
)


@dataclass(frozen=True)
class Compacted:
    """What a compaction did."""

    parts_before: int
    parts_after: int
    rows: int
    """Responses that the compacted ledger holds."""
    dropped: int
    """Rows that were a further response to the same request."""


def compact(folder: str, part_bytes: int) -> Compacted:
    """Rewrites a ledger in parts of about `part_bytes`, oldest responses first.

    Of several responses to a request the one stays that every reader chooses (`first_of`). Every
    part is read whole first, so that what is corrupt is set aside before it is decided which row
    stays. Rows are copied into a new part, which appears whole, before the parts that held them
    are deleted: a crash leaves some rows twice and loses none. Writers may go on meanwhile, since
    only parts that were there at the start are touched; readers find what has moved. Parts that
    are large already, and have no row to drop, stay as they are.

    Raises:
        LedgerError: another compaction of this folder is at work. That is known on a machine's own
            disks; on an object store run one at a time, or rows could be lost.
    """
    with _alone(folder):
        parts = [part for part in ledger_folder(folder) if _is_whole(part)]
        losers = losing_rows(part.path for part in parts)
        worn = [p for p in parts if p.path in losers or p.bytes < part_bytes // 2]
        for group in _groups(worn, part_bytes):
            if len(group) > 1 or group[0].path in losers:
                _merge(folder, group, losers)
        after = ledger_folder(folder)
    return Compacted(
        parts_before=len(parts),
        parts_after=len(after),
        rows=sum(_rows(part) for part in after),
        dropped=sum(len(rows) for rows in losers.values()),
    )


def losing_rows(paths: Iterable[str]) -> dict[str, np.ndarray]:
    """Returns part -> the numbers of its rows whose request has a row that goes before them.

    The first in `ORDER` stays; of equal rows, the one in the part with the smallest name.
    """
    known: dict[bytes, tuple[str, int]] = {}
    repeated: defaultdict[bytes, list[tuple[str, int]]] = defaultdict(list)
    for path in sorted(paths):
        for row, text in enumerate(_column(path, "id")):
            key = bytes.fromhex(text)
            if key in known:
                repeated[key] = repeated[key] or [known[key]]
                repeated[key].append((path, row))
            else:
                known[key] = (path, row)
    wanted: defaultdict[str, list[int]] = defaultdict(list)
    for path, row in (place for places in repeated.values() for place in places):
        wanted[path].append(row)
    orders: dict[tuple[str, int], tuple[Any, ...]] = {}
    for path, rows in wanted.items():
        table = read_columns(path, ORDER, np.array(sorted(rows)))
        for row, values in zip(sorted(rows), table.to_pylist() if table else (), strict=True):
            orders[path, row] = tuple(values.values())
    losers: defaultdict[str, list[int]] = defaultdict(list)
    for places in repeated.values():
        for path, row in sorted(places, key=lambda place: (orders[place], place))[1:]:
            losers[path].append(row)
    return {path: np.array(sorted(rows)) for path, rows in losers.items()}


def _column(path: str, name: str) -> list[Any]:
    table = read_columns(path, [name])
    return table[name].to_pylist() if table is not None else []


def _is_whole(part: Part) -> bool:
    try:
        return read_columns(part.path, SCHEMA.names) is not None
    except PartGone:
        return False


def _rows(part: Part) -> int:
    return len(_column(part.path, "finish_reason"))


def _groups(parts: Iterable[Part], part_bytes: int) -> Iterator[list[Part]]:
    """Yields parts that go together into one, by age."""
    group: list[Part] = []
    for part in sorted(parts, key=lambda part: (part.written_at, part.path)):
        if group and sum(each.bytes for each in group) + part.bytes > part_bytes:
            yield group
            group = []
        group.append(part)
    if group:
        yield group


def _merge(folder: str, group: list[Part], losers: dict[str, np.ndarray]) -> None:
    """Copies the rows of a group that stay into one part, then deletes the group."""
    with new_part(folder) as merged:
        for part in group:
            table = read_columns(part.path, SCHEMA.names)
            if table is None:
                raise LedgerError(
                    f"{part.path} was whole a moment ago and is not now: nothing was deleted; "
                    "see to the disk, then compact again"
                )
            stay = np.ones(len(table), bool)
            stay[losers.get(part.path, [])] = False
            merged.write(table.filter(stay))
    replaced = [part.path for part in group if part.path != merged.path]
    with contextlib.suppress(BeamIOError):  # somebody set one aside meanwhile
        FileSystems.delete(replaced)


@contextlib.contextmanager
def _alone(folder: str) -> Iterator[None]:
    """Keeps other compactions out, on local disks; the kernel lets go when a process dies."""
    if "://" in folder or not os.path.isdir(folder):
        yield
        return
    with open(os.path.join(folder, ".compacting"), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LedgerError(
                f"{folder} is being compacted by another process: wait for its end"
            ) from None
        yield

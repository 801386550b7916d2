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
import pyarrow as pa
from apache_beam.io.filesystem import BeamIOError

from transforms.engine.errors import LedgerError
from transforms.engine.files import FileSystems
from transforms.models.ledger.parts import (
    ORDER,
    ROW_GROUP,
    SCHEMA,
    Part,
    PartGone,
    PartUnreadable,
    ledger_folder,
    new_part,
    order_of,
    read_columns,
    with_questions,
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
    set_aside: list[str]
    """Unreadable parts, each with the reason."""


def compact(folder: str, part_bytes: int) -> Compacted:
    """Rewrites a ledger in parts of about `part_bytes`, oldest responses first.

    Of several responses to a request the one stays that every reader chooses (`first_of`): an
    answer makes the marks of earlier failures superfluous. Every part is read whole first, and
    what is unreadable is set aside (renamed to `.corrupt-…`), before it is decided which row stays.
    Rows of the first edition get the columns that they lack. Rows are copied into a new part, which
    appears whole, before the parts that held them are deleted: a crash leaves some rows twice and
    loses none. Writers may go on meanwhile, since only parts that were there at the start are
    touched, and a part that its writer replaces is left out: its rows are in the writer's next
    part. Readers find what has moved. Parts that are large already, and have no row to drop, stay
    as they are.

    Raises:
        LedgerError: a part cannot be read now (nothing is lost: compact again), or another
            compaction of this folder is at work. That is known on a machine's own disks; on an
            object store run one at a time, or rows could be lost.
    """
    with _alone(folder):
        listed = ledger_folder(folder)
        aside: list[str] = []
        parts = [part for part in listed if _is_whole(part, aside)]
        losers = losing_rows(part.path for part in parts)
        worn = [p for p in parts if p.path in losers or p.bytes < part_bytes // 2]
        for group in _groups(worn, part_bytes):
            if len(group) > 1 or group[0].path in losers:
                _merge(folder, group, losers)
        after = ledger_folder(folder)
    return Compacted(
        parts_before=len(listed),
        parts_after=len(after),
        rows=sum(len(_column(part.path, "finish_reason")) for part in after),
        dropped=sum(len(rows) for rows in losers.values()),
        set_aside=aside,
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
        with contextlib.suppress(PartGone):
            table = read_columns(path, ORDER, np.array(sorted(rows)))
            for row, values in zip(sorted(rows), table.to_pylist(), strict=True):
                orders[path, row] = order_of(list(values.values()))
    losers: defaultdict[str, list[int]] = defaultdict(list)
    for places in repeated.values():
        there = [place for place in places if place in orders]
        for path, row in sorted(there, key=lambda place: (orders[place], place))[1:]:
            losers[path].append(row)
    return {path: np.array(sorted(rows)) for path, rows in losers.items()}


def _column(path: str, name: str) -> list[Any]:
    try:
        return list(read_columns(path, [name])[name].to_pylist())
    except PartGone:
        return []


def _is_whole(part: Part, aside: list[str]) -> bool:
    try:
        read_columns(part.path, SCHEMA.names)
    except PartGone:
        return False
    except PartUnreadable as error:
        folder, name = FileSystems.split(part.path)
        FileSystems.rename([part.path], [FileSystems.join(folder, f".corrupt-{name}")])
        aside.append(str(error))
        return False
    return True


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
        waiting: list[pa.Table] = []  # few rows of many parts make one group of rows
        for part in group:
            try:
                table = with_questions(read_columns(part.path, SCHEMA.names))
            except PartGone:
                continue
            except PartUnreadable as error:
                raise LedgerError(
                    f"{error}, and was whole a moment ago: nothing was deleted; see to the disk, "
                    "then compact again"
                ) from error
            stay = np.ones(len(table), bool)
            stay[losers.get(part.path, [])] = False
            waiting.append(table.filter(stay))
            if sum(map(len, waiting)) >= ROW_GROUP:
                merged.write(pa.concat_tables(waiting))
                waiting = []
        if waiting:
            merged.write(pa.concat_tables(waiting))
    replaced = [part.path for part in group if part.path != merged.path]
    with contextlib.suppress(BeamIOError):  # a writer replaced one meanwhile
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

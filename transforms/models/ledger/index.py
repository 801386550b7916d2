"""Which requests a ledger has answers to, and where: 30 bytes a response, texts left on disk."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow.compute as pc

from transforms.engine.errors import LedgerError
from transforms.models.backends.base import read_thought
from transforms.models.ledger.parts import (
    ANSWER,
    QUESTION,
    ROW_GROUP,
    PartGone,
    PartUnreadable,
    first_of,
    ledger_parts,
    read_columns,
    to_response,
    warn_unreadable,
    with_questions,
)
from transforms.models.requests import UNANSWERED, Request, Response

_KEY = "S16"
_SIDES: tuple[Literal["left", "right"], ...] = ("left", "right")


class Entries(NamedTuple):
    """Where the responses of a part are: arrays of one length, an entry each.

    An answer that ended by itself has its question as key, and serves limits from `least` tokens
    on. Any other response has its request's id as key, and `least` is 0.
    """

    keys: np.ndarray
    rows: np.ndarray
    least: np.ndarray
    part_rows: int
    """Rows of the part, those without an entry too."""
    answered: frozenset[tuple[str, str]]
    """Stage and hash of the backend's settings of all answers."""


class LedgerIndex:
    """The keys of a ledger's responses, sorted, each with its part and row.

    Holds 30 bytes a response, so 30 MB for a million; no text of the parts is read for it, but
    for parts of the first edition, whose questions are hashed anew (30 microseconds a response,
    until the ledger is compacted). Any thread may use it.

    Args:
        folder: the ledger.
        failures: whether requests that stayed unanswered have a response, their failure: for
            replays. Without it they have none.
    """

    def __init__(self, folder: str, failures: bool = False) -> None:
        self._folder, self._failures = folder, failures
        self._lock = threading.RLock()
        self._paths: list[str] = []
        self._lengths: list[int] = []
        self._numbers: dict[str, int] = {}
        self._keys = np.empty(0, _KEY)
        self._parts, self._rows, self._least = (np.empty(0, np.uint32) for _ in range(3))
        self._answered: set[tuple[str, str]] = set()
        self._touched: set[tuple[int, int]] = set()
        self._spill = _Spill()

        self._filter = _Filter(self._keys)

    def __len__(self) -> int:
        """Responses held, several of one request counted apart."""
        return len(self._keys)

    def refresh(self) -> None:
        """Takes in what was written to the folder, and forgets what is gone from it."""
        with self._lock:
            found: dict[str, Entries] = {}
            while True:
                listed = ledger_parts(self._folder)
                missed = False
                for path in listed:
                    if path not in self._numbers and path not in found:
                        try:
                            found[path] = self._entries(path)
                        except PartGone:  # its rows are in another part by now
                            missed = True
                if not missed:
                    break
            self._forget(self._numbers.keys() - set(listed))
            self._add({path: found[path] for path in listed if path in found})

    def _entries(self, path: str) -> Entries:
        try:
            return part_entries(path, self._failures)
        except PartUnreadable as error:
            warn_unreadable(error)
            none = np.empty(0, np.uint32)
            return Entries(np.empty(0, _KEY), none, none, 0, frozenset())

    def _add(self, found: Mapping[str, Entries]) -> None:
        keys, parts, rows, least = [self._keys], [self._parts], [self._rows], [self._least]
        for path, new in found.items():
            number = len(self._paths)
            self._paths.append(path)
            self._lengths.append(new.part_rows)
            self._answered |= new.answered
            self._numbers[path] = number
            keys.append(new.keys)
            parts.append(np.full(len(new.keys), number, np.uint32))
            rows.append(new.rows)
            least.append(new.least)
        if found:
            self._keys, self._parts, self._rows, self._least = map(
                np.concatenate, (keys, parts, rows, least)
            )
            self._keep(np.argsort(self._keys, kind="stable"))

    def _forget(self, paths: Iterable[str]) -> None:
        gone = [self._numbers.pop(path) for path in paths]
        if gone:
            self._keep(~np.isin(self._parts, np.array(gone, np.uint32)))

    def _keep(self, which: np.ndarray) -> None:
        self._keys, self._parts = self._keys[which], self._parts[which]
        self._rows, self._least = self._rows[which], self._least[which]
        self._filter = _Filter(self._keys)

    def holds(self, requests: Sequence[Request]) -> list[bool]:
        """Returns for each request whether the ledger has a response that serves it.

        `read` may find that it serves other settings of the backend, or is damaged.
        """
        held = np.zeros(len(requests), bool)
        with self._lock:
            if not any(r.id in self._filter or r.question in self._filter for r in requests):
                return held.tolist()
            held[self._places(requests)[1]] = True
        return held.tolist()

    def _places(self, requests: Sequence[Request]) -> tuple[np.ndarray, np.ndarray]:
        """Returns the entries that serve any request, and beside each the request's number."""
        wanted = _to_keys([key for request in requests for key in (request.id, request.question)])
        left = np.searchsorted(self._keys, wanted)
        counts = np.searchsorted(self._keys, wanted, side="right") - left
        first = np.repeat(left - np.cumsum(counts) + counts, counts)
        entries = first + np.arange(len(first))
        asking = np.repeat(np.arange(len(wanted)) // 2, counts)
        limits = np.array([request.sampler.max_tokens for request in requests], np.int64)
        serves = self._least[entries] <= limits[asking]
        return entries[serves], asking[serves]

    def read(self, requests: Iterable[Request], backend: str | None = None) -> dict[str, Response]:
        """Returns the responses that serve `requests`, by the requests' ids.

        An answer to the very request goes before one to the same question with another limit,
        both go before a failure (`first_of`). Each group of rows that holds any of them is read
        once; when it is needed for the second time, it is copied to an unnamed file in the
        temporary folder, uncompressed, from where any row is read alone. So reading all responses
        in any order costs at most twice what it costs in their own order.

        Args:
            backend: hash of the backend's settings (`backend_hash`). Failures of other settings
                are left out, since these may mend them, and failures of a stage that got no answer
                with these settings, since the endpoint may be mended. None: all are served.

        Raises:
            LedgerError: a part cannot be read now, or the temporary folder has no room.
        """
        wanted = list({request.id: request for request in requests}.values())
        with self._lock:
            while True:
                try:
                    return self._read(wanted, backend)
                except PartGone:
                    self.refresh()

    def observation(self, key: str) -> str | None:
        """Returns what a tool gave, as JSON; None where the ledger does not hold it.

        Args:
            key: as for `LedgerWriter.add_observation`.

        Raises:
            LedgerError: as `read`.
        """
        (wanted,) = _to_keys([key])
        with self._lock:
            if key not in self._filter:
                return None
            while True:
                start, end = (np.searchsorted(self._keys, wanted, side) for side in _SIDES)
                try:
                    texts = self._texts(np.arange(start, end))
                except PartGone:
                    self.refresh()
                else:
                    return first_of(each for each, _ in texts.values()).text if texts else None

    def _read(self, wanted: list[Request], backend: str | None) -> dict[str, Response]:
        entries, asking = self._places(wanted)
        rows = self._texts(np.unique(entries))
        candidates: defaultdict[int, list[Response]] = defaultdict(list)
        for entry, number in zip(entries.tolist(), asking.tolist(), strict=True):
            response, asked_by = rows[entry]
            if (
                response.error_kind is None
                or backend is None
                or (backend == asked_by and (response.stage, backend) in self._answered)
            ):
                candidates[number].append(response)
        found = {}
        for number, responses in candidates.items():
            request = wanted[number]
            exact = [r for r in responses if r.id == request.id and r.error_kind is None]
            chosen = first_of(exact or responses)
            found[request.id] = replace(
                read_thought(request, chosen), id=request.id, model=request.model
            )
        return found

    def _texts(self, entries: np.ndarray) -> dict[int, tuple[Response, str]]:
        """Returns for each entry its response, and the hash of the backend that it came from."""
        parts, rows = self._parts[entries], self._rows[entries]
        groups = rows // ROW_GROUP
        order = np.lexsort((rows, parts))
        edges = np.flatnonzero(np.diff(parts[order]) | np.diff(groups[order])) + 1
        at_once: defaultdict[int, list[int]] = defaultdict(list)
        texts = {}
        for members in np.split(order, edges) if len(order) else ():
            group = int(parts[members[0]]), int(groups[members[0]])
            if group in self._touched and group not in self._spill:
                self._copy(group)
            if group in self._spill:
                for i in members.tolist():
                    texts[int(entries[i])] = self._spill.read(group, int(rows[i]) % ROW_GROUP)
            else:
                self._touched.add(group)
                at_once[group[0]].extend(members.tolist())
        for part, numbers in at_once.items():
            for i, row in zip(numbers, self._part_rows(part, rows[numbers]), strict=True):
                texts[int(entries[i])] = row
        return {entry: _split(row) for entry, row in texts.items()}

    def _copy(self, group: tuple[int, int]) -> None:
        part, number = group
        first = number * ROW_GROUP
        last = min(first + ROW_GROUP, self._lengths[part])
        self._spill.add(group, self._part_rows(part, np.arange(first, last)))

    def _part_rows(self, part: int, rows: np.ndarray) -> list[dict[str, Any]]:
        """Returns rows of a part.

        Raises:
            PartGone: it is gone, or is unreadable and has no entries any more.
        """
        try:
            return list(read_columns(self._paths[part], [*ANSWER, "backend"], rows).to_pylist())
        except PartUnreadable as error:
            warn_unreadable(error)
            self._keep(self._parts != part)
            raise PartGone(self._paths[part]) from error


def _split(row: dict[str, Any]) -> tuple[Response, str]:
    asked_by = row.pop("backend")
    return to_response(row), asked_by


class _Filter:
    """Tells most keys that are not among the given ones, by a bit for each: 1 to 2 bytes a key.

    The usual request is new. numpy's search gives up the interpreter's lock, and to get it back
    from a busy thread takes far longer than the search.
    """

    def __init__(self, keys: np.ndarray) -> None:
        self._mask = (1 << (8 * len(keys)).bit_length()) - 1
        bits = np.zeros(self._mask + 1, bool)
        bits[np.ascontiguousarray(keys).view(">u8")[::2] & np.uint64(self._mask)] = True
        self._bits = np.packbits(bits, bitorder="little").tobytes()

    def __contains__(self, key: str) -> bool:
        place = int(key[:16], 16) & self._mask
        return bool(self._bits[place >> 3] >> (place & 7) & 1)


class _Spill:
    """Groups of rows in a file without a name, from where each row is read alone."""

    def __init__(self) -> None:
        self._file: Any = None
        self._ends: dict[tuple[int, int], np.ndarray] = {}
        self._end = 0

    def __contains__(self, group: tuple[int, int]) -> bool:
        return group in self._ends

    def add(self, group: tuple[int, int], rows: Sequence[Mapping[str, Any]]) -> None:
        """Appends a group of rows."""
        texts = [json.dumps(row).encode() for row in rows]
        ends = self._end + np.cumsum([0, *map(len, texts)])
        try:
            if self._file is None:  # open as long as the index, which the process keeps
                self._file = tempfile.TemporaryFile(prefix="cotmill-")  # noqa: SIM115
            self._file.seek(self._end)
            self._file.writelines(texts)
            self._file.flush()
        except OSError as error:
            raise LedgerError(
                f"no room in {tempfile.gettempdir()} for the recorded answers ({error}): "
                "set TMPDIR to a folder with more"
            ) from error
        self._ends[group] = ends
        self._end = int(ends[-1])

    def read(self, group: tuple[int, int], row: int) -> dict[str, Any]:
        """Returns one row of a group."""
        start, end = self._ends[group][row : row + 2].tolist()
        text = os.pread(self._file.fileno(), end - start, start)
        return dict(json.loads(text))


def _to_keys(texts: Sequence[str]) -> np.ndarray:
    return np.array([bytes.fromhex(text) for text in texts], _KEY)


def part_entries(path: str, failures: bool = False) -> Entries:
    """Returns the entries of a part; those of unanswered requests only with `failures`.

    Raises: as `read_columns`.
    """
    columns = ["id", "finish_reason", "error_kind", "question", "max_tokens", "generated_tokens"]
    table = read_columns(path, [*columns, "stage", "backend"])
    answers = table.filter(table["error_kind"].is_null())
    answered = frozenset(  # not by group_by, which imports pyarrow's engine for queries: 0.2 s
        (stage, backend)
        for stage in answers["stage"].unique().to_pylist()
        for backend in answers.filter(pc.equal(answers["stage"], stage))["backend"]
        .unique()
        .to_pylist()
    )
    ids, reasons, kinds, questions, limits, generated = (
        table[name].to_pylist() for name in columns
    )
    finished = [reason == "stop" for reason in reasons]
    if any(ended and question is None for ended, question in zip(finished, questions, strict=True)):
        asked = with_questions(read_columns(path, QUESTION))
        questions, limits = (asked[name].to_pylist() for name in ("question", "max_tokens"))
    keys, least = list(ids), [0] * len(ids)
    for row, question in enumerate(questions):
        if finished[row] and question is not None:
            keys[row] = question
            # A limit of just as many tokens may have cut the answer off before its end was seen.
            least[row] = min(limits[row], generated[row] + 1 if generated[row] else limits[row])
    wanted = [row for row, kind in enumerate(kinds) if failures or kind not in UNANSWERED]
    try:
        if any(len(keys[row]) != 32 for row in wanted):
            raise ValueError("an id is not of 32 hexadecimal digits")
        found = _to_keys([keys[row] for row in wanted])
    except ValueError as error:
        raise PartUnreadable(f"ledger part {path} is unreadable ({error})") from error
    rows = np.array(wanted, np.uint32)
    return Entries(found, rows, np.array(least, np.uint32)[rows], len(ids), answered)


_opening = threading.Lock()
_indexes: dict[tuple[str, bool], LedgerIndex] = {}


def open_index(folder: str, failures: bool = False) -> LedgerIndex:
    """Returns this process's index of a ledger, up to date (see `LedgerIndex`)."""
    with _opening:
        index = _indexes.setdefault((folder, failures), LedgerIndex(folder, failures))
    index.refresh()
    return index

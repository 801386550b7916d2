"""Runs the cells of sessions where their states are kept, and rebuilds a state that is not.

A state is named by the cells that led to it. Where none of a session's states is kept (another
worker began it, a bundle was retried, the oldest were dropped), its cells are run again: they give
the same, because a session's generators are seeded and its files are its own.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import resource
import threading
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from functools import partial

from transforms.sandbox.cells import SPARE_FILES
from transforms.sandbox.claims import Reason, judge_cell
from transforms.sandbox.cores import memory_mb_of_process
from transforms.sandbox.jobs import Cell, CellResult, Status
from transforms.sandbox.settings import SandboxSettings
from transforms.sandbox.slots import Kind, Slot, ZygoteDied, kind_of

_OVERHEAD_MB = 0.25
"""What the kernel keeps for each process: 0.2 to 0.4, less what faults count too much."""
_RUN_AGAIN = 8
"""What a cell that is run again counts for where it delays others: for so many that wait."""
_MOST_DROPPED = 16
"""Dropped states that may wait to be ended with the next cell of their home."""
_SHARE_KEPT = 1 / 4
"""Share of the memory that this process may use for the states of sessions, unless it is set."""
_ROOT = ""
"""Name of the state before a session's first cell, which is never kept."""


@dataclass
class State:
    """A kept state."""

    number: int
    """Its zygote's name for it."""
    parent: str
    mb: float
    used: int
    """When a cell last began in it, or left it."""
    forks: int = 0
    """Kept states that were forked from it."""


class _NotKept(Exception):
    """A state that a cell was to run in was dropped meanwhile."""


class _Silent(Exception):
    """A state that is kept does not fork; the message is its name."""


class Home:
    """A slot that keeps states, and the cells that wait for it.

    Its states are changed by whoever holds the lock of its Sessions; the rest by the one thread
    that runs a cell here.
    """

    def __init__(self) -> None:
        self.slot: Slot | None = None
        self.base_mb = 0.0
        """Memory of a zygote without a cell."""
        self.numbers = 0
        self.dropped: list[int] = []
        """States that the zygote still has to end."""
        self.states: dict[str, State] = {}
        """By name, the one last used last."""
        self.mb = 0.0
        """Memory of the states."""
        self.waiting: deque[tuple[Cell, Future[CellResult]]] = deque()
        self.busy = False

    def missing(self, names: list[str]) -> int:
        """Returns how many of a session's last cells would have to be run again."""
        depth = len(names) - 1
        return next((depth - i for i in range(depth, 0, -1) if names[i] in self.states), depth)

    def cost(self, names: list[str]) -> tuple[int, int, int]:
        """Returns how late the home would have a cell done, counted in cells.

        Cells that are run again in an idle home take the time of no others. Elsewhere they do, so a
        cell leaves the home of its state for such a one only where far fewer wait.
        """
        missing, ahead = self.missing(names), len(self.waiting) + self.busy
        return ahead + missing * (_RUN_AGAIN if ahead else 1), missing, len(self.states)

    def add(self, name: str, state: State) -> None:
        if name in self.states:  # another branch had left the same
            self.drop(name)
        self.states[name] = state
        self.mb += state.mb
        if state.parent in self.states:
            self.states[state.parent].forks += 1

    def drop(self, name: str) -> State:
        """Forgets a state; the zygote ends it with the next cell, or `_work` has it do so."""
        state = self.states.pop(name)
        self.mb -= state.mb
        if state.parent in self.states:
            self.states[state.parent].forks -= 1
        self.dropped.append(state.number)
        return state

    def droppable(self) -> Iterator[tuple[bool, int, str]]:
        """Yields what to drop first: (whether it is branched from or last, when used, name).

        A state with one fork is needed again only where its session takes another turn. The newest
        one stays while a cell runs: a replay goes on from it.
        """
        names = list(self.states)
        for name in names[:-1] if self.busy else names:
            state = self.states[name]
            yield state.forks != 1, state.used, name

    def close(self) -> None:
        if self.slot is not None:
            self.slot.close()
        self.slot = None
        self.dropped.clear()
        self.states.clear()
        self.mb = 0.0


class Sessions:
    """Keeps the states of a sandbox's sessions, and runs each cell where its state is.

    Args:
        slots: cells that run at once in slots of one kind.
        start: starts a slot of a kind that can keep so many states, with so many MiB.
    """

    def __init__(
        self,
        settings: SandboxSettings,
        slots: int,
        start: Callable[[Kind, int, int], Slot],
    ) -> None:
        self._settings, self._slots, self._start = settings, slots, start
        # a supervisor has a socket to each state
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1] - settings.open_files - SPARE_FILES
        self._most = max(1, min(settings.snapshots, most))
        self._most_mb = settings.snapshots_mb or int(memory_mb_of_process() * _SHARE_KEPT)
        self._lock = threading.Lock()
        self._homes: dict[Kind, list[Home]] = {}
        self._uses = itertools.count()

    def submit(self, cell: Cell, threads: Executor) -> Future[CellResult]:
        """Has a cell run in the home of the least cost."""
        if sum(map(len, cell.files.values())) > self._settings.file_mb << 20:
            error = f"its files are over sandbox.file_mb={self._settings.file_mb}"
            refused: Future[CellResult] = Future()
            refused.set_result(
                CellResult(Status.BLOCKED, None, "", None, error, cell.after, 0.0, 0.0)
            )
            return refused
        kind = kind_of("\n".join((*cell.after, cell.code)), cell.seed)
        names = state_names(cell)
        future: Future[CellResult] = Future()
        with self._lock:
            if kind not in self._homes:
                self._homes[kind] = [Home() for _ in range(self._slots)]
            home = min(self._homes[kind], key=lambda home: home.cost(names))
            home.waiting.append((cell, future))
            self._wake(kind, home, threads)
        return future

    @property
    def kept(self) -> int:
        """States that are kept now."""
        return sum(len(home.states) for homes in self._homes.values() for home in homes)

    def cancel(self) -> None:
        """Cancels the cells that wait."""
        with self._lock:
            for homes in self._homes.values():
                for home in homes:
                    for _, future in home.waiting:
                        future.cancel()
                    home.waiting.clear()

    def close(self) -> None:
        """Ends every session; no cell may run."""
        for homes in self._homes.values():
            for home in homes:
                home.close()
        self._homes.clear()

    def _wake(self, kind: Kind, home: Home, threads: Executor) -> None:
        if not home.busy:
            home.busy = True
            threads.submit(self._work, kind, home, threads)

    def _work(self, kind: Kind, home: Home, threads: Executor) -> None:
        """Runs the first cell that waits for a home; the next one queues behind other work."""
        with self._lock:
            cell, future = home.waiting.popleft() if home.waiting else (None, None)
        report: Callable[[], None] | None = None
        if cell is None or future is None:
            self._end_dropped(home)
        elif future.set_running_or_notify_cancel():
            try:
                report = partial(future.set_result, self._run(kind, home, cell))
            except BaseException as error:
                report = partial(future.set_exception, error)
        with self._lock:
            home.busy = False
            if home.waiting:
                self._wake(kind, home, threads)
            idle = [
                (each, other)
                for each, homes in self._homes.items()
                for other in homes
                if len(other.dropped) > _MOST_DROPPED and not other.busy
            ]
            for each, other in idle:
                self._wake(each, other, threads)
        if report:  # whoever waits finds the home idle
            report()

    def _end_dropped(self, home: Home) -> None:
        with self._lock:
            dropped, home.dropped = home.dropped, []
        if home.slot is not None and dropped:
            try:
                home.slot.exchange(json.dumps({"drop": dropped}).encode())
            except ZygoteDied:
                self._close(home)

    def _close(self, home: Home) -> None:
        with self._lock:
            home.close()

    def _run(self, kind: Kind, home: Home, cell: Cell) -> CellResult:
        silent: set[str] = set()
        while True:
            try:
                return self._run_from_nearest(kind, home, cell)
            except _NotKept:
                continue
            except _Silent as error:
                if (name := str(error)) in silent:
                    return _crashed(cell, "the state before it does not answer, twice")
                silent.add(name)
            except ZygoteDied:
                self._close(home)
                if _ROOT in silent:
                    return _crashed(cell, "its zygote died, twice")
                silent.add(_ROOT)

    def _run_from_nearest(self, kind: Kind, home: Home, cell: Cell) -> CellResult:
        names = state_names(cell)
        with self._lock:
            missing = home.missing(names)
        first = len(cell.after) - missing
        for index in range(first, len(cell.after)):
            earlier = replace(cell, code=cell.after[index], after=cell.after[:index], wanted=())
            result = self._exchange(kind, home, earlier, names[index], index - first)
            if len(result.after) != index + 1:
                error = f"cell {index + 1}, run again, left no state: {result.status}"
                return replace(result, after=cell.after, error=f"{error}: {result.error}")
        return self._exchange(kind, home, cell, names[-1], missing)

    def _exchange(
        self, kind: Kind, home: Home, cell: Cell, parent: str, replayed: int
    ) -> CellResult:
        """Runs one cell from the state `parent`, and keeps the state that it leaves."""
        if home.slot is None:
            home.slot = self._start(kind, self._most, self._most_mb)
            home.base_mb = home.slot.memory().resident
        with self._lock:
            number = 0
            if parent != _ROOT:
                if parent not in home.states:
                    raise _NotKept
                state = home.states[parent] = home.states.pop(parent)
                state.used = next(self._uses)
                number = state.number
            home.numbers += 1
            left = home.numbers
            dropped, home.dropped = home.dropped, []
        request = {
            "drop": dropped,
            "state": number,
            "number": left,
            "index": len(cell.after) + 1,
            "code": cell.code.encode(errors="replace").decode(),
            "seed": cell.seed,
            "wanted": cell.wanted,
        }
        if parent == _ROOT:
            request["files"] = {name: b64encode(data).decode() for name, data in cell.files.items()}
        seen = home.slot.exchange(json.dumps(request).encode())
        if seen.reason is Reason.LOST:
            with self._lock:
                if parent in home.states:
                    home.drop(parent)
            raise _Silent(parent)
        result = judge_cell(seen, cell, replayed, self._settings)
        if seen.exit_code is not None:
            return result
        mb = max(seen.memory.resident - home.base_mb, seen.memory.faulted)
        mb += seen.peak_mb + _OVERHEAD_MB
        with self._lock:
            if len(result.after) == len(cell.after):  # it lives on, but its claim is none
                home.dropped.append(left)
            else:
                name = _name_after(parent, cell.code, cell.origin)
                home.add(name, State(left, parent, mb, next(self._uses)))
                self._make_room()
        return result

    def _make_room(self) -> None:
        """Drops the oldest states of all homes where there are too many, an eighth at a time."""
        homes = [home for homes in self._homes.values() for home in homes]
        over = sum(len(home.states) for home in homes) - self._most
        over_mb = sum(home.mb for home in homes) - self._most_mb
        if over > 0:
            over += self._most // 8
        if over_mb > 0:
            over_mb += self._most_mb / 8
        if over <= 0 and over_mb <= 0:
            return
        first = sorted(
            ((*each, home) for home in homes for each in home.droppable()),
            key=lambda each: each[:2],
        )
        for _, _, name, home in first:
            if over <= 0 and over_mb <= 0:
                return
            over_mb -= home.drop(name).mb
            over -= 1


def state_names(cell: Cell) -> list[str]:
    """Returns the names of the states that lead to a cell, from before the first of its session."""
    names, origin = [_ROOT], cell.origin
    for code in cell.after:
        names.append(_name_after(names[-1], code, origin))
    return names


def _name_after(parent: str, code: str, origin: str) -> str:
    text = f"{parent}\0{origin}\0{code}"
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _crashed(cell: Cell, why: str) -> CellResult:
    return CellResult(Status.CRASHED, None, "", None, why, cell.after, 0.0, 0.0)

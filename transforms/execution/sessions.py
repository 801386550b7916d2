"""Runs the cells of sessions where their states are kept, and rebuilds a state that is not.

A state is named by the cells that led to it. Where none of a session's states is kept (another
worker began it, a bundle was retried, the oldest were dropped), its cells are run again: they give
the same, because a session's generators are seeded and its files are its own.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace

from transforms.execution.claims import Reason, judge_cell
from transforms.execution.jobs import Cell, CellResult, Status
from transforms.execution.slots import Kind, Slot, ZygoteDied, kind_of, memory_of
from transforms.settings import SandboxSettings

_OVERHEAD_MB = 1.0
"""What the kernel keeps for each process."""
_ROOT = ""
"""Name of the state before a session's first cell, which is never kept."""


@dataclass(frozen=True)
class _State:
    """A kept state."""

    number: int
    parent: str
    mb: float


class _Lost(Exception):
    """A state that was believed to be kept is not."""


class _Home:
    """A slot that keeps states, the cells that wait for it, and which states it keeps.

    Args:
        snapshots, snapshots_mb: states kept at once, and their memory together.
    """

    def __init__(
        self,
        settings: SandboxSettings,
        snapshots: int,
        snapshots_mb: int,
        start: Callable[[], Slot],
    ) -> None:
        self._settings, self._start = settings, start
        self._snapshots, self._snapshots_mb = snapshots, snapshots_mb
        self._slot: Slot | None = None
        self._numbers = 0
        self._dropped: list[int] = []
        self.states: dict[str, _State] = {}
        """By name, the one last used last."""
        self.waiting: deque[tuple[Cell, Future[CellResult]]] = deque()
        self.busy = False

    def missing(self, names: list[str]) -> int:
        """Returns how many of a session's last cells would have to be run again."""
        depth = len(names) - 1
        return next((depth - i for i in range(depth, 0, -1) if names[i] in self.states), depth)

    def run(self, cell: Cell) -> CellResult:
        lost: set[str] = set()
        while True:
            try:
                return self._run(cell, lost)
            except _Lost as error:
                if (name := str(error)) in lost:
                    return _crashed(cell, "the state before it does not answer, twice")
                lost.add(name)
            except ZygoteDied:
                self.close()
                if _ROOT in lost:
                    return _crashed(cell, "its zygote died, twice")
                lost.add(_ROOT)

    def _run(self, cell: Cell, lost: set[str]) -> CellResult:
        names = state_names(cell)
        missing = self.missing(names)
        first = len(cell.after) - missing
        for index in range(first, len(cell.after)):
            earlier = replace(cell, code=cell.after[index], after=cell.after[:index])
            result = self._exchange(earlier, names[index], index - first)
            if len(result.after) != index + 1:
                error = f"cell {index + 1}, run again, left no state: {result.status}"
                return replace(result, after=cell.after, error=f"{error}: {result.error}")
        return self._exchange(cell, names[-1], missing)

    def _exchange(self, cell: Cell, parent: str, replayed: int) -> CellResult:
        """Runs one cell from the state `parent`, which is kept, and keeps the state it leaves."""
        if self._slot is None:
            self._slot = self._start()
            self._base_mb = self._slot.memory().anonymous
        state = self.states.pop(parent) if parent != _ROOT else None
        if state is not None:
            self.states[parent] = state  # the one last used
        self._numbers += 1
        dropped, self._dropped = self._dropped, []
        request = {
            "drop": dropped,
            "state": state.number if state else 0,
            "number": self._numbers,
            "index": len(cell.after) + 1,
            "code": cell.code.encode(errors="replace").decode(),
            "seed": cell.seed,
        }
        seen = self._slot.exchange(request)
        if seen.reason is Reason.LOST:
            self.states.pop(parent, None)
            raise _Lost(parent)
        result = judge_cell(seen, cell, replayed, self._settings)
        if seen.exit_code is None:
            pidfd = self._slot.receive_pidfd()
            memory = memory_of(pidfd)
            os.close(pidfd)
            if len(result.after) == len(cell.after):  # it lives on, but its claim is none
                self._dropped.append(self._numbers)
            else:
                grown = max(memory.anonymous - self._base_mb, memory.faulted)
                mb = grown + seen.peak_mb + _OVERHEAD_MB
                name = _name_after(parent, cell.code, cell.seed)
                if name in self.states:  # another branch had left the same
                    self._dropped.append(self.states.pop(name).number)
                self.states[name] = _State(self._numbers, parent, mb)
                self._make_room()
        return result

    def _make_room(self) -> None:
        """Drops the oldest states, first of those that one other alone was forked from.

        Such a state is needed again only where its session takes another turn; one with several
        forks is branched from. The newest state stays: a replay goes on from it.
        """
        while len(self.states) > 1 and (
            len(self.states) > self._snapshots
            or sum(state.mb for state in self.states.values()) > self._snapshots_mb
        ):
            forks = Counter(state.parent for state in self.states.values())
            older = list(self.states)[:-1]
            name = next((name for name in older if forks[name] == 1), older[0])
            self._dropped.append(self.states.pop(name).number)

    def close(self) -> None:
        if self._slot is not None:
            self._slot.close()
        self._slot, self._dropped = None, []
        self.states.clear()


class Sessions:
    """The homes of a sandbox's sessions, and which of them runs a cell.

    Args:
        slots: homes of each kind.
        start: starts a slot of a kind that keeps so many states, with so many MiB.
    """

    def __init__(
        self,
        settings: SandboxSettings,
        slots: int,
        start: Callable[[Kind, int, int], Slot],
    ) -> None:
        self._settings, self._slots, self._start = settings, slots, start
        self._lock = threading.Lock()
        self._homes: dict[Kind, list[_Home]] = {}

    def submit(self, cell: Cell, threads: Executor) -> Future[CellResult]:
        """Has a cell run in the home that will have it done soonest, counted in cells."""
        kind = kind_of("\n".join((*cell.after, cell.code)), cell.seed)
        names = state_names(cell)
        future: Future[CellResult] = Future()
        with self._lock:
            if kind not in self._homes:
                self._homes[kind] = [self._home(kind) for _ in range(self._slots)]
            home = min(
                self._homes[kind],
                key=lambda home: (
                    home.missing(names) + len(home.waiting) + home.busy,
                    len(home.states),
                ),
            )
            home.waiting.append((cell, future))
            if not home.busy:
                home.busy = True
                threads.submit(self._work, home, threads)
        return future

    def _home(self, kind: Kind) -> _Home:
        snapshots = max(1, self._settings.snapshots // self._slots)
        snapshots_mb = max(1, self._settings.snapshots_mb // self._slots)
        start = lambda: self._start(kind, snapshots, snapshots_mb)  # noqa: E731
        return _Home(self._settings, snapshots, snapshots_mb, start)

    def _work(self, home: _Home, threads: Executor) -> None:
        """Runs the first cell that waits for a home; the next one queues behind other work."""
        with self._lock:
            if not home.waiting:  # cancelled
                home.busy = False
                return
            cell, future = home.waiting.popleft()
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(home.run(cell))
            except BaseException as error:
                future.set_exception(error)
        with self._lock:
            home.busy = bool(home.waiting)
            if home.busy:
                threads.submit(self._work, home, threads)

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


def state_names(cell: Cell) -> list[str]:
    """Returns the names of the states that lead to a cell, from before the first of its session."""
    names = [_ROOT]
    for code in cell.after:
        names.append(_name_after(names[-1], code, cell.seed))
    return names


def _name_after(parent: str, code: str, seed: int) -> str:
    text = f"{parent}\0{seed}\0{code}"
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _crashed(cell: Cell, why: str) -> CellResult:
    return CellResult(Status.CRASHED, None, "", None, why, cell.after, 0.0, 0.0)

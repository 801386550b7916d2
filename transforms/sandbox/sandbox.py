"""Runs hostile programs behind walls that the kernel keeps: `with Sandbox(settings) as box`.

A template process preloads what programs import, once, and forks a zygote for each slot. A zygote
shuts itself in (namespaces, Landlock, seccomp, limits: isolation.py) and forks one child a program,
so that a program starts inside walls that already stand, with its modules already imported.

What a program says its `output` is stays its claim: it shares a process with the harness that reads
it, and could assign `output` outright or write the claim itself. Status, times and limits are
decided outside its process, by its zygote and here: a crash, a limit or a timeout cannot be
claimed away. What it claims is compared with anything only outside, and is read as size-capped
strict JSON.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import threading
from base64 import b64encode
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from itertools import islice
from types import TracebackType

from transforms.engine.errors import SandboxError
from transforms.sandbox.cgroups import CgroupUnavailable, SlotGroup, find_parent
from transforms.sandbox.claims import Seen, judge, judge_varied
from transforms.sandbox.cores import cores_of_process
from transforms.sandbox.isolation import Layer, scratch_mb
from transforms.sandbox.jobs import (
    Cell,
    CellResult,
    Check,
    Checked,
    Job,
    Result,
    Status,
    TraceLimits,
    Vary,
)
from transforms.sandbox.sessions import Sessions
from transforms.sandbox.settings import SandboxSettings
from transforms.sandbox.slots import (
    AHEAD_BYTES,
    TIERS,
    WAYS_OUT,
    Kind,
    Slot,
    Template,
    ZygoteDied,
    kind_of,
    missing,
    tier_of,
)

__all__ = [
    "TIERS",
    "Cell",
    "CellResult",
    "Check",
    "Checked",
    "Job",
    "Result",
    "Sandbox",
    "Status",
    "TraceLimits",
    "Vary",
    "describe",
    "missing",
    "tier_of",
]

_TRIES = 2
"""Times that a program is run whose zygote dies under it."""

_IN_A_ROW = 8
"""Jobs of one kind that a slot runs before it is the turn of others."""
_LOOKED_AT = 32
"""Jobs that wait among which the next of a kind is looked for."""

_GROUP_SPARE_MB = 64
"""What a slot's control group may hold beside the program's memory and files: its zygote."""


def _without_run(status: Status, error: str) -> Result:
    return Result(status, None, None, "", None, error, 0.0, 0.0, 0.0)


@dataclass
class _Run:
    """A job that waits, or runs."""

    job: Job
    kind: Kind
    cpu_seconds: float
    future: Future[Result] = field(default_factory=Future)
    tries: int = 0
    """Zygotes that died under it."""

    @cached_property
    def request(self) -> bytes:
        job = self.job
        request = {
            "code": _encodable(job.code),
            "seed": job.seed,
            "trace": job.trace and asdict(job.trace),
            "vary": job.vary and asdict(job.vary),
            "stdin": _encodable(job.stdin),
            "files": {name: b64encode(data).decode() for name, data in job.files.items()},
            "wanted": job.wanted,
            "cpu_seconds": self.cpu_seconds,
        }
        return json.dumps(request).encode()

    def may_be_sent_ahead(self) -> bool:
        """Whether its request may be sent beside one that is not answered, see `Slot.send`."""
        return not self.job.files and not self.job.stdin and len(self.request) <= AHEAD_BYTES


def _encodable(text: str) -> str:
    return text.encode(errors="replace").decode()


class Sandbox:
    """Runs programs in the order given, up to `settings.slots` (else one a core) at once.

    Usable from any thread, by several threads at once, and several times in a process. What it
    starts ends with it, and with the host process.

    Args:
        settings: limits and mode.
        without: names of layers left out, to see what the others hold.

    Raises:
        SandboxError: on entering: the operating system is not Linux, the processes cannot start,
            or the kernel does not give what `settings.mode` needs.
    """

    def __init__(self, settings: SandboxSettings, without: frozenset[str] = frozenset()) -> None:
        self._settings, self._without = settings, without
        self.slots = settings.slots or cores_of_process()
        """Programs that run at once."""
        self.layers: tuple[Layer, ...] = ()
        """What stands around each slot; known once the sandbox is entered."""
        self._threads: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        self._templates: dict[Kind, Template] = {}
        self._idle: defaultdict[Kind, list[Slot]] = defaultdict(list)
        self._waiting: deque[_Run] = deque()
        self._folders = 0
        self._sessions = Sessions(settings, self.slots, self._start_slot)

    def __enter__(self) -> Sandbox:
        if sys.platform != "linux":
            raise SandboxError("the sandbox needs Linux: run cotmill in a Linux container")
        self._directory = tempfile.mkdtemp(prefix="cotmill-sandbox-")
        os.chmod(self._directory, 0o711)  # slots without a mount namespace pass through it
        self._threads = ThreadPoolExecutor(self.slots, "sandbox")
        try:
            kind = kind_of("", 0)
            self._idle[kind].append(self._start_slot(kind))
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the sandbox once the programs that run have ended; leaves nothing behind."""
        if self._threads is None:
            return
        self._sessions.cancel()
        with self._lock:
            for run in self._waiting:
                run.future.cancel()
            self._waiting.clear()
        self._threads.shutdown(cancel_futures=True)
        self._threads = None
        self._sessions.close()
        for slots in self._idle.values():
            for slot in slots:
                slot.close()
        self._idle.clear()
        for template in self._templates.values():
            template.close()
        self._templates.clear()
        shutil.rmtree(self._directory, ignore_errors=True)

    def submit(self, job: Job) -> Future[Result]:
        """Has a job run as soon as a slot is free.

        Jobs begin in the order of their submission, but for a few of one kind that a slot runs in a
        row where many wait.

        Raises:
            SandboxError: the sandbox is not open. The future's result raises it where a slot that
                died cannot be replaced.
        """
        threads, run = self._open_threads(), self._plan(job)
        if not run.future.done():
            with self._lock:
                self._waiting.append(run)
            threads.submit(self._run_next)
        return run.future

    def submit_check(self, check: Check) -> Future[Checked]:
        """Has a program run, and then its checker; see `Check`. Raises as `submit` does."""
        return self._open_threads().submit(self._check, check)

    def submit_cell(self, cell: Cell) -> Future[CellResult]:
        """Has a cell run in its session; cells of thousands of sessions may wait at once.

        Cells of one state run one after the other, each from that same state. Raises as `submit`
        does.
        """
        return self._sessions.submit(cell, self._open_threads())

    def run_cell(self, cell: Cell) -> CellResult:
        """Runs a cell and waits for it. Raises as `submit` does, and its future."""
        return self.submit_cell(cell).result()

    def _open_threads(self) -> ThreadPoolExecutor:
        if self._threads is None:
            raise SandboxError("the sandbox is not open: use `with Sandbox(settings) as box`")
        return self._threads

    def run(self, jobs: Iterable[Job]) -> Iterator[Result]:
        """Yields one Result a job, in the order of the jobs, drawing jobs as slots come free.

        Raises:
            SandboxError: as `submit` does, and its futures.
        """
        pending: deque[Future[Result]] = deque()
        try:
            for job in jobs:
                pending.append(self.submit(job))
                if len(pending) >= 4 * self.slots:  # some wait behind one that takes long
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()

    def _plan(self, job: Job) -> _Run:
        limits = self._settings
        cpu_seconds = min(job.cpu_seconds or limits.cpu_seconds, limits.cpu_seconds)
        run = _Run(job, kind_of(job.code, job.seed), cpu_seconds)
        size = len(job.stdin) + sum(map(len, job.files.values()))
        if size > limits.file_mb << 20:
            error = f"its stdin and files are over sandbox.file_mb={limits.file_mb}"
            run.future.set_result(_without_run(Status.BLOCKED, error))
        return run

    def _run_next(self) -> None:
        """Runs the job that has waited longest, unless another thread took it in a row."""
        with self._lock:
            run = self._waiting.popleft() if self._waiting else None
        if run is not None and run.future.set_running_or_notify_cancel():
            self._run_row(run, _IN_A_ROW)

    def _run_here(self, job: Job) -> Result:
        run = self._plan(job)
        if not run.future.done():
            self._run_row(run, 1)
        return run.future.result()

    def _run_row(self, first: _Run, most: int) -> None:
        """Runs a job, and where many wait others of its kind after it, `most` in all.

        Each is sent while the one before it runs, so that the zygote need not wait for a thread's
        turn between two programs.
        """
        slot: Slot | None = None
        to_send, sent = deque([first]), deque[_Run]()
        while to_send or sent:
            try:
                slot = slot or self._take_slot(first.kind)
                while to_send:
                    slot.send(to_send[0].request)
                    sent.append(to_send.popleft())
                if most > 1 and len(sent) == 1 and (follower := self._follower(first.kind)):
                    to_send.append(follower)
                    most -= 1
                    continue
                seen = slot.receive()
                sent[0].future.set_result(self._judge(sent[0], seen))
                sent.popleft()
            except ZygoteDied:
                if slot is not None:
                    slot.close()
                slot, to_send = None, sent + to_send
                sent.clear()
                to_send[0].tries += 1
                if to_send[0].tries == _TRIES:
                    lost = _without_run(Status.CRASHED, "its zygote died, twice")
                    to_send.popleft().future.set_result(lost)
            except BaseException as error:
                for run in sent + to_send:
                    run.future.set_exception(error)
                if slot is not None:
                    slot.close()
                return
        if slot is not None:
            with self._lock:
                self._idle[first.kind].append(slot)

    def _follower(self, kind: Kind) -> _Run | None:
        """Takes a job of this kind out of those that wait, where there are enough for all slots."""
        with self._lock:
            if len(self._waiting) <= self.slots:
                return None
            for place, run in enumerate(islice(self._waiting, _LOOKED_AT)):
                if run.kind == kind and run.may_be_sent_ahead():
                    del self._waiting[place]
                    return run if run.future.set_running_or_notify_cancel() else None
        return None

    def _judge(self, run: _Run, seen: Seen) -> Result:
        limits = self._settings
        if run.job.vary:
            return judge_varied(run.job.vary, seen, limits)
        if run.cpu_seconds != limits.cpu_seconds:
            limits = limits.model_copy(update={"cpu_seconds": run.cpu_seconds})
        return judge(seen, limits)

    def _check(self, check: Check) -> Checked:
        candidate = self._run_here(check.candidate)
        if candidate.status is not Status.OK:
            return Checked(candidate, None)
        facts = {
            "status": candidate.status.value,
            "input": candidate.input and json.loads(candidate.input),
            "output": candidate.output and json.loads(candidate.output),
            "stdout": candidate.stdout,
        }
        files = {f"candidate/{name}": data for name, data in candidate.files.items()}
        files |= {**check.checker.files, "candidate.json": json.dumps(facts).encode()}
        return Checked(candidate, self._run_here(replace(check.checker, files=files)))

    def _take_slot(self, kind: Kind) -> Slot:
        with self._lock:
            if self._idle[kind]:
                return self._idle[kind].pop()
        return self._start_slot(kind)

    def _start_slot(self, kind: Kind, snapshots: int = 0, snapshots_mb: int = 0) -> Slot:
        """Starts a slot for programs, or one that keeps the states of sessions."""
        with self._lock:
            template = self._templates.get(kind)
            if template is None or not template.alive:
                if template is not None:
                    template.close()
                template = self._templates[kind] = Template(
                    self._settings, kind, self._without, self._directory
                )
            self._folders += 1
            directory = os.path.join(self._directory, str(self._folders))
        os.mkdir(directory)
        slot, layers = template.start_slot(directory, snapshots)
        layers.append(self._join_group(slot, snapshots, snapshots_mb))
        mode = self._settings.mode
        if lacking := missing(layers, mode):
            slot.close()
            raise SandboxError(
                f"sandbox={mode} cannot start: {'; '.join(lacking)}; {WAYS_OUT[mode]}"
            )
        self.layers = tuple(layers)
        return slot

    def _join_group(self, slot: Slot, snapshots: int, snapshots_mb: int) -> Layer:
        """Puts the slot's zygote into a control group of its own, where one can be made."""
        if "cgroup" in self._without:
            return Layer("cgroup", False, "left out")
        settings = self._settings
        memory_mb = settings.memory_mb + _GROUP_SPARE_MB + scratch_mb(settings.file_mb)
        memory_mb += snapshots_mb
        try:
            slot.group = SlotGroup(
                find_parent(),
                f"cotmill-{slot.pid}",
                slot.pid,
                memory_bytes=memory_mb << 20,
                processes=settings.processes + snapshots + 2,
            )
        except CgroupUnavailable as error:
            return Layer("cgroup", False, str(error))
        return Layer("cgroup", True, f"{memory_mb} MiB in all of a program's processes")


def describe(settings: SandboxSettings) -> list[Layer]:
    """Starts one slot and returns what stands around it, a row a layer."""
    with Sandbox(settings.model_copy(update={"mode": "none", "slots": 1})) as box:
        return list(box.layers)

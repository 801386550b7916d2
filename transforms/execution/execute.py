"""Runs records' programs in the sandbox: `InSandbox` for any stage, `Execute` for programs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PCollection
from apache_beam.utils.windowed_value import WindowedValue

from transforms import progress
from transforms.execution.sandbox import Job, Result, Sandbox, Status
from transforms.execution.shared import shared_sandbox
from transforms.ids import derived_seed
from transforms.records import Execution, Program, grow
from transforms.settings import SandboxSettings

Plan = Callable[[Any], list[Job]]
Finish = Callable[[Any, list[Result]], Any]


SAMPLED_ONE_IN = 10
"""Of so many programs, one is run twice with determinism `sampled`."""


def plan_program(program: Program, determinism: str) -> list[Job]:
    """Returns the runs of one program: one, or two under different seeds.

    Args:
        determinism: `off` (one run), `always` (two), or `sampled` (two for one program in
            `SAMPLED_ONE_IN`, drawn from its id).
    """
    first = Job(program.code, seed=0)
    sampled = determinism == "sampled" and derived_seed(2, program.id) % SAMPLED_ONE_IN == 0
    if not sampled and determinism != "always":
        return [first]
    # odd, so that the hash seed differs as well wherever only two of them are kept
    return [first, Job(program.code, seed=derived_seed(1, program.id) | 1)]


def finish_program(program: Program, results: list[Result]) -> Execution:
    """Returns the Execution that one or two runs of a program amount to.

    The first run is the one reported; where it is ok, a second that is not, or whose output or
    input differs, makes it nondeterministic.
    """
    first, *others = results
    status, error = first.status, first.error
    if first.error_type is not None:
        error = f"{first.error_type}: {error}" if error else first.error_type
    if status is Status.OK:
        for other in others:
            if other.status is not Status.OK:
                status = Status.NONDETERMINISTIC
                error = f"ok, then {other.status} under another seed"
            elif (other.input, other.output) != (first.input, first.output):
                status = Status.NONDETERMINISTIC
                error = "another result under another seed"
    return grow(
        Execution,
        program,
        status=status.value,
        input=first.input,
        output=first.output,
        error=error,
        wall_seconds=first.wall_seconds,
        cpu_seconds=sum(result.cpu_seconds for result in results),
        peak_mb=max(result.peak_mb for result in results),
    )


def run_in(box: Sandbox, records: list[Any], plan: Plan, finish: Finish) -> Iterator[Any]:
    """Yields `finish(record, results)` for each record in order; all jobs share the slots."""
    plans = [plan(record) for record in records]
    results = box.run(job for jobs in plans for job in jobs)
    for record, jobs in zip(records, plans, strict=True):
        yield finish(record, [next(results) for _ in jobs])


_PENDING_PER_SLOT = 64
"""Records whose jobs wait or run: enough that slots stay busy behind a program that takes long."""


class _InSandboxDoFn(beam.DoFn):
    """Leases the process's sandbox; its jobs run while the next records are still on their way."""

    def __init__(self, settings: SandboxSettings, plan: Plan, finish: Finish, stage: str) -> None:
        self._settings, self._plan, self._finish, self._stage = settings, plan, finish, stage

    def setup(self) -> None:
        self._lease = shared_sandbox(self._settings)
        self._box = self._lease.__enter__()
        self._pending: deque[tuple[WindowedValue, list[Future[Result]]]] = deque()

    def teardown(self) -> None:
        self._cancel()
        self._lease.__exit__(None, None, None)

    def start_bundle(self) -> None:
        self._cancel()  # what a bundle that failed has left

    def process(
        self,
        record: Any,
        timestamp: Any = beam.DoFn.TimestampParam,
        window: Any = beam.DoFn.WindowParam,
    ) -> Iterator[WindowedValue]:
        futures = [self._box.submit(job) for job in self._plan(record)]
        self._pending.append((WindowedValue(record, timestamp, (window,)), futures))
        while self._pending and (self._is_full() or all(f.done() for f in self._pending[0][1])):
            yield self._finish_first()

    def finish_bundle(self) -> Iterator[WindowedValue]:
        while self._pending:
            yield self._finish_first()
        progress.flush()

    def _is_full(self) -> bool:
        return len(self._pending) > _PENDING_PER_SLOT * self._box.slots

    def _finish_first(self) -> WindowedValue:
        item, futures = self._pending.popleft()
        out = self._finish(item.value, [future.result() for future in futures])
        if self._stage:
            progress.report(self._stage, "run", 1)
        return item.with_value(out)

    def _cancel(self) -> None:
        for _, futures in self._pending:
            for future in futures:
                future.cancel()
        self._pending.clear()


@dataclass
class InSandbox(beam.PTransform):
    """PCollection[record] -> PCollection[out]: plans jobs per record, runs them, finishes it.

    Within a bundle the output's order is the input's. Bundles are independent, and a retried one
    gives the same.

    Args:
        sandbox: limits and mode.
        plan: record -> its jobs; may be none.
        finish: (record, its results in the order of its jobs) -> out.
        stage: name under which the progress display counts what ran; empty counts nothing.
    """

    sandbox: SandboxSettings
    plan: Plan
    finish: Finish
    stage: str = ""

    def expand(self, records: PCollection) -> PCollection:
        return records | "Run in sandbox" >> beam.ParDo(
            _InSandboxDoFn(self.sandbox, self.plan, self.finish, self.stage)
        )


@dataclass
class Execute(beam.PTransform):
    """PCollection[Program] -> PCollection[Execution]: every program comes out, whatever its status.

    Args:
        sandbox: limits, mode, and whether each program runs twice to find nondeterminism.
        stage: name of the stage, for the progress display.
    """

    sandbox: SandboxSettings
    stage: str = "execute"

    def expand(self, programs: PCollection) -> PCollection:
        determinism = self.sandbox.determinism
        return programs | "Programs" >> InSandbox(
            sandbox=self.sandbox,
            plan=lambda program: plan_program(program, determinism),
            finish=finish_program,
            stage=self.stage,
        ).with_output_types(Execution)

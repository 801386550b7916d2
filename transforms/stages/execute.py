"""Running programs: once or twice, and what the runs amount to."""

from __future__ import annotations

from dataclasses import dataclass, replace

import apache_beam as beam
from apache_beam.pvalue import PCollection

from transforms.engine.accounting import Verdict, first_rejection
from transforms.engine.ids import derived_seed
from transforms.engine.records import Execution, Program, grow
from transforms.models.driver import Drive
from transforms.models.episode import Steps
from transforms.programs.checks import FilterSettings, FormOf, form_checks, run_checks
from transforms.programs.perturb import perturb, suits, vary, vary_stated
from transforms.programs.seedless import is_seedless
from transforms.programs.source import source_of
from transforms.sandbox.sandbox import Job, Result, Status
from transforms.sandbox.settings import SandboxSettings

SAMPLED_ONE_IN = 10
"""Of so many programs, one is run twice with determinism `sampled`."""


def plan_program(program: Program, determinism: str) -> list[Job]:
    """Returns the runs of one program: one, or two under different seeds.

    Args:
        determinism: `off` (one run), `always` (two), or `sampled` (two for one program in
            `SAMPLED_ONE_IN`, drawn from its id). A program that no seed can touch runs once
            (`is_seedless`).
    """
    first = Job(program.code, seed=0)
    sampled = determinism == "sampled" and derived_seed(2, program.id) % SAMPLED_ONE_IN == 0
    if not sampled and determinism != "always" or is_seedless(source_of(program.code)):
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


def execute(program: Program, determinism: str) -> Steps[Execution]:
    """Runs a program, once or twice (see `plan_program`); it comes out whatever its status."""
    results = yield plan_program(program, determinism)
    return finish_program(program, results)


def execute_checked(
    program: Program, determinism: str, filter: FilterSettings
) -> Steps[tuple[Execution | None, Verdict]]:
    """Checks a program's form, runs it, and checks the run.

    Returns:
        The run, None for a program whose form is refused, and the first verdict that does not keep
        it, or `keep()`.
    """
    verdict = FormOf(form_checks(filter))(program)
    if not verdict.kept:
        return None, verdict
    execution = yield from execute(program, determinism)
    return execution, first_rejection(run_checks(filter), execution)


def execute_and_perturb(program: Program, determinism: str, most_keys: int) -> Steps[Execution]:
    """Runs a program as `execute`; its last run goes on to perturbed inputs.

    What ends well comes out as `perturb` returns it, at the cost of one process less. What ends
    otherwise is not run again. Where a single run has to be planned before it is known how long the
    program takes and what it gives, `sensitive_keys` stays None for some, for `perturb` to find.
    """
    first, *others = plan_program(program, determinism)
    if not others:
        return (yield from _run_at_once(program, first, most_keys))
    result = yield first
    execution = finish_program(program, [result])
    if execution.status != Status.OK:
        return execution
    plan = vary(execution, 0, most_keys)
    again = yield replace(others[0], vary=plan)
    execution = finish_program(program, [result, again])
    if execution.status != Status.OK:
        return execution
    return (yield from perturb(execution, most_keys, again.moved))


def _run_at_once(program: Program, job: Job, most_keys: int) -> Steps[Execution]:
    """Runs a program under its own input, and in the same process under perturbed ones."""
    plan = vary_stated(program, most_keys)
    result = yield replace(job, vary=plan)
    execution = finish_program(program, [result])
    if plan is None or execution.status != Status.OK or not suits(plan, execution):
        return execution
    return (yield from perturb(execution, most_keys, result.moved))


@dataclass
class Execute(beam.PTransform):
    """PCollection[Program] -> PCollection[Execution]: every program comes out, whatever its status.

    Args:
        sandbox: limits, mode, and whether each program runs twice to find nondeterminism.
    """

    sandbox: SandboxSettings

    def expand(self, programs: PCollection) -> PCollection:
        determinism = self.sandbox.determinism
        driven = programs | "Programs" >> Drive(
            "execute", lambda program: execute(program, determinism), sandbox=self.sandbox
        )
        return driven.results

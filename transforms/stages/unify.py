"""Seeds verified by code: run what they carry, and have programs written for those without."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, ClassVar

from apache_beam.pvalue import AsSingleton, PCollection

from transforms.engine.accounting import Verdict, first_rejection, keep, reject
from transforms.engine.blocks import Spread
from transforms.engine.ids import content_id
from transforms.engine.records import Execution, Program, Seed
from transforms.engine.stage import Same
from transforms.models.episode import Episode, ModelEpisode, Steps
from transforms.models.pool import Pool, SeedPool, draw_shots
from transforms.models.requests import Response
from transforms.models.responses import judge_program
from transforms.programs.checks import (
    RUN_REASONS,
    FilterSettings,
    FormOf,
    FormReason,
    form_checks,
    run_checks,
)
from transforms.sandbox.settings import SandboxSettings
from transforms.sources.rows import SeedReason
from transforms.stages.execute import finish_program, plan_program
from transforms.stages.judge import Pair, compare
from transforms.text.answers import plain_answer


class UnifyReason(StrEnum):
    """Why a seed is not verified by code."""

    ANSWER_MISMATCH = "answer_mismatch"
    NO_PROGRAM_AGREES = "no_program_agrees"


@dataclass(frozen=True)
class Tried:
    """A seed, the programs that claim to solve it, and how each fared."""

    seed: Seed
    programs: tuple[Program, ...]
    verdicts: tuple[Verdict, ...] = ()
    """One per program: rejected by its form or its run, or kept."""
    executions: tuple[Execution, ...] = ()
    """One per program that passed the checks of form."""
    lacking: tuple[Verdict, ...] = ()
    """Why responses hold no program, one each."""


def program_of(seed: Seed, code: str) -> Program:
    """A seed's program, as the sandbox takes it."""
    return Program(
        id=content_id("program", seed.id, code),
        code=code,
        seed_ids=(seed.id,),
        source=seed.source,
        license=seed.license,
        calls=(),
        tokens=0,
    )


def try_programs(
    tried: Tried, sandbox: SandboxSettings, filter: FilterSettings
) -> Steps[tuple[Tried, list[bool]]]:
    """Checks, runs and compares a seed's programs.

    One bool per execution that ran well: whether its output agrees with the seed's answer.
    A seed's programs are held to the rules of all programs, since models learn from them.
    """
    form, run = FormOf(form_checks(filter)), run_checks(filter)
    verdicts = [form(program) for program in tried.programs]
    well_formed = [place for place, verdict in enumerate(verdicts) if verdict.kept]
    plans = [plan_program(tried.programs[place], sandbox.determinism) for place in well_formed]
    results = iter((yield [job for jobs in plans for job in jobs]))
    executions = []
    for place, jobs in zip(well_formed, plans, strict=True):
        execution = finish_program(tried.programs[place], [next(results) for _ in jobs])
        executions.append(execution)
        verdicts[place] = first_rejection(run, execution)
    tried = replace(tried, verdicts=tuple(verdicts), executions=tuple(executions))
    answer = tried.seed.answer
    agrees = yield from compare([Pair(e.output or "", answer) for e in ran_well(tried)])
    return tried, agrees


def ran_well(tried: Tried) -> list[Execution]:
    """The executions whose run passed every check, in the order of their programs."""
    kept = {
        program.id
        for program, verdict in zip(tried.programs, tried.verdicts, strict=True)
        if verdict.kept
    }
    return [execution for execution in tried.executions if execution.id in kept]


def verified_seed(seed: Seed, execution: Execution) -> Seed:
    """The seed with a program that was run, its output, and an answer if it had none."""
    output = execution.output or ""
    return replace(
        seed, code=execution.code, output=output, answer=seed.answer or plain_answer(output)
    )


def judge_own_code(result: tuple[Tried, Sequence[bool]]) -> tuple[Seed, Verdict]:
    """A seed whose own code does not run well, or does not give its own answer, is rejected."""
    tried, agrees = result
    seed = tried.seed
    if not tried.verdicts[0].kept:
        return seed, tried.verdicts[0]
    execution = ran_well(tried)[0]
    if seed.answer is not None and not agrees[0]:
        return seed, reject(
            UnifyReason.ANSWER_MISMATCH, f"code gives {execution.output}, seed says {seed.answer}"
        )
    return verified_seed(seed, execution), keep()


def judge_written_code(result: tuple[Tried, Sequence[bool]]) -> tuple[Seed, Verdict]:
    """Keeps a seed with the program that gives its answer: the shortest, then the smallest text.

    Where none does, the seed is put off if a request stayed unanswered, and else rejected.
    """
    tried, agrees = result
    well = ran_well(tried)
    agreeing = [execution for execution, yes in zip(well, agrees, strict=True) if yes]
    if agreeing:
        best = min(agreeing, key=lambda execution: (len(execution.code), execution.code))
        return verified_seed(tried.seed, best), keep()
    if put_off := [verdict for verdict in tried.lacking if verdict.unanswered]:
        return tried.seed, put_off[0]
    verdicts = (*tried.verdicts, *tried.lacking)
    refused = Counter(str(verdict.reason) for verdict in verdicts if not verdict.kept)
    fates = [f"gives {execution.output or ''}"[:80] for execution in well]
    fates += [f"{reason} {count}" for reason, count in sorted(refused.items())]
    return tried.seed, reject(
        UnifyReason.NO_PROGRAM_AGREES,
        f"answer {tried.seed.answer}; programs: {', '.join(fates) or 'none written'}",
    )


@dataclass(kw_only=True)
class ValidateSeeds(Episode):
    """PCollection[Seed] -> Outcome of the same: those with code give their own answer by running
    it.

    Seeds without code pass, for `UnifySeeds`; seeds with code and no answer get its output.
    """

    name: str = "validate"
    sandbox: SandboxSettings
    filter: FilterSettings

    reads: ClassVar[type] = Seed
    writes: ClassVar[type] = Same
    reasons: ClassVar[Iterable[str]] = (*FormReason, *RUN_REASONS, UnifyReason.ANSWER_MISMATCH)

    def episode(self, seed: Seed) -> Steps[Seed | tuple[Seed, Verdict]]:
        if seed.code is None:
            return seed
        own = Tried(seed, (program_of(seed, seed.code),))
        return judge_own_code((yield from try_programs(own, self.sandbox, self.filter)))


@dataclass(kw_only=True)
class UnifySeeds(ModelEpisode):
    """PCollection[Seed] -> Outcome of Seed, each with a program that gives its answer.

    Seeds with code pass. For the others the model writes `unify.samples` programs, shown
    `unify.shots` seeds that carry code; a seed is kept with one that gives its answer. One that has
    none yet, and of whose requests any stayed unanswered, is put off.
    """

    name: str = "unify"
    sandbox: SandboxSettings
    filter: FilterSettings

    reads: ClassVar[type] = Seed
    writes: ClassVar[type] = Seed
    reasons: ClassVar[Iterable[str]] = (
        SeedReason.NO_REFERENCE_ANSWER,
        UnifyReason.NO_PROGRAM_AGREES,
    )

    def opened(self, records: PCollection) -> PCollection:
        return records | "Spread" >> Spread()  # they wait for the pool, which is drawn from them

    def sides(self, records: PCollection) -> Mapping[str, Any]:
        return {"pool": AsSingleton(records | "Seed pool" >> SeedPool(self.sampling.pool))}

    def episode(self, seed: Seed, pool: Pool) -> Steps[Seed | Verdict | tuple[Seed, Verdict]]:
        if seed.code is not None:
            return seed
        if seed.answer is None:
            return reject(SeedReason.NO_REFERENCE_ANSWER)
        sampler = self.sampling.unify
        shots = draw_shots(pool, sampler.shots, self.sampling.seed, "unify", seed.id)
        responses = yield self.requests(sampler, seed=seed, shots=shots)
        tried = written_programs(seed, responses)
        return judge_written_code((yield from try_programs(tried, self.sandbox, self.filter)))


def written_programs(seed: Seed, responses: Sequence[Response]) -> Tried:
    """The different programs among a seed's responses, and why the other responses have none."""
    programs: dict[str, Program] = {}
    lacking: list[Verdict] = []
    for response in responses:
        code, verdict = judge_program(response)
        if verdict.kept:
            program = program_of(seed, code)
            programs.setdefault(program.id, program)
        else:
            lacking.append(verdict)
    return Tried(seed, tuple(programs.values()), lacking=tuple(lacking))

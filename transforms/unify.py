"""Seeds verified by code: run what they carry, and have programs written for those without."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import apache_beam as beam
from apache_beam.pvalue import AsSingleton, PCollection

from transforms.accounting import (
    Decide,
    Outcome,
    Reason,
    Verdict,
    first_rejection,
    keep,
    reject,
)
from transforms.execution.execute import InSandbox, finish_program, plan_program
from transforms.execution.sandbox import Job, Result
from transforms.filtering.checks import FormOf, form_checks, run_checks
from transforms.generation.requests import Answered, Prompted
from transforms.generation.stage import ModelStage
from transforms.ids import content_id
from transforms.pool import Pool, SeedPool, draw_shots
from transforms.records import Execution, Program, Seed
from transforms.responses import judge_program
from transforms.settings import (
    FilterSettings,
    SandboxSettings,
)
from transforms.verification.judge import CompareAnswers, Comparison, Pair
from transforms.verification.mark import plain_answer


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


def program_of(seed: Seed, code: str, model: str = "", tokens: int = 0) -> Program:
    """A seed's program, as the sandbox takes it."""
    return Program(
        id=content_id("program", seed.id, code),
        code=code,
        seed_ids=(seed.id,),
        source=seed.source,
        license=seed.license,
        codegen_model=model,
        tokens=tokens,
    )


@dataclass
class TryPrograms(beam.PTransform):
    """PCollection[Tried] -> PCollection[(Tried, tuple[bool, ...])]: checked, run and compared.

    One bool per execution that ran well: whether its output agrees with the seed's answer.
    A seed's programs are held to the rules of all programs, since models learn from them.
    """

    sandbox: SandboxSettings
    filter: FilterSettings

    def expand(self, tried: PCollection) -> PCollection:
        form, run = FormOf(form_checks(self.filter)), run_checks(self.filter)
        determinism = self.sandbox.determinism

        def check_form(item: Tried) -> Tried:
            return replace(item, verdicts=tuple(form(program) for program in item.programs))

        def plan(item: Tried) -> list[Job]:
            return [
                job for program in _well_formed(item) for job in plan_program(program, determinism)
            ]

        def finish(item: Tried, results: list[Result]) -> Tried:
            ran = iter(results)
            executions = tuple(
                finish_program(program, [next(ran) for _ in plan_program(program, determinism)])
                for program in _well_formed(item)
            )
            verdicts = iter([first_rejection(run, execution) for execution in executions])
            return replace(
                item,
                verdicts=tuple(next(verdicts) if v.kept else v for v in item.verdicts),
                executions=executions,
            )

        def compare(item: Tried) -> Comparison:
            answer = item.seed.answer
            return Comparison(
                item,
                tuple(Pair(execution.output or "", answer) for execution in ran_well(item)),
            )

        return (
            tried
            | "Check form" >> beam.Map(check_form)
            | "Run" >> InSandbox(self.sandbox, plan, finish)
            | "With answer" >> beam.Map(compare)
            | "Compare" >> CompareAnswers(self.sandbox)
        )


def _well_formed(tried: Tried) -> list[Program]:
    pairs = zip(tried.programs, tried.verdicts, strict=True)
    return [program for program, verdict in pairs if verdict.kept]


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
            Reason.ANSWER_MISMATCH, f"code gives {execution.output}, seed says {seed.answer}"
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
        Reason.NO_PROGRAM_AGREES,
        f"answer {tried.seed.answer}; programs: {', '.join(fates) or 'none written'}",
    )


def _split_by_code(seeds: PCollection) -> tuple[PCollection, PCollection]:
    return (
        seeds | "With code" >> beam.Filter(lambda seed: seed.code is not None),
        seeds | "Without code" >> beam.Filter(lambda seed: seed.code is None),
    )


@dataclass
class ValidateSeeds(beam.PTransform):
    """PCollection[Seed] -> Outcome of Seed: those with code give their own answer by running it.

    Seeds without code pass, for `UnifySeeds`; seeds with code and no answer get its output.
    """

    sandbox: SandboxSettings
    filter: FilterSettings

    stage: ClassVar[str] = "validate"
    reads: ClassVar[type] = Seed
    writes: ClassVar[type] = Seed
    draws: ClassVar[bool] = False

    def expand(self, seeds: PCollection) -> Outcome:
        with_code, without_code = _split_by_code(seeds)
        decided = (
            with_code
            | "Own code" >> beam.Map(lambda seed: Tried(seed, (program_of(seed, seed.code),)))
            | "Try" >> TryPrograms(self.sandbox, self.filter)
            | "Judge" >> beam.Map(judge_own_code)
            | "Decide" >> Decide(self.stage)
        )
        return Outcome(
            kept=(decided.kept, without_code) | "Kept" >> beam.Flatten(), rejected=decided.rejected
        )


@dataclass
class UnifySeeds(ModelStage):
    """PCollection[Seed] -> Outcome of Seed, each with a program that gives its answer.

    Seeds with code pass. For the others the model writes `unify.samples` programs, shown
    `unify.shots` seeds that carry code; a seed is kept with one that gives its answer. One that has
    none yet, and of whose requests any stayed unanswered, is put off.
    """

    sandbox: SandboxSettings
    filter: FilterSettings

    stage: ClassVar[str] = "unify"
    reads: ClassVar[type] = Seed
    writes: ClassVar[type] = Seed
    draws: ClassVar[bool] = False

    def expand(self, seeds: PCollection) -> Outcome:
        with_code, without_code = _split_by_code(seeds)
        pool = with_code | "Seed pool" >> SeedPool(self.sampling.pool)
        answerable = (
            without_code
            | "Has answer" >> beam.Map(lambda seed: (seed, _has_answer(seed)))
            | "Answerable" >> Decide(self.stage)
        )
        generated = self.generate(answerable.kept, self._prompt, pool=AsSingleton(pool))
        decided = (
            generated.answered
            | "Read programs" >> beam.Map(written_programs)
            | "Try" >> TryPrograms(self.sandbox, self.filter)
            | "Judge" >> beam.Map(judge_written_code)
            | "Decide" >> Decide(self.stage)
        )
        return Outcome(
            kept=(with_code, decided.kept) | "Kept" >> beam.Flatten(),
            rejected=(answerable.rejected, decided.rejected) | "Rejected" >> beam.Flatten(),
            tallies=generated.tallies,
            unanswered=decided.unanswered,
        )

    def _prompt(self, seed: Seed, pool: Pool) -> Prompted[Any]:
        sampler = self.sampling.unify
        shots = draw_shots(pool, sampler.shots, self.sampling.seed, self.stage, seed.id)
        return Prompted(seed, self.requests(sampler, seed=seed, shots=shots))


def _has_answer(seed: Seed) -> Verdict:
    return keep() if seed.answer is not None else reject(Reason.NO_REFERENCE_ANSWER)


def written_programs(answered: Answered[Seed]) -> Tried:
    """The different programs among a seed's responses, and why the other responses have none."""
    seed = answered.record
    programs: dict[str, Program] = {}
    lacking: list[Verdict] = []
    for response in answered.responses:
        code, verdict = judge_program(response)
        if verdict.kept:
            program = program_of(seed, code, response.model, response.generated_tokens)
            programs.setdefault(program.id, program)
        else:
            lacking.append(verdict)
    return Tried(seed, tuple(programs.values()), lacking=tuple(lacking))

"""Seeds verified by code: run what they carry, and have programs written for those without."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar

from transforms.engine.accounting import Verdict, keep, reject
from transforms.engine.ids import content_id
from transforms.engine.records import Execution, Program, Seed
from transforms.models.episode import Episode, Steps, side_by_side
from transforms.programs.checks import RUN_REASONS, FilterSettings, FormReason
from transforms.sandbox.settings import SandboxSettings
from transforms.stages.execute import execute_checked
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
    ends = yield from side_by_side(
        execute_checked(program, sandbox.determinism, filter) for program in tried.programs
    )
    tried = replace(
        tried,
        verdicts=tuple(verdict for _, verdict in ends),
        executions=tuple(execution for execution, _ in ends if execution is not None),
    )
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
    reasons: ClassVar[Iterable[str]] = (*FormReason, *RUN_REASONS, UnifyReason.ANSWER_MISMATCH)

    def episode(self, seed: Seed) -> Steps[Seed | tuple[Seed, Verdict]]:
        if seed.code is None:
            return seed
        own = Tried(seed, (program_of(seed, seed.code),))
        return judge_own_code((yield from try_programs(own, self.sandbox, self.filter)))

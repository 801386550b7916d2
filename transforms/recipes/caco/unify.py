"""Seeds without code: the model writes programs, and one that gives the seed's answer is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from apache_beam.pvalue import AsSingleton, PCollection

from transforms.engine.accounting import Verdict, keep, reject
from transforms.engine.blocks import Spread
from transforms.engine.records import Program, Seed
from transforms.models.episode import ModelEpisode, Steps
from transforms.models.pool import Pool, SeedPool, draw_shots
from transforms.models.requests import Response
from transforms.models.responses import judge_program
from transforms.programs.checks import FilterSettings
from transforms.recipes.caco.settings import SamplingSettings
from transforms.sandbox.settings import SandboxSettings
from transforms.sources.rows import SeedReason
from transforms.stages.unify import (
    Tried,
    UnifyReason,
    program_of,
    ran_well,
    try_programs,
    verified_seed,
)


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
class UnifySeeds(ModelEpisode):
    """PCollection[Seed] -> Outcome of Seed, each with a program that gives its answer.

    Seeds with code pass. For the others the model writes `unify.samples` programs, shown
    `unify.shots` seeds that carry code; a seed is kept with one that gives its answer. One that has
    none yet, and of whose requests any stayed unanswered, is put off.
    """

    name: str = "unify"
    sampling: SamplingSettings
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
        shots = draw_shots(pool, sampler.shots, self.run_seed, "unify", seed.id)
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

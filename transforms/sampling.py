"""Sampling: programs written by the model, shown verified seeds or nothing at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import apache_beam as beam
from apache_beam.pvalue import AsSingleton, PCollection

from transforms.accounting import Decide, Outcome, Reason, Verdict
from transforms.errors import SourceError
from transforms.generation.requests import Answered, Prompted
from transforms.generation.stage import ModelStage
from transforms.ids import content_id
from transforms.losers import DropLosers, LimitPerKey
from transforms.pool import SeedPool, combined_license, combined_source, draw_shots
from transforms.records import Program, Seed
from transforms.responses import judge_program
from transforms.settings import SamplingSettings


@dataclass(frozen=True)
class Draw:
    """One prompt for programs: the seeds it shows."""

    id: str
    seed_ids: tuple[str, ...]
    source: str
    license: str


def draw(index: int, pool: Sequence[Seed], sampling: SamplingSettings) -> tuple[Draw, list[Seed]]:
    """Draws the seeds of prompt number `index`."""
    shots: list[Seed] = []
    if sampling.conditioning == "few_shot":
        if not pool:
            raise SourceError(
                "no seed was verified, so there is none to show the model: see rejects/ for the "
                "reasons, or set sampling.conditioning=unconditional"
            )
        shots = list(draw_shots(pool, sampling.program.shots, sampling.seed, "program", index))
    return (
        Draw(
            id=content_id("draw", sampling.seed, index),
            seed_ids=tuple(seed.id for seed in shots),
            source=combined_source(shots) or "model",
            license=combined_license(shots),
        ),
        shots,
    )


def programs(answered: Answered[Draw]) -> Iterator[tuple[Program, Verdict]]:
    """Yields a program for each response to a draw, with the verdict on the response."""
    for response in answered.responses:
        code, verdict = judge_program(response)
        yield (
            Program(
                id=content_id("program", answered.record.id, response.id, code),
                code=code,
                seed_ids=answered.record.seed_ids,
                source=answered.record.source,
                license=answered.record.license,
                codegen_model=response.model,
                tokens=response.generated_tokens,
            ),
            verdict,
        )


@dataclass
class SamplePrograms(ModelStage):
    """PCollection[Seed] (verified) -> Outcome of Program, exact copies rejected.

    Its input count is the programs asked for: `num_programs` prompts x `program.samples`.
    """

    stage: ClassVar[str] = "sample"
    reads: ClassVar[type] = Seed
    writes: ClassVar[type] = Program
    draws: ClassVar[bool] = True

    def expand(self, seeds: PCollection) -> Outcome:
        pool = seeds | "Seed pool" >> SeedPool(self.sampling.pool)
        generated = self.generate(
            seeds.pipeline | "Number prompts" >> beam.Create(range(self.sampling.num_programs)),
            self._prompt,
            pool=AsSingleton(pool),
        )
        candidates = generated.answered | "Read programs" >> beam.FlatMap(programs)
        written = candidates | "Decide" >> Decide(self.stage)
        copies = written.kept | "Find copies" >> LimitPerKey(
            key=lambda program: content_id("code", program.code),
            order=lambda program: 0,
            limit=1,
            reason=Reason.DUPLICATE_PROGRAM,
        )
        unique = written.kept | "Drop copies" >> DropLosers(self.stage, copies)
        return Outcome(
            kept=unique.kept,
            rejected=(written.rejected, unique.rejected) | "Rejected" >> beam.Flatten(),
            entered=candidates,
            tallies=generated.tallies,
        )

    def _prompt(self, index: int, pool: Sequence[Seed]) -> Prompted[Any]:
        record, shots = draw(index, pool, self.sampling)
        # Prompts without examples are all alike: the sample index tells them apart.
        first_sample = 0 if shots else index * self.sampling.program.samples
        requests = self.requests(self.sampling.program, first_sample, shots=shots)
        return Prompted(record, requests)

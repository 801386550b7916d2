"""Sampling: programs written by the model, shown verified seeds, a kind's name or nothing."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import apache_beam as beam
from apache_beam.pvalue import AsSingleton, PCollection

from transforms.engine.accounting import Verdict
from transforms.engine.blocks import Together
from transforms.engine.errors import SourceError
from transforms.engine.ids import content_id, derived_seed
from transforms.engine.losers import DropLosers, LimitPerKey
from transforms.engine.outcomes import Outcome
from transforms.engine.records import Program, Seed, with_calls
from transforms.models.episode import ModelEpisode, Steps
from transforms.models.pool import Pool, SeedPool, combined_license, combined_source, draw_shots
from transforms.models.requests import Response
from transforms.models.responses import ResponseReason, calls, judge_program
from transforms.recipes.caco.settings import SamplingSettings
from transforms.stages.diversity.reasons import Sameness


@dataclass(frozen=True)
class Draw:
    """One prompt for programs: the seeds it shows, or the kind of problem it names."""

    id: str
    kind: str | None
    """The kind asked for; where seeds are shown, the one that all of them have."""
    seed_ids: tuple[str, ...]
    source: str
    license: str


def conditioning_of(index: int, sampling: SamplingSettings, seed: int) -> str:
    """Draws from the mix what prompt number `index` names, by its number alone."""
    mix = sorted(sampling.conditioning.items())
    chosen = random.Random(derived_seed(seed, "conditioning", index))
    return chosen.choices([name for name, _ in mix], [weight for _, weight in mix])[0]


def draw(index: int, pool: Pool, sampling: SamplingSettings, seed: int) -> tuple[Draw, list[Seed]]:
    """Draws what prompt number `index` names: some seeds, a kind, or nothing.

    Raises:
        SourceError: there is no verified seed to show, or none that has a kind.
    """
    conditioning = conditioning_of(index, sampling, seed)
    kind: str | None = None
    shots: list[Seed] = []
    if conditioning == "kind" or (conditioning == "few_shot" and sampling.kinds is not None):
        kind = _draw_kind(index, pool, sampling, seed)
    if conditioning == "few_shot":
        shown = pool if kind is None else pool.by_kind.get(kind, Pool())
        if not shown:
            raise _none_to_show(kind, pool)
        shots = list(draw_shots(shown, sampling.program.shots, seed, "program", index))
        kinds = {shot.kind for shot in shots}
        kind = kinds.pop() if len(kinds) == 1 else None
    return (
        Draw(
            id=content_id("draw", seed, index),
            kind=kind,
            seed_ids=tuple(shot.id for shot in shots),
            source=combined_source(shots) or "model",
            license=combined_license(shots) or sampling.license,
        ),
        shots,
    )


def _draw_kind(index: int, pool: Pool, sampling: SamplingSettings, seed: int) -> str:
    kinds = sampling.kinds or list(pool.by_kind)
    if not kinds:
        raise SourceError(
            "no verified seed has a kind to ask for: map a column to it, such as "
            "source.columns.kind=topic, or name some: sampling.kinds=[geometry, algebra]"
        )
    return random.Random(derived_seed(seed, "kind", index)).choice(kinds)


def _none_to_show(kind: str | None, pool: Pool) -> SourceError:
    if kind is None or not pool:
        return SourceError(
            "no seed was verified, so there is none to show the model: see rejects/ and "
            "unanswered/ for the reasons, or set sampling.conditioning=unconditional"
        )
    return SourceError(
        f"no verified seed is of the kind {kind} (sampling.kinds), so there is none to show the "
        f"model: the seeds have {', '.join(pool.by_kind) or 'no kinds'}"
    )


def programs(
    record: Draw, responses: Iterable[Response], stage: str
) -> Iterator[tuple[Program, Verdict]]:
    """Yields a program for each response to a draw, with the verdict on the response."""
    for response in responses:
        code, verdict = judge_program(response)
        yield (
            Program(
                id=content_id("program", record.id, response.id, code),
                code=code,
                seed_ids=record.seed_ids,
                source=record.source,
                license=record.license,
                kind=record.kind,
                **with_calls(calls(stage, [response])),
            ),
            verdict,
        )


@dataclass(kw_only=True)
class SamplePrograms(ModelEpisode):
    """PCollection[Seed] (verified) -> Outcome of Program, exact copies rejected.

    Its input count is the programs asked for: `num_programs` prompts x `program.samples`. Each
    whose request stays unanswered is put off.
    """

    name: str = "sample"
    sampling: SamplingSettings

    reads: ClassVar[type] = Seed
    writes: ClassVar[type] = Program
    creates_records: ClassVar[bool] = True
    draws: ClassVar[bool] = True
    reasons: ClassVar[Iterable[str]] = (*ResponseReason, Sameness.DUPLICATE_PROGRAM)

    def opened(self, records: PCollection) -> PCollection:
        numbers = range(self.sampling.num_programs)
        return records.pipeline | "Number prompts" >> beam.Create(numbers)

    def sides(self, records: PCollection) -> Mapping[str, Any]:
        return {"pool": AsSingleton(records | "Seed pool" >> SeedPool(self.sampling.pool))}

    def episode(self, index: int, pool: Pool) -> Steps[list[tuple[Program, Verdict]]]:
        record, shots = draw(index, pool, self.sampling, self.run_seed)
        requests = self.requests(
            self.sampling.program,
            # Each draw has samples of its own: few seeds, or none, make the same prompt often.
            index * self.sampling.program.samples,
            shots=shots,
            kind=None if shots else record.kind,
        )
        return list(programs(record, (yield requests), self.name))

    def expand(self, records: PCollection) -> Outcome:
        written = super().expand(records)
        copies = written.kept | "Find copies" >> LimitPerKey(
            key=lambda program: content_id("code", program.code),
            order=lambda program: 0,
            limit=1,
            reason=Sameness.DUPLICATE_PROGRAM,
        )
        unique = written.kept | "Drop copies" >> DropLosers(self.name, copies)
        return written._replace(
            kept=unique.kept,
            rejected=(written.rejected, unique.rejected) | "Rejected" >> Together(),
        )

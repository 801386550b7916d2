"""Solving: independent attempts at each instruction, asked for until its verdict is certain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, ClassVar

import apache_beam as beam
from apache_beam.pvalue import PCollection, TaggedOutput

from transforms.accounting import Decide, Outcome, Tally, Verdict, keep
from transforms.filtering.checks import FormOf, form_checks
from transforms.generation.prompts import PromptTemplate
from transforms.generation.requests import Answered, Prompted, Request
from transforms.generation.stage import ModelStage
from transforms.pool import Pool, draw_shots, pool_from
from transforms.records import Attempt, Attempts, Problem, Seed, grow
from transforms.responses import judge_program, judge_response, solution_of
from transforms.settings import (
    FilterSettings,
    SamplerSettings,
    SamplingSettings,
    SandboxSettings,
    VerifySettings,
)
from transforms.verification.mark import MarkAttempts
from transforms.verification.verify import is_settled


@dataclass(frozen=True)
class Solving:
    """A problem with the attempts at it so far."""

    record: Attempts
    asked: tuple[int, ...] = ()
    """Requests made so far, by kind in the order of `VerifySettings.kinds`."""
    failures: tuple[Verdict, ...] = ()
    """What the requests that failed mean for the record, in their order."""

    @property
    def id(self) -> str:
        return self.record.id


def shares(samples: int, rounds: int) -> list[range]:
    """Splits range(samples) into `rounds` contiguous ranges, the longer ones first.

    Their lengths differ by at most one.
    """
    ends = [-(-samples * number // rounds) for number in range(rounds + 1)]
    return [range(start, end) for start, end in pairwise(ends)]


def with_responses(answered: Answered[Solving], kinds: Sequence[str]) -> Solving:
    """Adds what came back.

    A request that stayed unanswered is no attempt. One that failed by its own fault, such as a
    refusal, is an attempt that does not agree, and one that was cut off cannot agree.
    """
    solving = answered.record
    attempts, failures = list(solving.record.attempts), list(solving.failures)
    for kind, response in zip(kinds, answered.responses, strict=True):
        if response.error is not None:
            failures.append(judge_response(response))
        if response.unanswered:
            continue
        text = judge_program(response)[0] if kind == "code" else solution_of(response.text)
        agrees = None if response.error is None else False
        attempts.append(Attempt(text, response.finish_reason, kind, agrees=agrees))
    return replace(
        solving,
        failures=tuple(failures),
        record=replace(
            solving.record,
            attempts=tuple(attempts),
            solve_model=answered.responses[0].model if kinds else solving.record.solve_model,
            tokens=solving.record.tokens + sum(r.generated_tokens for r in answered.responses),
        ),
    )


def unknown(record: Attempts, planned: Sequence[int], verify: VerifySettings) -> tuple[int, ...]:
    """Attempts planned that are not there, by kind: not asked for yet, or unanswered."""
    made = Counter(attempt.kind for attempt in record.attempts)
    return tuple(count - made[kind] for kind, count in zip(verify.kinds, planned, strict=True))


def judge_attempts(
    solving: Solving, planned: Sequence[int], verify: VerifySettings
) -> tuple[Attempts, Verdict]:
    """Puts a problem off whose verdict hangs on requests that stayed unanswered.

    A problem of which every request failed by its own fault is rejected for the first of them.
    """
    record = solving.record
    put_off = [verdict for verdict in solving.failures if verdict.unanswered]
    if put_off and not is_settled(record, unknown(record, planned, verify), verify):
        return record, put_off[0]
    if record.attempts and all(attempt.finish_reason == "error" for attempt in record.attempts):
        return record, next(verdict for verdict in solving.failures if not verdict.unanswered)
    return record, keep()


@dataclass
class Solve(ModelStage):
    """PCollection[Problem] -> Outcome of Attempts, each marked with whether it agrees.

    `verify.mode` says of what kind the attempts are: `cot`, language solutions; `code`, programs
    written from the instruction alone and run; `both`. They are asked for in `verify.rounds`, and
    a problem whose verdict no further attempt can change is asked no more: what that spares is
    the tally `requests.saved`. Samples are numbered alike for any number of rounds, so a ledger
    serves all of them. A problem is put off where requests stayed unanswered that could change its
    verdict.
    """

    code_prompt: PromptTemplate
    """Asks for a program; given the instruction as the problem of `seed`."""
    seeds: str
    """Folder of the verified seeds shown as examples."""
    verify: VerifySettings
    sandbox: SandboxSettings
    filter: FilterSettings

    stage: ClassVar[str] = "solve"
    reads: ClassVar[type] = Problem
    writes: ClassVar[type] = Attempts
    draws: ClassVar[bool] = False

    def expand(self, problems: PCollection) -> Outcome:
        pool = pool_from(problems.pipeline, self.seeds, self.sampling.pool)
        verify = self.verify
        samplers = {kind: sampler_of(kind, self.sampling) for kind in verify.kinds}
        rounds = verify.rounds
        planned = tuple(sampler.samples for sampler in samplers.values())
        unsettled = problems | "Begin" >> beam.Map(
            lambda problem: Solving(grow(Attempts, problem), (0,) * len(planned))
        )
        settled: list[PCollection] = []
        tallies: list[PCollection] = []
        for number in range(rounds):
            parts = {kind: shares(s.samples, rounds)[number] for kind, s in samplers.items()}
            after = unsettled | f"Round {number + 1}" >> beam.ptransform_fn(self._round)(
                parts, pool, tallies
            )
            split = after | f"Settled {number + 1}" >> beam.ParDo(
                _Split(verify, planned)
            ).with_outputs("settled", "saved", main="open")
            unsettled = split["open"]
            settled.append(split["settled"])
            tallies.append(split["saved"])
        decided = (
            (*settled, unsettled)
            | "All" >> beam.Flatten()
            | "Judge" >> beam.Map(judge_attempts, planned, verify)
            | "Decide" >> Decide(self.stage)
        )
        return decided._replace(tallies=tuple(tallies) | "Tallies" >> beam.Flatten())

    def _round(
        self,
        unsettled: PCollection,
        parts: dict[str, range],
        pool: Any,
        tallies: list[PCollection],
    ) -> PCollection:
        kinds = [kind for kind, part in parts.items() for _ in part]
        asked = tuple(part.stop for part in parts.values())
        if not kinds:
            return unsettled
        generated = self.generate(unsettled, self._prompt, parts=parts, pool=pool)
        tallies.append(generated.tallies)
        return (
            generated.answered
            | "Read attempts" >> beam.Map(with_responses, kinds)
            | "Count asked" >> beam.Map(lambda solving: replace(solving, asked=asked))
            | "Mark" >> MarkAttempts(self.sandbox, FormOf(form_checks(self.filter)))
        )

    def _prompt(self, solving: Solving, parts: dict[str, range], pool: Pool) -> Prompted[Any]:
        requests: list[Request] = []
        for kind, part in parts.items():
            sampler = sampler_of(kind, self.sampling)
            sampler = sampler.model_copy(update={"samples": len(part)})
            requests += self._requests(kind, solving.record, sampler, part.start, pool)
        return Prompted(solving, tuple(requests))

    def _requests(
        self,
        kind: str,
        problem: Problem,
        sampler: SamplerSettings,
        first: int,
        pool: Pool,
    ) -> tuple[Request, ...]:
        instruction = problem.instruction
        if kind == "code":
            seed = Seed.make(problem=instruction, source=problem.source, license=problem.license)
            drawn = (self.sampling.seed, "solve code", problem.id)
            shots = draw_shots(pool, sampler.shots, *drawn)
            return self.requests(sampler, first, self.code_prompt, seed=seed, shots=shots)
        shots = draw_shots(pool.solved, sampler.shots, self.sampling.seed, self.stage, problem.id)
        return self.requests(sampler, first, instruction=instruction, shots=shots)


def sampler_of(kind: str, sampling: SamplingSettings) -> SamplerSettings:
    """How attempts of a kind are sampled."""
    return sampling.solve_code if kind == "code" else sampling.solve


class _Split(beam.DoFn):
    """Parts records whose verdict is certain from the others, and counts what that spares."""

    def __init__(self, verify: VerifySettings, planned: tuple[int, ...]) -> None:
        self._verify, self._planned = verify, planned

    def process(self, solving: Solving) -> Iterator[Any]:
        record, planned = solving.record, self._planned
        left = sum(planned) - sum(solving.asked)
        if left and not is_settled(record, unknown(record, planned, self._verify), self._verify):
            yield solving
            return
        yield TaggedOutput("settled", solving)
        if left:
            yield TaggedOutput(
                "saved", Tally(Solve.stage, "requests.saved", record.solve_model, left)
            )

"""Solving: independent attempts at each instruction, asked for until its verdict is certain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, ClassVar

from apache_beam.pvalue import PCollection

from transforms.engine.accounting import Tally, Verdict, keep
from transforms.engine.records import Attempt, Attempts, Problem, Seed, grow, with_calls
from transforms.models.episode import ModelEpisode, Steps
from transforms.models.pool import Pool, draw_shots, pool_from
from transforms.models.prompts import PromptTemplate
from transforms.models.requests import Request, Response
from transforms.models.responses import (
    ResponseReason,
    calls,
    judge_program,
    judge_response,
    solution_of,
)
from transforms.programs.checks import FilterSettings, FormOf, form_checks
from transforms.recipes.caco.mark import mark
from transforms.recipes.caco.settings import SamplingSettings
from transforms.recipes.caco.verify import VerifySettings, is_settled, with_shown
from transforms.sandbox.settings import SandboxSettings


def shares(samples: int, rounds: int) -> list[range]:
    """Splits range(samples) into `rounds` contiguous ranges, the longer ones first.

    Their lengths differ by at most one.
    """
    ends = [-(-samples * number // rounds) for number in range(rounds + 1)]
    return [range(start, end) for start, end in pairwise(ends)]


def with_responses(
    record: Attempts,
    kinds: Sequence[str],
    responses: Sequence[Response],
    stage: str,
    keeps_reasoning: bool = True,
) -> Attempts:
    """Adds what came back, with the reasoning if it is kept.

    A request that stayed unanswered is no attempt. One that failed by its own fault, such as a
    refusal, is an attempt that does not agree, and one that was cut off cannot agree.
    """
    attempts = list(record.attempts)
    for kind, response in zip(kinds, responses, strict=True):
        if response.unanswered:
            continue
        text = judge_program(response)[0] if kind == "code" else solution_of(response.text)
        agrees = None if response.error is None else False
        reasoning = response.reasoning if keeps_reasoning else None
        attempts.append(
            Attempt(text, response.finish_reason, kind, agrees=agrees, reasoning=reasoning)
        )
    return replace(
        record, attempts=tuple(attempts), **with_calls(record.calls, *calls(stage, responses))
    )


def unknown(record: Attempts, planned: Sequence[int], verify: VerifySettings) -> tuple[int, ...]:
    """Attempts planned that are not there, by kind: not asked for yet, or unanswered."""
    made = Counter(attempt.kind for attempt in record.attempts)
    return tuple(count - made[kind] for kind, count in zip(verify.kinds, planned, strict=True))


def judge_attempts(
    record: Attempts, failures: Sequence[Verdict], planned: Sequence[int], verify: VerifySettings
) -> Verdict:
    """Puts a problem off whose verdict hangs on requests that stayed unanswered.

    A problem of which every request failed by its own fault is rejected for the first of them.

    Args:
        failures: what the requests that failed mean for the record, in their order.
        planned: attempts, by kind in the order of `verify.kinds`.
    """
    put_off = [verdict for verdict in failures if verdict.unanswered]
    if put_off and not is_settled(record, unknown(record, planned, verify), verify):
        return put_off[0]
    if record.attempts and all(attempt.finish_reason == "error" for attempt in record.attempts):
        return next(verdict for verdict in failures if not verdict.unanswered)
    return keep()


@dataclass(kw_only=True)
class Solve(ModelEpisode):
    """PCollection[Problem] -> Outcome of Attempts, each marked with whether it agrees.

    `verify.mode` says of what kind the attempts are: `cot`, language solutions; `code`, programs
    written from the instruction alone and run; `both`. They are asked for in `verify.rounds`, and
    a problem whose verdict no further attempt can change is asked no more: what that spares is
    the tally `requests.saved`. Samples are numbered alike for any number of rounds, so a ledger
    serves all of them. A problem is put off where requests stayed unanswered that could change its
    verdict.
    """

    name: str = "solve"
    sampling: SamplingSettings
    code_prompt: PromptTemplate
    """Asks for a program; given the instruction as the problem of `seed`."""
    seeds: str
    """Folder of the verified seeds shown as examples."""
    verify: VerifySettings
    sandbox: SandboxSettings
    filter: FilterSettings

    reads: ClassVar[type] = Problem
    writes: ClassVar[type] = Attempts
    by_record: ClassVar[bool] = True
    reasons: ClassVar[Iterable[str]] = ResponseReason

    def sides(self, records: PCollection) -> Mapping[str, Any]:
        return {"pool": pool_from(records.pipeline, self.seeds, self.sampling.pool)}

    def episode(self, problem: Problem, pool: Pool) -> Steps[tuple[Attempts, Verdict]]:
        form, verify = FormOf(form_checks(self.filter)), self.verify
        keeps = self.backend.keeps_reasoning
        asked = {kind: self._asked(kind, problem, pool) for kind in verify.kinds}
        planned = tuple(len(requests) for requests in asked.values())
        rounds = {kind: shares(len(requests), verify.rounds) for kind, requests in asked.items()}
        record, failures = grow(Attempts, problem), []
        for number in range(verify.rounds):
            parts = {kind: rounds[kind][number] for kind in verify.kinds}
            kinds = [kind for kind, part in parts.items() for _ in part]
            if kinds:
                responses = yield [asked[kind][i] for kind, part in parts.items() for i in part]
                failures += [judge_response(r) for r in responses if r.error is not None]
                added = with_responses(record, kinds, responses, self.name, keeps)
                record = yield from mark(added, form)
            left = sum(planned) - sum(part.stop for part in parts.values())
            if left and is_settled(record, unknown(record, planned, verify), verify):
                yield Tally(self.name, "requests.saved", record.calls[-1].model, left)
                break
        return with_shown(record, verify), judge_attempts(record, failures, planned, verify)

    def _asked(self, kind: str, problem: Problem, pool: Pool) -> list[Request]:
        """All attempts of a kind that may be asked for."""
        seed = self.run_seed
        if kind == "code":
            sampler = self.sampling.solve_code
            wanted = Seed.make(
                problem=problem.instruction, source=problem.source, license=problem.license
            )
            shots = draw_shots(pool, sampler.shots, seed, "solve code", problem.id)
            return self.requests(sampler, 0, self.code_prompt, seed=wanted, shots=shots)
        sampler = self.sampling.solve
        shots = draw_shots(pool.solved, sampler.shots, seed, "solve", problem.id)
        return self.requests(sampler, instruction=problem.instruction, shots=shots)

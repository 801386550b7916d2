"""Problems without answers: a model writes them from seeds, and attempts that agree answer them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Annotated, Any, ClassVar

from apache_beam.pvalue import AsSingleton, PCollection
from pydantic import Field

from transforms.engine.accounting import Verdict, reject
from transforms.engine.ids import canonical_json
from transforms.engine.records import Seed
from transforms.engine.stage import Same
from transforms.models.episode import ModelEpisode, Steps
from transforms.models.pool import Pool, SeedPool, combined_license, combined_source, draw_shots
from transforms.models.requests import Response
from transforms.models.responses import ResponseReason, judge_response, unanswered
from transforms.models.settings import SamplerSettings
from transforms.sandbox.settings import SandboxSettings
from transforms.stages.judge import as_pair, compare
from transforms.text.answers import final_answer
from transforms.text.thoughts import visible


@dataclass(kw_only=True)
class WriteProblems(ModelEpisode):
    """PCollection[Seed] -> Outcome of the same: each seed, and the problems that a model writes
    from it, `sampler.samples` in each of several ways. These have no answer.

    The prompt is rendered with `problem`, `solution`, `way`, and `others`: the problems of
    `sampler.shots` other seeds, of another source where there is one.
    """

    name: str = "write"
    sampler: SamplerSettings
    ways: tuple[str, ...] = ("",)
    """How a problem is made of the seed's, in the words of the prompt."""
    pool: Annotated[int, Field(ge=1)] = 1000
    """Seeds that other problems are drawn from."""

    reads: ClassVar[type] = Seed
    writes: ClassVar[type] = Same
    creates_records: ClassVar[bool] = True
    reasons: ClassVar[Iterable[str]] = (*ResponseReason, "copied")

    def sides(self, records: PCollection) -> Mapping[str, Any]:
        pool = records | "Seed pool" >> SeedPool(self.pool, coded=False)
        return {"pool": AsSingleton(pool)}

    def episode(self, seed: Seed, pool: Pool) -> Steps[list[Seed | Verdict]]:
        rest = [each for each in pool if each.id != seed.id]
        apart = Pool([each for each in rest if each.source != seed.source] or rest)
        asked = []
        for way in self.ways:
            drawn = draw_shots(apart, self.sampler.shots, self.run_seed, "others", seed.id, way)
            others = [each.problem for each in drawn]
            words: dict[str, Any] = {"problem": seed.problem, "solution": seed.solution}
            requests = self.requests(self.sampler, way=way, others=others, **words)
            asked += [(way, (seed, *drawn), request) for request in requests]
        responses: list[Response] = yield [request for *_, request in asked]
        made = zip(asked, responses, strict=True)
        return [seed, *(_written(way, shown, each) for (way, shown, _), each in made)]


def _written(way: str, shown: Sequence[Seed], response: Response) -> Seed | Verdict:
    """The problem in a response."""
    if not (verdict := judge_response(response)).kept:
        return verdict
    problem = visible(response.text).strip()
    if problem.split() in [each.problem.split() for each in shown]:
        return reject("copied", problem[:200])
    return Seed.make(
        problem=problem,
        source=combined_source(shown),
        license=combined_license(shown),
        kind=shown[0].kind,
        metadata=canonical_json({"written_from": [each.id for each in shown], "way": way}),
    )


@dataclass(kw_only=True)
class AnswerByMajority(ModelEpisode):
    """PCollection[Seed] -> Outcome of the same: a seed without an answer is given the one that most
    of `sampler.samples` responses come to; others are left as they are.

    AIMO-2 (arXiv 2504.16891) does so with problems of which no answer is known, MathCoder (arXiv
    2310.03731) with those that it interpolates. The prompt is rendered with `problem`. The metadata
    of the seed say how many agree.
    """

    name: str = "answer"
    sampler: SamplerSettings
    sandbox: SandboxSettings
    at_least: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of the responses that agree, at least."""

    reads: ClassVar[type] = Seed
    writes: ClassVar[type] = Same
    reasons: ClassVar[Iterable[str]] = ("no_majority",)

    def episode(self, seed: Seed) -> Steps[Seed | Verdict]:
        if seed.answer is not None:
            return seed
        responses: list[Response] = yield self.requests(self.sampler, problem=seed.problem)
        if lost := unanswered(responses):
            return lost
        answers = [final_answer(each.text, each.finish_reason) for each in responses]
        answer, votes = yield from most_common(answers)
        said = f"{votes} of {len(responses)}"
        if answer is None or votes < self.at_least * len(responses):
            return reject("no_majority", said)
        metadata = {**json.loads(seed.metadata), "agreed": said}
        return replace(seed, answer=answer, metadata=canonical_json(metadata))


def most_common(answers: Sequence[str | None]) -> Steps[tuple[str | None, int]]:
    """Returns the answer that most agree on, in the words of the first that gives it, and how many
    give it; of answers given as often the earliest, and (None, 0) where there is none."""
    given = [each for each in answers if each is not None]
    pairs = list(combinations(dict.fromkeys(given), 2))
    same = yield from compare([as_pair(one, other) for one, other in pairs])
    first = {each: each for each in given}
    for (one, other), agrees in zip(pairs, same, strict=True):
        if agrees and first[other] == other:
            first[other] = first[one]
    ranked = Counter(first[each] for each in given).most_common(1)
    return ranked[0] if ranked else (None, 0)

"""Problems made with models: written from seeds, answered by attempts that agree, told in other
words, and kept where a solution exists."""

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
from transforms.engine.records import Call, Derived, Seed, with_calls
from transforms.models.episode import ModelEpisode, Steps
from transforms.models.pool import Pool, SeedPool, combined_license, combined_source, draw_shots
from transforms.models.requests import Response
from transforms.models.responses import ResponseReason, judge_response, unanswered
from transforms.models.settings import SamplerSettings
from transforms.sandbox.settings import SandboxSettings
from transforms.stages.judge import Pair, as_pair, compare
from transforms.text.answers import final_answer
from transforms.text.rewording import demands, number_changes
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
class AskAnswers(ModelEpisode):
    """Asks for `sampler.samples` solutions of a problem, of which the final answers count."""

    sampler: SamplerSettings
    sandbox: SandboxSettings

    def answers(self, **words: Any) -> Steps[tuple[list[str | None], tuple[Call, ...]] | Verdict]:
        """Returns the final answer of each solution, None where it has none, and what models wrote;
        or why the record is put off.

        Args:
            words: what the prompt is rendered with.
        """
        responses: list[Response] = yield self.requests(self.sampler, **words)
        if lost := unanswered(responses):
            return lost
        answers = [final_answer(each.text, each.finish_reason) for each in responses]
        return answers, self.calls(*responses)


@dataclass(kw_only=True)
class AnswerByMajority(AskAnswers):
    """PCollection[Seed] -> Outcome of the same: a seed without an answer is given the one that most
    of `sampler.samples` responses come to; others are left as they are.

    AIMO-2 (arXiv 2504.16891) does so with problems of which no answer is known, MathCoder (arXiv
    2310.03731) with those that it interpolates. The prompt is rendered with `problem`. The metadata
    of the seed say how many agree.
    """

    name: str = "answer"
    at_least: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of the responses that agree, at least."""

    reads: ClassVar[type] = Seed
    reasons: ClassVar[Iterable[str]] = ("no_majority",)

    def episode(self, seed: Seed) -> Steps[Seed | Verdict]:
        if seed.answer is not None:
            return seed
        found = yield from self.answers(problem=seed.problem)
        if isinstance(found, Verdict):
            return found
        answer, votes = yield from most_common(found[0])
        said = f"{votes} of {len(found[0])}"
        if answer is None or votes < self.at_least * len(found[0]):
            return reject("no_majority", said)
        return replace(seed, answer=answer, **noted(seed, found[1], agreed=said))


@dataclass(kw_only=True)
class KeepSolvable(AskAnswers):
    """PCollection[Seed] (verified) -> Outcome of the same: problems for which a valid solution
    exists, since a model comes to the program's output, `least` times of `sampler.samples`.

    The prompt is rendered with `problem`, and with `code`, the hint. The metadata of the seed say
    how many `solved` it.
    """

    name: str = "solvable"
    least: Annotated[int, Field(ge=1)] = 1
    """Solutions that have to agree."""

    reads: ClassVar[type] = Seed
    reasons: ClassVar[Iterable[str]] = ("unsolved",)

    def episode(self, seed: Seed) -> Steps[Seed | Verdict]:
        found = yield from self.answers(problem=seed.problem, code=seed.code)
        if isinstance(found, Verdict):
            return found
        same = yield from compare([Pair(seed.output or "", answer) for answer in found[0]])
        said = f"{sum(same)} of {len(same)}"
        if sum(same) < self.least:
            return reject("unsolved", f"{said} say {seed.output}: {found[0]}")
        return replace(seed, **noted(seed, found[1], solved=said))


@dataclass(kw_only=True)
class Paraphrase(ModelEpisode):
    """PCollection[Seed] -> Outcome of the same in other words, with every number as often and every
    demand on the answer (`text.rewording`). The prompt is rendered with `problem`."""

    name: str = "paraphrase"
    sampler: SamplerSettings

    reads: ClassVar[type] = Seed
    reasons: ClassVar[Iterable[str]] = (*ResponseReason, "numbers_changed", "demands_changed")

    def episode(self, seed: Seed) -> Steps[Seed | Verdict]:
        response: Response = yield self.requests(self.sampler, problem=seed.problem)[0]
        if not (verdict := judge_response(response)).kept:
            return verdict
        text = visible(response.text).strip()
        if changes := number_changes(seed.problem, text):
            return reject("numbers_changed", changes)
        if changed := demands(seed.problem) ^ demands(text):
            return reject("demands_changed", ", ".join(sorted(changed)))
        return replace(seed, problem=text, **noted(seed, self.calls(response)))


def noted(seed: Seed, calls: Iterable[Call], **said: Any) -> dict[str, Any]:
    """Returns the fields of a seed with more in its metadata, and with what models wrote for it
    where it says that.

    Args:
        said: what the metadata say.
    """
    metadata = canonical_json({**json.loads(seed.metadata), **said})
    paid = with_calls(seed.calls, *calls) if isinstance(seed, Derived) else {}
    return {"metadata": metadata, **paid}


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

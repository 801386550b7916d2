"""Answers and their scores under named models: value, outcome and reward models, rerankers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

from transforms.engine.accounting import Verdict
from transforms.engine.records import Derived, Message, Seed, derived, with_calls
from transforms.models.episode import ModelEpisode, Steps
from transforms.models.requests import Response
from transforms.models.responses import ResponseReason, judge_response
from transforms.models.scores import score, score_labels, scored
from transforms.models.settings import SamplerSettings

_UNSAMPLED = SamplerSettings(samples=1, temperature=0.0, max_tokens=1)


@dataclass(frozen=True)
class Rating:
    """What one stage found an answer to be worth."""

    stage: str
    """The stage's name in the recipe."""
    value: float
    """A probability."""
    weight: float
    """What it counts for in the sum."""


@dataclass(frozen=True, kw_only=True)
class RatedAnswer(Derived):
    """An answer to a problem, and what it is worth to several models."""

    problem: str
    messages: tuple[Message, ...]
    """The conversation, up to the answer."""
    answer: str
    """Its text, without a thought."""
    ratings: tuple[Rating, ...] = ()
    """One of each stage that rated it, in order."""
    score: float = 0.0
    """Sum of the ratings, weighted."""


@dataclass(kw_only=True)
class SampleAnswers(ModelEpisode):
    """PCollection[Seed] -> Outcome of RatedAnswer, not yet rated: `sampler.samples` answers to each
    problem, without a look at its reference answer.

    The prompt is rendered with `problem`.
    """

    name: str = "answer"
    sampler: SamplerSettings

    reads: ClassVar[type] = Seed
    writes: ClassVar[type] = RatedAnswer
    creates_records: ClassVar[bool] = True
    reasons: ClassVar[Iterable[str]] = ResponseReason

    def episode(self, seed: Seed) -> Steps[list[tuple[RatedAnswer, Verdict]]]:
        asked = self.requests(self.sampler, problem=seed.problem)
        responses: list[Response] = yield list(asked)
        answers = []
        for request, response in zip(asked, responses, strict=True):
            turns = request.messages or (Message("user", request.prompt or ""),)
            made = derived(seed, "answer", request.sample, calls=self.calls(response))
            messages = self.stored((*turns, response.message))
            answer = RatedAnswer(
                problem=seed.problem, messages=messages, answer=response.text, **made
            )
            answers.append((answer, judge_response(response)))
        return answers


@dataclass(kw_only=True)
class RateAnswers(ModelEpisode):
    """PCollection[RatedAnswer] -> Outcome of RatedAnswer, with one more rating.

    The prompt is rendered with `problem` and `answer`. With `labels`, the rating is the probability
    of the first among them, as value, process and outcome models and rerankers answer. Without,
    the model is asked how likely the answer itself is after the prompt: the rating is the mean
    probability of its tokens (their geometric mean), the model's confidence.
    """

    name: str = "rate"
    labels: tuple[str, ...] = ()
    """What the model may answer, the good one first, each one token; empty rates by confidence."""
    weight: float = 1.0
    """What the rating counts for in the score."""

    reads: ClassVar[type] = RatedAnswer
    writes: ClassVar[type] = RatedAnswer
    reasons: ClassVar[Iterable[str]] = ResponseReason

    @property
    def scores_texts(self) -> bool:
        """Whether it asks how likely a given text is."""
        return not self.labels

    def episode(self, rated: RatedAnswer) -> Steps[RatedAnswer | Verdict]:
        [asked] = self.requests(_UNSAMPLED, problem=rated.problem, answer=rated.answer)
        if self.labels:
            response = yield score_labels(asked, self.labels)
        else:
            response = yield score(asked, rated.answer)
        if not (verdict := judge_response(response)).kept:
            return verdict
        found = scored(response)
        value = found.probability(self.labels[0]) if self.labels else math.exp(found.mean)
        ratings = (*rated.ratings, Rating(self.name, value, self.weight))
        total = math.fsum(each.value * each.weight for each in ratings)
        calls = with_calls(rated.calls, *self.calls(response))
        return replace(rated, ratings=ratings, score=total, **calls)

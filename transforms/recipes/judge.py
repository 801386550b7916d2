"""judge: two answers to each problem, and which of them a second model prefers.

The judge sees both orders (after arXiv 2306.05685): where it does not prefer the same answer in
both, the pair is rejected.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from transforms.engine.accounting import Verdict, reject
from transforms.engine.records import Derived, Message, Seed, derived
from transforms.models.episode import ModelEpisode, Steps
from transforms.models.responses import ResponseReason, judge_all
from transforms.models.settings import SamplerSettings
from transforms.stages.preferences import Preference, both_ways

_CHOICE = re.compile(r"\[\[([AB])\]\]")


@dataclass(frozen=True, kw_only=True)
class Answers(Derived):
    """A problem and two answers to it."""

    prompt: tuple[Message, ...]
    one: str
    other: str


@dataclass(kw_only=True)
class AnswerTwice(ModelEpisode):
    """PCollection[Seed] -> Outcome of Answers: two different answers to each problem."""

    name: str = "answer"
    sampler: SamplerSettings

    reads: ClassVar[type] = Seed
    writes: ClassVar[type] = Answers
    reasons: ClassVar[Iterable[str]] = (*ResponseReason, "equal_answers")

    def episode(self, seed: Seed) -> Steps[Answers | Verdict]:
        asked = self.requests(self.sampler, instruction=seed.problem)[:2]
        one, other = yield asked
        if not (verdict := judge_all((one, other))).kept:
            return verdict
        if one.text == other.text:
            return reject("equal_answers")
        calls = self.calls(one, other)
        made = derived(seed, "answers", one.text, other.text, calls=calls)
        return Answers(prompt=asked[0].messages, one=one.text, other=other.text, **made)


@dataclass(kw_only=True)
class Prefer(ModelEpisode):
    """PCollection[Answers] -> Outcome of Preference: pairs of which the judge prefers one."""

    name: str = "prefer"
    sampler: SamplerSettings

    reads: ClassVar[type] = Answers
    writes: ClassVar[type] = Preference
    reasons: ClassVar[Iterable[str]] = (*ResponseReason, "no_preference")

    def episode(self, pair: Answers) -> Steps[Preference | Verdict]:
        orders = ((pair.one, pair.other), (pair.other, pair.one))
        problem = pair.prompt[-1].content
        asked = [self.requests(self.sampler, problem=problem, a=a, b=b)[0] for a, b in orders]
        responses = yield asked
        if not (verdict := judge_all(responses)).kept:
            return verdict
        said = [(_CHOICE.findall(response.text) or [None])[-1] for response in responses]
        preferred = yield from both_ways(self.name, *said)
        if preferred is None:
            return reject("no_preference", f"says {said}")
        turns = [(Message("assistant", text),) for text in orders["AB".index(preferred)]]
        made = derived(pair, "preference", calls=self.calls(*responses))
        return Preference(prompt=pair.prompt, chosen=turns[0], rejected=turns[1], **made)

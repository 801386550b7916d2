"""openmath_tir: votes on whether the code of a solution was needed (AIMO-2, arXiv 2504.16891)."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import ClassVar, Literal

from transforms.engine.accounting import Verdict, reject
from transforms.engine.records import with_calls
from transforms.models.episode import ModelEpisode, Steps
from transforms.models.prompts import PromptTemplate
from transforms.models.requests import Response
from transforms.models.responses import unanswered
from transforms.models.settings import SamplerSettings
from transforms.stages.trajectories.records import Trajectory
from transforms.stages.trajectories.rules import form_of

_JUDGMENT = re.compile(r"judgment:\W*(\w+)", re.IGNORECASE)
_AROUND = 1500
"""Characters of the solution that a judge sees on either side of a block."""


@dataclass(kw_only=True)
class Votes(ModelEpisode):
    """PCollection[Trajectory] -> Outcome of the same: solutions whose code calculates what is new
    and takes work, by `sampler.samples` votes on each of the two for each block that ran.

    The prompts are rendered with `context`, the block and what stands around it.
    """

    name: str = "votes"
    sampler: SamplerSettings
    significance_prompt: PromptTemplate
    rule: Literal["code", "paper"] = "code"
    """Share of new, moderate blocks that will do where none is significant: half of them, as in the
    released code, or more than half, as in the paper."""

    reads: ClassVar[type] = Trajectory
    reasons: ClassVar[Iterable[str]] = ("code_not_needed",)

    def episode(self, row: Trajectory) -> Steps[Trajectory | Verdict]:
        prompts, each = (self.prompt, self.significance_prompt), self.sampler.samples
        responses: list[Response] = yield [
            request
            for context in contexts(row)
            for prompt in prompts
            for request in self.requests(self.sampler, prompt=prompt, context=context)
        ]
        if lost := unanswered(responses):
            return lost
        votes = [(_JUDGMENT.findall(response.text) or [""])[-1].lower() for response in responses]
        starts = range(0, len(votes), 2 * each)
        blocks = [worth(votes[at : at + each], votes[at + each : at + 2 * each]) for at in starts]
        if not are_needed(blocks, self.rule):
            return reject("code_not_needed", ", ".join(blocks))
        return replace(row, **with_calls(row.calls, *self.calls(*responses)))


def contexts(row: Trajectory) -> list[str]:
    """Returns each block that ran well, marked within what stands around it."""
    text, spans, form = "", [], form_of(row)
    first = next(place for place, turn in enumerate(row.messages) if turn.sampled)
    for turn, after in pairwise((*row.messages[first:], row.messages[-1])):
        calls = form.read(turn.content) if turn.sampled and not after.sampled else ()
        if calls and not after.failed:
            end = len(text) + len(turn.content) + len(after.content)
            spans.append((len(text) + calls[-1].start, end))
        text += turn.content
    return [
        f"{text[max(start - _AROUND, 0) : start]}\n[marked code]\n{text[start:end]}\n[end]\n"
        f"{text[end : end + _AROUND]}"
        for start, end in spans
    ]


def worth(novelty: Sequence[str], significance: Sequence[str]) -> str:
    """Returns what votes make a block: known, trivial, moderate or significant.

    It is new if all say so. One vote makes it trivial, else one moderate; an unreadable one is
    against it.
    """
    if set(novelty) != {"calculation"}:
        return "known"
    if not set(significance) <= {"moderate", "significant"}:
        return "trivial"
    return "moderate" if "moderate" in significance else "significant"


def are_needed(blocks: Sequence[str], rule: str) -> bool:
    """Returns whether the blocks of a solution are worth learning, under `Votes.rule`."""
    moderate, half = blocks.count("moderate"), len(blocks) / 2
    enough = moderate > half or (rule == "code" and moderate == half)
    return "significant" in blocks or (moderate > 0 and enough)

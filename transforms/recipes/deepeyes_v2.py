"""deepeyes_v2: code and search in one loop about a picture (after DeepEyesV2, arXiv 2511.05271)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

from pydantic import Field

from transforms.engine.accounting import Verdict, reject
from transforms.engine.ids import canonical_json
from transforms.engine.records import Seed
from transforms.models.episode import Steps
from transforms.models.prompts import PromptTemplate
from transforms.models.requests import Response
from transforms.models.responses import unanswered
from transforms.stages.trajectories.conversation import Conversation
from transforms.stages.trajectories.converse import Tried, answer_in
from transforms.stages.trajectories.look import Look, PictureSeed
from transforms.stages.trajectories.records import Trajectory

_TURN = re.compile(
    r"\s*<think>.*?</think>\s*(?:<tool_call>(?:(?!<tool_call>).)*</tool_call>|<answer>.*</answer>)\s*",
    re.DOTALL,
)
_LONGEST = 300
"""Characters of an answer that are too many to be right."""


@dataclass(kw_only=True)
class Think(Look):
    """PCollection[PictureSeed] -> Outcome of LookTrajectory: conversations about questions that are
    seldom answered by looking alone.

    A row's `data` has `base`, the share of attempts by looking alone that were right, and `reward`.
    """

    base_prompt: PromptTemplate
    """Asks by looking alone."""
    base: Annotated[int, Field(ge=0)] = 4
    """Attempts by looking alone."""
    base_at_most: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Share of them that may be right."""

    reasons: ClassVar[Iterable[str]] = (*Look.reasons, "right_without_tools")

    def attempts(self, seed: PictureSeed) -> Steps[list[tuple[Trajectory, Verdict]] | Verdict]:
        sampler = self.sampler.model_copy(update={"samples": self.base})
        words, right = self.words(seed, 0), 0
        asked = self.requests(sampler, prompt=self.base_prompt, **words) if self.base else []
        responses: list[Response] = yield list(asked)
        if lost := unanswered(responses):
            return lost
        for response in responses:
            _, same = yield from answer_in(response, seed.answer)
            right += same
        share = right / self.base if self.base else None
        if share is not None and share > self.base_at_most:
            return reject("right_without_tools", f"{right} of {self.base}")
        rows = yield from super().attempts(seed)
        if isinstance(rows, Verdict):
            return rows
        return [
            (replace(row, data=canonical_json({**json.loads(row.data), "base": share})), verdict)
            for row, verdict in rows
        ]

    def graded(self, seed: Seed, talk: Conversation) -> Steps[Tried]:
        tried = yield from super().graded(seed, talk)
        own = [turn.content for turn in talk.turns if turn.sampled]
        called = {call.name for text in own for call in talk.dialogue.read(text)}
        is_formed = all(map(_TURN.fullmatch, own))
        talk.data["reward"] = reward(
            tried.score >= 1, is_formed, "search" in called, talk.answer or ""
        )
        return tried


def reward(right: bool, formed: bool, searched: bool, answer: str) -> float:
    """Returns DeepEyesV2's reward: 0.8 for a right answer, of which a search costs a tenth, and 0.2
    for the form; an answer of 300 characters or more is wrong.

    >>> [round(reward(*case, ""), 2) for case in ((True, True, False), (True, True, True))]
    [1.0, 0.92]
    >>> [round(reward(*case, ""), 2) for case in ((True, False, False), (False, True, False))]
    [0.8, 0.2]
    """
    accuracy = float(right and len(answer) < _LONGEST)
    return 0.8 * accuracy * (0.9 if searched else 1.0) + 0.2 * formed

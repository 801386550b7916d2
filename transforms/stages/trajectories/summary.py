"""Summaries of solutions: several are written, and the longest with the same answer is kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from transforms.engine.accounting import Verdict, reject
from transforms.engine.records import grow, with_calls
from transforms.models.episode import ModelEpisode, Steps
from transforms.models.requests import Response
from transforms.models.responses import unanswered
from transforms.models.settings import SamplerSettings
from transforms.sandbox.settings import SandboxSettings
from transforms.stages.judge import as_pair, compare
from transforms.stages.trajectories.records import Trajectory, Turn
from transforms.text.answers import final_answer


@dataclass(frozen=True, kw_only=True)
class Summarised(Trajectory):
    """A trajectory and a summary of it."""

    summary: str
    """A short solution with the same final answer."""


@dataclass(kw_only=True)
class Summarise(ModelEpisode):
    """PCollection[Trajectory] -> Outcome of Summarised: of `sampler.samples` summaries the longest
    that ends in the same answer (arXiv 2504.16891).

    The prompt is rendered with `problem`, `answer` and `solution`, the text with its results.
    """

    name: str = "summary"
    sampler: SamplerSettings
    sandbox: SandboxSettings

    reads: ClassVar[type] = Trajectory
    writes: ClassVar[type] = Summarised
    reasons: ClassVar[Iterable[str]] = ("answer_changed",)

    def episode(self, row: Trajectory) -> Steps[Summarised | Verdict]:
        words = {"problem": row.problem, "answer": row.answer, "solution": text_of(row.messages)}
        responses: list[Response] = yield self.requests(self.sampler, **words)  # type: ignore[arg-type]
        if lost := unanswered(responses):
            return lost
        said = [final_answer(response.text, response.finish_reason) for response in responses]
        pairs = [as_pair(row.answer or "", answer or "") for answer in said]
        same = yield from compare(pairs)
        kept = [response.text for response, right in zip(responses, same, strict=True) if right]
        if not kept:
            return reject("answer_changed", f"from {row.answer} to {', '.join(map(str, said))}")
        made = with_calls(row.calls, *self.calls(*responses))
        return grow(Summarised, row, summary=max(kept, key=len).strip(), **made)


def text_of(turns: Iterable[Turn]) -> str:
    """Returns a solution as one text: what the model wrote, and the results that it saw between."""
    turns = list(turns)
    first = next((place for place, each in enumerate(turns) if each.sampled), len(turns))
    return "".join(each.content for each in turns[first:])

"""genselect: arguments that choose the right one of several solutions (arXiv 2504.16891)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from transforms.engine.accounting import Verdict, reject
from transforms.engine.records import Message, derived, grow, with_calls
from transforms.models.episode import ModelEpisode, Steps
from transforms.models.responses import ResponseReason, judge_response
from transforms.models.settings import SamplerSettings
from transforms.stages.trajectories.candidates import Candidates, judgment


@dataclass(frozen=True, kw_only=True)
class Selection(Candidates):
    """Solutions, and an argument which of them is the best."""

    chosen: int
    """Number of the solution that is chosen, which is right."""
    messages: tuple[Message, ...]
    """The problem with its solutions, and the argument."""


@dataclass(kw_only=True)
class Choose(ModelEpisode):
    """PCollection[Candidates] -> Outcome of Selection: those of which the judge chooses a right
    one. The prompt is rendered with `problem` and `solutions`, a list."""

    name: str = "choose"
    sampler: SamplerSettings

    reads: ClassVar[type] = Candidates
    writes: ClassVar[type] = Selection
    reasons: ClassVar[Iterable[str]] = (*ResponseReason, "no_judgment", "wrong_choice")

    def episode(self, shown: Candidates) -> Steps[Selection | Verdict]:
        words = {"problem": shown.problem, "solutions": list(shown.solutions)}
        asked = self.requests(self.sampler, **words)[0]  # type: ignore[arg-type]
        response = yield asked
        if not (verdict := judge_response(response)).kept:
            return verdict
        chosen = judgment(response.text, len(shown.solutions))
        if chosen is None:
            return reject("no_judgment", response.text[-80:])
        if not shown.right[chosen]:
            return reject("wrong_choice", f"chooses {chosen}")
        talk = self.stored([*asked.messages, response.message])
        made = derived(shown, "selection", calls=self.calls(response))
        return grow(Selection, shown, chosen=chosen, messages=talk, **made)


@dataclass(kw_only=True)
class Shorten(ModelEpisode):
    """PCollection[Selection] -> Outcome of the same with a shorter argument: of `sampler.samples`
    the longest that names the same solution."""

    name: str = "shorten"
    sampler: SamplerSettings

    reads: ClassVar[type] = Selection
    writes: ClassVar[type] = Selection
    reasons: ClassVar[Iterable[str]] = ("choice_changed",)

    def episode(self, row: Selection) -> Steps[Selection | Verdict]:
        words = {"problem": row.problem, "argument": row.messages[-1].content}
        responses = yield self.requests(self.sampler, **words)  # type: ignore[arg-type]
        verdicts = [judge_response(each) for each in responses]
        if lost := next((each for each in verdicts if each.unanswered), None):
            return lost
        ended = [r.text for r, verdict in zip(responses, verdicts, strict=True) if verdict.kept]
        same = [text for text in ended if judgment(text, len(row.solutions)) == row.chosen]
        if not same:
            return reject("choice_changed")
        talk = (*row.messages[:-1], Message("assistant", max(same, key=len).strip()))
        made = with_calls(row.calls, *self.calls(*responses))
        return grow(Selection, row, messages=talk, **made)

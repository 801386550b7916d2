"""agentic_r1: code and words in one text (DualDistill, arXiv 2507.05707)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

from transforms.engine.accounting import Verdict, reject
from transforms.engine.ids import canonical_json
from transforms.engine.records import derived
from transforms.models.episode import ModelEpisode, Steps
from transforms.models.requests import Response
from transforms.models.responses import ResponseReason, judge_response
from transforms.models.settings import SamplerSettings
from transforms.sandbox.settings import SandboxSettings
from transforms.stages.trajectories.converse import answer_in
from transforms.stages.trajectories.dialogues import Limit
from transforms.stages.trajectories.records import Trajectory, Turn, appended, joined, sampled


@dataclass(kw_only=True)
class Compose(ModelEpisode):
    """PCollection[Trajectory] -> Outcome of the same: an attempt with code, joined with a solution
    of `problem` in words so that the text ends with a right answer.

    The wrong one comes first: code up to its last output, words up to their answer. Of two right
    ones the words check the code.
    """

    name: str = "compose"
    sampler: SamplerSettings
    sandbox: SandboxSettings
    to_words: str
    """Stands between wrong code and right words."""
    to_code: str
    """Stands between wrong words and right code."""
    to_check: str
    """Stands between right code and right words."""
    longest: Limit = 16_384
    """Generated tokens of both, at most."""

    reads: ClassVar[type] = Trajectory
    writes: ClassVar[type] = Trajectory
    reasons: ClassVar[Iterable[str]] = (*ResponseReason, "overlong", "both_wrong", "no_code")

    def episode(self, row: Trajectory) -> Steps[Trajectory | Verdict]:
        if not row.cells:
            return reject("no_code")
        asked = self.requests(self.sampler, first_sample=row.sample, problem=row.problem)[0]
        response: Response = yield replace(asked, think_tags=None)
        if not (verdict := judge_response(response)).kept:
            return verdict
        answer, right = yield from answer_in(response, row.reference)
        if not (right or row.score >= 1):
            return reject("both_wrong", f"{row.answer} and {answer}, reference {row.reference}")
        first = next(place for place, each in enumerate(row.messages) if each.sampled)
        code, words = row.messages[first:], (in_words(response),)
        if not right:
            kind, body = "words_code", joined(without_answer(words), self.to_code, code)
        elif row.score >= 1:
            kind, body = "code_check", joined(without_answer(code), self.to_check, words)
        else:
            last = max(place for place, each in enumerate(code) if not each.sampled)
            kind, body = "code_words", joined(code[: last + 1], self.to_words, words)
        made = derived(row, kind, response.id, calls=self.calls(response))
        if made["tokens"] > self.longest:
            return reject("overlong", f"{made['tokens']} tokens")
        made |= {"messages": appended(row.messages[:first], body), "score": 1.0}
        answer, data = answer if right else row.answer, canonical_json({"kind": kind})
        return replace(row, answer=answer, data=data, ended="answered", **made)


def in_words(response: Response) -> Turn:
    """Returns a response as a turn, its thought within the marks that the server took away."""
    thought = f"<think>{response.reasoning}</think>\n" if response.reasoning else ""
    return sampled(thought + response.text, response.id)


def without_answer(turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    last = replace(turns[-1], content=turns[-1].content.partition("<answer>")[0])
    return (*turns[:-1], last) if last.content else turns[:-1]

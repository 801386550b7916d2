"""visual_arft: a picture's faults are named, undone by code that is run, and its question answered,
each as a step of its own (after Visual-ARFT, arXiv 2505.14246)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

from pydantic import Field

from transforms.engine.accounting import keep, reject
from transforms.engine.ids import canonical_json
from transforms.engine.records import Seed
from transforms.images.blobs import Blobs
from transforms.models.episode import Steps, side_by_side
from transforms.models.prompts import PromptTemplate
from transforms.scenes.operations import Operation
from transforms.stages.trajectories.conversation import Conversation, Limits, ask, begin, run_call
from transforms.stages.trajectories.converse import Tried
from transforms.stages.trajectories.look import (
    Look,
    LookTrajectory,
    PictureSeed,
    edit_of,
    repaired,
    repairs,
)
from transforms.stages.trajectories.records import Ended

_PROBLEM = re.compile(r"<problem>\s*\{?([^{}<>]*)\}?\s*</problem>")


@dataclass(kw_only=True)
class SingleSteps(Look):
    """PCollection[PictureSeed] -> Outcome of LookTrajectory: of each attempt a row for each step,
    asked after the right steps before it.

    A row's `data` has its `type`: pre_problem, whose answer is the faults; pre_code, whose code is
    run and its picture held against that without faults (`look.edit_of`); pre_answer, which sees
    the restored picture. `code_prompt` is rendered with `faults` besides, `answer_prompt` also with
    `restored`, a picture.
    """

    code_prompt: PromptTemplate
    answer_prompt: PromptTemplate
    code_score: Annotated[float, Field(ge=0, le=1)] | None = None
    """Score of any code, which is then not run, as the released reward has it; None runs it."""

    reasons: ClassVar[Iterable[str]] = (*Look.reasons, "wrong_problem", "not_restored")

    def attempt(self, seed: Seed, sample: int, start: tuple[str, ...]) -> Steps[Tried]:
        assert isinstance(seed, PictureSeed)
        steps = [self.problem(seed, sample), self.answered(seed, sample)]
        if seed.faults:
            steps.insert(1, self.code(seed, sample))
        *before, last = yield from side_by_side(steps)
        for each in before:
            each.talk.data["score"], each.talk.verdict = each.score, each.verdict
        last.talk.spawned = [each.talk for each in before]
        return last

    def spawned(self, attempt: Tried) -> Iterable[Tried]:
        for talk in attempt.talk.spawned:
            yield Tried(talk, talk.data.pop("score"), talk.verdict)

    def problem(self, seed: PictureSeed, sample: int) -> Steps[Tried]:
        """Has the faults named."""
        talk = yield from self.step("pre_problem", self.prompt, seed, sample)
        said = talk.turns[-1].content if talk.ended is Ended.ANSWERED else ""
        *_, found = ["", *_PROBLEM.findall(said)]
        named = sorted({name.strip() for name in found.split(",")} - {""})
        talk.final = ", ".join(named)
        return self.judged(talk, fault_score(named, seed.faults), "wrong_problem")

    def code(self, seed: PictureSeed, sample: int) -> Steps[Tried]:
        """Has code written that undoes the faults, and runs it."""
        talk = yield from self.step("pre_code", self.code_prompt, seed, sample)
        calls = self.dialogue.read(talk.turns[-1].content)[:1]
        if not calls or talk.ended is not Ended.ANSWERED:
            return self.judged(talk, 0.0, "not_restored")
        if self.code_score is not None:
            return Tried(talk, self.code_score, keep())
        seen = yield from run_call(talk, calls[0])
        edits = [edit_of(seed, picture, Blobs(self.blobs)) for picture in seen.pictures]
        talk.data["edits"] = edits
        return self.judged(talk, float(bool({"restored", "covers"} & {*edits})), "not_restored")

    def answered(self, seed: PictureSeed, sample: int) -> Steps[Tried]:
        """Has the question answered about the restored picture."""
        words = {"restored": repaired(seed, self.steps(seed), Blobs(self.blobs))}
        talk = yield from self.step("pre_answer", self.answer_prompt, seed, sample, **words)
        return (yield from self.graded(seed, talk))

    def steps(self, seed: PictureSeed) -> list[Operation]:
        """The operations that undo a picture's faults, small print by a crop."""
        return repairs(seed, crops=seed.wants_crop) or []

    def step(
        self, kind: str, prompt: PromptTemplate, seed: PictureSeed, sample: int, **words: Any
    ) -> Steps[Conversation]:
        """Asks one step."""
        words |= {**self.words(seed, sample), "faults": seed.faults}
        asked = self.request(sample, prompt=prompt, **words)
        talk = begin(asked, self.dialogue, Limits(), gallery=self.gallery(seed), keeps_state=False)
        talk.data["type"] = kind
        yield from ask(talk)
        if talk.ended is None:
            talk.end(Ended.ANSWERED)
        return talk

    def judged(self, talk: Conversation, score: float, reason: str) -> Tried:
        """Returns a step with its score; it is kept as an answer of `Converse` is."""
        if talk.ended is not Ended.ANSWERED or score >= 1 or self.keeps_wrong:
            return Tried(talk, score, talk.verdict)
        seen = talk.final or ", ".join(talk.data.get("edits", ()))
        return Tried(talk, score, reject(reason, seen))

    def row(
        self, seed: Seed, sample: int, each: Tried, rate: float, attempts: int, place: int = 0
    ) -> LookTrajectory:
        assert isinstance(seed, PictureSeed)
        row = super().row(seed, sample, each, rate, attempts, place)
        steps = [step.model_dump(mode="json") for step in self.steps(seed)]
        golds = {"pre_problem": ", ".join(sorted(seed.faults)) or "none",
                 "pre_code": canonical_json(steps)}  # fmt: skip
        return replace(row, reference=golds.get(each.talk.data["type"], row.reference))


def fault_score(named: Sequence[str], faults: Sequence[str]) -> float:
    """Returns 1 where the faults that were named are those that a picture has, and 0.5 where of a
    turn and another fault the turn alone is.

    >>> fault_score(["dark", "rotation90"], ["rotation90", "dark"])
    1.0
    >>> fault_score(["rotation90"], ["rotation90", "dark"]), fault_score(["dark"], ["x", "dark"])
    (0.5, 0.0)
    """
    if {*named} == {*(faults or ("none",))}:
        return 1.0
    return 0.5 if len(faults) == 2 and [*named] == [faults[0]] else 0.0

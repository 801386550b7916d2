"""hidden_function: a program is found out by asking what it gives (CodeARC, arXiv 2503.23145)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, ClassVar

from pydantic import Field

from transforms.engine.accounting import Verdict, keep, reject
from transforms.engine.records import Seed
from transforms.models.episode import Steps
from transforms.programs import literal_input, parse, with_input
from transforms.programs.variation import unlike
from transforms.sandbox.jobs import Job, Status
from transforms.stages.graders import tests
from transforms.stages.pairs import UNPAIRED, Pair, several_pairs
from transforms.stages.trajectories.conversation import Conversation, Seen, converse
from transforms.stages.trajectories.converse import Converse, Tried
from transforms.stages.trajectories.dialogues import Called
from transforms.stages.trajectories.records import Ended


@dataclass(kw_only=True)
class FindOut(Converse):
    """PCollection[Seed] (verified, with code) -> Outcome of Trajectory: attempts to write a program
    that nobody shows, from what it gives on inputs that are asked for.

    The action `query` has the program run on an input like its own. The program that is written
    has to give what the hidden one gives on inputs that were not asked for. The prompt is rendered
    with `given` and `output`, one pair, and `cells`, the number of queries.
    """

    hidden: Annotated[int, Field(ge=2)] = 8
    """Inputs that the answer is run on, at most; the one that is shown is not among them."""

    reasons: ClassVar[Iterable[str]] = (
        *Converse.reasons,
        *UNPAIRED,
        "no_literal_input",
        "few_pairs",
    )

    def episode(self, seed: Seed) -> Steps[Any]:
        pairs = yield from several_pairs(seed, self.hidden + 1)
        if isinstance(pairs, Verdict):
            return pairs
        if literal_input(parse(seed.code or "")) is None:
            return reject("no_literal_input")
        if len(pairs) < 3:
            return reject("few_pairs", f"{len(pairs)} inputs")
        metadata = {**json.loads(seed.metadata), "pairs": pairs}
        return (yield from super().episode(replace(seed, metadata=json.dumps(metadata))))

    def unfit(self, seed: Seed) -> Verdict | None:
        return None

    def words(self, seed: Seed, sample: int) -> dict[str, Any]:
        first = _pairs(seed)[0]
        return {**super().words(seed, sample), "given": first.input, "output": first.output}

    def attempt(self, seed: Seed, sample: int, start: tuple[str, ...]) -> Steps[Tried]:
        talk = self.begun(seed, sample, start)
        talk.agents = {"query": partial(self.query, seed)}
        return (yield from self.graded(seed, (yield from converse(talk))))

    def query(self, seed: Seed, talk: Conversation, called: Called) -> Steps[Seen]:
        """Runs the hidden program on an input."""
        params, code = json.loads(called.text), seed.code or ""
        given: Any = params.get("input") if isinstance(params, dict) else None
        own = literal_input(parse(code)) or {}
        if difference := unlike(given, own):
            return Seen(called, f"that is no input: {difference}", True)
        [result] = yield [Job(with_input(code, given))]
        if result.status is not Status.OK:
            return Seen(called, f"on that input it fails: {result.error_type}", True)
        return Seen(called, result.output or "", False)

    def graded(self, seed: Seed, talk: Conversation) -> Steps[Tried]:
        if talk.ended is not Ended.ANSWERED:
            return (yield from super().graded(seed, talk))
        mark = yield from tests("", _pairs(seed)[1:], talk.turns[-1].content)
        talk.final = mark.answer
        why = reject("wrong_answer" if mark.answer else "no_answer", mark.seen)
        return self.tried(talk, mark.score, keep() if mark.fault is None else why)


def _pairs(seed: Seed) -> list[Pair]:
    return [Pair(*each) for each in json.loads(seed.metadata)["pairs"]]

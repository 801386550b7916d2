"""kat_coder: conversations that branch, and several reference answers (KAT-Coder, 2510.18779)."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import Field

from transforms.engine.accounting import keep, reject
from transforms.engine.ids import derived_seed
from transforms.engine.records import Seed
from transforms.models.episode import Steps, side_by_side
from transforms.stages.judge import as_pair, compare
from transforms.stages.trajectories.converse import Conversation, Converse, Tried, converse
from transforms.stages.trajectories.records import Ended


def agrees_with_any(seed: Seed, answer: str) -> Steps[float]:
    """Grades an answer: 1 where it agrees with the seed's or with one of those in its column
    `answers`, else 0."""
    same = yield from compare([as_pair(each, answer) for each in references(seed)])
    return float(any(same))


def references(seed: Seed) -> list[str]:
    """Returns the right answers to a seed's problem, each once."""
    more = json.loads(seed.metadata).get("answers") or []
    return list(dict.fromkeys(str(each) for each in (seed.answer, *more) if each is not None))


@dataclass(kw_only=True)
class Branching(Converse):
    """PCollection[Seed] -> Outcome of Trajectory: `Converse`, in which each attempt goes on
    `branches` ways from one of its later turns, each way a row.

    Branches share the turns before it, with their ids, and the state of the session: no cell is run
    twice. Which turn it is, its ids decide; an attempt of one turn does not branch.
    """

    branches: Annotated[int, Field(ge=1)] = 3
    """Ways on from a turn, the attempt's own among them."""

    def attempt(self, seed: Seed, sample: int, start: tuple[str, ...]) -> Steps[Tried]:
        waiting: list[Conversation] = []
        trunk = yield from converse(
            self.begun(seed, sample, start), lambda talk: waiting.append(talk.branched(talk.asked))
        )
        tried = yield from self.graded(seed, trunk)
        later = waiting[1:] if tried.talk.ended is not Ended.REFUSED else []
        if later:
            place = derived_seed(self.run_seed, "branch", seed.id, sample) % len(later)
            forked = yield from side_by_side(
                self._branch(seed, later[place], number) for number in range(1, self.branches)
            )
            trunk.data = {"branched_at": place + 1}
            trunk.spawned = [each.talk for each in forked]
        return tried

    def _branch(self, seed: Seed, talk: Conversation, number: int) -> Steps[Tried]:
        asked = replace(talk.asked, sample=talk.asked.sample + number * self.sampler.samples)
        branch = yield from converse(talk.branched(asked))
        tried = yield from self.graded(seed, branch)
        branch.data = {"branch": number, "score": tried.score}
        return tried

    def spawned(self, attempt: Tried) -> Iterable[Tried]:
        for talk in attempt.talk.spawned:
            score = talk.data["score"]
            verdict = talk.verdict
            if talk.ended is Ended.ANSWERED and not (score >= 1 or self.keeps_wrong):
                verdict = reject("wrong_answer" if talk.answer else "no_answer", talk.answer or "")
            elif self.keeps_wrong and talk.ended is not Ended.REFUSED:
                verdict = keep()
            yield Tried(talk, score, verdict)

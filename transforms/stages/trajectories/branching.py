"""Attempts that branch: from one of its later turns each goes on in several ways."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import Field

from transforms.engine.accounting import reject
from transforms.engine.ids import derived_seed
from transforms.engine.records import Seed
from transforms.models.episode import Steps, side_by_side
from transforms.stages.trajectories.conversation import Conversation, converse
from transforms.stages.trajectories.converse import Converse, Tried
from transforms.stages.trajectories.records import Ended

Before = Callable[[Conversation], None]
"""Called before each request of the agent whose turns the rows are."""


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
        trunk = self.begun(seed, sample, start)
        yield from self.play(
            seed, sample, trunk, lambda talk: waiting.append(talk.branched(talk.asked))
        )
        tried = yield from self.graded(seed, trunk)
        later = waiting[1:] if tried.talk.ended is not Ended.REFUSED else []
        if later and self.branches > 1:
            place = derived_seed(self.run_seed, "branch", seed.id, sample) % len(later)
            forked = yield from side_by_side(
                self._branch(seed, sample, later[place], number)
                for number in range(1, self.branches)
            )
            trunk.data = {"branched_at": place + 1}
            trunk.spawned = [each.talk for each in forked]
        return tried

    def play(self, seed: Seed, sample: int, talk: Conversation, before: Before) -> Steps[object]:
        """Plays an attempt from where it stands to its end; a recipe of several roles writes its
        own."""
        return (yield from converse(talk, before))

    def _branch(self, seed: Seed, sample: int, talk: Conversation, number: int) -> Steps[Tried]:
        asked = replace(talk.asked, sample=talk.asked.sample + number * self.sampler.samples)
        branch = talk.branched(asked)
        yield from self.play(seed, sample, branch, lambda talk: None)
        tried = yield from self.graded(seed, branch)
        branch.data = {"branch": number, "score": tried.score}
        return tried

    def spawned(self, attempt: Tried) -> Iterable[Tried]:
        for talk in attempt.talk.spawned:
            score, verdict = talk.data["score"], talk.verdict
            if talk.ended is Ended.ANSWERED and score < 1:
                verdict = reject("wrong_answer" if talk.answer else "no_answer", talk.answer or "")
            yield self.tried(talk, score, verdict)

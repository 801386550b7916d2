"""Programs that are asked for once each: what a model wrote is what is run and recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from transforms.engine.accounting import Verdict, reject
from transforms.engine.records import Seed
from transforms.models.episode import Steps
from transforms.stages.trajectories.conversation import Conversation, ask
from transforms.stages.trajectories.converse import Converse, Tried
from transforms.stages.trajectories.records import Ended


@dataclass(kw_only=True)
class WriteProgram(Converse):
    """PCollection[Seed] -> Outcome of Trajectory: each attempt is one request, and its answer the
    last program in the response. A recipe says what that is worth (`judged`).

    A program that fails is a reject, never replaced by another.
    """

    cells: None = None
    turns: Literal[1] = 1

    def attempt(self, seed: Seed, sample: int, start: tuple[str, ...]) -> Steps[Tried]:
        talk = self.begun(seed, sample)
        written = yield from ask(talk)
        if written is None:
            return self.tried(talk, 0.0, talk.verdict)
        programs = self.dialogue.read(written.text)
        if not programs:
            return self.tried(talk, 0.0, reject("no_answer"))
        talk.final = programs[-1].code
        talk.end(Ended.ANSWERED)
        score, verdict = yield from self.judged(seed, talk, talk.final)
        return self.tried(talk, score, verdict)

    def judged(self, seed: Seed, talk: Conversation, code: str) -> Steps[tuple[float, Verdict]]:
        """Runs a program that answers a seed; returns its score, 0 to 1, and why it is no good."""
        raise NotImplementedError

"""msarl: a planner and an agent for its tools, each with its own view and rewards (2508.08882)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated

from pydantic import Field

from transforms.engine.records import Message, Seed
from transforms.models.episode import Steps
from transforms.models.prompts import PromptTemplate
from transforms.stages.trajectories.conversation import (
    Conversation,
    Limits,
    Seen,
    begin,
    converse,
    delegate,
)
from transforms.stages.trajectories.converse import Converse, Tried, check_backend
from transforms.stages.trajectories.dialogue_forms import DialogueSetting
from transforms.stages.trajectories.dialogues import Called, Dialogue
from transforms.stages.trajectories.records import Ended, Turn


@dataclass(kw_only=True)
class TwoAgents(Converse):
    """PCollection[Seed] -> Outcome of Trajectory: `Converse`, in which the model plans and leaves
    tasks to a second agent, which works on all of them in one session; two rows an attempt.

    The planner sees of a task what the agent writes in the end. Its prompt, `tool_prompt`, is
    rendered with `task`, the first one, and `cells`. The score of the planner's row is that of the
    answer, of the agent's the share of its calls that worked.
    """

    tool_prompt: PromptTemplate
    tool_model: str | None = None
    """The agent's model; null is the planner's own."""
    tool_dialogue: DialogueSetting
    """The dialogue in which the agent calls its tools."""
    tool_cells: Annotated[int, Field(ge=1)] = 8
    """Calls of the agent, at most, for all tasks of an attempt."""
    together: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Reward of each result that the agent hands over, where the planner's answer is right."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_backend(self.tool_dialogue, self.backend_of(self.tool_model), self.name)

    def attempt(self, seed: Seed, sample: int, start: tuple[str, ...]) -> Steps[Tried]:
        talk = self.begun(seed, sample, start)
        talk.agent, talk.agents = "planner", {"task": partial(self.work, sample)}
        tried = yield from self.graded(seed, (yield from converse(talk)))
        talk.turns = rewarded(talk.turns, talk.dialogue, tried.score, 1.0)
        return tried

    def work(self, sample: int, talk: Conversation, called: Called) -> Steps[Seen]:
        """Has the agent work on a task."""
        if talk.spawned:
            [other] = talk.spawned
            if other.ended is not Ended.ANSWERED:
                return Seen(called, "No further task can be worked on.", True)
            other.add(Message("user", called.text))
            other.ended = None
        else:
            prompt, model = self.tool_prompt, self.tool_model
            request = self.request(sample, prompt, model, task=called.text, cells=self.tool_cells)
            limits, fields = Limits(self.tool_cells), {"agent": "tool agent", "start": talk.start}
            other = begin(request, self.tool_dialogue, limits, **fields)
        yield from delegate(talk, other)
        if other.ended is not Ended.ANSWERED:
            return Seen(called, "The task could not be done.", True)
        return Seen(called, other.turns[-1].content.strip(), False)

    def spawned(self, attempt: Tried) -> Iterable[Tried]:
        for each in super().spawned(attempt):
            talk = each.talk
            talk.turns = rewarded(talk.turns, talk.dialogue, attempt.score, self.together)
            calls = [t.reward for t in talk.turns if t.sampled and talk.dialogue.read(t.content)]
            yield each._replace(score=sum(calls) / len(calls) if calls else 0.0)  # type: ignore[arg-type]


def rewarded(
    turns: tuple[Turn, ...], form: Dialogue, outcome: float, share: float
) -> tuple[Turn, ...]:
    """Returns turns with the rewards of those that were sampled: 1 for a call that worked, 0 for
    one that failed, and a share of the outcome for what calls nothing."""

    def worth(turn: Turn, after: Turn) -> float:
        return float(not after.failed) if form.read(turn.content) else share * outcome

    return tuple(
        replace(turn, reward=worth(turn, after)) if turn.sampled else turn
        for turn, after in zip(turns, (*turns[1:], turns[-1]), strict=True)
    )

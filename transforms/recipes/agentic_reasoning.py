"""agentic_reasoning: a reasoner whose code and memory are other agents (arXiv 2502.04644)."""

from dataclasses import dataclass
from functools import partial

from transforms.engine.records import Seed
from transforms.models.episode import Steps
from transforms.models.prompts import PromptTemplate
from transforms.sandbox.jobs import Cell, Status
from transforms.stages.graders import last_block
from transforms.stages.trajectories.conversation import Conversation, Seen, consult, converse
from transforms.stages.trajectories.converse import Converse, Tried
from transforms.stages.trajectories.dialogues import Called
from transforms.stages.trajectories.summary import text_of


@dataclass(kw_only=True)
class Reason(Converse):
    """PCollection[Seed] -> Outcome of Trajectory: `Converse` with two agents to be called beside
    the tools: `mind_map`, which is asked about the text so far, and `code`, which has a script
    written and run for what it is to find out.

    `memory_prompt` is rendered with `text` and `query`; `code_prompt` with `query` and `context`,
    what the memory holds on it: nothing else of the text.
    """

    memory_prompt: PromptTemplate
    code_prompt: PromptTemplate
    code_model: str | None = None
    """The model that writes scripts; null is the reasoner's own."""

    def attempt(self, seed: Seed, sample: int, start: tuple[str, ...]) -> Steps[Tried]:
        talk = self.begun(seed, sample, start)
        talk.agents = {"mind_map": partial(self.recall, sample), "code": partial(self.code, sample)}
        return (yield from self.graded(seed, (yield from converse(talk))))

    def recall(self, sample: int, talk: Conversation, called: Called) -> Steps[Seen]:
        """Has the memory say what the text so far holds on a query."""
        words = {"text": text_of(talk.turns), "query": called.text}
        said = yield from consult(talk, self.request(sample, self.memory_prompt, **words))
        return Seen(called, said, False)

    def code(self, sample: int, talk: Conversation, called: Called) -> Steps[Seen]:
        """Has a script written for a query, and runs it by itself."""
        memory = yield from self.recall(sample, talk, called)
        words = {"query": called.text, "context": memory.text}
        asked = self.request(sample, self.code_prompt, self.code_model, **words)
        said = yield from consult(talk, asked)
        seen = yield Cell(last_block(said) or said)
        return Seen(called, talk.dialogue.observed(seen), seen.status is not Status.OK)

"""hira: a planner, a coordinator that hands out its tasks, and executors (arXiv 2507.02652)."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from pydantic import Field

from transforms.engine.errors import SettingsError
from transforms.engine.records import Seed
from transforms.engine.settings import Group
from transforms.models.episode import Steps
from transforms.models.prompts import PromptTemplate
from transforms.stages.trajectories.conversation import (
    Conversation,
    Limits,
    Seen,
    begin,
    consult,
    converse,
    delegate,
)
from transforms.stages.trajectories.converse import Converse, Tried
from transforms.stages.trajectories.dialogue_forms import DialogueSetting
from transforms.stages.trajectories.dialogues import PYTHON, Called
from transforms.stages.trajectories.summary import text_of


class Executor(Group):
    """An agent that carries out tasks."""

    about: str = Field(description="what it is for, as the coordinator reads it")
    tools: tuple[str, ...] = Field(description="what it calls: names of the stage's tools, python")
    remembers: bool = Field(True, description="whether it sees what others found")


@dataclass(kw_only=True)
class Plan(Converse):
    """PCollection[Seed] -> Outcome of Trajectory: `Converse`, in which the model leaves sub-tasks
    to executors and sees their conclusions alone. Beside the planner's row an attempt has one for
    each of these, kept where the attempt is.

    Prompts: `coordinator_prompt` with `task` and `executors` asks for a JSON object whose
    `selected_agent_name` is one of them (the first where it is not); `executor_prompt` with `task`,
    `memory`, `calls` and `cells` begins the work on it; `conclusion_prompt` with `task` and `chain`
    asks for {conclusion, memory}; `memory_prompt` with `task` and `memory` for what is of use.
    """

    executors: Annotated[dict[str, Executor], Field(min_length=1)]
    """Name -> executor; the first is the default."""
    executor_dialogue: DialogueSetting
    executor_cells: Annotated[int, Field(ge=1)] = 10
    """Calls of an executor, at most."""
    remembered: Annotated[int, Field(ge=0)] = 4
    """Entries of the memory that are shown as they are; more are filtered by a request."""
    helper_model: str | None = None
    """The model that chooses executors, draws conclusions and filters the memory; null is the
    planner's own."""
    executor_prompt: PromptTemplate
    coordinator_prompt: PromptTemplate
    conclusion_prompt: PromptTemplate
    memory_prompt: PromptTemplate

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, executor in self.executors.items():
            for tool in executor.tools:
                if tool not in (*self.tools, PYTHON):
                    stage = f"recipe.stages.{self.name}"
                    raise SettingsError(
                        f"{stage}.executors.{name}.tools has {tool}, which is not bound: set "
                        f"{stage}.tools.{tool}, or name one of {', '.join((*self.tools, PYTHON))}"
                    )

    def attempt(self, seed: Seed, sample: int, start: tuple[str, ...]) -> Steps[Tried]:
        talk = self.begun(seed, sample, start)
        talk.agent, talk.tools = "planner", {}
        talk.agents = {"subtask": partial(self.work, sample, [])}
        return (yield from self.graded(seed, (yield from converse(talk))))

    def work(
        self, sample: int, memory: list[str], talk: Conversation, called: Called
    ) -> Steps[Seen]:
        """Has a sub-task carried out; what is found out on the way goes into the memory."""

        def ask(prompt: PromptTemplate, **words: Any) -> Steps[str]:
            asked = self.request(sample, prompt, self.helper_model, task=called.text, **words)
            return consult(talk, asked)

        about = "\n".join(f"{name}: {each.about}" for name, each in self.executors.items())
        choice = object_in((yield from ask(self.coordinator_prompt, executors=about)))
        name = str(choice.get("selected_agent_name"))
        name = name if name in self.executors else next(iter(self.executors))
        executor = self.executors[name]
        known = memory if executor.remembers else []
        text = "\n".join(known)
        if len(known) > self.remembered:
            text = yield from ask(self.memory_prompt, memory=text)
        words: dict[str, Any] = {"memory": text, "calls": executor.tools}
        words["cells"] = self.executor_cells
        other = begin(
            self.request(sample, self.executor_prompt, task=called.text, **words),
            self.executor_dialogue,
            Limits(self.executor_cells, 2 * self.executor_cells),
            agent=name,
            runs=tuple(each for each in executor.tools if each == PYTHON),
            tools={each: self.tools[each] for each in executor.tools if each != PYTHON},
            repeated=self.repeated,
        )
        yield from delegate(talk, other)
        chain = text_of(other.turns)
        conclusion, found = read((yield from ask(self.conclusion_prompt, chain=chain)))
        memory.extend(dict.fromkeys(each for each in found if each not in memory))
        return Seen(called, conclusion, False)


def object_in(text: str) -> Mapping[str, Any]:
    """Returns the JSON object in a text; an empty one where there is none."""
    found = re.search(r"\{.*\}", text, re.DOTALL)
    try:
        return dict(json.loads(found[0])) if found else {}
    except (ValueError, RecursionError):
        return {}


def read(text: str) -> tuple[str, list[str]]:
    """Returns the conclusion, and the facts and resources; all of a text without JSON is the
    conclusion.

    >>> read('{"conclusion": "42", "memory": {"resource_memory": {"a": "x"}}}')
    ('42', ['a: x'])
    """
    values = object_in(text)
    conclusion, memory = values.get("conclusion", text), values.get("memory")
    if isinstance(conclusion, dict):
        conclusion = "\n".join(str(each) for each in conclusion.values())
    memory = memory if isinstance(memory, dict) else {}
    facts, resources = memory.get("fact_memory"), memory.get("resource_memory")
    found = [str(fact) for fact in facts] if isinstance(facts, list) else []
    pairs = resources.items() if isinstance(resources, dict) else ()
    return str(conclusion), [*found, *(f"{name}: {what}" for name, what in pairs)]

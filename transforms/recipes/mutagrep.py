"""mutagrep: plans whose steps are grounded in the symbols of a package (arXiv 2502.15872)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import Field

from transforms.engine.accounting import Verdict, reject
from transforms.engine.errors import SettingsError
from transforms.engine.ids import canonical_json
from transforms.engine.records import Seed
from transforms.models.episode import Steps, side_by_side
from transforms.models.prompts import PromptTemplate
from transforms.models.requests import Response
from transforms.models.tools import Invoke, Invoked, Tools
from transforms.stages.trajectories.conversation import Conversation
from transforms.stages.trajectories.frontier import BestFirst, Node, Rated, rank
from transforms.stages.trajectories.tree_stage import Draft, Solution, TreeSearch
from transforms.text.marks import labelled, tagged
from transforms.text.thoughts import visible


class Step(NamedTuple):
    """A step of a plan."""

    intent: str
    symbols: tuple[dict[str, str], ...]
    """What the index found for it: {symbol, about}."""


@dataclass(frozen=True)
class Plan(Draft):
    """A conversation that ends with a plan."""

    steps: tuple[Step, ...]

    @property
    def names(self) -> list[str]:
        return [each["symbol"] for step in self.steps for each in step.symbols]


@dataclass(kw_only=True)
class FindPlan(TreeSearch):
    """PCollection[Seed] -> Outcome of Trajectory: for each request the best plan of a best-first
    search, in which a model changes plans and each step is looked up among a package's symbols.
    Nothing is run.

    The prompt is rendered with `problem` and `sample`, `change_prompt` with `problem`, `steps` and
    `sample`, `judge_prompt` with `problem` and `steps`.
    """

    name: str = "plan"
    change_prompt: PromptTemplate
    judge_prompt: PromptTemplate
    tools: Tools
    """`symbols`: function (intent) -> list of {symbol, about}."""
    ranker: Literal["distinct", "judge"] = "distinct"
    """What a plan is worth: its number of different symbols, or a model's score of 1 to 7."""
    children: Annotated[int, Field(ge=1)] = 3
    """Changes of a plan that is gone on from."""
    depth: Annotated[int, Field(ge=1)] = 5
    """Plans on a path, at most."""
    width: Annotated[int, Field(ge=1)] | None = None
    """Plans that may wait to be gone on from (null: no limit)."""
    nodes: Annotated[int, Field(ge=1)]

    reasons: ClassVar[Iterable[str]] = (*TreeSearch.reasons, "no_plan")

    def __post_init__(self) -> None:
        if "symbols" not in self.tools:
            raise SettingsError(
                f"recipe.stages.{self.name}.tools has no `symbols`: bind "
                "transforms.stages.trajectories.symbols.SymbolSearch by that name"
            )

    def solve(self, seed: Seed) -> Steps[Solution | Verdict]:
        found = yield from self.search({"problem": seed.problem})
        if found.best is None:
            return reject("no_plan", f"{len(found.nodes)} plans")
        plan: Plan = found.best.state
        answer = "\n".join(
            f"{number}. {step.intent} ({', '.join(each['symbol'] for each in step.symbols)})"
            for number, step in enumerate(plan.steps, 1)
        )
        data = {"steps": [step._asdict() for step in plan.steps], "depth": found.best.depth}
        return Solution(found, plan.talk.turns, answer, data=data)

    @property
    def strategy(self) -> BestFirst:
        return BestFirst(self.children, self.depth, self.width)

    def grow(
        self, words: dict[str, Any], node: Node[Plan | None], samples: range
    ) -> Steps[list[Plan]]:
        steps = node.state.steps if node.state else ()

        def said(sample: int) -> str:
            return self.change_prompt.message(steps=steps, sample=sample, **words).content

        talks = yield from self.branches(node.state, samples, said, **words)
        return (yield from side_by_side(self.grounded(talk) for talk, _ in talks))

    def grounded(self, talk: Conversation) -> Steps[Plan]:
        """Looks up each step of the plan that a conversation ends with."""
        text = visible(talk.turns[-1].content) if not talk.ended else ""
        intents, found = list(dict.fromkeys(tagged(text, "step"))), list[Invoked]()
        if intents:
            tool = self.tools["symbols"]
            found = yield [Invoke(tool, canonical_json({"intent": each})) for each in intents]
        symbols = [json.loads(each.text) if each.error is None else [] for each in found]
        return Plan(talk, tuple(map(Step, intents, map(tuple, symbols))))

    def rate(self, words: dict[str, Any], node: Node[Plan]) -> Steps[Rated[Plan]]:
        plan = node.state
        if not plan.names:
            return Rated(0.0, done=plan.talk.ended is not None)
        if self.ranker == "distinct":
            return Rated(float(len(set(plan.names))))
        response: Response = yield self.asked(0, self.judge_prompt, steps=plan.steps, **words)
        scores = labelled(visible(response.text), "score", 1, 7)
        return Rated(sum(scores) / len(scores) if scores else 0.0)

    def choose(self, nodes: Sequence[Node[Plan]]) -> Node[Plan] | None:
        """Returns the best of the plans that name a symbol."""
        plans = [node for node in nodes if node.score and node.state.names]
        return min(plans, key=rank, default=None)

"""mutagrep: plans whose steps are grounded in the symbols of a package (arXiv 2502.15872)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import Field

from transforms.engine.accounting import reject
from transforms.engine.errors import SettingsError
from transforms.engine.ids import canonical_json
from transforms.engine.records import Seed
from transforms.models.episode import Steps, side_by_side
from transforms.models.prompts import PromptTemplate
from transforms.models.requests import Response
from transforms.models.tools import Invoke, Invoked, Tools
from transforms.stages.trajectories.converse import Conversation
from transforms.stages.trajectories.frontier import BestFirst, Node, Rated, rank, search
from transforms.stages.trajectories.tree_stage import TreeSearch, heard
from transforms.text.thoughts import visible

_STEP = re.compile(r"<step>\s*(.*?)\s*</step>", re.DOTALL)
_SCORE = re.compile(r"score:\W*([1-7](?:\.\d+)?)\b", re.IGNORECASE)


class Step(NamedTuple):
    """A step of a plan."""

    intent: str
    symbols: tuple[dict[str, str], ...]
    """What the index found for it: {symbol, about}."""


class Plan(NamedTuple):
    """A conversation that ends with a plan."""

    talk: Conversation
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

    reasons: ClassVar[Iterable[str]] = (*(*TreeSearch.reasons, "no_plan"),)

    def __post_init__(self) -> None:
        if "symbols" not in self.tools:
            raise SettingsError(
                f"recipe.stages.{self.name}.tools has no `symbols`: bind "
                "transforms.stages.trajectories.symbols.SymbolSearch by that name"
            )

    def episode(self, seed: Seed) -> Steps[Any]:
        steps = search(
            None,
            expand=partial(self.changed, seed),
            evaluate=partial(self.rated, seed),
            strategy=BestFirst(self.children, self.depth, self.width),
            budget=self.most,
            choose=best_plan,
            key=lambda plan: plan.talk.turns[-1].id if plan else "",
        )
        found, responses, lost = yield from heard(steps)
        best = found.best
        if lost or best is None or best.state is None or not best.state.names:
            return lost or reject("no_plan", f"{len(found.nodes)} plans")
        plan = best.state
        answer = "\n".join(
            f"{number}. {step.intent} ({', '.join(each['symbol'] for each in step.symbols)})"
            for number, step in enumerate(plan.steps, 1)
        )
        data = {"steps": [step._asdict() for step in plan.steps], "depth": best.depth}
        return self.outcome(
            seed, found, best, responses, plan.talk.turns, wrong="no_plan", data=data,
            score=1.0, answer=answer,
        )  # fmt: skip

    def changed(self, seed: Seed, node: Node[Plan | None], samples: range) -> Steps[Sequence[Plan]]:
        def said(sample: int) -> str:
            steps = node.state.steps if node.state else ()
            words = self.change_prompt.rendered(
                "chat", problem=seed.problem, steps=steps, sample=sample
            )
            return words.messages[-1].content

        parent = node.state.talk if node.state else None
        talks = yield from self.branches(parent, samples, said, problem=seed.problem)
        return (yield from side_by_side(map(self.grounded, talks)))

    def grounded(self, talk: Conversation) -> Steps[Plan]:
        """Looks up each step of the plan that a conversation ends with."""
        text = visible(talk.turns[-1].content) if not talk.ended else ""
        intents = list(dict.fromkeys(filter(None, _STEP.findall(text))))
        tool = self.tools["symbols"]
        found: list[Invoked] = []
        if intents:
            found = yield [Invoke(tool, canonical_json({"intent": each})) for each in intents]
        symbols = [json.loads(each.text) if each.error is None else [] for each in found]
        return Plan(talk, tuple(map(Step, intents, map(tuple, symbols))))

    def rated(self, seed: Seed, node: Node[Plan | None]) -> Steps[Rated[Plan | None]]:
        plan = node.state
        if plan is None or not plan.names:
            return Rated(0.0, done=plan is None or plan.talk.ended is not None)
        if self.ranker == "distinct":
            return Rated(float(len(set(plan.names))))
        response: Response = yield self.asked(
            0, self.judge_prompt, problem=seed.problem, steps=plan.steps
        )
        scores = [float(each) for each in _SCORE.findall(visible(response.text))]
        return Rated(sum(scores) / len(scores) if scores else 0.0)


def best_plan(nodes: Sequence[Node[Plan | None]]) -> Node[Plan | None] | None:
    """Returns the best of the plans that name a symbol."""
    plans = [node for node in nodes if node.score and node.state and node.state.names]
    return min(plans, key=rank, default=None)

"""tree_of_code: whole programs that grow a tree where they fail (arXiv 2412.15305)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

from pydantic import Field

from transforms.engine.accounting import Verdict, reject
from transforms.engine.records import Seed
from transforms.models.episode import Steps
from transforms.models.prompts import PromptTemplate
from transforms.sandbox.settings import SandboxSettings
from transforms.stages.trajectories.conversation import run_call, show
from transforms.stages.trajectories.converse import agrees
from transforms.stages.trajectories.dialogue_forms import DialogueSetting
from transforms.stages.trajectories.dialogues import PYTHON, Called
from transforms.stages.trajectories.frontier import BreadthFirst, Node, Rated
from transforms.stages.trajectories.select import ANSWER, majority
from transforms.stages.trajectories.tree_stage import Draft, Solution, TreeSearch

_NO_PROGRAM = Called(PYTHON, "", fault="There is no program.")


@dataclass(frozen=True)
class Program(Draft):
    """A conversation that ends with a program."""

    called: Called = _NO_PROGRAM
    ran: bool = False
    answer: str | None = None
    """The last line of what it gave; None where it failed, or gave nothing."""


@dataclass(kw_only=True)
class GrowPrograms(TreeSearch):
    """PCollection[Seed] -> Outcome of Trajectory: of the programs that ran, one with the output
    that most of them gave. A program that fails has children, which see its error and go on in its
    session.

    The prompts are rendered with `problem` and `sample`, the number among siblings.
    """

    name: str = "grow"
    again_prompt: PromptTemplate
    """Words after an error."""
    draft_models: tuple[str, ...] = ()
    """Models that siblings are asked of in turn; empty asks `model` for all."""
    dialogue: DialogueSetting
    children: Annotated[int, Field(ge=1)] = 3
    """Children of the root and of each program that fails."""
    depth: Annotated[int, Field(ge=1)] = 3
    """Programs on a path, at most."""
    sandbox: SandboxSettings

    reasons: ClassVar[Iterable[str]] = (*TreeSearch.reasons, "no_reference", "nothing_runs")

    def solve(self, seed: Seed) -> Steps[Solution | Verdict]:
        if seed.answer is None:
            return reject("no_reference", "the seed has no answer to hold one against")
        found = yield from self.search({"problem": seed.problem})
        if found.best is None:
            return reject("nothing_runs", f"{len(found.nodes)} programs")
        chosen: Program = found.best.state
        score = yield from agrees(seed, chosen.answer or "")
        data = {"dialogue": self.dialogue.name}
        return Solution(found, chosen.talk.turns, chosen.answer, score, data, seed.answer)

    @property
    def strategy(self) -> BreadthFirst:
        return BreadthFirst(self.children, self.depth)

    def grow(
        self, words: dict[str, Any], node: Node[Program | None], samples: range
    ) -> Steps[list[Program]]:
        def said(sample: int) -> str:
            return self.again_prompt.message(sample=sample, **words).content

        written = yield from self.branches(
            node.state, samples, said, self.dialogue, self.draft_models, **words
        )
        return [Program(talk, calls[-1] if calls else _NO_PROGRAM) for talk, calls in written]

    def rate(self, words: dict[str, Any], node: Node[Program]) -> Steps[Rated[Program]]:
        """Runs the program of a node, which is an end where it runs; a response that was cut off or
        left the form is an end that did not run."""
        program = node.state
        if program.talk.ended:
            return Rated(0.0, done=True)
        talk = program.talk.branched(program.talk.asked)
        seen = yield from run_call(talk, program.called)
        if seen.failed:
            show(talk, [seen])
            return Rated(0.0, state=replace(program, talk=talk))
        lines = [] if seen.text == talk.dialogue.empty else seen.text.split("\n")
        answer = next((line.strip() for line in reversed(lines) if line.strip()), None)
        return Rated(1.0, done=True, state=replace(program, talk=talk, ran=True, answer=answer))

    def choose(self, nodes: Sequence[Node[Program]]) -> Node[Program] | None:
        """Returns the first of the nodes that ran with the output that most of these gave."""
        ran = [node for node in nodes if node.state.ran]
        out = {name for name, _ in majority([node.state for node in ran], answer=ANSWER)}
        chosen = [node for node in ran if node.state.id not in out]
        return min(chosen, key=lambda node: (node.depth, node.id), default=None)

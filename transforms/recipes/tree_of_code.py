"""tree_of_code: whole programs that grow a tree where they fail (arXiv 2412.15305)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import Field

from transforms.engine.accounting import reject
from transforms.engine.records import Seed
from transforms.models.episode import Steps, side_by_side
from transforms.models.prompts import PromptTemplate
from transforms.sandbox.settings import SandboxSettings
from transforms.stages.trajectories.converse import (
    Conversation,
    Limits,
    agrees,
    ask,
    begin,
    run_call,
    show,
)
from transforms.stages.trajectories.dialogues import PYTHON, Called, DialogueSetting
from transforms.stages.trajectories.frontier import BreadthFirst, Node, Rated, search
from transforms.stages.trajectories.select import ANSWER, majority
from transforms.stages.trajectories.tree_stage import TreeSearch, heard

_NO_PROGRAM = Called(PYTHON, "", fault="There is no program.")


class Draft(NamedTuple):
    """A conversation that ends with a program."""

    talk: Conversation
    calls: tuple[Called, ...]
    ran: bool = False
    answer: str | None = None
    """The last line of what it gave; None where it failed, or gave nothing."""


class Vote(NamedTuple):
    """A node that ran, as `majority` takes it."""

    id: str
    answer: str | None


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

    reasons: ClassVar[Iterable[str]] = (
        *(*TreeSearch.reasons, "no_reference", "nothing_runs", "wrong_answer"),
    )

    def episode(self, seed: Seed) -> Steps[Any]:
        if seed.answer is None:
            return reject("no_reference", "the seed has no answer to hold one against")
        steps = search(
            None,
            expand=partial(self.drafts, seed),
            evaluate=run,
            strategy=BreadthFirst(self.children, self.depth),
            budget=self.most,
            choose=plurality,
            key=lambda draft: draft.talk.turns[-1].id if draft else "",
        )
        found, responses, lost = yield from heard(steps)
        if lost or found.best is None or found.best.state is None:
            return lost or reject("nothing_runs", f"{len(found.nodes)} programs")
        draft = found.best.state
        score = yield from agrees(seed, draft.answer or "")
        return self.outcome(
            seed, found, found.best, responses, draft.talk.turns, wrong="wrong_answer",
            data={"dialogue": self.dialogue.name}, score=score, answer=draft.answer,
            reference=seed.answer,
        )  # fmt: skip

    def drafts(
        self, seed: Seed, node: Node[Draft | None], samples: range
    ) -> Steps[Sequence[Draft]]:
        talks = [self.begun(seed, sample, node.state) for sample in samples]
        written = yield from side_by_side(map(ask, talks))
        return [
            Draft(talk, each.calls if each else ())
            for talk, each in zip(talks, written, strict=True)
        ]

    def begun(self, seed: Seed, sample: int, parent: Draft | None) -> Conversation:
        names = self.draft_models
        model = names[sample % len(names)] if names else None
        asked = self.asked(sample, None, model, problem=seed.problem)
        if parent is None:
            return begin(asked, self.dialogue, Limits())
        talk = parent.talk.branched(asked)
        words = self.again_prompt.rendered("chat", problem=seed.problem, sample=sample)
        talk.tell(words.messages[-1].content)
        return talk


def run(node: Node[Draft | None]) -> Steps[Rated[Draft | None]]:
    """Runs the program of a node, which is an end where it runs; a response that was cut off or
    left the form is an end that did not run."""
    draft = node.state
    assert draft is not None
    if draft.talk.ended:
        return Rated(0.0, done=True)
    talk = draft.talk.branched(draft.talk.asked)
    seen = yield from run_call(talk, draft.calls[-1] if draft.calls else _NO_PROGRAM)
    if seen.failed:
        show(talk, [seen])
        return Rated(0.0, state=Draft(talk, draft.calls))
    lines = [] if seen.text == talk.dialogue.empty else seen.text.split("\n")
    answer = next((line.strip() for line in reversed(lines) if line.strip()), None)
    return Rated(1.0, done=True, state=Draft(talk, draft.calls, True, answer))


def plurality(nodes: Sequence[Node[Draft | None]]) -> Node[Draft | None] | None:
    """Returns the first of the nodes that ran with the output that most of these gave."""
    votes = [Vote(node.id, node.state.answer) for node in nodes if node.state and node.state.ran]
    stay = {vote.id for vote in votes} - {name for name, _ in majority(votes, answer=ANSWER)}
    chosen = [node for node in nodes if node.id in stay]
    return min(chosen, key=lambda node: (node.depth, node.id), default=None)

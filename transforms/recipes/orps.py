"""orps: a beam of programs by what their runs and a critic say (ORPS, arXiv 2412.15118)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from transforms.models.episode import Steps
from transforms.models.prompts import PromptTemplate
from transforms.models.requests import Response
from transforms.stages.graders import CaseRun, tried
from transforms.stages.trajectories.complexity import simplicity
from transforms.stages.trajectories.frontier import Beam, Found, Node, Rated, rank
from transforms.stages.trajectories.records import as_messages
from transforms.stages.trajectories.tree_stage import Draft, TestedSearch
from transforms.text.marks import labelled
from transforms.text.thoughts import visible

_ENOUGH = "[enough]"


@dataclass(frozen=True)
class Program(Draft):
    """A programmer's conversation, which ends with a program, and what became of that."""

    code: str | None = None
    passed: float = 0.0
    """Share of the shown tests."""
    review: str = ""
    """What the programmer is told of it next."""


@dataclass(kw_only=True)
class Refine(TestedSearch):
    """`TestedSearch` by a beam: the programs that a critic scores highest are gone on from.

    The prompt is rendered with `problem`, `cases` and `sample`, `critic_prompt` with `problem`,
    `history` (messages) and `runs`, `review_prompt` with `runs` and `critique`.
    """

    name: str = "refine"
    critic_prompt: PromptTemplate
    review_prompt: PromptTemplate
    keep: Annotated[int, Field(ge=1)] = 3
    """Programs that are gone on from."""
    drafts: Annotated[int, Field(ge=1)] = 20
    """First programs, and successors of each that is gone on from."""
    rounds: Annotated[int, Field(ge=0)] = 5
    """Rounds of successors."""

    @property
    def strategy(self) -> Beam:
        return Beam(self.keep, self.drafts, self.rounds + 1)

    def path(self, words: dict[str, Any], found: Found[Any]) -> Any:
        program: Program = found.best.state  # type: ignore[union-attr]
        return program.code, program.talk.turns, {"passed": program.passed}

    def grow(
        self, words: dict[str, Any], node: Node[Program | None], samples: range
    ) -> Steps[list[Program]]:
        review = node.state.review if node.state else ""
        talks = yield from self.branches(node.state, samples, lambda _: review, **words)
        return [Program(talk) for talk, _ in talks]

    def rate(self, words: dict[str, Any], node: Node[Program]) -> Steps[Rated[Program]]:
        """Scores a program by the critic's score, 0 where it gives none, then by its runs."""
        talk = node.state.talk
        if talk.ended:
            return Rated((0.0, 0.0), done=True)
        code, runs = yield from tried(talk.turns[-1].content, words["cases"])
        asked = {"problem": words["problem"], "history": as_messages(talk.turns), "runs": runs}
        response: Response = yield self.asked(0, self.critic_prompt, **asked)
        critique = visible(response.text)
        review = self.review_prompt.message(runs=runs, critique=critique).content
        passed = sum(run.passed for run in runs) / len(words["cases"])
        score = (labelled(critique, "score", 1, 5) or [0.0])[-1], execution_score(code or "", runs)
        return Rated(score, _ENOUGH in critique, Program(talk, code, passed, review))

    def choose(self, nodes: Sequence[Node[Program]]) -> Node[Program] | None:
        """Returns the node that passes most tests; of several, the one with the best score."""
        ran = [node for node in nodes if node.state.code and node.score]
        return min(ran, key=lambda node: (-node.state.passed, *rank(node)), default=None)


def execution_score(code: str, runs: Sequence[CaseRun]) -> float:
    """Returns what a program's runs and its text are worth, 0 to 2: the share of tests that it
    passes, times one more than its simplicity. Times and hardware counters do not enter."""
    passed = sum(run.passed for run in runs)
    return passed / len(runs) * (1 + simplicity(code)) if passed else 0.0

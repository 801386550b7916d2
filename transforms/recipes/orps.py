"""orps: a beam of programs by what their runs and a critic say (ORPS, arXiv 2412.15118)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from transforms.engine.records import Seed
from transforms.models.episode import Steps
from transforms.models.prompts import PromptTemplate
from transforms.models.requests import Response
from transforms.models.responses import extract_program
from transforms.stages.graders import CaseRun, runs_of_tests
from transforms.stages.pairs import Pair
from transforms.stages.trajectories.complexity import simplicity
from transforms.stages.trajectories.converse import Conversation
from transforms.stages.trajectories.frontier import Beam, Found, Node, Rated, search
from transforms.stages.trajectories.records import as_messages
from transforms.stages.trajectories.tree_stage import TestedSearch
from transforms.text.thoughts import visible

_SCORE = re.compile(r"score:\W*([1-5](?:\.\d+)?)", re.IGNORECASE)
_ENOUGH = "[enough]"


class Draft(NamedTuple):
    """A programmer's conversation, which ends with a program, and what became of that."""

    talk: Conversation
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

    def searched(self, seed: Seed, shown: Sequence[Pair]) -> Steps[Found[Draft | None]]:
        return search(
            None,
            expand=partial(self.written, seed, shown),
            evaluate=partial(self.reviewed, seed, shown),
            strategy=Beam(self.keep, self.drafts, self.rounds + 1),
            budget=self.most,
            choose=most_passed,
            key=lambda draft: draft.talk.turns[-1].id if draft else "",
        )

    def path(self, seed: Seed, shown: Sequence[Pair], found: Found[Any]) -> Any:
        draft: Draft = found.best.state  # type: ignore[union-attr]
        return draft.code, draft.talk.turns, {"passed": draft.passed}

    def written(
        self, seed: Seed, shown: Sequence[Pair], node: Node[Draft | None], samples: range
    ) -> Steps[Sequence[Draft]]:
        parent, review = (node.state.talk, node.state.review) if node.state else (None, "")
        words = {"problem": seed.problem, "cases": shown}
        talks = yield from self.branches(parent, samples, lambda _: review, **words)
        return list(map(Draft, talks))

    def reviewed(
        self, seed: Seed, shown: Sequence[Pair], node: Node[Draft | None]
    ) -> Steps[Rated[Draft | None]]:
        """Scores a program by the critic's score, 0 where it gives none, then by its runs."""
        assert node.state is not None
        talk = node.state.talk
        if talk.ended:
            return Rated((0.0, 0.0), done=True)
        code = extract_program(visible(talk.turns[-1].content))
        runs = yield from runs_of_tests(code, shown)
        history = as_messages(talk.turns)
        response: Response = yield self.asked(
            0, self.critic_prompt, problem=seed.problem, history=history, runs=runs
        )
        critique = visible(response.text)
        scores = _SCORE.findall(critique)
        said = self.review_prompt.rendered("chat", runs=runs, critique=critique)
        passed = sum(run.passed for run in runs or ()) / len(shown)
        draft = Draft(talk, code if runs else None, passed, said.messages[-1].content)
        score = (float(scores[-1]) if scores else 0.0, execution_score(code or "", runs or ()))
        return Rated(score, _ENOUGH in critique, draft)


def most_passed(nodes: Sequence[Node[Draft | None]]) -> Node[Draft | None] | None:
    """Returns the node that passes most tests; of several, the one with the best score."""
    ran = [node for node in nodes if node.state and node.state.code is not None and node.score]
    return min(
        ran,
        key=lambda n: (-n.state.passed, [-s for s in n.score or ()], n.id),  # type: ignore[union-attr]
        default=None,
    )


def execution_score(code: str, runs: Sequence[CaseRun]) -> float:
    """Returns what a program's runs and its text are worth, 0 to 2: the share of tests that it
    passes, times one more than its simplicity. Times and hardware counters do not enter."""
    passed = sum(run.passed for run in runs)
    return passed / len(runs) * (1 + simplicity(code)) if passed else 0.0

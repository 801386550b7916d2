"""orps: a beam of programs by what their runs and a critic say (ORPS, arXiv 2412.15118)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import Field

from transforms.engine.accounting import reject
from transforms.engine.records import Message, Seed
from transforms.models.episode import Steps, side_by_side
from transforms.models.prompts import PromptTemplate
from transforms.models.requests import Response
from transforms.models.responses import extract_program
from transforms.programs.form import parse
from transforms.sandbox.settings import SandboxSettings
from transforms.stages.graders import CaseRun, runs_of_tests
from transforms.stages.pairs import UNPAIRED
from transforms.stages.trajectories.converse import Conversation, Limits, ask, begin
from transforms.stages.trajectories.dialogues import DIALOGUES
from transforms.stages.trajectories.frontier import Beam, Node, Rated, search
from transforms.stages.trajectories.records import as_messages
from transforms.stages.trajectories.tree_stage import (
    Cases,
    TreeSearch,
    cases_of,
    heard,
    share_passed,
)
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
class Refine(TreeSearch):
    """PCollection[Seed] (verified) -> Outcome of Trajectory: of the programs of a beam, the best by
    the tests that are shown; a row where it also passes those that are not.

    Tests are outputs of the seed's program. The prompt is rendered with `problem`, `cases` and
    `sample`, `critic_prompt` with `problem`, `history` (messages) and `runs`, `review_prompt` with
    `runs` and `critique`.
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
    tests: Annotated[int, Field(ge=2)] = 6
    """Tests of a problem, at most: half of them are shown."""
    sandbox: SandboxSettings

    reasons: ClassVar[Iterable[str]] = (
        *(*TreeSearch.reasons, *UNPAIRED, "nothing_runs", "failed_tests"),
    )

    def episode(self, seed: Seed) -> Steps[Any]:
        cases = yield from cases_of(seed, self.tests)
        if not isinstance(cases, Cases):
            return cases
        steps = search(
            None,
            expand=partial(self.written, seed, cases),
            evaluate=partial(self.reviewed, seed, cases),
            strategy=Beam(self.keep, self.drafts, self.rounds + 1),
            budget=self.most,
            choose=most_passed,
            key=lambda draft: draft.talk.turns[-1].id if draft else "",
        )
        found, responses, lost = yield from heard(steps)
        if lost or found.best is None or found.best.state is None:
            return lost or reject("nothing_runs", f"{len(found.nodes)} programs")
        draft = found.best.state
        score = yield from share_passed(draft.code, cases.hidden)
        return self.outcome(
            seed, found, found.best, responses, draft.talk.turns, wrong="failed_tests",
            data={"passed": draft.passed}, score=score, answer=draft.code,
        )  # fmt: skip

    def written(
        self, seed: Seed, cases: Cases, node: Node[Draft | None], samples: range
    ) -> Steps[Sequence[Draft]]:
        talks = []
        for sample in samples:
            asked = self.asked(sample, problem=seed.problem, cases=cases.shown)
            if node.state is None:
                talks.append(begin(asked, DIALOGUES["native"], Limits()))
            else:
                talks.append(node.state.talk.branched(asked))
                talks[-1].add(Message("user", node.state.review))
        yield from side_by_side(map(ask, talks))
        return [Draft(talk) for talk in talks]

    def reviewed(
        self, seed: Seed, cases: Cases, node: Node[Draft | None]
    ) -> Steps[Rated[Draft | None]]:
        """Scores a program by the critic's score, 0 where it gives none, then by its runs."""
        assert node.state is not None
        talk = node.state.talk
        if talk.ended:
            return Rated((0.0, 0.0), done=True)
        code = extract_program(visible(talk.turns[-1].content))
        runs = yield from runs_of_tests(code, cases.shown)
        history = as_messages(talk.turns)
        response: Response = yield self.asked(
            0, self.critic_prompt, problem=seed.problem, history=history, runs=runs
        )
        critique = visible(response.text)
        scores = _SCORE.findall(critique)
        said = self.review_prompt.rendered("chat", runs=runs, critique=critique)
        passed = sum(run.passed for run in runs or ()) / len(cases.shown)
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


def simplicity(code: str) -> float:
    """Returns how simple a program is, 0 to 1: the mean of 1 / (1 + m / typical m) over its
    characters, syntax nodes, decisions, and decisions weighted by nesting.

    >>> simplicity("a = 1") > simplicity("a = b or 1") > simplicity("a = b or (1 if c else 2)")
    True
    """
    tree = parse(code)
    decisions = list(_decisions(tree))
    measures = (
        *((len(code), 1000), (sum(1 for _ in ast.walk(tree)), 300)),
        *((len(decisions), 10), (sum(decisions), 20)),
    )
    return sum(1 / (1 + value / typical) for value, typical in measures) / len(measures)


_BRANCHES = (
    *(ast.If, ast.IfExp, ast.For, ast.While, ast.ExceptHandler),
    *(ast.comprehension, ast.BoolOp, ast.match_case),
)


def _decisions(node: ast.AST, depth: int = 1) -> Iterator[int]:
    """Yields the depth of nesting of each place where a program branches."""
    for child in ast.iter_child_nodes(node):
        branches = isinstance(child, _BRANCHES)
        if branches:
            yield depth
        yield from _decisions(child, depth + branches)

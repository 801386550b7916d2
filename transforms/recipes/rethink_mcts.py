"""rethink_mcts: a tree of thoughts in which what fails is thought over (arXiv 2409.09584)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import Annotated, Any

from pydantic import Field

from transforms.engine.records import Seed
from transforms.models.episode import Steps
from transforms.models.prompts import PromptTemplate
from transforms.models.requests import Response
from transforms.models.responses import extract_program
from transforms.programs.form import with_input
from transforms.programs.questions import read_literal
from transforms.sandbox.jobs import Job, TraceLimits
from transforms.stages.graders import CaseRun, runs_of_tests
from transforms.stages.pairs import Pair
from transforms.stages.traces import trace_of
from transforms.stages.trajectories.converse import Limits, begin
from transforms.stages.trajectories.dialogues import DIALOGUES, cut
from transforms.stages.trajectories.frontier import Found, MonteCarlo, Node, Rated, search
from transforms.stages.trajectories.records import Turn, appended
from transforms.stages.trajectories.tree_stage import TestedSearch
from transforms.text.thoughts import visible

_IDEA = re.compile(r"<idea>\s*(.*?)\s*</idea>", re.DOTALL)
_RATING = re.compile(r"rating:\W*?(-?[01](?:\.\d+)?)\b", re.IGNORECASE)
_TESTS = 6
"""Failed tests that feedback shows, at most."""
_OF_TEST, _OF_TRACE, _OF_FEEDBACK = 8_000, 8_000, 32_000
"""Characters of what a program gave on a test, of a trace, and of all feedback, at most."""


@dataclass(frozen=True)
class Line:
    """Thoughts, the program that was written after them, and what became of it."""

    thoughts: tuple[Turn, ...] = ()
    program: Turn | None = None
    """The response with the program; None before one is written."""
    code: str | None = None
    feedback: str = ""
    """What failed, and a debugger's words on it; empty where all tests passed."""
    place: int = 0
    """How many programs the search had written before."""

    @property
    def texts(self) -> list[str]:
        return [thought.content for thought in self.thoughts]


@dataclass(kw_only=True)
class Rethink(TestedSearch):
    """`TestedSearch` by a Monte Carlo tree search over thoughts, after which programs are written.

    Prompts are rendered with `problem`, `cases`, `thoughts` and `feedback`, and some with `count`,
    `code`, `runs` and `trace`.
    """

    name: str = "rethink"
    code_prompt: PromptTemplate
    rate_prompt: PromptTemplate
    debug_prompt: PromptTemplate
    rethink_prompt: PromptTemplate
    asked_prompt: PromptTemplate
    """The prompt that rows begin with."""
    width: Annotated[int, Field(ge=1)] = 3
    """Thoughts that may follow one."""
    rollouts: Annotated[int, Field(ge=1)] = 16
    """Programs written of a problem, those after a thought was replaced left out."""

    def searched(self, seed: Seed, shown: Sequence[Pair]) -> Steps[Found[Line]]:
        words = {"problem": seed.problem, "cases": shown}
        return search(
            Line(),
            expand=partial(self.thoughts, words),
            evaluate=partial(self.tested, words, count()),
            rethink=partial(self.thought_over, words),
            strategy=MonteCarlo(self.width, self.rollouts),
            budget=self.most,
            choose=first_best,
            key=lambda line: line.texts,
        )

    def path(self, seed: Seed, shown: Sequence[Pair], found: Found[Line]) -> Any:
        assert found.best is not None
        words, line = {"problem": seed.problem, "cases": shown}, found.best.state
        before = begin(self.asked(0, self.asked_prompt, **words), DIALOGUES["native"], Limits())
        replaced = [
            {"depth": node.depth, "before": node.replaced.texts[-1], "after": node.state.texts[-1]}
            for node in found.path(found.best)
            if node.replaced is not None
        ]
        return line.code, appended(before.turns, in_one_text(line)), {"replaced": replaced}

    def thoughts(
        self, words: dict[str, Any], node: Node[Line], samples: range
    ) -> Steps[Sequence[Line]]:
        line = node.state
        response: Response = yield self.asked(
            samples.start, thoughts=line.texts, feedback=line.feedback, count=self.width, **words
        )
        texts = dict.fromkeys(filter(None, _IDEA.findall(visible(response.text))))
        return [Line((*line.thoughts, sampled(text, response))) for text in texts]

    def tested(
        self, words: dict[str, Any], places: Iterator[int], node: Node[Line]
    ) -> Steps[Rated[Line]]:
        """Values a program by the share of tests that it passes; where that is all of them, by 0.8
        and a fifth of the model's own rating of it, -1 to 1."""
        line = node.state
        response: Response = yield self.asked(
            0, self.code_prompt, thoughts=line.texts, feedback=line.feedback, **words
        )
        code = extract_program(visible(response.text))
        runs = yield from runs_of_tests(code, words["cases"])
        line = replace(
            line,
            program=sampled(response.text, response),
            code=code if runs else None,
            place=next(places),
        )
        failed = [run for run in runs or () if not run.passed]
        if runs and not failed:
            rated: Response = yield self.asked(0, self.rate_prompt, code=code, **words)
            return Rated(0.8 + 0.2 * rating(visible(rated.text)), True, replace(line, feedback=""))
        feedback = "The answer held no program of the form that was asked for."
        if runs:
            feedback = yield from self.debugged(words, code or "", failed)
        value = 1 - len(failed) / len(runs) if runs else 0.0
        return Rated(value, state=replace(line, feedback=feedback))

    def debugged(self, words: dict[str, Any], code: str, failed: list[CaseRun]) -> Steps[str]:
        """Returns feedback on a program: its failed tests, and a debugger's words on its trace."""
        job = Job(with_input(code, read_literal(failed[0].input)), trace=TraceLimits())
        [result] = yield [job]
        trace = trace_of(job.code, result, _OF_TRACE)
        runs = [run._replace(seen=cut(run.seen, _OF_TEST, "start", "...")) for run in failed]
        response: Response = yield self.asked(
            0, self.debug_prompt, code=code, runs=runs[:_TESTS], trace=trace, **words
        )
        tests = "\n".join(
            f"- {run.input} gives {run.seen}, right is {run.output}" for run in runs[:_TESTS]
        )
        text = f"This program\n\n{code}\n\nfails tests:\n{tests}\n\n{visible(response.text)}"
        return cut(text, _OF_FEEDBACK, "start", "...")

    def thought_over(self, words: dict[str, Any], node: Node[Line]) -> Steps[Line | None]:
        line = node.state
        response: Response = yield self.asked(
            0, self.rethink_prompt, thoughts=line.texts, feedback=line.feedback, **words
        )
        texts = [text for text in _IDEA.findall(visible(response.text)) if text]
        if not texts:
            return None
        last = sampled(texts[-1], response)
        return Line((*line.thoughts[:-1], last), feedback=line.feedback)


def sampled(text: str, response: Response) -> Turn:
    """Returns a part of a response as a turn."""
    return Turn("assistant", text, sampled=True, request=response.id)


def rating(text: str) -> float:
    """Returns the last `Rating: n` of a text, -1 to 1; 0 where it has none. The released code takes
    the first number, that of a list's item too.

    >>> rating("1. It is right.\\nRating: 0.5"), rating("1. So."), rating("Rating: -1")
    (0.5, 0.0, -1.0)
    """
    found = _RATING.findall(text)
    return max(-1.0, min(1.0, float(found[-1]))) if found else 0.0


def first_best(nodes: Sequence[Node[Line]]) -> Node[Line] | None:
    """Returns the node of the highest value that has a program, the first of several."""
    written = [node for node in nodes if node.score is not None and node.state.code is not None]
    return max(written, key=lambda node: (node.score or (), -node.state.place), default=None)


def in_one_text(line: Line) -> list[Turn]:
    """Returns thoughts and program as one message; the blank lines between them nobody sampled."""
    turns: list[Turn] = []
    for part in (*line.thoughts, *filter(None, [line.program])):
        if turns:
            turns.append(Turn("assistant", "\n\n", continues=True))
        turns.append(replace(part, continues=bool(turns)))
    return turns

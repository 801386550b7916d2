"""rethink_mcts: a tree of thoughts in which what fails is thought over (arXiv 2409.09584)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

from pydantic import Field

from transforms.models.episode import Steps
from transforms.models.prompts import PromptTemplate
from transforms.models.requests import Request, Response
from transforms.programs.form import with_input
from transforms.programs.questions import read_literal
from transforms.sandbox.jobs import Job, TraceLimits
from transforms.stages.graders import CaseRun, tried
from transforms.stages.traces import trace_of
from transforms.stages.trajectories.conversation import Limits, begin
from transforms.stages.trajectories.dialogue_forms import DIALOGUES
from transforms.stages.trajectories.dialogues import cut
from transforms.stages.trajectories.frontier import Found, MonteCarlo, Node, Rated
from transforms.stages.trajectories.records import Turn, appended, in_one, sampled
from transforms.stages.trajectories.tree_stage import TestedSearch
from transforms.text.marks import labelled, tagged
from transforms.text.thoughts import visible

_TESTS = 6
"""Failed tests that feedback shows, at most."""
_OF_TEST, _OF_TRACE, _OF_FEEDBACK = 8_000, 8_000, 32_000
"""Characters of what a program gave on a test, of a trace, and of all feedback, at most."""


@dataclass(frozen=True)
class Line:
    """Thoughts, the program that was written after them, and what became of it."""

    thoughts: tuple[Turn, ...] = ()
    program: tuple[Turn, ...] = ()
    """The response with the program; empty before one is written."""
    code: str | None = None
    feedback: str = ""
    """What failed, and a debugger's words on it; empty where all tests passed."""

    @property
    def id(self) -> list[str]:
        """The thoughts' texts."""
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
    width: Annotated[int, Field(ge=1)] = 3
    """Thoughts that may follow one."""
    rollouts: Annotated[int, Field(ge=1)] = 16
    """Programs written of a problem, those after a thought was replaced left out."""

    root: ClassVar[Line] = Line()

    @property
    def strategy(self) -> MonteCarlo:
        return MonteCarlo(self.width, self.rollouts)

    def path(self, words: dict[str, Any], found: Found[Line]) -> Any:
        assert found.best is not None
        line = found.best.state
        asked = self.about(Line(), words, 0, self.code_prompt)
        before = begin(asked, DIALOGUES["native"], Limits())
        replaced = [
            {"depth": node.depth, "before": node.replaced.id[-1], "after": node.state.id[-1]}
            for node in found.path(found.best)
            if node.replaced is not None
        ]
        said = in_one((*line.thoughts, *line.program), "\n\n")
        return line.code, appended(before.turns, said), {"replaced": replaced}

    def about(self, line: Line, words: dict[str, Any], *asked: Any, **more: Any) -> Request:
        """Returns a request about a line; `asked` are the arguments of `TreeSearch.asked`."""
        return self.asked(*asked, thoughts=line.id, feedback=line.feedback, **words, **more)

    def grow(self, words: dict[str, Any], node: Node[Line], samples: range) -> Steps[list[Line]]:
        line = node.state
        response: Response = yield self.about(line, words, samples.start, count=self.width)
        texts = dict.fromkeys(tagged(visible(response.text), "idea"))
        return [Line((*line.thoughts, sampled(text, response.id))) for text in texts]

    def rate(self, words: dict[str, Any], node: Node[Line]) -> Steps[Rated[Line]]:
        """Values a program by the share of tests that it passes; where that is all of them, by 0.8
        and a fifth of the model's own rating of it, -1 to 1."""
        response: Response = yield self.about(node.state, words, 0, self.code_prompt)
        code, runs = yield from tried(response.text, words["cases"])
        program = (sampled(response.text, response.id),)
        line = Line(node.state.thoughts, program, code)
        failed = [run for run in runs if not run.passed]
        if code is None:
            feedback = "The answer held no program of the form that was asked for."
            return Rated(0.0, state=replace(line, feedback=feedback))
        if failed:
            feedback = yield from self.debugged(words, code, failed)
            return Rated(1 - len(failed) / len(runs), state=replace(line, feedback=feedback))
        rated: Response = yield self.asked(0, self.rate_prompt, code=code, **words)
        rating = (labelled(visible(rated.text), "rating", -1, 1) or [0.0])[-1]
        return Rated(0.8 + 0.2 * rating, True, line)

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

    def rethink(self, words: dict[str, Any], node: Node[Line]) -> Steps[Line | None]:
        line = node.state
        response: Response = yield self.about(line, words, 0, self.rethink_prompt)
        texts = tagged(visible(response.text), "idea")
        if not texts:
            return None
        last = sampled(texts[-1], response.id)
        return Line((*line.thoughts[:-1], last), feedback=line.feedback)

    def choose(self, nodes: Sequence[Node[Line]]) -> Node[Line] | None:
        """Returns the node of the highest value that has a program, the first of several."""
        written = [node for node in nodes if node.score and node.state.code is not None]
        return max(written, key=lambda node: (node.score or (), -node.round), default=None)

"""codesteer: a steerer guides a task model between code and words (CodeSteer, arXiv 2502.04350)."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from transforms.engine.records import Seed
from transforms.models.episode import Steps
from transforms.models.prompts import PromptTemplate
from transforms.stages.trajectories.branching import Before, Branching
from transforms.stages.trajectories.complexity import Counting, complexity
from transforms.stages.trajectories.conversation import Conversation, ask, run_call, run_calls
from transforms.stages.trajectories.converse import check_backend
from transforms.stages.trajectories.records import Ended
from transforms.text.answers import final_answer

_ENDS = ("Return Answer", "Terminate")
_SIMPLE = 2.0
"""Complexity up to which the steerer is told that a program is simple."""


@dataclass(kw_only=True)
class Steer(Branching):
    """PCollection[Seed] -> Outcome of Trajectory: the steerer's conversation about the answers of a
    task model, each of which a checker tests by a program.

    All prompts are rendered with `problem`; `solve_prompt` with `guidance` and whether it is the
    `first`; `check_prompt` and `review_prompt` with the `response` and the `result` of its program,
    the latter also with the `check` and whether the program is `simple`.
    """

    solve_prompt: PromptTemplate
    check_prompt: PromptTemplate
    review_prompt: PromptTemplate
    turns: Annotated[int, Field(ge=1)] = 6
    """Requests of the steerer, at most."""
    cells: None = None
    branches: Annotated[int, Field(ge=1)] = 1
    solve_model: str | None = None
    """The task model; null is the steerer's own."""
    check_tries: Annotated[int, Field(ge=1)] = 5
    """Programs that a checker writes for one answer until one runs, at most."""
    counting: Counting = "syntax"
    """What makes a program complex: its syntax, or the letters of its text."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_backend(self.dialogue, self.backend_of(self.solve_model), self.name)

    def play(self, seed: Seed, sample: int, talk: Conversation, before: Before) -> Steps[None]:
        solver = talk.others[0] if talk.others else None
        talk.agent = "steerer"
        while talk.ended is None:
            before(talk)
            guidance = yield from guided(talk, solver is None)
            if talk.ended:
                break
            words: dict[str, Any] = {"problem": seed.problem, "guidance": guidance}
            if solver is None:
                asked = {"model": self.solve_model, "first": True, **words}
                solver = self.role("solver", self.solve_prompt, sample, **asked)
                talk.others.append(solver)
            else:
                solver.add(self.solve_prompt.message(first=False, **words))
            words |= yield from self.answered(solver)
            talk.final = solver.final
            if solver.ended:
                talk.ended, talk.verdict = solver.ended, solver.verdict
            elif len(talk.responses) == self.turns:
                talk.end(Ended.ANSWERED)
            else:
                yield from self.review(talk, sample, words)

    def answered(self, solver: Conversation) -> Steps[dict[str, Any]]:
        """Has the task model answer and runs its program; its answer is what that prints last."""
        written = yield from ask(solver)
        if written is None:
            return {}
        result, simple = "", False
        solver.final = final_answer(written.text, "stop")
        for called in written.calls:
            seen = yield from run_call(solver, called)
            result = self.dialogue.shown("", seen.text)
            simple = complexity(called.code, self.counting) <= _SIMPLE
            lines = seen.text.split("\n")
            solver.final = None if seen.failed else lines[-1].strip() or None
        return {"response": written.text, "result": result, "simple": simple}

    def review(self, talk: Conversation, sample: int, words: dict[str, Any]) -> Steps[None]:
        """Has a checker write programs until one runs, and shows the steerer what it printed."""
        checker = self.role("checker", self.check_prompt, sample, **words)
        talk.others.append(checker)
        check = ""
        while not check and len(checker.responses) < self.check_tries:
            written = yield from ask(checker)
            if written is None or not written.calls:
                break
            [seen] = yield from run_calls(checker, written.calls)
            check = "" if seen.failed else self.dialogue.shown("", seen.text)
        if checker.verdict.unanswered:
            talk.ended, talk.verdict = checker.ended, checker.verdict
            return
        talk.add(self.review_prompt.message(**words, check=check))


def guided(talk: Conversation, first: bool) -> Steps[str]:
    """Has the steerer write its guidance, what the last `<<<...>>>` holds; empty where the
    conversation ends: it returns the answer, or, at `first`, has none to return."""
    written = yield from ask(talk)
    if written is None:
        return ""
    *closed, _ = written.text.split(">>>")
    marked = [part.partition("<<<")[2] for part in closed if "<<<" in part]
    guidance = marked[-1].strip() if marked else ""
    if guidance in _ENDS and not first:
        talk.end(Ended.ANSWERED)
    elif guidance in _ENDS or not guidance:
        talk.end(Ended.FORMAT, f"no guidance in {written.text[-80:]!r}")
    return guidance

"""multi_turn_code: programs corrected after feedback from public tests, and judged by hidden ones.

After "What makes large language models reason in (multi-turn) code generation?" (2410.08105).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from transforms.engine.accounting import Verdict, keep, reject
from transforms.engine.records import Seed
from transforms.engine.stage import check
from transforms.models.episode import Steps
from transforms.models.prompts import PromptTemplate
from transforms.stages.trajectories.conversation import Conversation, ask_under
from transforms.stages.trajectories.converse import Converse, Tried
from transforms.stages.trajectories.records import Ended, Trajectory
from transforms.stages.trajectories.tested import Case, Grain, cases_of, on_tests, told

Words = Annotated[tuple[str, ...], Field(min_length=1)]


@dataclass(kw_only=True)
class Contest(Converse):
    """PCollection[Seed] -> Outcome of Trajectory: `sampler.samples` attempts at a program, each of
    at most `turns` turns until it passes the seed's `public_tests`; then all others decide.

    `feedback_prompt` is rendered with `code` (None where a turn has no program), the `count` of
    public tests, how many `failed`, and the `outcomes` that are told of.
    """

    feedback_prompt: PromptTemplate
    turns: Annotated[int, Field(ge=1)] = 3
    cells: None = None
    grain: Grain = "failed"
    """What is told of the public tests."""
    guidance: Literal["retry", "grid", "none"] = "retry"
    """retry: the first turn is plain, and each later one has the next of `reasoning`; grid: each
    attempt's first turn has one of `reasoning` and one of `instruction`. No row shows them."""
    reasoning: Words
    instruction: Words

    reasons: ClassVar[Iterable[str]] = (
        *Converse.reasons, "no_tests", "failed_public", "failed_private",
    )  # fmt: skip

    def unfit(self, seed: Seed) -> Verdict | None:
        if cases_of(seed, "public_tests") and hidden(seed):
            return None
        return reject("no_tests", "the seed has no public_tests or no private_tests")

    def hint(self, turn: int, sample: int) -> str:
        """The words that help a turn of an attempt, both counted from 0."""
        if self.guidance == "retry":
            return self.reasoning[(turn - 1) % len(self.reasoning)] if turn else ""
        if self.guidance == "none" or turn:
            return ""
        rest, row = divmod(sample, len(self.reasoning))
        return f"{self.reasoning[row]} {self.instruction[(rest + row) % len(self.instruction)]}"

    def attempt(self, seed: Seed, sample: int, start: tuple[str, ...]) -> Steps[Tried]:
        talk, public = self.begun(seed, sample), cases_of(seed, "public_tests")
        for turn in range(self.turns):
            written = yield from ask_under(talk, self.hint(turn, sample))
            if written is None:
                break
            programs = self.dialogue.read(written.text)
            talk.final = programs[-1].code if programs else None
            outcomes = yield from on_tests(talk.final or "", public if talk.final else ())
            talk.cells += len(outcomes)
            failed = sum(not each.passed for each in outcomes)
            if outcomes and not failed:
                talk.end(Ended.ANSWERED)
                break
            if turn + 1 < self.turns:
                shown = yield from told(talk.final or "", outcomes, self.grain)
                words = {"count": len(public), "failed": failed, "outcomes": shown}
                talk.add(self.feedback_prompt.message(code=talk.final, **words))
        return (yield from self.judged(seed, talk))

    def judged(self, seed: Seed, talk: Conversation) -> Steps[Tried]:
        """Runs the hidden tests of a program that passes the public ones."""
        if talk.ended is None:
            talk.end(Ended.TURNS)
            verdict = reject("failed_public" if talk.final else "no_answer")
        elif talk.ended is Ended.ANSWERED:
            outcomes = yield from on_tests(talk.final or "", hidden(seed))
            talk.cells += len(outcomes)
            wrong = sum(not each.passed for each in outcomes)
            detail = f"{wrong} of {len(outcomes)} tests"
            verdict = reject("failed_private", detail) if wrong else keep()
        else:
            verdict = talk.verdict
        return self.tried(talk, float(verdict.kept), verdict)


def hidden(seed: Seed) -> tuple[Case, ...]:
    """Returns the tests that no turn is told of."""
    return cases_of(seed, "private_tests", "generated_tests")


@check("single_turn")
def single_turn(row: Trajectory) -> bool:
    """Objects to an attempt whose first program passes."""
    return sum(turn.sampled for turn in row.messages) == 1

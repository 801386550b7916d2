"""Verification: an instruction is accepted where enough solutions agree with the program."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar, Literal, NamedTuple

from pydantic import Field

from transforms.engine.accounting import Verdict, keep, reject
from transforms.engine.ids import content_id
from transforms.engine.records import Attempt, Attempts, Example, Message
from transforms.engine.settings import Group
from transforms.engine.stage import Map
from transforms.text.answers import answer_type
from transforms.text.reasoning import ReasoningReason, judge_reasoning


class VerifySettings(Group):
    """When an instruction and its program are held to agree."""

    mode: Literal["cot", "code", "both"] = Field(
        description="what must agree with the program: language solutions, programs written from "
        "the instruction alone, or enough of each"
    )
    min_agreement: float = Field(
        gt=0, le=1, description="share of the attempts that must agree with the program's output"
    )
    rounds: int = Field(
        ge=1,
        description="attempts are asked for in so many rounds, and no more once the verdict is "
        "certain (1: all at once)",
    )

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of attempts that the mode asks for."""
        return ("cot", "code") if self.mode == "both" else (self.mode,)


class VerifyReason(StrEnum):
    """Why the attempts at an instruction do not bear the program out."""

    NO_ANSWER_FOUND = "no_answer_found"
    LOW_AGREEMENT = "low_agreement"
    TIED = "tied"


class Votes(NamedTuple):
    """How the attempts of one kind voted."""

    made: int
    """Attempts, those without an answer among them."""
    agreeing: int
    """Those that give the program's value."""
    rival: int
    """Those that give the most frequent other value."""

    def more(self, agreeing: int = 0, rival: int = 0) -> Votes:
        """The votes after further attempts that agree, or that all give one other value."""
        made = self.made + agreeing + rival
        return Votes(made, self.agreeing + agreeing, self.rival + rival)

    @property
    def share(self) -> float:
        return self.agreeing / max(1, self.made)

    def carry(self, verify: VerifySettings) -> bool:
        """Whether enough attempts agree, and more than give any other single value."""
        return self.share >= verify.min_agreement and self.agreeing > self.rival


def votes_of(record: Attempts, kind: str) -> Votes:
    """Counts the votes of a record's marked attempts of a kind."""
    attempts = [attempt for attempt in record.attempts if attempt.kind == kind]
    others = Counter(a.value for a in attempts if not a.agrees and a.value is not None)
    return Votes(
        len(attempts), sum(a.agrees is True for a in attempts), max(others.values(), default=0)
    )


def is_settled(record: Attempts, left: Sequence[int], verify: VerifySettings) -> bool:
    """Whether no outcome of the attempts that are left can change whether a record is accepted.

    Args:
        left: attempts planned whose answers are not known, by kind in the order of `verify.kinds`:
            those not asked for yet, and those whose requests stayed unanswered.
    """
    kinds = [(votes_of(record, kind), more) for kind, more in zip(verify.kinds, left, strict=True)]
    if not all(votes.more(agreeing=more).carry(verify) for votes, more in kinds):
        return True
    certain = all(votes.more(rival=more).carry(verify) for votes, more in kinds)
    # A solution to show is the first kind's: `cot` where both kinds are asked for.
    if not certain and left[0] > 0:
        return False
    shown = solution_of(record) is not None
    return (shown or left[0] > 0) == (certain and shown)


def judge_agreement(record: Attempts, verify: VerifySettings) -> Verdict:
    """Decides whether enough of the marked attempts agree, of each kind that is asked for.

    Of each kind more have to give the program's value than any other single value: half against
    half tells nothing. Of those that agree, one has to be a solution to show: where all of them
    come to the right answer by steps that are wrong or that do not lead there, the first one's
    fault is the reason.
    """
    if all(attempt.answer is None for attempt in record.attempts):
        return reject(VerifyReason.NO_ANSWER_FOUND, f"in {len(record.attempts)} attempts")
    kinds = [votes_of(record, kind) for kind in verify.kinds]
    if not all(votes.carry(verify) for votes in kinds):
        said = ", ".join(str(attempt.answer)[:40] for attempt in record.attempts)
        low = any(votes.share < verify.min_agreement for votes in kinds)
        return reject(
            VerifyReason.LOW_AGREEMENT if low else VerifyReason.TIED,
            f"{agreement(record):.2f}: program gives {(record.output or '')[:80]}, "
            f"attempts say {said}",
        )
    if solution_of(record) is None:
        return judge_reasoning(told(record)[0].text, record.instruction)
    return keep()


def agreement(record: Attempts) -> float:
    """Share of the attempts made, of all kinds, that agree with the program's output."""
    return sum(attempt.agrees is True for attempt in record.attempts) / len(record.attempts)


def told(record: Attempts) -> list[Attempt]:
    """The language solutions that agree."""
    return [attempt for attempt in record.attempts if attempt.agrees and attempt.kind == "cot"]


def solution_of(record: Attempts) -> Attempt | None:
    """The first language solution that agrees and whose reasoning holds; None for none.

    Where no language solution agrees, the shortest written program that does.
    """
    if solutions := told(record):
        return next((each for each in solutions if _holds(each, record)), None)
    written = (attempt for attempt in record.attempts if attempt.agrees)
    return min(written, key=lambda each: (len(each.text), each.text), default=None)


def _holds(attempt: Attempt, record: Attempts) -> bool:
    if attempt.holds is None:
        return judge_reasoning(attempt.text, record.instruction).kept
    return attempt.holds


def with_shown(record: Attempts, verify: VerifySettings) -> Attempts:
    """Returns a record that is accepted, or that reasoning alone keeps from it, with what decides
    on the solution to show: whether those that agree hold, up to the first that does."""
    if not all(votes_of(record, kind).carry(verify) for kind in verify.kinds):
        return record
    attempts, found = list(record.attempts), False
    for place, attempt in enumerate(attempts):
        if attempt.agrees and attempt.kind == "cot" and not found:
            found = _holds(attempt, record)
            attempts[place] = replace(attempt, holds=found)
    return replace(record, attempts=tuple(attempts))


def example(record: Attempts, recipe: str, run_id: str) -> Example:
    """The row of a record that was accepted."""
    solution = solution_of(record)
    assert solution is not None
    share_agreeing = agreement(record)
    return Example(
        id=content_id("example", record.instruction, record.code),
        recipe=recipe,
        kind=record.kind,
        instruction=record.instruction,
        solution=solution.text,
        reasoning=solution.reasoning,
        code=record.code,
        input=record.input or "",
        answer=record.output or "",
        answer_type=answer_type(record.output or ""),
        messages=(
            Message("user", record.instruction),
            Message("assistant", solution.text, solution.reasoning),
        ),
        agreement=share_agreeing,
        attempts=len(record.attempts),
        difficulty=1 - share_agreeing,
        seed_ids=record.seed_ids,
        source=record.source,
        license=record.license,
        calls=record.calls,
        tokens=record.tokens,
        run_id=run_id,
    )


@dataclass(kw_only=True)
class Verify(Map):
    """PCollection[Attempts] (marked) -> Outcome of Example: `verify.min_agreement` of them agree.

    Agreement and difficulty are shares of the attempts made. Where attempts come in several
    rounds, clear cases have fewer of them and a coarser share. Records come with all attempts that
    were planned, or with enough of them that the others could change no verdict: `Solve` puts off
    those that are neither.
    """

    name: str = "verify"
    begins_segment: bool = True
    verify: VerifySettings
    recipe: str
    run_id: str

    reads: ClassVar[type] = Attempts
    writes: ClassVar[type] = Example
    reasons: ClassVar[Iterable[str]] = (*VerifyReason, *ReasoningReason)

    def of(self, record: Attempts) -> Example | Verdict:
        verdict = judge_agreement(record, self.verify)
        return example(record, self.recipe, self.run_id) if verdict.kept else verdict

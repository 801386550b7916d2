"""tir_judge: judgments of answers by a model that may run code (TIR-Judge, arXiv 2510.23038)."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

from pydantic import Field

from transforms.engine.accounting import Verdict, keep, reject
from transforms.engine.groups import GroupMap
from transforms.engine.ids import content_id
from transforms.engine.records import Derived, Seed, derived, grow
from transforms.models.episode import Steps, side_by_side
from transforms.stages.preferences import both_ways
from transforms.stages.trajectories.conversation import Conversation, converse
from transforms.stages.trajectories.converse import Converse, Tried
from transforms.stages.trajectories.records import Ended, Trajectory
from transforms.stages.trajectories.select import written

_LETTERS = "ABCDE"
_TAG = re.compile(r"<(score|preference)>\s*(\w+)\s*</\1>")
_PASS = 6
"""Score, of 1 to 10, from which a pointwise judgment calls an answer right."""


@dataclass(frozen=True, kw_only=True)
class Question(Derived, Seed):
    """Answers to a problem that are to be judged; `answer` is the right verdict, and `kind` is
    pointwise (one answer), pairwise or listwise."""

    shown: tuple[str, ...]
    """The answers, in the order in which the judge sees them."""


@dataclass(frozen=True, kw_only=True)
class Judgment(Trajectory):
    """A judge's conversation about a question."""

    form: str
    """pointwise (one answer), pairwise or listwise."""
    question: str
    """Id of the question in the order in which its answers were shown."""


@dataclass(kw_only=True)
class AskJudgments(GroupMap):
    """PCollection[Trajectory] -> Outcome of Question: of the answers to a problem a right one and a
    wrong one alone, both as a pair, and, where two are wrong, a list of three to five of which one
    is right. Answers that stand in none, such as those that were cut off, are rejected."""

    name: str = "questions"
    largest: Annotated[int, Field(ge=3, le=5)] = 5
    """Answers of a list, at most."""

    reads: ClassVar[type] = Trajectory
    writes: ClassVar[type] = Question
    creates_records: ClassVar[bool] = True
    reasons: ClassVar[Iterable[str]] = ("all_alike", "not_shown")

    def of(self, group: Sequence[Any]) -> Iterator[tuple[Any, Verdict]]:
        ended = [each for each in group if each.ended == Ended.ANSWERED]
        once = list({written(each.messages): each for each in _drawn(ended, "answers")}.values())
        right = [each for each in once if each.score >= 1][:1]
        wrong = [each for each in once if each.score < 1][: self.largest - 1]
        shown = right + wrong if right and wrong else []
        if shown:
            alone = [("pointwise", right), ("pointwise", wrong[:1])]
            beside = [("pairwise", shown[:2]), *[("listwise", shown)] * (len(wrong) > 1)]
            yield from ((_question(form, answers), keep()) for form, answers in alone + beside)
        for each in group:
            if each not in shown:
                reason = "not_shown" if shown else "all_alike"
                yield each, reject(reason, f"score {each.score:g}")


def _drawn(records: Iterable[Any], what: str) -> list[Any]:
    """Records in an order that their ids decide."""
    return sorted(records, key=lambda each: content_id(what, each.id))


def _question(form: str, answers: Sequence[Any]) -> Question:
    ordered = _drawn(answers, form)
    place = next((n for n, each in enumerate(ordered) if each.score >= 1), None)
    label = "wrong" if place is None else "right" if form == "pointwise" else _LETTERS[place]
    calls = [call for each in ordered[1:] for call in each.calls]
    return Question(
        problem=ordered[0].problem,
        answer=label,
        code=None,
        solution=None,
        kind=form,
        metadata="{}",
        shown=tuple(written(each.messages) for each in ordered),
        **derived(ordered[0], form, [each.id for each in ordered], calls=calls),
    )


def swapped(pair: Question) -> Question:
    """Returns a pair the other way round: the other letter is right."""
    return replace(pair, shown=pair.shown[::-1], answer="BA"["AB".index(pair.answer or "A")])


@dataclass(kw_only=True)
class JudgeWithCode(Converse):
    """PCollection[Question] -> Outcome of Judgment: `sampler.samples` judgments of each question, a
    pair both ways round (`both_ways`).

    A judgment scores 1 where it is right, has the form and used the tool well, that of a pair where
    both do. The prompt is rendered with `problem`, `form`, the answers `shown`, and `cells`.
    """

    needs_code: bool = True
    """Whether a judgment without a run of code scores 0; the paper asks for none on chats."""

    reads: ClassVar[type] = Question
    writes: ClassVar[type] = Judgment
    reasons: ClassVar[Iterable[str]] = (*Converse.reasons, "order_changed", "bad_form", "bad_code")

    def words(self, seed: Seed, sample: int) -> dict[str, Any]:
        assert isinstance(seed, Question)
        return {**super().words(seed, sample), "form": seed.kind, "shown": list(seed.shown)}

    def attempt(self, seed: Seed, sample: int, start: tuple[str, ...]) -> Steps[Tried]:
        assert isinstance(seed, Question)
        orders = [seed, swapped(seed)] if seed.kind == "pairwise" else [seed]
        talks = yield from side_by_side(
            converse(self.begun(each, sample, start)) for each in orders
        )
        talks[0].spawned = talks[1:]
        refused = [talk.verdict for talk in talks if talk.ended is Ended.REFUSED]
        if refused:
            return Tried(talks[0], 0.0, max(refused, key=lambda verdict: verdict.unanswered))
        verdicts = [self.judged(*each) for each in zip(orders, talks, strict=True)]
        verdict = next((each for each in verdicts if not each.kept), keep())
        if len(talks) > 1:
            said = [talk.answer for talk in talks]
            preferred = yield from both_ways(self.name, *said)
            if preferred is None and verdict.reason == "wrong_answer" and None not in said:
                verdict = reject("order_changed", f"{said[0]} both ways round")
        return self.tried(talks[0], float(verdict.kept), verdict)

    def judged(self, question: Question, talk: Conversation) -> Verdict:
        """Reads the verdict with which a judgment ends, and keeps one that scores 1."""
        talk.final = verdict_in(talk.turns[-1].content, question)
        if talk.ended is not Ended.ANSWERED:
            return talk.verdict
        if talk.answer is None:
            return reject("bad_form", talk.turns[-1].content[-80:])
        if any(turn.failed for turn in talk.turns) or (self.needs_code and not talk.cells):
            return reject("bad_code", f"{talk.cells} calls")
        if talk.answer != question.answer:
            return reject("wrong_answer", f"says {talk.answer}, right is {question.answer}")
        return keep()

    def spawned(self, attempt: Tried) -> Iterable[Tried]:
        return (attempt._replace(talk=talk) for talk in attempt.talk.spawned)

    def row(self, seed: Seed, *rest: Any) -> Judgment:
        assert isinstance(seed, Question)
        *_, place = rest
        row = super().row(swapped(seed) if place else seed, *rest)
        name = content_id("question", seed.id, place)
        return grow(Judgment, row, form=seed.kind, question=name)


def verdict_in(text: str, question: Question) -> str | None:
    """Returns the verdict with which a judge's text ends: `right` or `wrong`, or a letter; None
    where it has not exactly one tag of the form, at its end."""
    tags = _TAG.findall(text)
    if len(tags) != 1 or not text.rstrip().endswith(f"</{tags[0][0]}>"):
        return None
    [(tag, value)] = tags
    if question.kind != "pointwise":
        letters = [*_LETTERS[: len(question.shown)]]
        return value if tag == "preference" and value in letters else None
    is_score = tag == "score" and value.isdecimal() and 1 <= int(value) <= 10
    return ("right" if int(value) >= _PASS else "wrong") if is_score else None

"""Exercises: questions about a program's run whose answers its trace gives; no model is asked."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import Field

from transforms.engine.accounting import Verdict, keep, reject
from transforms.engine.ids import canonical_json, content_id
from transforms.engine.records import Call, Message, Seed, derived
from transforms.engine.stage import Named
from transforms.models.episode import Steps
from transforms.models.prompts import PromptTemplate
from transforms.programs.facts import InvalidTrace, Trace, read_trace
from transforms.programs.questions import Question, Task
from transforms.programs.questions.lines import computed_digits
from transforms.programs.walk import UNTOLD, walk
from transforms.sandbox.jobs import Job, Result, Status, TraceLimits
from transforms.stages.pairs import UNFIT, unfit
from transforms.stages.tasks import MakeTasks
from transforms.stages.together import run_together

T = TypeVar("T")

FAILED = tuple(status for status in Status if status is not Status.OK)
"""Why the run of a program cannot be asked about."""
UNTRACED = (*UNFIT, *FAILED, "invalid_trace", "trace_cut")
"""Why `traced` returns no trace."""


@dataclass(frozen=True, kw_only=True)
class Exercise(Task):
    """A task about one run of a program, with the answer that the run gives.

    Those of one seed with equal `item` in `shown` belong together.
    """

    messages: tuple[Message, ...]
    """Question and right answer."""


def exercise(
    seed: Seed,
    question: Question,
    prompt: PromptTemplate,
    answer: Any = None,
    calls: Iterable[Call] = (),
    reasoning: str = "",
) -> Exercise:
    """Returns the row of a question about a seed's program, in the words of a prompt.

    The prompt is rendered with `task`, `code` and what the question states; a program that this
    states as `code` is shown in place of the seed's.

    Args:
        answer: what the question's grader holds answers against, as a JSON value; None takes the
            golds, or for `witness` the seed's output.
        calls: what models wrote for it.
        reasoning: what stands before the gold in the right answer.
    """
    code = seed.code or ""
    stated = {"line": question.line, "variable": question.variable, **question.params}
    shown = {name: value for name, value in stated.items() if value is not None}
    words = prompt.rendered("chat", **{"task": question.kind, "code": code, **shown})
    if answer is None:
        answer = seed.output if question.grader == "witness" else question.golds
    right = Message("assistant", f"{reasoning}\n\n```\n{question.golds[0]}\n```".lstrip())
    return Exercise(
        task=question.kind,
        code=code,
        grader=question.grader,
        answer=canonical_json(answer),
        shown=canonical_json(shown),
        messages=(*words.messages, right),
        **derived(seed, "exercise", question.kind, shown, question.golds, calls=calls),
    )


def drawn(seed_id: str, questions: Iterable[Question], most: int) -> list[Question]:
    """Returns the questions of `most` items, drawn by hash; an item is a question by itself, or
    those of equal `params["item"]`.

    Items whose first questions have equal golds take turns with the others, so that answers of few
    values, such as True and False, come about equally often.
    """
    items: defaultdict[str, list[Question]] = defaultdict(list)
    for number, question in enumerate(questions):
        items[question.params.get("item", f"question {number}")].append(question)
    ranked = sorted(items, key=lambda key: content_id("item", seed_id, key))
    chosen = taking_turns(ranked, lambda key: items[key][0].golds)[:most]
    return [question for key in chosen for question in items[key]]


def taking_turns(items: Iterable[T], key: Callable[[T], Hashable]) -> list[T]:
    """Returns items in an order in which those of different keys take turns: first one of each key,
    then a second one, each in the order given.

    >>> taking_turns(["a1", "a2", "a3", "b1"], key=lambda each: each[0])
    ['a1', 'b1', 'a2', 'a3']
    """
    turns: Counter[Hashable] = Counter()
    ranked = []
    for item in items:
        ranked.append((turns[key(item)], item))
        turns[key(item)] += 1
    return [item for _, item in sorted(ranked, key=lambda each: each[0])]


def traced(seed: Seed, events: int) -> Steps[Trace | Verdict]:
    """Runs a seed's program with a trace, and returns it if it is whole, else why it is not."""
    if (verdict := unfit(seed)) is not None:
        return verdict
    result: Result = yield Job(seed.code or "", trace=TraceLimits(events=events))
    if result.status is not Status.OK:
        return reject(result.status, result.error or "")
    try:
        trace = read_trace(result.trace or "")
    except InvalidTrace as error:
        return reject("invalid_trace", str(error)[:200])
    return trace if trace.cut is None else reject("trace_cut", trace.cut)


@dataclass(kw_only=True)
class MakeExercises(MakeTasks):
    """PCollection[Seed] (verified, with code) -> Outcome of Exercise."""

    prompt: PromptTemplate

    writes: ClassVar[type] = Exercise


@dataclass(kw_only=True)
class AskAboutRun(MakeExercises):
    """PCollection[Seed] (verified, with code) -> Outcome of Exercise: a program is traced, and
    asked about.

    The right answer tells the run line by line before its gold, unless the question states all that
    it needs, or the run is long or full of digits. A question whose gold comes out otherwise where
    it is computed alone is rejected.
    """

    name: str = "ask"
    ask: tuple[Named, ...]
    """Functions (code, Trace) -> list of Question, in turn."""
    most: Annotated[int, Field(ge=1)] = 2
    """Items drawn from what one function asks of a program, at most."""
    lines: Annotated[int, Field(ge=1)] = 100
    """Lines of a program, at most."""
    events: Annotated[int, Field(ge=1)] = 1000
    """Events of a run, at most: nobody follows longer ones."""

    reasons: ClassVar[Iterable[str]] = (*UNTRACED, "too_long", "no_question", "differs_alone")

    def episode(self, seed: Seed) -> Steps[list[Verdict | tuple[Exercise, Verdict]]]:
        code = seed.code or ""
        if (lines := 1 + code.rstrip().count("\n")) > self.lines:
            return [reject("too_long", f"{lines} lines")]
        trace = yield from traced(seed, self.events)
        if isinstance(trace, Verdict):
            return [trace]
        asked = [q for ask in self.ask for q in drawn(seed.id, ask(code, trace), self.most)]
        if not asked:
            return [reject("no_question")]
        verdicts = yield from judged_alone(asked)
        run = walk(code, trace)
        rows = [exercise(seed, q, self.prompt, reasoning=told(q, run, code)) for q in asked]
        return list(zip(rows, verdicts, strict=True))


_TOLD_LINES = 100
"""Lines of a run that is told, at most."""
_TOLD_CHARS = 6000
_AT_A_LINE = ("covered", "state", "branch", "loop_body", "alias")
"""Questions whose answer is known once their line has run."""


def told(question: Question, run: Sequence[str], code: str) -> str:
    """Returns a run line by line as the reasoning to a question, up to where its answer is known.

    Empty where the question states all that it needs, where the run is long, has floats of many
    digits or values that are not told in over a tenth of its lines, or would end a fenced block.

    Args:
        run: as `walk` tells it.
    """
    time = question.params.get("time", 1)
    of_line = [number for number, text in enumerate(run, start=1) if _ran(question.line, text)]
    if question.kind in _AT_A_LINE and len(of_line) >= time:
        run = run[: of_line[time - 1]]
    on = " on the input below" if question.grader == "witness" else ""
    text = "\n".join([f"The run{on}, line by line:", "", *run])
    is_long = len(run) > _TOLD_LINES or len(text) > _TOLD_CHARS
    untold = sum(UNTOLD in line for line in run)
    if question.alone or is_long or 10 * untold > len(run):
        return ""
    return "" if "```" in text or computed_digits(text, code) else text


def _ran(line: int | None, text: str) -> bool:
    """Whether a text of `walk` is that of a line that came to its end."""
    return text.startswith(f"[L{line}] ") and ": calls " not in text and ": raises " not in text


def judged_alone(questions: Sequence[Question]) -> Steps[list[Verdict]]:
    """Runs the programs that compute a gold alone, in one job; rejects the questions whose gold
    differs."""
    verdicts = [keep()] * len(questions)
    places = [place for place, question in enumerate(questions) if question.alone]
    if not places:
        return verdicts
    ran = yield from run_together([questions[place].alone or "" for place in places])
    for number, place in enumerate(places):
        if isinstance(ran, Verdict):
            verdicts[place] = reject("differs_alone", ran.detail)
            continue
        answer = ran[number].output
        if not isinstance(answer, str) or not questions[place].is_right(answer):
            verdicts[place] = reject("differs_alone", (ran[number].error or str(answer))[:200])
    return verdicts

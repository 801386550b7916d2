"""adar: word problems with other numbers, from templates and programs that a model writes.

After AdaR (arXiv 2510.04617). `augment` makes such problems without a model.
"""

import json
import math
import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

from pydantic import Field

from transforms.engine.accounting import Verdict, reject
from transforms.engine.ids import derived_seed
from transforms.engine.records import Call, Seed, derived, grow, with_calls
from transforms.models.episode import Episode, ModelEpisode, Steps
from transforms.models.responses import ResponseReason, judge_program, judge_response, unanswered
from transforms.models.settings import SamplerSettings
from transforms.programs import Unparsable, literal_input, parse, with_input
from transforms.programs.checks import RUN_REASONS
from transforms.recipes.augment.redraws import YEARS, Slot, redraw
from transforms.sandbox.jobs import Job, Status
from transforms.sandbox.settings import SandboxSettings
from transforms.stages.judge import Pair, compare
from transforms.stages.pairs import outputs_on
from transforms.text.answers import final_answer, plain_answer
from transforms.text.numerals import numerals

_TEMPLATE = re.compile(r"<template>(.*?)</template>", re.DOTALL)
_PLACE = re.compile(r"\{(\w+)\}")
_NUMBER = re.compile(r"[-−]?\d+(?:\.\d+)?")
_NEAR = 1e-2
"""How far the program's output may be from the reference answer."""
_DEMANDS = (
    *(("nearest", "round", "decimal"), ("percent", "percentage", "%"), ("fraction",), ("ratio",)),
    *(("dollar", "$"), ("cent",), ("second",), ("minute",), ("hour",), ("day",), ("week",)),
    *(("month",), ("year",), ("meter", "metre"), ("kilometer", "km"), ("mile",)),
)
"""Words that say how an answer is to be given; those of a group are one demand."""


@dataclass(frozen=True, kw_only=True)
class NewProblem(Seed):
    """A seed with a template and a program of a model's, and later with other numbers."""

    template: str
    """The problem with a place `{name}` for each key of the program's input."""
    input: str
    """The values, as JSON."""
    filled: str
    """The template with the values, before it was paraphrased."""
    solved: float = 0.0
    """Share of a model's solutions, with the program as a hint, that came to the output."""
    seed_ids: tuple[str, ...]
    calls: tuple[Call, ...]
    tokens: int


@dataclass(kw_only=True)
class WriteTemplates(ModelEpisode):
    """PCollection[Seed] -> Outcome of NewProblem: a template and a program for each problem that,
    on the values of the problem, give its words and its answer."""

    name: str = "template"
    sampler: SamplerSettings
    sandbox: SandboxSettings

    reads: ClassVar[type] = Seed
    writes: ClassVar[type] = NewProblem
    reasons: ClassVar[Iterable[str]] = (
        *ResponseReason, *RUN_REASONS, "no_number", "no_template", "unassigned", "rewritten",
        "other_answer",
    )  # fmt: skip

    def episode(self, seed: Seed) -> Steps[NewProblem | Verdict]:
        gold = number_in(seed.answer or "")
        if gold is None:
            return reject("no_number", seed.answer or "no answer")
        told: dict[str, Any] = {"problem": seed.problem, "solution": seed.solution or ""}
        [response] = yield self.requests(self.sampler, **told)
        code, verdict = judge_program(response)
        if not verdict.kept:
            return verdict
        found = _TEMPLATE.search(response.text)
        if found is None:
            return reject("no_template", response.text[-80:])
        template, values = found[1].strip(), values_of(code)
        if values is None or set(values) != set(_PLACE.findall(template)):
            return reject("unassigned", f"{_PLACE.findall(template)}, input {values}")
        filled = fill(template, values)
        words, now = len(seed.problem.split()), len(filled.split())
        if abs(now - words) > words / 2:
            return reject("rewritten", f"{now} words, the problem has {words}")
        if changes := number_changes(seed.problem, filled):
            return reject("rewritten", changes)
        [result] = yield [Job(code)]
        if result.status is not Status.OK:
            return reject(result.status, result.error or "")
        if (value := number_in(result.output or "")) is None or abs(value - gold) > _NEAR:
            return reject("other_answer", f"{result.output}, reference {seed.answer}")
        return grow(
            NewProblem, seed, template=template, input=json.dumps(values), filled=filled,
            code=code, solution=None, output=result.output,
            **derived(seed, "template", template, code, calls=self.calls(response)),
        )  # fmt: skip


@dataclass(kw_only=True)
class DrawValues(Episode):
    """PCollection[NewProblem] -> Outcome of NewProblem: the templates with other values, on which
    the program gives a number that is whole and positive as the reference is, or is not."""

    name: str = "values"
    sandbox: SandboxSettings
    spread: Annotated[float, Field(gt=1)] = 6.0
    """A new value is at most this many times the old one, or that part of it: 500 % more, as in the
    paper, is 6."""
    variants: Annotated[int, Field(ge=1)] = 16
    """Problems of a template, at most."""
    inputs: Annotated[int, Field(ge=1)] = 160
    """Inputs that are drawn for them."""

    reads: ClassVar[type] = NewProblem
    writes: ClassVar[type] = NewProblem
    creates_records: ClassVar[bool] = True
    reasons: ClassVar[Iterable[str]] = ("nothing_to_draw", "no_variant")

    def episode(self, row: NewProblem) -> Steps[list[NewProblem] | Verdict]:
        values = json.loads(row.input)
        slots = slots_in(row.template, values)
        if not slots:
            return reject("nothing_to_draw", row.input)
        drawn: dict[str, dict[str, Any]] = {}
        for number in range(self.inputs):
            chance = random.Random(derived_seed(0, "values", row.id, number))
            new = redraw(values, slots, self.spread, chance)
            drawn.setdefault(json.dumps(new), new)
        drawn.pop(row.input, None)
        [outputs] = yield from outputs_on([row.code or ""], list(drawn.values()))
        pairs = zip(drawn.values(), outputs or [], strict=False)
        like = [(new, value[0]) for new, value in pairs if value and is_like(value[0], row.output)]
        made = [_variant(row, *each) for each in like[: self.variants]]
        return made or reject("no_variant", f"{len(drawn)} inputs")


def _variant(row: NewProblem, values: dict[str, Any], value: Any) -> NewProblem:
    filled, output = fill(row.template, values), json.dumps(value)
    return replace(
        row, input=json.dumps(values), filled=filled, problem=filled, output=output,
        code=with_input(row.code or "", values), answer=plain_answer(output),
        **derived(row, "variant", values, calls=()),
    )  # fmt: skip


@dataclass(kw_only=True)
class AskSolvable(ModelEpisode):
    """PCollection[NewProblem] -> Outcome of the same: problems for which a valid solution exists,
    since a model comes to the program's output, `least` times of `sampler.samples`.

    The prompt is rendered with `problem`, and with `code`, the hint.
    """

    name: str = "solvable"
    sampler: SamplerSettings
    sandbox: SandboxSettings
    least: Annotated[int, Field(ge=1)] = 1
    """Solutions that have to agree."""

    reads: ClassVar[type] = NewProblem
    writes: ClassVar[type] = NewProblem
    reasons: ClassVar[Iterable[str]] = ("unsolved",)

    def episode(self, row: NewProblem) -> Steps[NewProblem | Verdict]:
        responses = yield self.requests(self.sampler, problem=row.problem, code=row.code)
        if lost := unanswered(responses):
            return lost
        answers = [final_answer(each.text, each.finish_reason) for each in responses]
        same = yield from compare([Pair(row.output or "", answer) for answer in answers])
        if sum(same) < self.least:
            return reject("unsolved", f"{sum(same)} of {len(same)} say {row.output}: {answers}")
        calls = with_calls(row.calls, *self.calls(*responses))
        return replace(row, solved=sum(same) / len(same), **calls)


@dataclass(kw_only=True)
class Paraphrase(ModelEpisode):
    """PCollection[NewProblem] -> Outcome of NewProblem in other words, with every number as often
    and every demand on the answer (`demands`)."""

    name: str = "paraphrase"
    sampler: SamplerSettings

    reads: ClassVar[type] = NewProblem
    writes: ClassVar[type] = NewProblem
    reasons: ClassVar[Iterable[str]] = (*ResponseReason, "numbers_changed", "demands_changed")

    def episode(self, row: NewProblem) -> Steps[NewProblem | Verdict]:
        [response] = yield self.requests(self.sampler, problem=row.filled)
        if not (verdict := judge_response(response)).kept:
            return verdict
        text = response.text.strip()
        if changes := number_changes(row.filled, text):
            return reject("numbers_changed", changes)
        if changed := demands(row.filled) ^ demands(text):
            return reject("demands_changed", ", ".join(sorted(changed)))
        return replace(row, problem=text, **with_calls(row.calls, *self.calls(response)))


def values_of(code: str) -> dict[str, Any] | None:
    """Returns a program's input where it is a literal of numbers and texts; else None."""
    try:
        values = literal_input(parse(code))
    except Unparsable:
        return None
    plain = values and all(type(each) in (int, float, str) for each in values.values())
    return values if plain else None


def fill(template: str, values: Mapping[str, Any]) -> str:
    """Returns a template with values in its places.

    >>> fill("It is {t} degrees, {t}!", {"t": -5})
    'It is -5 degrees, -5!'
    """
    return _PLACE.sub(lambda match: str(values[match[1]]), template)


def number_changes(text: str, other: str) -> str:
    """Returns the numbers that another text lacks or has besides; empty where it has the same."""
    before, after = (Counter(each.value for each in numerals(part)) for part in (text, other))
    return "" if before == after else f"lacks {[*before - after]}, adds {[*after - before]}"


def number_in(text: str) -> float | None:
    """Returns the number that a text is, its sign included; None where it is none.

    >>> number_in("-1,200"), number_in("$5"), number_in("5 or 6"), number_in("true")
    (-1200.0, 5.0, None, None)
    """
    plain = re.sub(r"[$€£%,\s]", "", text).replace("−", "-")
    return float(plain) if _NUMBER.fullmatch(plain) else None


def slots_in(template: str, values: Mapping[str, Any]) -> list[Slot]:
    """Returns the values that can be drawn anew, with what bounds them: a fraction stays below 1, a
    percentage up to 100. Zero, texts and numbers that may be years stay."""
    slots = []
    for name, value in values.items():
        if isinstance(value, str) or not value or (value in YEARS and isinstance(value, int)):
            continue
        percent = re.search(rf"\{{{name}\}} ?(?:%|percent)", template) and abs(value) <= 100
        largest = 1 if isinstance(value, float) and abs(value) < 1 else 100 if percent else None
        slots.append(Slot((name,), value, (), largest=largest))
    return slots


def is_like(value: Any, output: str | None) -> bool:
    """Whether an output is a finite number, whole and of a sign as the output of the problem (JSON)
    is."""
    other = json.loads(output or "null")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return False
    whole = float(value).is_integer() or not float(other).is_integer()
    return whole and (value > 0) == (other > 0) and (value < 0) == (other < 0)


def demands(text: str) -> frozenset[str]:
    """Returns what a problem's question demands of the form of the answer, by a word each.

    >>> sorted(demands("He walks 5 hours. How many percent is that, to the nearest whole?"))
    ['nearest', 'percent']
    """
    asking = [part for part in re.split(r"(?<=[.?!])\s+", text.strip()) if "?" in part]
    last = " ".join(asking) or re.split(r"(?<=[.!])\s+", text.strip())[-1]
    said = {word.rstrip("s") for word in re.findall(r"[a-z]+|[$%]", last.lower())}
    said |= {"round"} & {word.removesuffix("ed") for word in said}
    return frozenset(group[0] for group in _DEMANDS if said & set(group))

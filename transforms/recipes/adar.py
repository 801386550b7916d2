"""adar: word problems with other numbers, from templates and programs that a model writes.

After AdaR (arXiv 2510.04617). `augment` makes such problems without a model.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

from pydantic import Field

from transforms.engine.accounting import Verdict, reject
from transforms.engine.records import Derived, Seed, derived, grow
from transforms.models.episode import Episode, ModelEpisode, Steps
from transforms.models.responses import ResponseReason, judge_program
from transforms.models.settings import SamplerSettings
from transforms.programs import Unparsable, literal_input, parse, with_input
from transforms.recipes.augment.redraws import redraws, template_slots
from transforms.sandbox.settings import SandboxSettings
from transforms.stages.pairs import outputs_on
from transforms.text.answers import plain_answer
from transforms.text.answers.latex import tidy
from transforms.text.answers.quantity import read_quantity
from transforms.text.marks import tagged
from transforms.text.rewording import number_changes

_PLACE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, kw_only=True)
class NewProblem(Derived, Seed):
    """A seed with a template and a program of a model's, and later with other numbers."""

    template: str
    """The problem with a place `{name}` for each key of the program's input."""
    input: str
    """The values, as JSON."""
    filled: str
    """The template with the values, before it was paraphrased."""


@dataclass(kw_only=True)
class WriteTemplates(ModelEpisode):
    """PCollection[Seed] -> Outcome of NewProblem: a template that with the problem's values has its
    words, and a program that computes with them. Whether that gives the answer is for
    `ValidateSeeds` to say."""

    name: str = "template"
    sampler: SamplerSettings

    reads: ClassVar[type] = Seed
    writes: ClassVar[type] = NewProblem
    reasons: ClassVar[Iterable[str]] = (
        *ResponseReason, "no_number", "no_template", "unassigned", "rewritten",
    )  # fmt: skip

    def episode(self, seed: Seed) -> Steps[NewProblem | Verdict]:
        if read_quantity(tidy(seed.answer or "")) is None:
            return reject("no_number", seed.answer or "no answer")
        told: dict[str, Any] = {"problem": seed.problem, "solution": seed.solution or ""}
        [response] = yield self.requests(self.sampler, **told)
        code, verdict = judge_program(response)
        if not verdict.kept:
            return verdict
        if not (templates := tagged(response.text, "template")):
            return reject("no_template", response.text[-80:])
        template, values = templates[0], values_of(code)
        if values is None or set(values) != set(_PLACE.findall(template)):
            return reject("unassigned", f"{_PLACE.findall(template)}, input {values}")
        filled = fill(template, values)
        words, now = len(seed.problem.split()), len(filled.split())
        if abs(now - words) > words / 2:
            return reject("rewritten", f"{now} words, the problem has {words}")
        if changes := number_changes(seed.problem, filled):
            return reject("rewritten", changes)
        return grow(
            NewProblem, seed, template=template, input=json.dumps(values), filled=filled,
            code=code, solution=None,
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
        slots = template_slots(row.template, values)
        if not slots:
            return reject("nothing_to_draw", row.input)
        drawn = redraws(values, slots, self.spread, self.inputs, 0, "values", row.id)
        [outputs] = yield from outputs_on([row.code or ""], drawn)
        pairs = zip(drawn, outputs or [], strict=False)
        own = json.loads(row.output or "null")
        like = [(new, value[0]) for new, value in pairs if value and is_like(value[0], own)]
        made = [_variant(row, *each) for each in like[: self.variants]]
        return made or reject("no_variant", f"{len(drawn)} inputs")


def _variant(row: NewProblem, values: dict[str, Any], value: Any) -> NewProblem:
    filled, output = fill(row.template, values), json.dumps(value)
    return replace(
        row, input=json.dumps(values), filled=filled, problem=filled, output=output,
        code=with_input(row.code or "", values), answer=plain_answer(output),
        **derived(row, "variant", values, calls=()),
    )  # fmt: skip


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


def is_like(value: Any, own: Any) -> bool:
    """Whether an output is a finite number as the problem's own is: whole where that is, and of the
    same sign."""
    if any(type(each) not in (int, float) or not math.isfinite(each) for each in (value, own)):
        return False
    whole = float(value).is_integer() or not float(own).is_integer()
    return whole and (value > 0) == (own > 0) and (value < 0) == (own < 0)

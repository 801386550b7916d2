"""Cases: problems with a program, an input and an answer that are known to be right."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from transforms import programs
from transforms.engine.ids import derived_seed
from transforms.engine.records import Seed
from transforms.recipes.augment.redraws import YEARS
from transforms.sandbox.sandbox import Job, Sandbox, Status

UNSPELLED = "The steps are those of the text, one after the other."
"""The reasoning of a solution whose steps nobody has written down."""

_SMALL = 3
"""Smaller numbers are left alone: they stand in a text in other meanings too (one, twice)."""


@dataclass(frozen=True)
class Case:
    """A problem whose answer is known, and what faults are made from."""

    id: str
    kind: str
    problem: str
    code: str
    input: dict[str, Any]
    answer: Any
    """The program's output: checked against the seed's own answer, or computed from new values."""
    reasoning: str
    """A worked solution without its last line."""
    language: str = "en"
    """That of problem and reasoning (ISO 639-1)."""
    swapped: Any = None
    """The output with two values of the input swapped, where that is another one; else None."""

    def rng(self, *purpose: str) -> random.Random:
        """Random choices of the case, the same in every run."""
        return random.Random(derived_seed(0, self.id, *purpose))


def slots(problem: str, inputs: Mapping[str, Any]) -> dict[str, str]:
    """Returns {input key: how its number is written} for numbers that the text states just once.

    Only those can be replaced in the text without touching anything else that it says.
    """
    found = {}
    for key, value in inputs.items():
        if type(value) not in (int, float) or abs(value) < _SMALL or value in YEARS:
            continue
        for written in dict.fromkeys((str(value), f"{value:,}")):
            if len(_places(problem, written)) == 1:
                found[key] = written
    written_once = [text for text in found.values() if list(found.values()).count(text) == 1]
    return {key: text for key, text in found.items() if text in written_once}


def _places(text: str, number: str) -> list[re.Match[str]]:
    """Where a number stands for itself: not in another, a date, a time, a ratio or an ordinal."""
    return list(
        re.finditer(
            rf"(?<![^\W\u3040-\u9fff]|[.,:/−-]){re.escape(number)}"
            r"(?![^\W\u3040-\u9fff]|[:/]|[.,]\d|\s*(?:st|nd|rd|th)\b|-\d)",
            text,
        )
    )


def without(problem: str, written: str, instead: str) -> str:
    """Returns the text with a number that it states once replaced by other words."""
    (place,) = _places(problem, written)
    return problem[: place.start()] + instead + problem[place.end() :]


def redrawn(seed_id: str, problem: str, inputs: Mapping[str, Any], number: int) -> Any:
    """Returns (problem, inputs) with new values in the slots, or None where there is no slot.

    Type, sign, decimals and about the size are kept.
    """
    rng = random.Random(derived_seed(0, seed_id, "redraw", number))
    new_inputs, new_problem = dict(inputs), problem
    for key, written in slots(problem, inputs).items():
        value = _redraw(inputs[key], rng)
        text = f"{value:,}" if "," in written else str(value)
        if _places(new_problem, text):  # it would then be stated twice
            return None
        new_inputs[key], new_problem = value, without(new_problem, written, text)
    return None if new_inputs == inputs else (new_problem, new_inputs)


def _redraw(value: Any, rng: random.Random) -> Any:
    decimals = len(str(value).partition(".")[2]) if isinstance(value, float) else 0
    scale = 10**decimals
    whole = round(abs(value) * scale)
    choices = [n for n in range(max(_SMALL * scale, whole * 2 // 3), whole * 5 // 3) if n != whole]
    new = rng.choice(choices or [whole + 1])
    signed = new if value > 0 else -new
    return signed / scale if isinstance(value, float) else signed


def make_cases(seeds: Sequence[Seed], redraws: int, box: Sandbox) -> list[Case]:
    """Returns a case for each seed, and up to `redraws` more of each with other numbers.

    Seeds are verified ones: their program gives their answer. A redrawn case is kept where its
    program ends well with a number of the same type and sign as before.
    """
    return answered([plan for seed in seeds for plan in _plans(seed, redraws)], box)


def answered(plans: Sequence[Case], box: Sandbox) -> list[Case]:
    """Returns cases with the answers that their programs give; those whose program fails are left
    out."""
    results = box.run(Job(case.code) for case in plans)
    cases: list[Case] = []
    first: dict[str, Any] = {}
    for case, result in zip(plans, results, strict=True):
        if result.status is not Status.OK or result.output is None:
            continue
        answer = json.loads(result.output)
        before = first.setdefault(case.id.partition("/")[0], answer)
        if _alike(before, answer):
            cases.append(replace(case, answer=answer))
    return list(_with_swapped(cases, box))


def _alike(before: Any, answer: Any) -> bool:
    """Whether a redrawn case still makes sense: its answer is a number of the same type and sign.

    (Texts are names, times and the word "impossible", which other numbers make meaningless.)
    """
    if type(before) is not type(answer) or not isinstance(answer, (int, float)):
        return before is answer
    return (answer > 0) == (before > 0)


def _plans(seed: Seed, redraws: int) -> Iterator[Case]:
    assert seed.code is not None
    inputs = programs.literal_input(programs.parse(seed.code))
    if inputs is None:
        return
    lines = (seed.solution or "").strip().splitlines()
    base = Case(
        id=seed.id,
        kind=seed.kind or "",
        problem=seed.problem,
        code=seed.code,
        input=inputs,
        answer=None,
        reasoning="\n".join(lines[:-1]) or UNSPELLED,
    )
    yield base
    for number in range(redraws):
        new = redrawn(seed.id, seed.problem, inputs, number)
        if new is not None:
            problem, new_inputs = new
            yield replace(
                base,
                id=f"{seed.id}/{number}",
                problem=problem,
                code=programs.with_input(seed.code, new_inputs),
                input=new_inputs,
                reasoning=UNSPELLED,
            )


def _with_swapped(cases: Iterable[Case], box: Sandbox) -> Iterator[Case]:
    plans = [(case, _swaps(case)) for case in cases]
    results = box.run(Job(code) for _, codes in plans for code in codes)
    for case, codes in plans:
        outputs = [next(results) for _ in codes]
        others = [
            json.loads(result.output)
            for result in outputs
            if result.status is Status.OK and result.output is not None
        ]
        yield replace(case, swapped=next((o for o in others if o != case.answer), None))


def _swaps(case: Case) -> list[str]:
    """The program with two values of one type swapped, in up to three ways."""
    keys = [key for key, value in case.input.items() if type(value) in (int, float)]
    pairs = [
        (one, other)
        for index, one in enumerate(keys)
        for other in keys[index + 1 :]
        if type(case.input[one]) is type(case.input[other]) and case.input[one] != case.input[other]
    ]
    return [
        programs.with_input(
            case.code, {**case.input, one: case.input[other], other: case.input[one]}
        )
        for one, other in pairs[:3]
    ]

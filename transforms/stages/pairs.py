"""Inputs of a program and what it gives on them: drawn by its generator, or like its own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from transforms.engine.accounting import Verdict, reject
from transforms.engine.ids import derived_seed
from transforms.engine.records import Seed
from transforms.programs import literal_input, parse, with_input
from transforms.programs.variation import drawn_inputs
from transforms.sandbox.jobs import Job, Status

if TYPE_CHECKING:
    from transforms.models.episode import Steps

_DRAWS = 4
"""Inputs that are drawn for each pair: some fail, some are equal, some are too large."""


class Pair(NamedTuple):
    """An input and the output that a program gave on it."""

    input: str
    """A Python literal."""
    output: str
    """JSON."""


def pairs_of(seed: Seed, most: int) -> Steps[list[Pair]]:
    """Runs a verified seed's program on up to `most` small inputs that differ, its own first.

    Inputs come from the generator in the seed's metadata (`input_generator`, as the source codeio
    has it), or else are drawn like the program's own. Runs that end badly, and values that are not
    small, make no pair.
    """
    code = seed.code or ""
    [own] = yield [Job(code)]
    inputs = literal_input(parse(code))
    if inputs is None:
        inputs = json.loads(own.input or "{}")
    drawn = yield from _drawn(seed, inputs, _DRAWS * most)
    return (yield from run_on(code, [inputs, *drawn]))[:most]


def several_pairs(seed: Seed, most: int) -> Steps[Verdict | list[Pair]]:
    """Returns at least two pairs of a verified seed (`pairs_of`), or why there are none."""
    if seed.code is None:
        return reject("no_program")
    pairs = yield from pairs_of(seed, most)
    if len(pairs) < 2:
        return reject("few_pairs", f"{len(pairs)} inputs that the program runs on")
    return pairs


def run_on(code: str, inputs: Iterable[dict[str, Any]]) -> Steps[list[Pair]]:
    """Runs a program on the inputs that are small and differ; returns the pairs that come of it, in
    their order. Runs that end badly, and outputs that are not small, make none."""
    small = {repr(each): each for each in inputs if is_small(each)}
    results = (yield [Job(with_input(code, each)) for each in small.values()]) if small else []
    return [
        Pair(literal, result.output)
        for literal, result in zip(small, results, strict=True)
        if result.status is Status.OK and is_small(json.loads(result.output or "null"))
    ]


def _drawn(seed: Seed, inputs: dict[str, Any], count: int) -> Steps[list[dict[str, Any]]]:
    """Draws inputs by the seed's generator, or like the own ones where it has none that works."""
    if generator := json.loads(seed.metadata).get("input_generator"):
        seeds = [derived_seed(0, "pair", seed.id, number) for number in range(count)]
        [result] = yield [Job(_GENERATING.format(code=seed.code, generator=generator, seeds=seeds))]
        values = json.loads(result.output or "null") if result.status is Status.OK else None
        if values:
            return [each for each in values if isinstance(each, dict)]
    return list(drawn_inputs(seed.id, inputs, count))


_GENERATING = """{code}

import math
import random
import string
from random import Random

{generator}

output = []
for seed in {seeds}:
    try:
        output.append(generate_inputs(Random(seed)))
    except Exception:
        pass
"""


def is_small(value: Any) -> bool:
    """Whether a value can be reasoned about: not None, under 1 KB as JSON, no container of 20 items
    or more and no text of 100 characters or more (the limits of CodeI/O, arXiv 2502.07316).

    >>> is_small({"a": [1, 2]}), is_small(list(range(20))), is_small(None)
    (True, False, False)
    """
    try:
        return (
            value is not None
            and len(json.dumps(value, allow_nan=False)) < 1024
            and _has_few_parts(value)
        )
    except (TypeError, ValueError, RecursionError):  # no JSON
        return False


def _has_few_parts(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) < 100
    if isinstance(value, dict):
        value = [*value, *value.values()]
        return len(value) < 40 and all(map(_has_few_parts, value))
    return not isinstance(value, (list, tuple)) or (
        len(value) < 20 and all(map(_has_few_parts, value))
    )


def outputs_on(codes: list[str], inputs: list[dict[str, Any]]) -> Steps[list[Any]]:
    """Runs programs on the same inputs, one job a program; returns the list of outputs of each.

    An output is [value], or [] where the program raised an exception; the list is None where the
    program did not come to the end of the inputs, or has no `output = solution(**input)`.
    """
    places = [place for place, code in enumerate(codes) if _CALL.search(code)]
    results = (yield [Job(_called(codes[place], inputs)) for place in places]) if places else []
    outputs: list[Any] = [None] * len(codes)
    for place, result in zip(places, results, strict=True):
        if result.status is Status.OK and result.output is not None:
            outputs[place] = json.loads(result.output)
    return outputs


_CALL = re.compile(r"^output\s*=\s*solution\(\*\*input\)[ \t]*\n?\Z", re.MULTILINE)


def _called(code: str, inputs: list[dict[str, Any]]) -> str:
    """The program with a call for each input in place of its one call."""
    loop = (
        f"\noutput = []\nfor input in {inputs!r}:\n    try:\n"
        "        output.append([solution(**input)])\n    except Exception:\n"
        "        output.append([])\n"
    )
    return _CALL.sub(lambda match: loop, code.rstrip() + "\n")

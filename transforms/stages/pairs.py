"""Inputs of a program and what it gives on them: drawn by its generator, or like its own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from transforms.engine.accounting import Verdict, reject
from transforms.engine.ids import canonical_json, derived_seed
from transforms.engine.records import Seed
from transforms.programs import literal_input, parse, with_input
from transforms.programs.variation import drawn_inputs, likely_inputs
from transforms.sandbox.jobs import Job, Result, Status
from transforms.stages.together import run_together

if TYPE_CHECKING:
    from transforms.models.episode import Steps

_DRAWS = 4
"""Inputs that are drawn for each pair: some fail, some are equal, some are too large."""
_SHORT = 0.3
"""CPU seconds of a run on a drawn input, at most, unless the program's own input takes long: on
others many a program never ends."""
_TIMES = 20
"""How many times as long as on its own input a program may take on a drawn one."""


UNFIT = ("no_program", "random")
"""Why a seed's program cannot be asked about, before it runs."""
UNPAIRED = (*UNFIT, "few_pairs")
"""Why `several_pairs` returns no pairs."""


class Pair(NamedTuple):
    """An input and the output that a program gave on it."""

    input: str
    """A Python literal."""
    output: str
    """JSON."""


class Inputs(NamedTuple):
    """Inputs of a program, and how long it may take on each."""

    own: dict[str, Any]
    output: str | None
    """What the program gives on its own input, as JSON; None where it gave nothing."""
    drawn: list[dict[str, Any]]
    """Others, small ones: all differ, from the own one too."""
    cpu_seconds: float


def several_inputs(seed: Seed, most: int, *, likely: bool = False) -> Steps[Verdict | Inputs]:
    """Draws inputs for a verified seed's program, several for each of the `most` that are wanted:
    on some it may fail.

    They come from the generator in the seed's metadata (`input_generator`, as the source codeio has
    it), or else are drawn like the program's own.

    Args:
        likely: whether those drawn without a generator are to make sense, as a task's instances do;
            tests are better off with odd ones.
    """
    if (verdict := unfit(seed)) is not None:
        return verdict
    own, output = literal_input(parse(seed.code or "")), seed.output
    made = yield from _generated(seed, _DRAWS * most)
    if made is None or own is None or output is None:
        [ran] = yield [Job(seed.code or "")]
        own = json.loads(ran.input or "{}") if own is None else own
        output = ran.output if ran.status is Status.OK else None
    else:
        ran = made
    if made is not None:
        drawn = [each for each in json.loads(made.output or "[]") if isinstance(each, dict)]
    else:
        draw = likely_inputs if likely else drawn_inputs
        drawn = [*draw(seed.id, own, _DRAWS * most)]
    known = {repr(each): each for each in drawn if is_small(each)}
    known.pop(repr(own), None)
    return Inputs(own, output, [*known.values()], max(_SHORT, _TIMES * ran.cpu_seconds))


def several_pairs(seed: Seed, most: int, *, likely: bool = False) -> Steps[Verdict | list[Pair]]:
    """Runs a verified seed's program on small inputs that differ, its own first.

    Runs that end badly or take far longer than on the own input, and values that are not small,
    make no pair.

    Args:
        likely: as `several_inputs` has it.

    Returns:
        Two to `most` pairs, or why there are none.
    """
    inputs = yield from several_inputs(seed, most, likely=likely)
    if isinstance(inputs, Verdict):
        return inputs
    code = seed.code or ""
    is_shown = is_small(inputs.own) and literal_input(parse(code)) is not None
    pairs = _pairs([(repr(inputs.own), inputs.output)]) if is_shown else []
    candidates = iter(inputs.drawn if pairs else [inputs.own, *inputs.drawn])
    while len(pairs) < most and (some := list(islice(candidates, most - 1))):
        found = yield from run_on(code, some, inputs.cpu_seconds)
        if not found:  # nor will it run on others
            break
        pairs += found
    if len(pairs) < 2:
        return reject("few_pairs", f"{len(pairs)} inputs that the program runs on")
    return pairs[:most]


def unfit(seed: Seed) -> Verdict | None:
    """Why a seed's program cannot be asked about: it has none, or one that draws random numbers, so
    that nobody can tell what it gives; None where it can."""
    if seed.code is None:
        return reject("no_program")
    return reject("random") if draws_at_random(seed.code) else None


def draws_at_random(code: str) -> bool:
    """Whether a program has random numbers, seeded ones too.

    >>> draws_at_random("from random import choice"), draws_at_random("random = 3")
    (True, False)
    """
    return re.search(r"\b(import|from) random\b|\.random\b", code) is not None


def run_on(
    code: str, inputs: Iterable[dict[str, Any]], cpu_seconds: float | None = None
) -> Steps[list[Pair]]:
    """Runs a program on the inputs that are small and differ; returns the pairs that come of it, in
    their order. Runs that end badly, and outputs that are not small, make none.

    They share a job; where one of them ends it, each has a job of its own.

    Args:
        cpu_seconds: of each run, at most; None is sandbox.cpu_seconds.
    """
    small = {repr(each): each for each in inputs if is_small(each)}
    if not small:
        return []
    codes = [with_input(code, each) for each in small.values()]
    ran = yield from run_together(codes, cpu_seconds=cpu_seconds or 0)
    if not isinstance(ran, Verdict):
        outputs = [
            None if each.error else json.dumps(each.output, ensure_ascii=False) for each in ran
        ]
    else:
        results: list[Result] = yield [Job(each, cpu_seconds=cpu_seconds) for each in codes]
        outputs = [each.output if each.status is Status.OK else None for each in results]
    return _pairs(zip(small, outputs, strict=True))


def _pairs(runs: Iterable[tuple[str, str | None]]) -> list[Pair]:
    """The pairs of inputs, as literals, and what runs on them gave, that are small."""
    return [
        Pair(literal, output)
        for literal, output in runs
        if output is not None and is_small(json.loads(output))
    ]


def _generated(seed: Seed, count: int) -> Steps[Result | None]:
    """Runs the seed's generator; None where it has none, or none that works."""
    if not (generator := json.loads(seed.metadata).get("input_generator")):
        return None
    seeds = [derived_seed(0, "pair", seed.id, number) for number in range(count)]
    [result] = yield [Job(_GENERATING.format(code=seed.code, generator=generator, seeds=seeds))]
    return result if result.status is Status.OK and result.output not in (None, "[]") else None


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

    An output is [value], or [] where the program raised an exception or took too long, which most
    programs do that never end; the list is None where the program did not come to the end of the
    inputs, took too long on several, or has no `output = solution(**input)`.
    """
    places = [place for place, code in enumerate(codes) if _CALL.search(code)]
    results = (yield [Job(_called(codes[place], inputs)) for place in places]) if places else []
    outputs: list[Any] = [None] * len(codes)
    for place, result in zip(places, results, strict=True):
        if result.status is Status.OK and result.output is not None:
            outputs[place] = json.loads(result.output)
    return outputs


def known_outputs(record_id: str, code: str, count: int) -> Steps[list[tuple[dict[str, Any], Any]]]:
    """Runs a program on its own input and on up to `count` others like it, in one job: some of
    these may never end.

    Returns:
        (input, output) for each input on which the program gives an output, its own first; none
        where its own gives none or is no literal (see also `outputs_on`).
    """
    own = literal_input(parse(code))
    if own is None:
        return []
    inputs = [own, *drawn_inputs(record_id, own, count)]
    [outputs] = yield from outputs_on([code], inputs)
    if not outputs or not outputs[0]:
        return []
    return [(i, output[0]) for i, output in zip(inputs, outputs, strict=True) if output]


def cases_of(outputs: Iterable[tuple[dict[str, Any], Any]]) -> list[tuple[str, str]]:
    """Returns known outputs as the tests of a grader: (input as a literal, output as JSON).

    >>> cases_of([({"a": True}, None)])
    [("{'a': True}", 'null')]
    """
    return [(repr(given), canonical_json(output)) for given, output in outputs]


_CALL = re.compile(r"^output\s*=\s*solution\(\*\*input\)[ \t]*\n?\Z", re.MULTILINE)


def _called(code: str, inputs: list[dict[str, Any]]) -> str:
    """The program with a call for each input in place of its one call."""
    loop = _LOOP.format(inputs=inputs, seconds=_SHORT)
    return _CALL.sub(lambda match: loop, code.rstrip() + "\n")


_LOOP = """
import signal as _signal

class _Late(Exception):
    pass

def _stop(*_):
    _late.append(input)
    raise _Late

_signal.signal(_signal.SIGPROF, _stop)
_late, output = [], []
for input in {inputs!r}:
    _signal.setitimer(_signal.ITIMER_PROF, {seconds})
    try:
        output.append([solution(**input)])
    except Exception:
        output.append([])
    if len(_late) > 2:
        raise _Late
_signal.setitimer(_signal.ITIMER_PROF, 0)
"""

"""Perturbed inputs: a program run again with one value changed, to see what it depends on."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

from transforms import programs
from transforms.engine.ids import content_id
from transforms.engine.records import Execution, Program
from transforms.models.episode import Steps
from transforms.programs.checks import is_yes_no
from transforms.programs.source import source_of
from transforms.sandbox.sandbox import Job, Vary

_OPPOSITES = {"yes": "no", "no": "yes", "true": "false", "false": "true"}


def perturbations(value: Any) -> list[Any]:
    """Returns values unlike `value`, of the same type, sign and integrality.

    The first changes the first place that can change by a step away from zero, the second the last
    place by a step towards it, the third every second place by a leap. A step may cross a bound (a
    percent of 100, an index) or be swallowed (by a maximum, by rounding), and a leap of all places
    alike by a ratio, so one alone proves nothing. Texts stay in the alphabet that they show
    (`closed_alphabet`); in others, letters stay letters and digits stay digits.
    Empty where there is nothing to change (None, an empty collection).
    """
    alphabet = closed_alphabet(value)
    found: list[Any] = []
    for step, last in ((_away, False), (_towards, True), (_leap, None)):
        new = _Change(step, last, alphabet).of(value)
        if new != value and new not in found:
            found.append(new)
    return found


def closed_alphabet(value: Any) -> str:
    """Returns the symbols that the texts of a value are made of; empty where others may follow.

    They are closed where they are bits, where none is an ASCII letter or digit (brackets, a grid of
    dots), and where up to four of them recur (a grid with a start, a genome).
    """
    symbols = "".join(_texts(value)).replace(" ", "")
    alphabet = "".join(sorted(set(symbols)))
    closed = (
        set(alphabet) <= {"0", "1"}
        or not any(one.isascii() and one.isalnum() for one in alphabet)
        or (len(alphabet) <= 4 and len(symbols) >= 2 * len(alphabet))
    )
    return alphabet if closed and len(alphabet) > 1 else ""


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, tuple, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def _away(number: Any) -> Any:
    if isinstance(number, int):
        return number + 1 if number >= 0 else number - 1
    # by an odd share that rounding does not swallow
    return number * 1.37 if number else 0.37


def _towards(number: Any) -> Any:
    if isinstance(number, int):
        if abs(number) < 2:  # no further without losing its sign
            return number + 2 if number >= 0 else number - 2
        return number - 1 if number > 0 else number + 1
    return number * 0.61 if number else 0.61


def _leap(number: Any) -> Any:
    if isinstance(number, int):
        return 3 * number + 1 if number >= 0 else 3 * number - 1
    return number * 3.7 if number else 3.7


@dataclass(frozen=True)
class _Change:
    """Steps the first place of a value that can change, or the last, or (None) each second one."""

    step: Callable[[Any], Any]
    last: bool | None
    alphabet: str

    def of(self, value: Any) -> Any:
        if isinstance(value, bool):
            return not value
        if isinstance(value, (int, float)):
            new = self.step(value)
            return new if isinstance(new, int) or math.isfinite(new) else value
        if isinstance(value, str):
            if value.lower() in _OPPOSITES:
                new = _OPPOSITES[value.lower()]
                return new.capitalize() if value[0].isupper() else new
            return "".join(self._each(list(value), self._turned))
        if isinstance(value, (list, tuple)):
            return type(value)(self._each(list(value), self.of))
        if isinstance(value, dict):
            return dict(zip(value, self._each(list(value.values()), self.of), strict=True))
        return value

    def _each(self, items: list[Any], change: Callable[[Any], Any]) -> list[Any]:
        new = list(items)
        changed = 0
        places = range(len(items))
        for index in reversed(places) if self.last else places:
            item = change(items[index])
            if item == items[index]:
                continue
            if changed % 2 == 0:
                new[index] = item
            changed += 1
            if self.last is not None:
                break
        return new

    def _turned(self, character: str) -> str:
        """Another symbol of a closed alphabet, digit for a digit, letter of the same case."""
        if character in self.alphabet:
            place, count = self.alphabet.index(character), len(self.alphabet)
            return self.alphabet[(place + 1 + (self.step(1) - 2) % (count - 1)) % count]
        if self.alphabet:
            return character
        if character.isascii() and character.isdigit():
            return str(self.step(int(character)) % 10)
        if character.isascii() and character.isalpha():
            first = ord("a" if character.islower() else "A")
            return chr(first + (ord(character) - first + self.step(1) - 1) % 26)
        return character


def perturbed_inputs(record_id: str, inputs: Mapping[Any, Any]) -> dict[str, list[dict[Any, Any]]]:
    """Returns {key: the inputs with that key's value changed, in up to three ways}.

    The keys are in an order drawn from the record's id.
    """
    named = [key for key in inputs if isinstance(key, str)]
    keys = sorted(named, key=lambda key: content_id("perturb", record_id, key))
    changed = {key: perturbations(inputs[key]) for key in keys}
    return {
        key: [{**inputs, key: new} for new in values] for key, values in changed.items() if values
    }


_LEAST_CPU_SECONDS = 0.2
_TIMES_AS_LONG = 10
"""How much longer than under its own input a program may run under another: a search that ends soon
for its own input may never end for others."""


def _inputs(execution: Execution) -> dict[Any, Any]:
    """The program's input as it wrote it (tuples, keys that are numbers), else as JSON has it."""
    written = programs.literal_input(source_of(execution.code).tree)
    if written is not None:
        return written
    read = json.loads(execution.input or "{}")
    return read if isinstance(read, dict) else {}


def _reruns(
    record_id: str, inputs: Mapping[Any, Any], first: int, last: int | None
) -> Iterator[tuple[str, dict[Any, Any]]]:
    """Yields each way of changing one of the keys `first` to `last`: the first way of each, ..."""
    changed = list(perturbed_inputs(record_id, inputs).items())[first:last]
    for ways in zip_longest(*(ways for _, ways in changed)):
        for (key, _), varied in zip(changed, ways, strict=True):
            if varied is not None:
                yield key, varied


def vary(execution: Execution, first: int, last: int | None) -> Vary | None:
    """The other inputs that differ in one of the keys `first` to `last`; None where there are none.

    The keys are in an order drawn from the record's id.
    """
    comparisons = is_yes_no(execution.output or "")
    reruns = _reruns(execution.id, _inputs(execution), first, last)
    return _plan(reruns, _cpu_seconds(execution), comparisons)


def vary_stated(program: Program, last: int) -> Vary | None:
    """As `vary`, of a program that has not run: None too where its text states no input.

    Whether it is what `vary` gives is known once it has run (`suits`).
    """
    try:
        inputs = programs.literal_input(source_of(program.code).tree)
    except programs.Unparsable:
        return None
    reruns = _reruns(program.id, inputs or {}, 0, last)
    return _plan(reruns, _LEAST_CPU_SECONDS, False)


def suits(plan: Vary, execution: Execution) -> bool:
    """Whether a plan leaves a program, which has run, as much time as `vary` would, and looks at
    comparisons where that would."""
    comparisons = is_yes_no(execution.output or "")
    return plan.comparisons == comparisons and plan.cpu_seconds >= _cpu_seconds(execution)


def _cpu_seconds(execution: Execution) -> float:
    return max(_LEAST_CPU_SECONDS, _TIMES_AS_LONG * execution.cpu_seconds)


def _plan(
    reruns: Iterable[tuple[str, dict[Any, Any]]], cpu_seconds: float, comparisons: bool
) -> Vary | None:
    inputs = tuple((key, repr(changed)) for key, changed in reruns)
    return Vary(inputs, cpu_seconds, comparisons) if inputs else None


def perturb(
    execution: Execution, most_keys: int, first: frozenset[str] | None = None
) -> Steps[Execution]:
    """Returns an execution (status ok) with its `sensitive_keys`: those that move its output.

    One key at a time, in the sandbox; only a run that ends well, in about the time that the program
    takes with its own input, counts as a change. Each of the first `most_keys` keys is tried in
    up to three ways; where none of them moves the output, the other keys are tried before it is
    held to be constant. A yes/no output stays the same more often than not, so a key moves it also
    where it changes a value that the program compares.

    Args:
        first: what the first `most_keys` keys moved, where they were tried already.
    """
    moved = first or frozenset()
    if first is None and (plan := vary(execution, 0, most_keys)):
        moved = (yield Job(execution.code, vary=plan)).moved
    if not moved and (plan := vary(execution, most_keys, None)):
        moved = (yield Job(execution.code, vary=plan)).moved
    return replace(execution, sensitive_keys=tuple(sorted(moved)))

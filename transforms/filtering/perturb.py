"""Perturbed inputs: a program run again with one value changed, to see what it depends on."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PCollection

from transforms import programs
from transforms.execution.execute import InSandbox
from transforms.execution.sandbox import Job, Result, Status
from transforms.ids import content_id
from transforms.records import Execution, grow
from transforms.settings import SandboxSettings

_OPPOSITES = {"yes": "no", "no": "yes", "true": "false", "false": "true"}


def perturbations(value: Any) -> list[Any]:
    """Returns values unlike `value`, of the same type, sign and integrality.

    The first changes the first place that can change by a step away from zero, the second the last
    place by a step towards it, the third every second place by a leap. A step may cross a bound (a
    percent of 100, an index) or be swallowed (by a maximum, by rounding), and a leap of all places
    alike by a ratio, so one alone proves nothing.
    Empty where there is nothing to change (None, an empty collection).
    """
    found: list[Any] = []
    for new in (
        _changed(value, _away, False),
        _changed(value, _towards, True),
        _changed(value, _leap, None),
    ):
        if new != value and new not in found:
            found.append(new)
    return found


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


def _changed(value: Any, step: Callable[[Any], Any], last: bool | None) -> Any:
    """Steps the first place of a value that can change, or the last, or (None) each second one."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        new = step(value)
        return new if isinstance(new, int) or math.isfinite(new) else value
    if isinstance(value, str):
        if value.lower() in _OPPOSITES:
            new = _OPPOSITES[value.lower()]
            return new.capitalize() if value[0].isupper() else new
        return "".join(_each(list(value), lambda one: _turned(one, step), last))
    if isinstance(value, (list, tuple)):
        return type(value)(_each(list(value), lambda one: _changed(one, step, last), last))
    if isinstance(value, dict):
        new_values = _each(list(value.values()), lambda one: _changed(one, step, last), last)
        return dict(zip(value, new_values, strict=True))
    return value


def _each(items: list[Any], change: Callable[[Any], Any], last: bool | None) -> list[Any]:
    """Changes the first item that `change` changes, or the last, or (None) each second of those."""
    new = list(items)
    changed = 0
    places = range(len(items))
    for index in reversed(places) if last else places:
        item = change(items[index])
        if item == items[index]:
            continue
        if changed % 2 == 0:
            new[index] = item
        changed += 1
        if last is not None:
            break
    return new


def _turned(character: str, step: Callable[[Any], Any]) -> str:
    """Another digit for a digit, another letter of the same case for a letter."""
    if character.isascii() and character.isdigit():
        return str(step(int(character)) % 10)
    if character.isascii() and character.isalpha():
        first = ord("a" if character.islower() else "A")
        return chr(first + (ord(character) - first + step(1) - 1) % 26)
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


@dataclass(frozen=True)
class _Rerun:
    """An execution, the programs with one input changed (by its key), and the keys that moved."""

    execution: Execution
    programs: tuple[tuple[str, str], ...]
    moved: frozenset[str] = frozenset()

    def jobs(self) -> list[Job]:
        return [Job(code) for _, code in self.programs]

    def after(self, results: list[Result]) -> _Rerun:
        moved = {
            key
            for (key, _), result in zip(self.programs, results, strict=True)
            if result.status == Status.OK
            and result.output is not None
            and result.output != self.execution.output
        }
        return _Rerun(self.execution, (), self.moved | moved)


def _inputs(execution: Execution) -> dict[Any, Any]:
    """The program's input as it wrote it (tuples, keys that are numbers), else as JSON has it."""
    written = programs.literal_input(programs.parse(execution.code))
    if written is not None:
        return written
    read = json.loads(execution.input or "{}")
    return read if isinstance(read, dict) else {}


def _first_reruns(execution: Execution, most: int) -> Iterator[tuple[str, str]]:
    """One run for each of the first `most` keys."""
    for key, variants in list(perturbed_inputs(execution.id, _inputs(execution)).items())[:most]:
        yield from _programs(execution, key, variants[:1])


def _more_reruns(rerun: _Rerun, most: int) -> Iterator[tuple[str, str]]:
    """The other ways for keys that have not moved; every other key too where none has."""
    variants = perturbed_inputs(rerun.execution.id, _inputs(rerun.execution))
    for place, (key, ways) in enumerate(variants.items()):
        if key not in rerun.moved and (place < most or not rerun.moved):
            yield from _programs(rerun.execution, key, ways[1:] if place < most else ways)


def _programs(
    execution: Execution, key: str, variants: list[dict[Any, Any]]
) -> Iterator[tuple[str, str]]:
    for inputs in variants:
        with suppress(ValueError):  # infinity has no literal
            yield key, programs.with_input(execution.code, inputs)


@dataclass
class Perturb(beam.PTransform):
    """PCollection[Execution] (status ok) -> PCollection[Execution] with `sensitive_keys`.

    One key at a time, in the sandbox; only a perturbed run that ends well counts as a change. Of
    the first `most_keys` keys, those that one perturbation does not move are tried with the others;
    where none of them moves, all keys are tried before the output is held to be constant.
    """

    sandbox: SandboxSettings
    most_keys: int

    def expand(self, executions: PCollection) -> PCollection:
        most = self.most_keys

        def plan(execution: Execution) -> _Rerun:
            return _Rerun(execution, tuple(_first_reruns(execution, most)))

        def plan_again(rerun: _Rerun) -> _Rerun:
            return _Rerun(rerun.execution, tuple(_more_reruns(rerun, most)), rerun.moved)

        def finish(rerun: _Rerun) -> Execution:
            return grow(Execution, rerun.execution, sensitive_keys=tuple(sorted(rerun.moved)))

        return (
            executions
            | "Plan" >> beam.Map(plan)
            | "Rerun" >> InSandbox(self.sandbox, _Rerun.jobs, _Rerun.after)
            | "Plan again" >> beam.Map(plan_again)
            | "Rerun again" >> InSandbox(self.sandbox, _Rerun.jobs, _Rerun.after)
            | "Finish" >> beam.Map(finish)
        )

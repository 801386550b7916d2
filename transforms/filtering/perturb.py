"""Perturbed inputs: a program run again with one value changed, to see what it depends on."""

from __future__ import annotations

import json
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


def perturbed(value: Any) -> Any:
    """Returns a value unlike `value`, of the same type, sign and integrality.

    Returns `value` itself where there is nothing to change (None, an empty collection).
    """
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1 if value >= 0 else value - 1
    if isinstance(value, float):
        # Away from zero, and by an odd share that rounding does not swallow.
        return value * 1.37 if value else 0.37
    if isinstance(value, str):
        return _perturbed_text(value)
    if isinstance(value, list):
        return _perturbed_list(value)
    if isinstance(value, dict):
        for key, old in value.items():
            new = perturbed(old)
            if new != old:
                return {**value, key: new}
    return value


def _perturbed_text(text: str) -> str:
    for index, character in enumerate(text):
        if character.isdigit():
            return text[:index] + str((int(character) + 1) % 10) + text[index + 1 :]
        if character.isascii() and character.isalpha():
            following = (
                chr(ord(character) + 1) if character not in "zZ" else chr(ord(character) - 1)
            )
            return text[:index] + following + text[index + 1 :]
    return text


def _perturbed_list(values: list[Any]) -> list[Any]:
    for index, old in enumerate(values):
        new = perturbed(old)
        if new != old:
            return [*values[:index], new, *values[index + 1 :]]
    return values


def perturbed_inputs(
    record_id: str, inputs: dict[str, Any], most: int
) -> dict[str, dict[str, Any]]:
    """Returns {key: the inputs with that key's value changed}, for at most `most` keys.

    Which keys, where there are more, is drawn from the record's id.
    """
    keys = sorted(inputs, key=lambda key: content_id("perturb", record_id, key))
    changed = {key: {**inputs, key: perturbed(inputs[key])} for key in keys}
    return dict([(key, new) for key, new in changed.items() if new[key] != inputs[key]][:most])


@dataclass
class Perturb(beam.PTransform):
    """PCollection[Execution] (status ok) -> PCollection[Execution] with `sensitive_keys`.

    One key at a time, in the sandbox; only a perturbed run that ends well counts as a change.
    """

    sandbox: SandboxSettings
    most_keys: int

    def expand(self, executions: PCollection) -> PCollection:
        most = self.most_keys

        def variants(execution: Execution) -> dict[str, dict[str, Any]]:
            inputs = json.loads(execution.input or "{}")
            return perturbed_inputs(execution.id, inputs, most) if isinstance(inputs, dict) else {}

        def plan(execution: Execution) -> list[Job]:
            return [
                Job(programs.with_input(execution.code, inputs))
                for inputs in variants(execution).values()
            ]

        def finish(execution: Execution, results: list[Result]) -> Execution:
            sensitive = [
                key
                for key, result in zip(variants(execution), results, strict=True)
                if result.status == Status.OK
                and result.output is not None
                and result.output != execution.output
            ]
            return grow(Execution, execution, sensitive_keys=tuple(sorted(sensitive)))

        return executions | "Rerun" >> InSandbox(self.sandbox, plan, finish)

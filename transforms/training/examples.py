"""Training examples: what a stage asks of the model, and what it should have answered."""

from __future__ import annotations

import operator
import random
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import Field

from transforms.engine.ids import derived_seed
from transforms.engine.records import Seed
from transforms.engine.settings import Group
from transforms.models.prompts import PromptTemplate, Words
from transforms.text.equations import chains
from transforms.text.numerals import numerals

PROMPTS = {
    "codegen": "program",
    "codegen_kind": "program",
    "reverse": "reverse",
    "solve": "solve",
    "unify": "unify",
    "calculate": "calculate",
}
"""Task -> the prompt file of the stage that asks it (calculate: of none)."""

_OPERATIONS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
_LAST_ANSWER = re.compile(r"[Tt]he answer is (?P<answer>[^\n]+?)\.?\s*\Z")


class TaskSettings(Group):
    """What the model learns to do, and from which seeds."""

    mix: dict[
        Literal["codegen", "codegen_kind", "reverse", "solve", "unify", "calculate"],
        Annotated[float, Field(ge=0, allow_inf_nan=False)],
    ] = Field(
        description="task -> examples of it per seed, on average: codegen (a program from nothing),"
        " codegen_kind (from its kind's name), reverse (program -> instruction), solve (instruction"
        " -> language solution), unify (problem -> program), calculate (a solution's equations)",
        min_length=1,
    )
    api: Literal["chat", "completions"] = Field(
        description="the form of the prompts; must be that of backend.api when the model is served"
    )
    holdout_kinds: list[str] = Field(
        [], description="kinds of seeds that are not trained on; the loss on them is reported"
    )
    max_held_out: int = Field(
        64, ge=1, description="examples of those kinds that each task is evaluated on, at most"
    )


@dataclass(frozen=True)
class TrainingExample:
    """A prompt as the stage renders it without shots, and the answer that is learned."""

    seed_id: str
    kind: str | None
    task: str
    words: Words
    completion: str
    """The whole answer; a prefix that the stage forces is its beginning."""

    def as_trl(self) -> dict[str, Any]:
        """The prompt-completion form that TRL trains on: texts, or messages for a chat."""
        if self.words.prompt is not None:
            return {"prompt": self.words.prompt, "completion": self.completion}
        turns = [{"role": m.role, "content": m.content} for m in self.words.messages]
        return {"prompt": turns, "completion": [{"role": "assistant", "content": self.completion}]}


def load_prompts(folder: str, tasks: Iterable[str]) -> dict[str, PromptTemplate]:
    """Reads the prompt file of each task; SettingsError where one is missing."""
    return {task: PromptTemplate.load(f"{folder}/{PROMPTS[task]}.yaml") for task in tasks}


def example(task: str, seed: Seed, prompt: PromptTemplate, api: str) -> TrainingExample | None:
    """Returns the example of a task that a seed makes; None where it lacks what that needs."""
    if seed.code is None:
        return None
    variables: dict[str, Any]
    target: str | None
    match task:
        case "codegen" | "codegen_kind":
            kind = seed.kind if task == "codegen_kind" else None
            if task == "codegen_kind" and kind is None:
                return None
            variables, target = {"kind": kind}, seed.code
        case "unify":
            variables, target = {"seed": seed}, seed.code
        case "reverse":
            variables, target = {"program": seed}, seed.problem
        case "solve":
            variables, target = {"instruction": seed.problem}, seed.solution
        case "calculate":
            found = equations(seed.solution or "")
            variables = {"expressions": list(found)}
            target = "\n".join(f"{what} = {value}" for what, value in found.items()) or None
        case _:
            raise ValueError(task)
    if target is None:
        return None
    words = prompt.rendered(api, shots=[], **variables)
    return TrainingExample(seed.id, seed.kind, task, words, _answer(task, target.strip(), api))


def equations(solution: str) -> dict[str, str]:
    """The calculations of two numbers in a worked solution that hold exactly: {"6 × 24": "144"}."""
    found, exact = numerals(solution), {}
    for chain in chains(solution, found):
        match chain.sides:
            case (sign, ("number", left), ("number", right)), ("number", value), *_ if (
                sign in _OPERATIONS
            ):
                numbers = [found[place] for place in (left, right, value)]
                if {number.unit for number in numbers} & set("%$€£"):
                    continue
                a, b, result = (Fraction(number.text.replace(",", "")) for number in numbers)
                if (sign, b) != ("/", 0) and _OPERATIONS[sign](a, b) == result:
                    exact[solution[found[left].start : found[right].end]] = found[value].text
    return exact


def _answer(task: str, target: str, api: str) -> str:
    """The target in the form that the prompt asks for."""
    if api != "chat":
        # A text goes on after its prompt's colon with a space, a program begins a line.
        return f" {target}" if task in ("reverse", "solve") else f"{target}\n"
    if task == "solve" and r"\boxed" not in target:
        return _LAST_ANSWER.sub(lambda m: rf"The answer is \boxed{{{m['answer']}}}.", target)
    return target if task in ("reverse", "solve", "calculate") else f"```python\n{target}\n```"


def examples(
    seeds: Iterable[Seed], tasks: TaskSettings, prompts: Mapping[str, PromptTemplate], seed: int
) -> Iterator[TrainingExample]:
    """Yields the examples of `seeds`: of each task `tasks.mix[task]` a seed, on average.

    A fraction is drawn by the seed's id, so an example's presence depends on nothing else.
    """
    for one in seeds:
        for task, weight in tasks.mix.items():
            draw = random.Random(derived_seed(seed, "task", task, one.id)).random()
            count = int(weight) + (draw < weight % 1)
            made = example(task, one, prompts[task], tasks.api) if count else None
            if made is not None:
                yield from [made] * count

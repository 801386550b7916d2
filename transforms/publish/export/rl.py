"""Prompts with their right answers, for reinforcement learning with a verifiable reward.

The fields are those that these document: verl 0.8 (docs/preparation/prepare_data.rst), TRL 1.16
(GRPOTrainer: `prompt`; its reward function gets every other column), OpenRLHF 0.11
(`--data.input_key prompt --data.label_key label`, `datasource`), verifiers 0.4 (`prompt`, `answer`,
`info` as JSON).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal, Self

import pyarrow as pa
from pydantic import Field, model_validator

from transforms.images.rows import COLUMN, TYPE
from transforms.models.responses import extract_program
from transforms.publish.export import controls
from transforms.publish.export.chats import LeftOut, Message
from transforms.publish.export.forms import (
    FAILED,
    LINEAGE,
    MESSAGES,
    Example,
    Format,
    Omitted,
    lineage,
)
from transforms.publish.export.pictures import BYTES, check_marks, images, placed
from transforms.publish.export.tasks import Task
from transforms.text.answers import plain_answer

_FACTS: dict[str, pa.DataType] = {
    "instruction": pa.string(),
    "output": pa.string(),
    "solution": pa.string(),
    "grader": pa.string(),
    "code": pa.string(),
    "kind": pa.string(),
    "pass_rate": pa.float64(),
    "difficulty": pa.float64(),
    "attempts": pa.int64(),
    "control": controls.TYPES,
}
"""What is known of a prompt beside its answer; `transforms.publish.reward` reads the first five:
the question without `suffix`, the program's output as JSON, the solution where it is a program, and
of rows with a grader its name and the program that it may run."""
_GRADED = ("grader", "code")
_PLACES: dict[str, dict[str, pa.DataType]] = {
    "verl": {
        "data_source": pa.string(),
        "prompt": MESSAGES,
        COLUMN: BYTES,
        "ability": pa.string(),
        "reward_model": pa.struct([("style", pa.string()), ("ground_truth", pa.string())]),
        "extra_info": pa.struct(
            [("split", pa.string()), ("index", pa.int64()), *_FACTS.items(), *LINEAGE.items()]
        ),
    },
    "trl_grpo": {"prompt": MESSAGES, COLUMN: TYPE, "answer": pa.string(), **_FACTS, **LINEAGE},
    "openrlhf": {
        "prompt": MESSAGES,
        "label": pa.string(),
        "datasource": pa.string(),
        **_FACTS,
        **LINEAGE,
    },
    "verifiers": {"prompt": MESSAGES, "answer": pa.string(), "info": pa.string(), **LINEAGE},
}
"""Trainer -> its columns."""


class RlExport(Format):
    """Prompts and right answers."""

    type: Literal["rl"]
    trainer: Literal["verl", "trl_grpo", "openrlhf", "verifiers"] = Field(
        "trl_grpo", description="whose columns are written"
    )
    suffix: str = Field(
        "", description="text that is added to the prompt, such as how to give the answer"
    )
    at_least: float = Field(0, ge=0, le=1, description="lowest pass rate, of the run's attempts")
    at_most: float = Field(1, ge=0, le=1, description="highest pass rate")
    control: bool = Field(
        False, description="a column for control rewards: random, majority and wrong labels"
    )
    failed: list[str] = Field(
        [*FAILED, "truncated"],
        description="reasons of rejects that count as attempts which went wrong",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.at_least > self.at_most:
            raise ValueError(f"at_least={self.at_least} is above at_most={self.at_most}")
        return self

    @property
    def attempts(self) -> bool:
        return self.control

    def types(self) -> dict[str, pa.DataType]:
        return _PLACES[self.trainer]

    def examples(self, task: Task, side: str, index: int) -> Iterator[Example | Omitted]:
        for _ in task.rows[1:]:
            yield Omitted("another row with the same prompt")
        row = task.row
        if row.get("task") == "input" and "prediction" in row:
            yield Omitted("a predicted input, which only a run of the program can grade")
            return
        truth = right_answer(row)
        if truth is None:
            yield Omitted("no reference answer")
            return
        rate = pass_rate(task)
        if rate is None and (self.at_least > 0 or self.at_most < 1):
            yield Omitted("no pass rate: it is no attempt of a model's")
            return
        if rate is not None and not self.at_least <= rate <= self.at_most:
            yield Omitted(f"pass rate not in {self.at_least:g} to {self.at_most:g}")
            return
        asked = task.prompt[-1]["content"]
        try:
            prompt, seen = self._asked(task)
        except LeftOut as error:
            yield Omitted(str(error))
            return
        solution = row.get("solution") or ""
        facts = {
            "instruction": asked,
            "output": output_of(row),
            "solution": solution if extract_program(solution) == solution != "" else None,
            **{name: row.get(name) if row.get("grader") else None for name in _GRADED},
            "kind": row.get("kind"),
            "pass_rate": rate,
            "difficulty": None if rate is None else 1 - rate,
            "attempts": attempts_at(task),
        }
        if self.control:
            agreeing = round((rate or 0) * (attempts_at(task) or 0))
            facts["control"] = controls.controls(row["id"], truth, agreeing, task.others)
        place = {**facts, **lineage(row)}
        name = f"cotmill/{row.get('recipe') or 'rows'}"
        values = self._values(prompt, truth, name, place, side, index)
        if seen:
            values[COLUMN] = seen
        yield Example(values, [] if seen else [prompt])

    def _asked(self, task: Task) -> tuple[list[Message], list[dict[str, Any]]]:
        """The prompt of a task as the trainer reads it, and its pictures."""
        kept = ("role", "content", "pictures")
        prompt = [{name: m[name] for name in kept if name in m} for m in task.prompt]
        prompt[-1]["content"] += self.suffix
        seen = images(prompt, task.row)
        if seen:
            if COLUMN not in self.types():
                raise LeftOut("it shows pictures, which this form has no place for")
            prompt = placed(prompt, "marks" if self.trainer == "verl" else "parts")
        if self.trainer == "verl" and COLUMN in task.row:
            check_marks((message["content"] for message in prompt), len(seen))
        return prompt, seen

    def _values(
        self,
        prompt: list[Message],
        truth: str,
        name: str,
        place: Mapping[str, Any],
        side: str,
        index: int,
    ) -> dict[str, Any]:
        match self.trainer:
            case "verl":
                return {
                    "data_source": name,
                    "prompt": prompt,
                    "ability": place["kind"] or "reasoning",
                    "reward_model": {"style": "rule", "ground_truth": truth},
                    "extra_info": {"split": side, "index": index, **place},
                }
            case "openrlhf":
                return {"prompt": prompt, "label": truth, "datasource": name, **place}
            case "verifiers":
                info = {key: value for key, value in place.items() if value is not None}
                known = {key: place[key] for key in LINEAGE}
                return {"prompt": prompt, "answer": truth, "info": json.dumps(info), **known}
        return {"prompt": prompt, "answer": truth, **place}


def output_of(row: Mapping[str, Any]) -> str | None:
    """Returns the output of a row's program, as JSON; None where it has none.

    It is `output`; `answer` on rows that name its type; or the `prediction` that was proved.
    """
    stated = row.get("answer") if row.get("answer_type") else row.get("prediction")
    return row.get("output") or stated


def right_answer(row: Mapping[str, Any]) -> str | None:
    """Returns a row's right answer as text: a program's output that is a text loses its quotes.

    None where the row has no answer. That of a trajectory is its `reference`.
    """
    output = output_of(row)
    return plain_answer(output) if output else row.get("reference") or row.get("answer")


def attempts_at(task: Task) -> int | None:
    """Attempts that a model made at a task, as far as the run has them; None for none."""
    row = task.row
    if isinstance(row.get("attempts"), int):
        return row["attempts"]
    if not row.get("messages"):
        return None
    return len(task.rows) + sum(not attempt.agrees for attempt in task.others)


def pass_rate(task: Task) -> float | None:
    """Share of the attempts at a task that came to its answer; None where a model made none.

    It is the row's `agreement`, else rows among rows and failed attempts.
    """
    if task.row.get("agreement") is not None:
        return task.row["agreement"]
    made = attempts_at(task)
    return None if made is None else len(task.rows) / made

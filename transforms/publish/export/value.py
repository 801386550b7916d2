"""Beginnings of attempts with what their ends are worth, for models that value unfinished work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any, Literal

import pyarrow as pa
from pydantic import Field

from transforms.publish.export.chats import LeftOut, Message, Reasoning, for_templates
from transforms.publish.export.forms import (
    FAILED,
    LINEAGE,
    MESSAGES,
    Example,
    Format,
    Omitted,
    lineage,
    tools_of,
)
from transforms.publish.export.tasks import Task


class ValueExport(Format):
    """Prefixes of right and wrong attempts, each with the score of the attempt (OVM, arXiv
    2311.09724): over many attempts the mean label of a prefix is its chance of a right end."""

    type: Literal["value"]
    steps: Literal["line", "turn"] = Field(
        "line", description="where prefixes end: with each line of the assistant's, or each turn"
    )
    reasoning: Reasoning = Field(
        "reasoning_content", description="where reasoning goes, as for format=sft"
    )
    failed: list[str] = Field(
        FAILED, description="reasons of rejects that are attempts which went wrong"
    )

    def types(self) -> dict[str, pa.DataType]:
        messages = {"prompt": MESSAGES, "completion": MESSAGES, "label": pa.float64()}
        return {**messages, "tools": pa.string(), **LINEAGE}

    def examples(self, task: Task, side: str, index: int) -> Iterator[Example | Omitted]:
        for agree in (True, False):
            for answer in task.answers(agree):
                score = answer.row.get("score")
                label = (1.0 if score is None else score) if agree else 0.0
                for completion in prefixes(answer.completion, self.steps):
                    try:
                        yield self._example(task.prompt, completion, answer.row, label)
                    except LeftOut as error:
                        yield Omitted(str(error))

    def _example(
        self, asked: Sequence[Message], begun: Sequence[Message], row: dict[str, Any], label: float
    ) -> Example:
        prompt, prefix = (for_templates(messages, self.reasoning) for messages in (asked, begun))
        values = {"prompt": prompt, "completion": prefix, "label": label, "tools": tools_of(row)}
        return Example({**values, **lineage(row)}, [[*prompt, *prefix]], tools_of(row))


Steps = Literal["line", "turn"]


def prefixes(messages: Sequence[Message], steps: Steps) -> Iterator[list[Message]]:
    """Yields the beginnings of a completion that end with a turn, or a line, of the assistant's.

    >>> said = [{"role": "assistant", "content": "1 + 1 = 2\\nSo 2."}]
    >>> [prefix[-1]["content"] for prefix in prefixes(said, "line")]
    ['1 + 1 = 2\\n', '1 + 1 = 2\\nSo 2.']
    """
    for place, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        lines = message["content"].splitlines(keepends=True)
        ends = list(accumulate(map(len, lines)))
        if steps == "turn":
            ends = [turn["end"] for turn in message.get("turns", ())]
        for end in ends:
            begun = message["content"][:end]
            if begun.strip() and end < len(message["content"]):
                yield [*messages[:place], {"role": "assistant", "content": begun}]
        yield list(messages[: place + 1])

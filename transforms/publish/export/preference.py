"""Pairs of a better and a worse answer to one prompt, for TRL's DPOTrainer (1.16)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import pyarrow as pa
from pydantic import Field

from transforms.images.rows import COLUMN, TYPE
from transforms.publish.export.chats import (
    LeftOut,
    Message,
    Reasoning,
    conversation,
    for_templates,
    length,
)
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
from transforms.publish.export.pictures import images, placed
from transforms.publish.export.tasks import Answer, Task, answer_of

Pairing = Literal["agreement", "length", "judge"]


class PreferenceExport(Format):
    """Pairs of answers."""

    type: Literal["preference"]
    pairs: list[Pairing] = Field(
        ["agreement", "length", "judge"],
        min_length=1,
        description="agreement: one that agrees over one that does not; length: of those that "
        "agree a shorter over a longer; judge: as the rows of recipe=judge say",
    )
    per_task: int = Field(1, ge=1, description="pairs of a kind for each problem, at most")
    longer: float = Field(
        1.5, gt=1, description="how many times as long the longer answer of a pair is, at least"
    )
    reasoning: Reasoning = Field(
        "reasoning_content", description="where reasoning goes, as for format=sft"
    )
    failed: list[str] = Field(
        FAILED, description="reasons of rejects that are answers which do not agree"
    )

    @property
    def failures(self) -> list[str]:
        return self.failed

    def types(self) -> dict[str, pa.DataType]:
        messages = {"prompt": MESSAGES, "chosen": MESSAGES, "rejected": MESSAGES}
        return {**messages, "tools": pa.string(), "pair": pa.string(), COLUMN: TYPE, **LINEAGE}

    def examples(self, task: Task, side: str, index: int) -> Iterator[Example | Omitted]:
        made = 0
        for pair, row, chosen, rejected in self._pairs(task):
            try:
                prompt = for_templates(task.prompt, self.reasoning, pictures=True)
                better, worse = (for_templates(m, self.reasoning) for m in (chosen, rejected))
                if seen := images(task.prompt, row):
                    prompt, better, worse = (placed(m, "parts") for m in (prompt, better, worse))
            except LeftOut as error:
                yield Omitted(str(error))
                continue
            tools = tools_of(row)
            values = {"prompt": prompt, "chosen": better, "rejected": worse, "tools": tools}
            values |= {"pair": pair, **lineage(row), **({COLUMN: seen} if seen else {})}
            chats = [] if seen else [[*prompt, *better], [*prompt, *worse]]
            yield Example(values, chats, tools)
            made += 1
        if not made:
            yield Omitted("no pair of answers")

    def _pairs(
        self, task: Task
    ) -> Iterator[tuple[Pairing, dict[str, Any], Sequence[Message], Sequence[Message]]]:
        judged = [row for row in task.rows if row.get("rejected")]
        if "judge" in self.pairs:
            for row in judged[: self.per_task]:
                worse = conversation({"prompt": row["prompt"], "chosen": row["rejected"]})
                assert worse is not None
                yield "judge", row, answer_of(row), worse.completion
        good = [] if judged else task.answers(agree=True)
        said = [one.completion for one in good]
        bad = [
            one
            for one in task.answers(agree=False)
            if one.completion[-1]["role"] == "assistant" and one.completion not in said
        ]
        if "agreement" in self.pairs and good:
            for number, wrong in enumerate(bad[: self.per_task]):
                right = good[number % len(good)]
                yield "agreement", right.row, right.completion, wrong.completion
        if "length" in self.pairs:
            for shorter, longer in by_length(good, self.longer)[: self.per_task]:
                yield "length", shorter.row, shorter.completion, longer.completion


def by_length(answers: Sequence[Answer], times: float) -> list[tuple[Answer, Answer]]:
    """Pairs the shortest answer with the longest, and so on, while the one is `times` as long."""
    ordered = sorted(answers, key=lambda answer: length(answer.completion))
    pairs = [(ordered[n], ordered[-1 - n]) for n in range(len(ordered) // 2)]
    return [
        (shorter, longer)
        for shorter, longer in pairs
        if length(longer.completion) >= times * length(shorter.completion)
    ]

"""Pairs of a better and a worse answer to one prompt: TRL's DPOTrainer (1.16), LLaMA-Factory."""

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
from transforms.publish.export.pictures import Places, check_marks, images, placed, spread
from transforms.publish.export.sharegpt import TURN, sharegpt, tools_in
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
    shape: Literal["messages", "sharegpt"] = Field(
        "messages",
        description="messages: prompt, chosen and rejected, for TRL; sharegpt: conversations, and "
        "a turn in each of chosen and rejected, for LLaMA-Factory",
    )
    reasoning: Reasoning = Field(
        "reasoning_content", description="where reasoning goes, as for format=sft"
    )
    failed: list[str] = Field(
        FAILED, description="reasons of rejects that are answers which do not agree"
    )

    def types(self) -> dict[str, pa.DataType]:
        pair: dict[str, dict[str, pa.DataType]] = {
            "messages": {"prompt": MESSAGES, "chosen": MESSAGES, "rejected": MESSAGES},
            "sharegpt": {"conversations": pa.list_(TURN), "chosen": TURN, "rejected": TURN},
        }
        beside = {"tools": pa.string(), "pair": pa.string(), COLUMN: TYPE}
        return {**pair[self.shape], **beside, **LINEAGE}

    def examples(self, task: Task, side: str, index: int) -> Iterator[Example | Omitted]:
        made = 0
        for pair, row, chosen, rejected in self._pairs(task):
            try:
                example = self._example(task.prompt, row, chosen, rejected)
            except LeftOut as error:
                yield Omitted(str(error))
                continue
            example.values["pair"] = pair
            yield example
            made += 1
        if not made:
            yield Omitted("no pair of answers")

    def _example(
        self,
        asked: Sequence[Message],
        row: dict[str, Any],
        chosen: Sequence[Message],
        rejected: Sequence[Message],
    ) -> Example:
        in_field = self.shape == "sharegpt" and self.reasoning != "drop"
        reasoning = "reasoning_content" if in_field else self.reasoning
        prompt = for_templates(spread(asked), reasoning, pictures=True)
        better, worse = (for_templates(each, reasoning) for each in (chosen, rejected))
        tools, seen = tools_of(row), images(asked, row)
        if seen:
            places: Places = "marks" if self.shape == "sharegpt" else "parts"
            prompt, better, worse = (placed(each, places) for each in (prompt, better, worse))
        values = {**lineage(row), **({COLUMN: seen} if seen else {})}
        if self.shape == "messages":
            values |= {"prompt": prompt, "chosen": better, "rejected": worse, "tools": tools}
        else:
            turns, one, other = (
                sharegpt(each, [False] * len(each))[0] for each in (prompt, better, worse)
            )
            if len(one) > 1 or len(other) > 1:
                raise LeftOut("an answer of several turns (format.shape=messages carries that)")
            if COLUMN in row:
                check_marks((turn["value"] for turn in (*turns, *one, *other)), len(seen))
            values |= {"conversations": turns, "chosen": one[0], "rejected": other[0]}
            values["tools"] = tools_in(tools)
        chats = [] if seen else [[*prompt, *better], [*prompt, *worse]]
        return Example(values, chats, tools)

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

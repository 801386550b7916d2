"""Examples for supervised fine-tuning: TRL's SFTTrainer (1.16), or ShareGPT (LLaMA-Factory)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

import pyarrow as pa
from pydantic import BeforeValidator, Field

from transforms.publish.export.chats import (
    LeftOut,
    Message,
    Reasoning,
    for_templates,
    inlined,
)
from transforms.publish.export.forms import (
    LINEAGE,
    MESSAGES,
    Example,
    Format,
    Omitted,
    lineage,
    tools_of,
)
from transforms.publish.export.masks import loss_mask
from transforms.publish.export.tasks import Answer, Task

_TURN = pa.struct([("from", pa.string()), ("value", pa.string())])
_FROM = {"system": "system", "user": "human", "assistant": "gpt", "tool": "observation"}


class SftExport(Format):
    """Conversations to learn from."""

    type: Literal["sft"]
    shape: Literal["messages", "prompt_completion", "sharegpt"] = Field(
        "messages", description="columns of the conversation"
    )
    reasoning: Reasoning = Field(
        "reasoning_content",
        description="the field that the chat template reads reasoning from; inline: within "
        "<think> before the content, as always in ShareGPT; drop: nowhere",
    )
    solutions: Annotated[str, BeforeValidator(str)] = Field(
        "best",
        pattern=r"^(best|all|[1-9][0-9]*)$",
        description="solutions of a problem: best (the published one, or the shortest of several "
        "rows), all that agree, or at most so many",
    )
    mask_errors: bool = Field(
        False, description="turns whose tool call came back as an error are not learned"
    )

    @property
    def attempts(self) -> bool:
        return self.solutions != "best"

    def types(self) -> dict[str, pa.DataType]:
        conversation: dict[str, dict[str, pa.DataType]] = {
            "messages": {"messages": MESSAGES},
            "prompt_completion": {"prompt": MESSAGES, "completion": MESSAGES},
            "sharegpt": {"conversations": pa.list_(_TURN)},
        }
        mask = {"loss_mask": pa.list_(pa.bool_())}
        return {**conversation[self.shape], "tools": pa.string(), **mask, **LINEAGE}

    def examples(self, task: Task, side: str, index: int) -> Iterator[Example | Omitted]:
        answers = task.answers(agree=True)
        if not answers:
            yield Omitted("no solution")
            return
        most = {"best": 1, "all": len(answers)}.get(self.solutions) or int(self.solutions)
        for number, answer in enumerate(answers):
            if number >= most:
                yield Omitted(f"another solution of a problem (format.solutions={self.solutions})")
                continue
            try:
                yield self._example(task.prompt, answer)
            except LeftOut as error:
                yield Omitted(str(error))

    def _example(self, asked: Sequence[Message], answer: Answer) -> Example:
        in_field = self.shape == "sharegpt" and self.reasoning != "drop"
        reasoning: Reasoning = "reasoning_content" if in_field else self.reasoning
        prompt = for_templates(asked, reasoning)
        completion = for_templates(answer.completion, reasoning)
        chat, tools = [*prompt, *completion], tools_of(answer.row)
        mask = loss_mask(chat, errors=not self.mask_errors)
        values: dict[str, Any] = {"tools": tools, "loss_mask": mask, **lineage(answer.row)}
        match self.shape:
            case "messages":
                values["messages"] = chat
            case "prompt_completion":
                values |= {"prompt": prompt, "completion": completion}
            case "sharegpt":
                values["conversations"], values["loss_mask"] = sharegpt(chat, mask)
                values["tools"] = tools and json.dumps([t["function"] for t in json.loads(tools)])
        return Example(values, [chat], tools)


def sharegpt(
    messages: Sequence[Message], mask: Sequence[bool]
) -> tuple[list[dict[str, str]], list[bool]]:
    """Returns the turns of a conversation as ShareGPT has them, and their loss mask.

    A turn that calls tools is a `function_call`, JSON of its calls; what the tools said to one turn
    is one `observation`: LLaMA-Factory wants turns to alternate.

    Raises:
        LeftOut: a turn says something beside calling a tool, for which there is no place.
    """
    turns: list[dict[str, str]] = []
    learned: list[bool] = []
    for message, each in zip(messages, mask, strict=True):
        who, value = _FROM[message["role"]], message["content"]
        if calls := [call["function"] for call in message.get("tool_calls", ())]:
            if value.strip():
                raise LeftOut("ShareGPT has no place for text beside a tool call")
            who, value = "function_call", json.dumps(calls[0] if len(calls) == 1 else calls)
        if thought := message.get("reasoning_content"):
            value = inlined(thought, value)
        if who == "observation" and turns and turns[-1]["from"] == who:
            turns[-1]["value"] += f"\n{value}"
            continue
        turns.append({"from": who, "value": value})
        learned.append(each)
    return turns, learned

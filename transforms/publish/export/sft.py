"""Examples for supervised fine-tuning: TRL's SFTTrainer (1.16), or ShareGPT (LLaMA-Factory)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Annotated, Any, Literal

import pyarrow as pa
from pydantic import BeforeValidator, Field

from transforms.engine.errors import SettingsError
from transforms.images.rows import COLUMN, TYPE
from transforms.publish.export.chats import LeftOut, Message, Reasoning, for_templates
from transforms.publish.export.forms import (
    LINEAGE,
    MESSAGES,
    Example,
    Format,
    Omitted,
    lineage,
    tools_of,
)
from transforms.publish.export.masks import (
    Learned,
    learned_of,
    loss_mask,
    tokens_of,
    turns_learned,
    use_training_template,
    without,
)
from transforms.publish.export.pictures import check_marks, images, placed, spread
from transforms.publish.export.sharegpt import TURN, sharegpt, tools_in
from transforms.publish.export.tasks import Task
from transforms.training.trainer import load_tokenizer, require_trl


class SftExport(Format):
    """Conversations to learn from."""

    type: Literal["sft"]
    shape: Literal["messages", "prompt_completion", "sharegpt", "tokens"] = Field(
        "messages",
        description="columns of the conversation; tokens: input_ids and labels, which carry masks "
        "of parts of messages",
    )
    tokenizer: str = Field(
        "embedded",
        description="for shape=tokens: the model that learns, whose tokenizer and chat template "
        "are used: embedded, a name or a folder",
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
        "rows), all that agree, or a number: at most that many",
    )
    mask_errors: bool = Field(
        False, description="turns whose tool call came back as an error are not learned"
    )

    once: bool = Field(
        False,
        description="a turn that several trajectories of a problem share is learned in one of them",
    )

    @property
    def attempts(self) -> bool:
        return self.solutions != "best"

    def types(self) -> dict[str, pa.DataType]:
        conversation: dict[str, dict[str, pa.DataType]] = {
            "messages": {"messages": MESSAGES},
            "prompt_completion": {"prompt": MESSAGES, "completion": MESSAGES},
            "sharegpt": {"conversations": pa.list_(TURN)},
            "tokens": {
                "input_ids": pa.list_(pa.int64()),
                "labels": pa.list_(pa.int64()),
                "advantages": pa.list_(pa.float64()),
            },
        }
        beside = {"tools": pa.string(), "loss_mask": pa.list_(pa.bool_()), COLUMN: TYPE}
        return {**conversation[self.shape], **beside, **LINEAGE}

    def examples(self, task: Task, side: str, index: int) -> Iterator[Example | Omitted]:
        answers = task.answers(agree=True)
        if not answers:
            yield Omitted("no solution")
            return
        most = {"best": 1, "all": len(answers)}.get(self.solutions) or int(self.solutions)
        seen: set[str] = set()
        for number, answer in enumerate(answers):
            if number >= most:
                yield Omitted(f"another solution of a problem (format.solutions={self.solutions})")
                continue
            completion = without(answer.completion, seen) if self.once else answer.completion
            chat = spread([*task.prompt, *completion])
            what = learned_of(chat, errors=not self.mask_errors)
            try:
                if not any(what):
                    raise LeftOut("no part of it is learned")
                yield self._example(chat, what, len(task.prompt), answer.row)
            except LeftOut as error:
                yield Omitted(str(error))
                continue
            seen |= turns_learned(completion)

    def _example(
        self, talk: Sequence[Message], what: Sequence[Learned], asked: int, row: dict[str, Any]
    ) -> Example:
        in_field = self.shape == "sharegpt" and self.reasoning != "drop"
        reasoning = "reasoning_content" if in_field else self.reasoning
        chat = for_templates(talk, reasoning, pictures=self.shape != "tokens")
        tools = tools_of(row)
        values: dict[str, Any] = lineage(row)
        if seen := images(talk, row):
            chat = placed(chat, "marks" if self.shape == "sharegpt" else "parts")
            values[COLUMN] = seen
        if self.shape == "tokens":
            values |= self._tokens(chat, what, tools, row["id"])
            return Example(values, [chat], tools)
        mask = loss_mask(what)
        shown = asked if self.shape == "prompt_completion" else 0
        is_own = [message["role"] == "assistant" for message in chat]
        if self.shape != "messages" and mask[shown:] != is_own[shown:]:
            raise LeftOut("a turn is not learned (format.shape=messages or tokens carries that)")
        values |= {"tools": tools, "loss_mask": mask}
        match self.shape:
            case "messages":
                values["messages"] = chat
            case "prompt_completion":
                values |= {"prompt": chat[:asked], "completion": chat[asked:]}
            case "sharegpt":
                values["conversations"], values["loss_mask"] = sharegpt(chat, mask)
                values["tools"] = tools_in(tools)
                if COLUMN in row:
                    check_marks((turn["value"] for turn in values["conversations"]), len(seen))
        return Example(values, [] if seen else [chat], tools)

    def _tokens(
        self, chat: Sequence[Message], what: Sequence[Learned], tools: str | None, row_id: str
    ) -> dict[str, Any]:
        try:
            made = tokens_of(chat, what, tools, training_tokenizer(self.tokenizer), row_id)
        except LeftOut:
            raise
        except ValueError as error:
            raise SettingsError(f"format.tokenizer={self.tokenizer}: {error}") from None
        advantages = made.advantages if any(made.advantages) else None
        return {"input_ids": made.input_ids, "labels": made.labels, "advantages": advantages}


@cache
def training_tokenizer(model: str) -> Any:
    """Loads the tokenizer of a model that learns, with TRL's training template where it has one.

    Raises:
        BackendError: it cannot be loaded, or transformers and TRL are not installed.
    """
    require_trl()
    tokenizer = load_tokenizer(model)
    use_training_template(tokenizer)
    return tokenizer

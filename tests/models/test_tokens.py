"""A chat template is given turns, tools and arguments as it takes them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import PreTrainedTokenizerFast

from tests.models.examples import chat
from transforms.engine.records import Message, ToolCall
from transforms.models.requests import tool_json
from transforms.models.tokens import prompt_ids

_TEMPLATE = (
    "{% for m in messages %}{{ m.role }} {% for call in m.tool_calls or [] %}"
    "{{ call.function.name }} {{ call.function.arguments.code }} {% endfor %}"
    "{{ m.reasoning_content }} {{ m.content }} {% endfor %}"
    "{% for tool in tools or [] %}tool {{ tool.function.name }} {% endfor %}"
    "{% if enable_thinking is false %}hushed {% endif %}"
)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    words = ["user", "assistant", "tool", "python", "1+1", "Hm.", "2", "What?", "hushed", "[UNK]"]
    words_only = Tokenizer(WordLevel({w: n for n, w in enumerate(words)}, unk_token="[UNK]"))
    words_only.pre_tokenizer = WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=words_only, chat_template=_TEMPLATE)


def _prompt(tokenizer: Any, messages: tuple[Message, ...], **changes: Any) -> str:
    asked = replace(chat(), messages=messages, **changes)
    return str(tokenizer.decode(prompt_ids(tokenizer, asked)))


def test_calls_come_as_objects_with_the_thought_that_led_to_them(tokenizer: Any) -> None:
    call = ToolCall("c", "python", '{"code": "1+1"}')
    talk = (
        Message("user", "What?"),
        Message("assistant", "", "Hm.", (call,)),
        Message("tool", "2", tool_call_id="c"),
    )
    assert _prompt(tokenizer, talk) == "user What? assistant python 1+1 Hm. tool 2"


def test_tools_and_arguments_reach_the_template(tokenizer: Any) -> None:
    tools = (tool_json("python", "Runs code.", {"type": "object"}),)
    template = '{"enable_thinking":false}'
    prompt = _prompt(tokenizer, (Message("user", "What?"),), tools=tools, template=template)
    assert prompt == "user What? tool python hushed"

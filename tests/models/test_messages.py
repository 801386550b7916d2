"""Messages, tools and reasoning: what is sent, what is hashed, what the ledger gives back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.models.examples import chat, request, response
from tests.models.ledger.test_ledger import write
from transforms.engine.ids import content_id
from transforms.engine.records import Message, ToolCall
from transforms.models.backends.base import read_thought
from transforms.models.ledger.compaction import compact
from transforms.models.ledger.index import LedgerIndex
from transforms.models.ledger.ledger import LedgerSettings, LedgerWriter
from transforms.models.requests import (
    Response,
    message_json,
    request_from_json,
    request_json,
    tool_json,
)

_PYTHON = tool_json("python", "Runs code.", {"type": "object", "properties": {}})
_CALL = ToolCall("call_0", "python", '{"code": "1 + 1"}')
_TALK = (
    Message("user", "What is 1 + 1?"),
    Message("assistant", "", "Let me run it.", (_CALL,)),
    Message("tool", "2", tool_call_id="call_0", name="python"),
)
_LATER: dict[str, Any] = {
    "tools": (_PYTHON,),
    "template": '{"enable_thinking":false}',
    "body": '{"reasoning_effort":"high"}',
}


@pytest.mark.parametrize("name", _LATER)
def test_tools_template_and_body_are_part_of_the_id(name: str) -> None:
    assert chat(**{name: _LATER[name]}).id != chat().id


@pytest.mark.parametrize(
    "changes",
    [
        {"reasoning": "Hm."},
        {"tool_calls": (_CALL,)},
        {"tool_call_id": "call_0"},
        {"name": "python"},
    ],
)
def test_every_field_of_a_message_is_part_of_the_id(changes: dict[str, Any]) -> None:
    plain = Message("assistant", "2")
    talk = request(None, messages=(plain,))  # type: ignore[arg-type]
    assert replace(talk, messages=(replace(plain, **changes),)).id != talk.id


def test_how_thoughts_are_read_is_not_part_of_the_id() -> None:
    assert chat(think_tags=("[[", "]]")).id == chat().id


def test_a_request_comes_back_from_its_json() -> None:
    asked = replace(chat(**_LATER), messages=_TALK)
    values = json.loads(json.dumps(request_json(asked)))
    assert request_from_json("solve", "embedded", "", values) == asked


def test_a_thought_is_sent_back_with_the_calls_that_it_led_to_alone() -> None:
    user, assistant, tool = map(message_json, _TALK)
    assert user == {"role": "user", "content": "What is 1 + 1?"}
    assert assistant["reasoning_content"] == "Let me run it."
    assert assistant["tool_calls"][0]["function"] == {
        "name": "python",
        "arguments": '{"code": "1 + 1"}',
    }
    assert tool == {"role": "tool", "content": "2", "tool_call_id": "call_0", "name": "python"}
    assert message_json(Message("assistant", "2", "Hm.")) == {"role": "assistant", "content": "2"}


def test_a_response_is_the_assistants_turn() -> None:
    answer = response(chat(), "", reasoning="Let me run it.", tool_calls=(_CALL,))
    assert answer.message == _TALK[1]
    assert response(chat(), "2").message == Message("assistant", "2")


def test_the_thoughts_of_a_server_and_of_the_text_are_one() -> None:
    asked = chat(think_tags=("[[", "]]"))
    answer = response(asked, "[[Or 3?]] It is 2.", reasoning="Is it 1?")
    read = read_thought(asked, answer)
    assert (read.text, read.reasoning) == ("It is 2.", "Is it 1?\n\nOr 3?")
    assert read_thought(asked, read) == read


def test_what_a_reasoning_model_wrote_when_it_was_cut_off_is_thought() -> None:
    asked = chat(reasons=True)
    cut_off = response(asked, "Let me see: 1 +", finish_reason="length")
    read = read_thought(asked, cut_off)
    assert (read.text, read.reasoning) == ("", "Let me see: 1 +")
    assert read_thought(asked, read) == read
    assert read_thought(chat(), cut_off) == cut_off


@pytest.mark.parametrize(
    "changes", [{"finish_reason": "stop"}, {"finish_reason": "length", "reasoning": "1 and 1."}]
)
def test_an_answer_after_a_thought_or_without_one_stays_an_answer(changes: dict[str, Any]) -> None:
    asked = chat(reasons=True)
    answer = response(asked, "It is", **changes)
    assert read_thought(asked, answer) == answer


def _index(folder: Path) -> LedgerIndex:
    index = LedgerIndex(str(folder))
    index.refresh()
    return index


def test_the_ledger_gives_reasoning_and_calls_back(tmp_path: Path) -> None:
    asked = chat(tools=(_PYTHON,))
    answer = response(asked, "", reasoning="é: let me run it.", tool_calls=(_CALL,))
    write(tmp_path, (asked, answer))
    assert _index(tmp_path).read([asked])[asked.id] == replace(answer, recorded=True)


KEY = content_id("cells", "call_0")


def _observed(folder: Path, *texts: str) -> None:
    writer = LedgerWriter(str(folder), LedgerSettings(), api="chat", continue_prefix=False)
    for text in texts:
        writer.add_observation(KEY, text)
    writer.flush()


def test_what_a_tool_gave_is_found_by_its_key(tmp_path: Path) -> None:
    _observed(tmp_path, '{"output": "2\\ud83d"}')
    assert _index(tmp_path).observation(KEY) == '{"output": "2\\ud83d"}'
    assert _index(tmp_path).observation(content_id("cells", "other")) is None


def test_of_several_observations_of_a_key_every_run_finds_the_same(tmp_path: Path) -> None:
    _observed(tmp_path, "1", "3")
    _observed(tmp_path, "2")
    before = _index(tmp_path).observation(KEY)
    compact(str(tmp_path), 1_000_000)
    assert before == _index(tmp_path).observation(KEY) == "1"


def test_answers_and_observations_share_a_part(tmp_path: Path) -> None:
    asked = chat()
    writer = LedgerWriter(str(tmp_path), LedgerSettings(), api="chat", continue_prefix=False)
    writer.add(asked, response(asked))
    writer.add_observation(KEY, "2")
    writer.flush()
    index = _index(tmp_path)
    read: Response = index.read([asked])[asked.id]
    assert (read.text, index.observation(KEY)) == (" 2", "2")
    assert len(list(tmp_path.glob("part-*"))) == 1

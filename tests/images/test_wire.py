"""Messages with pictures: what is hashed, what is sent, and what comes back."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chat_server import server_by_path
from tests.images.drawn import drawn
from tests.models.examples import chat
from tests.models.first_edition import ASKED
from transforms.engine.errors import BackendError, SettingsError
from transforms.engine.records import Message, Picture, PictureMessage, Shown, ToolCall
from transforms.images.blobs import Blobs
from transforms.images.wire import picture_tokens, unwired, wired
from transforms.models.asking import Asking
from transforms.models.backends.settings import OpenAIBackend, VllmBackend
from transforms.models.driver import drive
from transforms.models.ledger.ledger import LedgerSettings
from transforms.models.ledger.parts import ledger_parts
from transforms.models.prompts import PromptTemplate, mark, message_of, with_system_role
from transforms.models.requests import Request, request_from_json, request_json
from transforms.models.settings import SamplerSettings

_RED, _BLUE = (Picture(letter * 64, "image/png", 64, 48, 100) for letter in "ab")


def _shown(picture: Picture, **fields: Any) -> Shown:
    return Shown(**{**asdict(picture), **fields})


def _asks(*pictures: Shown, content: str = "What is it?") -> Request:
    return replace(chat(), messages=(PictureMessage("user", content, pictures=pictures),))


_TEXTS = st.text("aé \n<>", max_size=6)
_DETAILS = st.sampled_from(["auto", "low", "high"])


@st.composite
def _messages(draw: st.DrawFn) -> PictureMessage:
    role, content = draw(st.sampled_from(["user", "tool", "assistant"])), draw(_TEXTS)
    at = st.just(len(content)) if role == "tool" else st.integers(0, len(content))
    seen = draw(st.lists(st.tuples(st.sampled_from([_RED, _BLUE]), at, _DETAILS), max_size=3))
    shown = sorted((_shown(p, at=at, detail=how) for p, at, how in seen), key=lambda each: each.at)
    call = "call_0" if role == "tool" else None
    calls = (ToolCall("call_0", "crop", "{}"),) if role == "assistant" else None
    return PictureMessage(role, content, None, calls, call, pictures=tuple(shown))


@given(st.lists(_messages(), max_size=6))
def test_messages_come_back_from_the_wire_as_they_were(messages: list[PictureMessage]) -> None:
    by_hash = {picture.sha256: picture for picture in (_RED, _BLUE)}
    turns = json.loads(json.dumps(wired(messages, lambda each: each.sha256)))
    assert unwired(turns, by_hash.__getitem__) == messages


def test_a_tools_picture_follows_all_results_of_its_turn_as_a_turn_of_the_users() -> None:
    calls = (ToolCall("a", "crop", "{}"), ToolCall("b", "crop", "{}"))
    talk = [
        Message("assistant", "", tool_calls=calls),
        Message("tool", "none", tool_call_id="a"),
        PictureMessage("tool", "cut", tool_call_id="b", pictures=(_shown(_RED, at=3),)),
    ]
    turns = wired(talk, lambda each: "data:")
    assert [turn["role"] for turn in turns] == ["assistant", "tool", "tool", "user"]
    assert [turn["content"] for turn in turns[1:3]] == ["none", "cut"]
    assert turns[3]["content"] == [
        {"type": "text", "text": "Pictures of tool result 2:"},
        {"type": "image_url", "image_url": {"url": "data:"}},
    ]


@pytest.mark.parametrize(
    "changes", [{"sha256": "c" * 64}, {"mime": "image/jpeg"}, {"detail": "low"}, {"at": 4}]
)
def test_bytes_format_detail_and_place_of_a_picture_are_part_of_the_id(
    changes: dict[str, Any],
) -> None:
    seen = _shown(_RED)
    assert _asks(seen).id != _asks(replace(seen, **changes)).id


def test_where_the_bytes_are_is_no_part_of_the_id() -> None:
    assert replace(_asks(_shown(_RED)), blobs="/a").id == _asks(_shown(_RED)).id


def test_a_message_without_pictures_has_the_id_that_it_always_had() -> None:
    assert _asks().id == chat("What is it?").id
    assert all(asked.id for asked in ASKED.values())


def test_a_request_with_pictures_is_read_from_its_json() -> None:
    asked = _asks(_shown(_RED, detail="high"), _shown(_BLUE, at=4))
    values = json.loads(json.dumps(request_json(asked)))
    assert request_from_json(asked.stage, asked.model, asked.model_id, values).id == asked.id


@pytest.mark.parametrize(
    ("role", "places"), [("user", (3, 1)), ("user", (99,)), ("user", (-1,)), ("tool", (0,))]
)
def test_a_picture_out_of_place_is_refused(role: str, places: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="pictures"):
        PictureMessage(role, "What?", pictures=tuple(_shown(_RED, at=at) for at in places))


def test_a_picture_is_estimated_as_a_token_for_each_28_pixels_square() -> None:
    sizes = [(640, 480), (900, 360), (2400, 1800), (1, 1)]
    pictures = [Picture("", "image/png", width, height, 0) for width, height in sizes]
    assert list(map(picture_tokens, pictures)) == [391, 416, 5504, 1]


def _prompt(folder: Path, user: str) -> PromptTemplate:
    path = folder / "look.yaml"
    forms = {"chat": {"system": "Look.", "user": user}, "completion": {"text": user}}
    path.write_text(json.dumps({"license": "Apache-2.0", **forms}))
    return PromptTemplate.load(str(path))


def test_a_prompt_shows_a_picture_where_its_variable_stands(tmp_path: Path) -> None:
    prompt = _prompt(tmp_path, "Before: {{ before }}, after: {{ after }}\n{{ question }}")
    words = prompt.rendered("chat", before=_RED, after=_BLUE, question="<image> What?")
    message = words.messages[1]
    assert message.content == "Before: , after: \n<image> What?"
    assert message.shown == (_shown(_RED, at=8), _shown(_BLUE, at=17))


def test_a_text_that_looks_like_a_mark_shows_no_picture_that_was_not_given() -> None:
    text = mark(_BLUE)
    assert message_of("user", f"{text}{mark(_RED)}", [_RED]).shown == (_shown(_RED, at=len(text)),)


def test_a_system_message_before_the_users_moves_its_pictures() -> None:
    asked = PictureMessage("user", "What?", pictures=(_shown(_RED, at=2),))
    (first,) = with_system_role((Message("system", "Look."), asked), "user")
    assert (first.content, first.shown[0].at) == ("Look.\n\nWhat?", 9)


@pytest.mark.parametrize(
    ("backend", "fix"),
    [
        (
            {"engine": "openai", "model": "m", "base_url": "http://x/v1", "api": "completions"},
            "chat",
        ),
        ({"engine": "vllm", "model": "m", "api": "completions"}, "chat"),
    ],
)
def test_a_backend_for_text_alone_refuses_a_picture_in_one_line(
    backend: dict[str, Any], fix: str, tmp_path: Path
) -> None:
    cls = OpenAIBackend if backend["engine"] == "openai" else VllmBackend
    with pytest.raises(SettingsError, match=rf"pictures.*{fix}"):
        _prompt(tmp_path, "{{ seen }}").requests(
            stage="look",
            backend=cls.model_validate(backend),
            sampler=SamplerSettings(samples=1, max_tokens=8, temperature=0.0),
            run_seed=0,
            seen=_RED,
        )


def _asked(folder: Path, request: Request, bodies: list[Any], **backend: Any) -> Any:
    """The response to a request; what a server on the loopback is sent is added to `bodies`."""

    def answer(path: str, body: dict[str, Any]) -> dict[str, Any]:
        bodies.append(body)
        return {"content": "A line."}

    def look(each: Request) -> Any:
        return (yield each)

    with server_by_path(answer) as url:
        values = {"engine": "openai", "model": "m", "base_url": f"{url}/v1", "api": "chat"}
        settings = OpenAIBackend.model_validate({**values, **backend})
        ledger = LedgerSettings(flush_requests=1, flush_seconds=600)
        (response,) = drive([request], look, Asking(settings, str(folder / "ledger"), ledger))
    return response


def _with_blob(folder: Path, times: int = 1) -> Request:
    picture = Blobs(str(folder / "blobs")).put(drawn(1))
    asked = _asks(*[_shown(picture, at=8)] * times, content="What is here?")
    return replace(asked, blobs=str(folder / "blobs"))


def test_a_server_is_sent_the_bytes_and_the_ledger_their_hash(tmp_path: Path) -> None:
    asked = _with_blob(tmp_path)
    bodies: list[dict[str, Any]] = []
    response = _asked(tmp_path, asked, bodies)
    (body,) = bodies
    url = f"data:image/png;base64,{base64.b64encode(drawn(1)).decode()}"
    assert body["messages"][0]["content"] == [
        {"type": "text", "text": "What is "},
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "text", "text": "here?"},
    ]
    assert response.text == "A line."
    (part,) = ledger_parts(str(tmp_path / "ledger"))
    (recorded,) = pq.read_table(part).column("request").to_pylist()
    assert asked.shown[0].sha256 in recorded
    assert "base64" not in recorded


def test_what_was_asked_of_a_picture_is_not_asked_again(tmp_path: Path) -> None:
    bodies: list[dict[str, Any]] = []
    for _ in range(2):
        _asked(tmp_path, _with_blob(tmp_path), bodies)
    assert len(bodies) == 1


@pytest.mark.parametrize(
    ("limit", "what"),
    [({"picture_tokens": 5}, "8 tokens.*picture_tokens"), ({"picture_mb": 0.0001}, "MB")],
)
def test_a_request_with_too_many_pictures_is_not_sent(
    limit: dict[str, Any], what: str, tmp_path: Path
) -> None:
    bodies: list[dict[str, Any]] = []
    with pytest.raises(BackendError, match=what):
        _asked(tmp_path, _with_blob(tmp_path, 2), bodies, **limit)
    assert bodies == []


def test_a_picture_whose_bytes_are_gone_ends_the_run_in_one_line(tmp_path: Path) -> None:
    asked = replace(_with_blob(tmp_path), blobs=str(tmp_path / "other"))
    with pytest.raises(BackendError, match=r"the blob .* cannot be read"):
        _asked(tmp_path, asked, [])

"""Whatever an endpoint does, a request is answered, fails alone, or ends the run with one line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.models import odd_server as module
from tests.models.examples import request
from tests.models.odd_server import (
    BEHAVIOURS,
    GOOD,
    Behaviour,
    complains,
    envelope,
    first,
    odd_server,
    refuses,
    send,
)
from transforms.engine.errors import BackendError
from transforms.engine.paths import PROJECT
from transforms.engine.records import Message, ToolCall
from transforms.models.backends import circuit, openai_engine, pace, places
from transforms.models.backends.settings import OpenAIBackend
from transforms.models.engines import close_engines, open_engine
from transforms.models.prompts import Words, requests_of
from transforms.models.requests import Request, Response, tool_json
from transforms.models.settings import SamplerSettings

Server = tuple[str, list[dict[str, Any]]]
_REFUSED = complains(400, "Unsupported parameter", param="reasoning_effort")
_OTHERS = {
    "header": Behaviour(
        "", "", "", lambda asked: send(envelope(content=f"X-Token: {asked.headers['x-token']}"))
    ),
    "path": Behaviour("", "", "", lambda asked: send(envelope(content=asked.path))),
    "404_once": Behaviour("", "", "", first(complains(404, "no worker"))),
    "no_effort": Behaviour("", "", "", refuses("reasoning_effort", _REFUSED)),
}
"""What servers do in tests of their own, beside the table."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch, odd_server() as running:
        patch.setattr(module, "BEHAVIOURS", {**BEHAVIOURS, **_OTHERS})
        yield running
    close_engines()


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_engine, "backoff", lambda tries: 0.01)
    monkeypatch.setattr(circuit, "_FIRST_WAIT", 0.01)
    monkeypatch.setattr(circuit, "_LONGEST_WAIT", 0.05)
    monkeypatch.setattr(pace, "_FIRST_GATE", 0.02)
    monkeypatch.setattr(pace, "_LONGEST_GATE", 0.1)
    monkeypatch.setattr(pace, "_LOWEST_RATE", 10.0)


def _backend(server: Server, model: str, **changes: Any) -> OpenAIBackend:
    settings = {"engine": "openai", "model": model, "base_url": server[0], "max_retries": 2}
    settings |= {"api": "chat", "timeout_seconds": 120}
    if model == "hang_once":
        settings |= {"timeout_seconds": 1, "max_retries": 9}
    return OpenAIBackend.model_validate({**settings, **changes})


def _request(model: str, text: str = "What is 1 + 1?", **changes: Any) -> Request:
    fields: dict[str, Any] = {"temperature": 0.7, "max_tokens": 640, "stop": ("\n\n",)}
    fields["messages"] = (Message("system", "Answer in short."), Message("user", text))
    if model == "schema":
        fields["json_schema"] = "{}"
    return request(None, model=model, **{**fields, **changes})  # type: ignore[arg-type]


def _ask(backend: OpenAIBackend, *requests: Request) -> list[Response]:
    engine = open_engine(backend)
    for asked in requests:
        engine.submit(asked)
    answers: list[Response] = []
    while engine.in_flight:
        answers += engine.finished(wait=True)
    return answers


def _names(beginning: str) -> list[str]:
    return [name for name, each in BEHAVIOURS.items() if each.makes.startswith(beginning)]


_ENDING = _names("ends: ")
_KINDS = ("refused", "too_long", "server_error")
_FAILING = [name for kind in _KINDS for name in _names(kind)]
_ANSWERED = [name for name in BEHAVIOURS if name not in (*_ENDING, *_FAILING)]


@pytest.mark.parametrize("name", _ANSWERED)
def test_an_odd_answer_is_read(server: Server, name: str) -> None:
    (answer,) = _ask(_backend(server, name), _request(name))
    expected = BEHAVIOURS[name]
    assert (answer.text, answer.finish_reason) == (expected.makes, expected.finish)
    assert answer.reasoning == expected.thought


def test_calls_of_tools_that_were_offered_are_an_answer(server: Server) -> None:
    tool = tool_json("python", "Runs code.", {"type": "object", "properties": {}})
    (answer,) = _ask(_backend(server, "any"), _request("tools_for_all", tools=(tool,)))
    assert (answer.text, answer.finish_reason) == ("", "stop")
    assert answer.tool_calls == (ToolCall("call_0", "python", "{}"),)
    assert server[1][-1]["tools"] == [json.loads(tool)]


def test_further_body_template_and_headers_are_sent(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ODD_TOKEN", "abc\n")
    backend = _backend(
        server,
        "header",
        request={"reasoning_effort": "high"},
        chat_template_kwargs={"enable_thinking": True},
        headers={"X-Token": "$ODD_TOKEN"},
    )
    words = Words((Message("user", "What is 1 + 1?"),), None, "", ())
    sampler = SamplerSettings(samples=1, temperature=0.5, max_tokens=8)
    asked = requests_of(words, stage="solve", backend=backend, sampler=sampler, run_seed=0)
    (answer,) = _ask(backend, *asked)
    assert answer.text == "X-Token: abc"
    assert server[1][-1]["reasoning_effort"] == "high"
    assert server[1][-1]["chat_template_kwargs"] == {"enable_thinking": True}


def test_names_that_differ_in_their_budget_share_a_model_and_other_secrets_do_not(
    server: Server,
) -> None:
    def model(**changes: Any) -> Any:
        return open_engine(_backend(server, "header", **changes))._model

    assert model() is model(budget={"max_tokens": 9})
    assert model(headers={"X-Token": "a"}) is not model(headers={"X-Token": "b"})


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"X-Token": "$ODD_TOKEN"}, "backend.headers.X-Token .* ODD_TOKEN, which is not set"),
        ({"X-Token": "a\nb"}, "backend.headers.X-Token holds a letter"),
        ({"X Token": "a"}, "'X Token' is no name"),
    ],
)
def test_a_header_that_cannot_be_sent_is_one_line(
    server: Server, headers: dict[str, str], said: str
) -> None:
    with pytest.raises(BackendError, match=said):
        open_engine(_backend(server, "header", headers=headers))


def test_a_refused_field_of_the_further_body_is_named(server: Server) -> None:
    asked = _request("no_effort", body='{"reasoning_effort":"high"}')
    with pytest.raises(BackendError, match="take backend.request.reasoning_effort out"):
        _ask(_backend(server, "no_effort"), asked)


@pytest.mark.parametrize("name", _FAILING)
def test_what_fails_alone_is_an_error_of_its_kind(server: Server, name: str) -> None:
    good = [_request("blocks", f"{name} {number}") for number in range(8)]
    backend = _backend(server, name, max_in_flight=2)
    if name == "404_for_one":  # before any answer it would be every request's
        _ask(backend, _request("blocks", name))
    answer, *others = sorted(_ask(backend, _request(name), *good), key=lambda each: each.text)
    assert [each.text for each in others] == [GOOD] * 8
    assert answer.error_kind == BEHAVIOURS[name].makes
    assert answer.error is not None and "\n" not in answer.error


@pytest.mark.parametrize("name", _ENDING)
def test_what_every_request_meets_ends_the_run_with_one_line(
    server: Server, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai_engine, "_ALIKE_UNANSWERED", 5)
    asked = [_request(name, f"What is {number} + 1?") for number in range(6)]
    with pytest.raises(BackendError) as end:
        _ask(_backend(server, name, pause_seconds=1, max_in_flight=4), *asked)
    line = str(end.value)
    assert BEHAVIOURS[name].makes.removeprefix("ends: ") in line
    assert server[0] in line and "\n" not in line and len(line) < 700


@pytest.mark.parametrize(
    "name", [name for name in _ENDING if "set backend.parameters" in BEHAVIOURS[name].makes]
)
def test_the_setting_that_the_line_names_mends_it(server: Server, name: str) -> None:
    setting = re.search(r"parameters\.(\w+)=(\w+)", BEHAVIOURS[name].makes)
    assert setting is not None
    value = None if setting.group(2) == "null" else setting.group(2)
    backend = _backend(server, name, parameters={setting.group(1): value})
    system = (Message("user", "Answer in short.\n\nWhat is 1 + 1?"),)
    changes = {"messages": system} if setting.group(1) == "system" else {}
    (answer,) = _ask(backend, _request(name, **changes))
    assert answer.error is None


def test_the_table_in_the_docs_is_the_table_of_the_tests() -> None:
    rows = [f"| {each.does} | {each.cotmill} |" for each in BEHAVIOURS.values()]
    page = (PROJECT / "docs" / "endpoints.md").read_text()
    assert [line for line in page.splitlines() if line in set(rows)] == rows


@pytest.mark.parametrize("key", ["abc\ndef", "schl\u00fcssel", "a b"])
def test_a_key_that_no_header_can_carry_is_one_line(
    server: Server, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ODD_KEY", key)
    with pytest.raises(BackendError, match="ODD_KEY holds .* at place [0-9], .*: set it") as end:
        open_engine(_backend(server, "blocks", api_key_env="ODD_KEY"))
    assert "\n" not in str(end.value) and key not in str(end.value)


def test_a_newline_at_the_end_of_a_key_is_taken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ODD_KEY", " abc\r\n")
    assert places.api_key("ODD_KEY") == "abc"


def test_a_model_that_is_not_served_is_told_from_those_that_are(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai_engine, "model_names", lambda reply: ["large", "small"])
    monkeypatch.setattr(module, "page", lambda status: send({"data": []}))
    with pytest.raises(BackendError, match=r"set backend.model to .* \(large, small\), then"):
        _ask(_backend(server, "404", api_key_env="ODD_OTHER"), _request("404"))


def test_a_model_that_is_listed_and_once_not_found_is_asked_again(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "page", lambda status: send({"data": [{"id": "404_once"}]}))
    backend = _backend(server, "404_once", api_key_env="ODD_ANOTHER")
    assert _ask(backend, _request("404_once"))[0].text == GOOD


def test_a_redirect_is_told_without_its_query(server: Server) -> None:
    with pytest.raises(BackendError, match=r"sends requests elsewhere \(HTTP 302: to .*/login\)"):
        _ask(_backend(server, "login"), _request("login"))


def test_a_query_in_the_base_url_is_sent_with_each_request(server: Server) -> None:
    backend = _backend(server, "blocks", base_url=f"{server[0]}/?api-version=1")
    assert _ask(backend, _request("path"))[0].text == "/v1/chat/completions?api-version=1"


def test_bad_requests_among_good_ones_open_no_circuit(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    models = (["blocks"] * 8 + ["500_for_one", "null_for_one"]) * 5
    asked = [_request(model, f"{number}") for number, model in enumerate(models)]
    answers = _ask(_backend(server, "any", max_in_flight=8), *asked)
    assert [answer.unanswered for answer in answers].count(True) == 10
    assert "paused" not in caplog.text


@pytest.mark.parametrize("name", ["500_for_one", "null_for_one"])
def test_bad_requests_that_a_resumed_run_has_left_do_not_end_it(server: Server, name: str) -> None:
    asked = [_request(name, f"left {number}") for number in range(12)]
    assert all(answer.unanswered for answer in _ask(_backend(server, "any"), *asked))


def test_bad_requests_that_are_left_over_hold_nobody_for_long(server: Server) -> None:
    backend = _backend(server, "left")
    _ask(backend, _request("blocks", "before"))
    asked = [_request("503_for_one", f"left {number}") for number in range(5)]
    assert all(answer.unanswered for answer in _ask(backend, *asked))

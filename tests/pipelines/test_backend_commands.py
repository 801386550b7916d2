"""cotmill backend check asks a real server and prints the settings that work with it."""

from __future__ import annotations

import io
import shlex
from typing import Any, Literal

import pytest
from rich.console import Console

from pipelines.backend import BackendCheckSettings, check
from tests.models import odd_server as module
from tests.models.odd_server import Asked, Reply, complains, envelope, odd_server, send
from tests.models.scoring_server import scoring_server
from transforms.engine.errors import BackendError
from transforms.models.backends.endpoint_check import check_endpoint
from transforms.models.backends.settings import OpenAIBackend


def _newer(asked: Asked) -> Reply:
    """A model that refuses what newer models refuse, and says so in three ways."""
    body = asked.body
    if "max_tokens" in body:
        return complains(400, "Use 'max_completion_tokens' instead", param="max_tokens")
    if "seed" in body:
        return send({"detail": [{"loc": ["body", "seed"], "msg": "extra fields"}]}, 422)
    if body.get("temperature", 1) != 1:
        return complains(400, "'temperature' does not support 0.7")
    if any(turn["role"] == "system" for turn in body.get("messages", ())):
        return complains(400, "System role not supported")
    return send(envelope())


def _checked(model: str, monkeypatch: pytest.MonkeyPatch) -> str:
    behaviours = {"newer": module.Behaviour("", "", "", _newer)}
    monkeypatch.setattr(module, "BEHAVIOURS", {**module.BEHAVIOURS, **behaviours})
    console = Console(file=io.StringIO(), width=200)
    with odd_server() as (url, _):
        backend: dict[str, Any] = {"engine": "openai", "model": model, "base_url": url}
        settings = BackendCheckSettings.model_validate({"backend": {**backend, "api": "chat"}})
        check(settings, console)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_what_is_refused_becomes_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    *_, last = _checked("newer", monkeypatch).strip().splitlines()
    parameters = {part for part in shlex.split(last) if part.startswith("backend.parameters")}
    assert parameters == {
        "backend.parameters.max_tokens=max_completion_tokens",
        "backend.parameters.temperature=null",
        "backend.parameters.seed=null",
        "backend.parameters.system=user",
    }


@pytest.mark.parametrize("model", ["reasoning_content", "think_tags"])
def test_a_model_that_reasons_is_told_from_others(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = _checked(model, monkeypatch).strip().splitlines()[-1]
    assert "backend.reasoning=keep" in last and "continue_prefix" not in last
    assert "backend.reasoning" not in _checked("blocks", monkeypatch)


def test_every_model_of_a_run_is_checked() -> None:
    console = Console(file=io.StringIO(), width=200)
    with odd_server() as (url, _):
        one = {"engine": "openai", "base_url": url, "api": "chat"}
        models = {"judge": {**one, "model": "no_role"}}
        settings = {"backend": {**one, "model": "blocks"}, "models": models}
        check(BackendCheckSettings.model_validate(settings), console)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    first, second = [line for line in shown.splitlines() if line.startswith("Use: ")]
    assert "backend.model=blocks" in first
    assert "models.judge.engine=openai" in second and "models.judge.model=no_role" in second


def test_what_takes_everything_needs_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = _checked("blocks", monkeypatch)
    assert "backend.parameters" not in shown
    assert shown.strip().splitlines()[-1].startswith("Use: backend=openai backend.base_url=http")


@pytest.mark.parametrize("api", ["chat", "completions"])
@pytest.mark.parametrize("gives", [True, False])
def test_whether_an_endpoint_can_score_is_said(
    api: Literal["chat", "completions"], gives: bool
) -> None:
    with scoring_server(lambda before, token: -0.5, ("yes", "no"), gives=gives) as (url, _):
        backend = OpenAIBackend(engine="openai", model="m", base_url=url, api=api)
        found = {each.feature: each.works for each in check_endpoint(backend)}
    scores = {name: works for name, works in found.items() if name.startswith("scores")}
    named = ["scores labels", *(["scores a text"] if api == "completions" else [])]
    assert scores == dict.fromkeys(named, gives)


@pytest.mark.parametrize("model", ["401", "404", "page_for_all", "null_for_all"])
def test_what_answers_nothing_is_one_line(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BackendError, match="does not answer a question without any") as end:
        _checked(model, monkeypatch)
    assert "\n" not in str(end.value)

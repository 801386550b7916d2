"""Tests of prompt files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from transforms.engine.errors import SettingsError
from transforms.engine.records import Message
from transforms.models.backends.settings import (
    OpenAIBackend,
    ReplayBackend,
    VllmBackend,
    VllmServerBackend,
)
from transforms.models.prompts import PromptTemplate
from transforms.models.requests import Request
from transforms.models.settings import SamplerSettings

_FILE = """
license: Apache-2.0
chat:
  system: You write programs.
  user: |
    {% for shot in shots %}
    Example: {{ shot }}
    {% endfor %}
    Problem: {{ problem }}
  prefix: 'input = {"'
  stop: ["```"]
completion:
  text: "# {{ problem }}\\n"
  prefix: 'input = {"'
  stop: ["\\n\\n\\n"]
"""


def _backend(**changes: Any) -> OpenAIBackend:
    settings = {"engine": "openai", "model": "m", "base_url": "http://127.0.0.1/v1"}
    return OpenAIBackend.model_validate(
        {**settings, "api": "chat", "continue_prefix": True, **changes}
    )


def _requests(folder: Path, text: str = _FILE, **changes: Any) -> tuple[Request, ...]:
    path = folder / "prompt.yaml"
    path.write_text(text)
    arguments: dict[str, Any] = {
        "stage": "unify",
        "backend": _backend(),
        "sampler": SamplerSettings(samples=2, temperature=0.5, max_tokens=9),
        "run_seed": 7,
        "problem": "2 + 2",
        "shots": ["a", "b"],
        **changes,
    }
    return PromptTemplate.load(str(path)).requests(**arguments)


def test_a_chat_has_its_system_and_user_turns(tmp_path: Path) -> None:
    assert _requests(tmp_path)[0].messages == (
        Message("system", "You write programs."),
        Message("user", "Example: a\nExample: b\nProblem: 2 + 2"),
    )


def test_what_is_said_within_a_conversation_is_the_user_turn_alone(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(_FILE)
    prompt = PromptTemplate.load(str(tmp_path / "p.yaml"))
    assert prompt.message(shots=[], problem="2 + 2") == Message("user", "Problem: 2 + 2")
    with pytest.raises(SettingsError, match="shots"):
        prompt.message(problem="2 + 2")


def test_a_completion_keeps_text_and_prefix_apart(tmp_path: Path) -> None:
    asked = _requests(tmp_path, backend=_backend(api="completions"))[0]
    assert (asked.prompt, asked.sampler.prefix) == ("# 2 + 2\n", 'input = {"')


def test_samples_differ_in_id_and_seed(tmp_path: Path) -> None:
    first, second = _requests(tmp_path, first_sample=3)
    assert (first.sample, second.sample) == (3, 4)
    assert first.seed != second.seed


def test_a_prefix_that_is_not_continued_is_not_claimed(tmp_path: Path) -> None:
    assert _requests(tmp_path, backend=_backend(continue_prefix=False))[0].sampler.prefix == ""


def test_what_ends_an_answer_comes_from_the_prompt_and_from_the_settings(tmp_path: Path) -> None:
    sampler = SamplerSettings(samples=1, temperature=0.5, max_tokens=9, stop=["END"])
    assert _requests(tmp_path, sampler=sampler)[0].sampler.stop == ("```", "END")


def test_an_adapter_makes_another_model_of_the_requests(tmp_path: Path) -> None:
    backend = VllmBackend(engine="vllm", model="m", api="chat", adapter="a/b")
    assert _requests(tmp_path, backend=backend)[0].model == "m+a/b"


def test_a_model_asked_in_process_and_in_a_server_gets_the_same_requests(tmp_path: Path) -> None:
    settings = {"model": "m", "api": "chat"}
    here = VllmBackend.model_validate({"engine": "vllm", **settings})
    there = VllmServerBackend.model_validate({"engine": "vllm_server", **settings})
    assert _requests(tmp_path, backend=here) == _requests(tmp_path, backend=there)
    assert here.identity() == there.identity()


@pytest.mark.parametrize("value", ["{{ x }}", "{% if %}", "<a> & 'b'", "trailing \n"])
def test_a_variables_value_is_kept_verbatim(tmp_path: Path, value: str) -> None:
    asked = _requests(tmp_path, backend=_backend(api="completions"), problem=value)[0]
    assert asked.prompt == f"# {value}\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (_FILE.replace("license: Apache-2.0", ""), "license"),
        (_FILE.replace("  user: |", "  usre: |"), "chat.user"),
        (_FILE.replace("{% endfor %}", ""), "does not parse"),
        (_FILE.replace("{{ problem }}", "{{ problm }}"), "problm"),
        ("[", "does not parse"),
    ],
)
def test_a_faulty_file_is_one_line_that_names_it(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says) as caught:
        _requests(tmp_path, text)
    assert "prompt.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="nowhere.yaml"):
        PromptTemplate.load(str(tmp_path / "nowhere.yaml"))


def test_a_template_cannot_reach_into_python(tmp_path: Path) -> None:
    hostile = _FILE.replace("{{ problem }}", "{{ problem.__class__.__mro__ }}")
    with pytest.raises(SettingsError, match="unsafe|access"):
        _requests(tmp_path, hostile)


def _ids(folder: Path, **parameters: str | None) -> list[str]:
    backend = _backend(parameters=parameters)
    return [each.id for each in _requests(folder, backend=backend)]


@pytest.mark.parametrize(
    "parameters",
    [
        {"max_tokens": "max_completion_tokens"},
        {"seed": None},
        {"stop": None},
        {"top_p": None},  # 1.0 is asked for, which is what holds where nothing is
        {"min_p": None, "top_k": None},
    ],
)
def test_a_parameter_that_changes_no_answer_changes_no_id(
    tmp_path: Path, parameters: dict[str, str | None]
) -> None:
    assert _ids(tmp_path, **parameters) == _ids(tmp_path)


@pytest.mark.parametrize("name", ["temperature", "max_tokens"])
def test_a_parameter_that_is_left_out_makes_other_requests(tmp_path: Path, name: str) -> None:
    assert not {*_ids(tmp_path, **{name: None})} & {*_ids(tmp_path)}
    renamed = {name: None, "seed": None}
    assert _ids(tmp_path, **renamed) == _ids(tmp_path, **{name: None})


def test_a_system_message_becomes_the_beginning_of_the_users(tmp_path: Path) -> None:
    backend = _backend(parameters={"system": "user"})
    (message,) = _requests(tmp_path, backend=backend)[0].messages
    assert message.role == "user"
    assert message.content.startswith("You write programs.\n\nExample: a")


def test_a_system_message_can_have_another_role(tmp_path: Path) -> None:
    backend = _backend(parameters={"system": "developer"})
    roles = [message.role for message in _requests(tmp_path, backend=backend)[0].messages]
    assert roles == ["developer", "user"]


def test_a_replay_makes_the_requests_of_the_run_it_replays(tmp_path: Path) -> None:
    parameters = {"temperature": None, "system": "user"}
    replay = ReplayBackend.model_validate(
        {"engine": "replay", "model": "m", "api": "chat", "continue_prefix": True}
        | {"parameters": parameters}
    )
    again = [each.id for each in _requests(tmp_path, backend=replay)]
    assert again == _ids(tmp_path, **parameters)
    assert replay.identity() == _backend(parameters=parameters).identity()


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"max_token": "x"}, "there is no max_token"),
        ({"system": None}, "cannot be left out"),
        ({"seed": "a b"}, "is no name"),
    ],
)
def test_a_wrong_parameter_is_named(parameters: dict[str, str | None], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        _backend(parameters=parameters)

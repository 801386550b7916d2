"""Pictures in vLLM's engine in process, seen by a tiny model with random weights."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from PIL import Image

from tests.models.examples import answers_of, chat
from tests.models.tiny_vision import TOKENS, write_tiny_vision_model
from transforms.engine.records import PictureMessage, Shown
from transforms.images.blobs import Blobs
from transforms.models.backends.settings import VllmBackend
from transforms.models.engines import Engine, close_engines, open_engine
from transforms.models.requests import Request

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("model")
    write_tiny_vision_model(folder)
    backend = VllmBackend(
        engine="vllm", model=str(folder), api="chat", max_in_flight=4, max_model_len=256,
        enforce_eager=True, cpu_kvcache_gib=1,
    )  # fmt: skip
    yield open_engine(backend)
    close_engines()


def shown(folder: Path, *colours: str, text: str = "What is this?", **changes: object) -> Request:
    """A request that shows pictures of one colour each before its text."""
    blobs, pictures = Blobs(str(folder)), []
    for colour in colours:
        file = io.BytesIO()
        Image.new("RGB", (56, 28), colour).save(file, "PNG")
        pictures.append(Shown(**asdict(blobs.put(file.getvalue()))))
    message = PictureMessage("user", text, pictures=tuple(pictures))
    asked = chat(text, blobs=str(folder), **{"logprobs": True, "max_tokens": 4, **changes})
    return replace(asked, messages=(message,))


def test_each_picture_takes_its_own_number_of_tokens(engine: Engine, tmp_path: Path) -> None:
    texts = answers_of(engine, chat("What is this?"))[0].prompt_tokens
    one, two = answers_of(engine, shown(tmp_path, "red"), shown(tmp_path, "red", "blue"))
    assert (one.error, two.error) == (None, None)
    assert [each.prompt_tokens - texts for each in (one, two)] == [TOKENS, 2 * TOKENS]


def test_what_a_picture_shows_reaches_the_model(engine: Engine, tmp_path: Path) -> None:
    pictures = [shown(tmp_path, "red"), shown(tmp_path, "red", sample=1), shown(tmp_path, "blue")]
    red, again, blue = answers_of(engine, *pictures)
    assert red.mean_logprob == pytest.approx(again.mean_logprob, abs=1e-3)
    assert red.mean_logprob != pytest.approx(blue.mean_logprob, abs=1e-3)


def test_a_first_token_of_its_own_is_refused_with_pictures(engine: Engine, tmp_path: Path) -> None:
    asked = shown(tmp_path, "red", fire_temperature=30.0, fire_top_k=10)
    [answer] = answers_of(engine, asked)
    assert answer.error is not None and "fire_temperature" in answer.error

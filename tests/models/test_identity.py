"""A model whose files are local is what its files hold; any other is its name."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from transforms.engine.errors import BackendError
from transforms.engine.paths import DATA
from transforms.models.backends.settings import OpenAIBackend, VllmBackend
from transforms.models.digests import adapter_digest, model_digest
from transforms.models.identity import identified

_SHIPPED = DATA / "models" / "smollm2-135m-caco"


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COTMILL_CACHE", str(tmp_path / "cache"))


def _backend(**settings: Any) -> VllmBackend:
    return VllmBackend.model_validate(
        {"engine": "vllm", "model": "embedded", "api": "completions", **settings}
    )


def _model_id(**settings: Any) -> str | None:
    return identified(_backend(**settings)).model_id


def _adapter(folder: Path, weights: bytes = b"weights") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "adapter_config.json").write_text("{}")
    (folder / "adapter_model.safetensors").write_bytes(weights)
    return folder


def test_names_stay_names() -> None:
    assert _model_id() is None
    assert _model_id(model="Qwen/Qwen2.5-7B-Instruct") is None
    endpoint = OpenAIBackend(engine="openai", model="m", base_url="http://x/v1", api="chat")
    assert identified(endpoint) == endpoint


def test_the_adapter_that_ships_is_known_by_its_name_wherever_it_lies(tmp_path: Path) -> None:
    assert _model_id(adapter=_SHIPPED.name) is None
    copy = shutil.copytree(_SHIPPED, tmp_path / "copy")
    assert _model_id(adapter=str(copy)) == f"embedded+{_SHIPPED.name}"


def test_a_retrained_adapter_in_the_same_folder_is_another_model(tmp_path: Path) -> None:
    folder = _adapter(tmp_path / "adapter")
    before = identified(_backend(adapter=str(folder)))
    times = (folder / "adapter_model.safetensors").stat()
    _adapter(folder, b"WEIGHTS")
    os.utime(folder / "adapter_model.safetensors", ns=(times.st_atime_ns, times.st_mtime_ns))
    after = identified(_backend(adapter=str(folder)))
    assert before.model_id != after.model_id
    assert before.identity() != after.identity()
    assert before.answering == after.answering == f"embedded+{folder}"


def test_an_adapter_that_moved_or_got_another_card_is_the_same_model(tmp_path: Path) -> None:
    folder = _adapter(tmp_path / "here")
    before = _model_id(adapter=str(folder))
    folder.rename(tmp_path / "there")
    (tmp_path / "there" / "README.md").write_text("About it.")
    assert _model_id(adapter=str(tmp_path / "there")) == before


def test_a_local_model_is_its_weights_and_its_settings(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    digests = []
    for name, content in {
        "model-00001-of-00002.safetensors": "a",
        "model-00002-of-00002.safetensors": "a",
        "config.json": "{}",
        "chat_template.jinja": "x",
    }.items():
        (folder / name).write_text(content)
        digests.append(model_digest(folder))
    (folder / "README.md").write_text("About it.")
    assert len(set(digests)) == 4
    assert _model_id(model=str(folder)) == f"blake2b:{digests[-1]}"


def test_a_model_of_one_file_is_that_files_content(tmp_path: Path) -> None:
    for name in ("a.gguf", "b.gguf"):
        (tmp_path / name).write_text(name[0])
    a, b = (_model_id(model=str(tmp_path / name)) for name in ("a.gguf", "b.gguf"))
    assert a != b and (a or "").startswith("blake2b:")


def test_what_the_user_names_stands(tmp_path: Path) -> None:
    folder = _adapter(tmp_path / "adapter")
    assert _model_id(adapter=str(folder), model_id="the old one") == "the old one"


def test_a_file_is_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = _adapter(tmp_path / "adapter")
    digest = adapter_digest(folder)
    monkeypatch.setattr(hashlib, "file_digest", None)
    assert adapter_digest(folder) == digest


def test_a_cache_that_cannot_be_written_costs_time_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _adapter(tmp_path / "adapter")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("COTMILL_CACHE", str(tmp_path / "file"))
    assert adapter_digest(folder) == adapter_digest(folder)


def test_a_missing_adapter_is_named() -> None:
    with pytest.raises(BackendError, match=r"backend.adapter=/no/such is no folder"):
        _model_id(adapter="/no/such")


def test_engine_arguments_that_change_answers_make_another_model() -> None:
    assert _model_id(engine_args={"quantization": "fp8"}) == 'embedded+{"quantization":"fp8"}'
    assert _model_id(engine_args={"a_new_argument": 1}) != _model_id()


def test_engine_arguments_of_place_and_speed_do_not() -> None:
    placing = {"data_parallel_size": 2, "load_format": "auto", "cpu_offload_gb": 4, "log_level": 1}
    assert _model_id(engine_args=placing) is None

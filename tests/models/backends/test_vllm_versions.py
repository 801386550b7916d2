"""Which vLLM the backends run on, and what the extras install; vLLM itself is not imported."""

from __future__ import annotations

import importlib
import sys
import tomllib
from types import ModuleType

import pytest
from packaging.requirements import Requirement

from transforms.engine.errors import BackendError
from transforms.engine.paths import PROJECT
from transforms.models.backends.settings import VllmBackend
from transforms.models.backends.vllm_setup import (
    NEWEST,
    OLDEST,
    check_installed,
    engine_arguments,
    unfit,
)


def _extra(name: str) -> dict[str, Requirement]:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    extras = [Requirement(line) for line in project["optional-dependencies"][name]]
    return {requirement.name: requirement for requirement in extras}


def _backend(**changes: object) -> VllmBackend:
    return VllmBackend.model_validate({"engine": "vllm", "model": "m", "api": "chat", **changes})


def test_the_gpu_extra_installs_the_versions_of_vllm_that_work_and_none_before_them() -> None:
    wanted = _extra("gpu")["vllm"].specifier
    assert wanted.contains(OLDEST) and wanted.contains(NEWEST)
    assert not wanted.contains("0.18.1")


def test_both_builds_of_vllm_come_with_what_converts_and_merges_the_embedded_model() -> None:
    for extra in ("cpu", "gpu"):
        assert {"accelerate", "gguf", "peft"} <= set(_extra(extra))


@pytest.mark.parametrize(
    ("version", "is_error"), [("0.10.2", True), ("0.18.1", True), ("0.34.0", False), ("1.0", False)]
)
def test_a_version_that_is_too_old_is_an_error_and_one_that_is_not_known_a_warning(
    version: str, is_error: bool
) -> None:
    said = unfit(version)
    assert said is not None and said.is_error is is_error


@pytest.mark.parametrize("version", ["0.19.0", "0.26.0", "0.32.0+cpu", "0.33.1", "0.1.dev5+g12"])
def test_a_version_that_works_or_is_built_from_source_is_taken(version: str) -> None:
    assert unfit(version) is None


@pytest.mark.parametrize(("kvcache", "extra"), [(None, "gpu"), (2, "cpu")])
def test_an_old_vllm_is_one_line_that_names_the_extra_to_install(
    monkeypatch: pytest.MonkeyPatch, kvcache: int | None, extra: str
) -> None:
    old = ModuleType("vllm")
    old.__version__ = "0.10.2"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "vllm", old)
    monkeypatch.setattr(importlib, "import_module", lambda name: old)
    with pytest.raises(BackendError, match=rf"vLLM 0.10.2 is too old.*'cotmill\[{extra}\]'"):
        check_installed(_backend(cpu_kvcache_gib=kvcache))


def test_how_many_requests_the_engine_works_on_is_left_to_it_where_no_number_is_set() -> None:
    assert engine_arguments(_backend())["max_num_seqs"] is None
    assert engine_arguments(_backend(max_in_flight=7))["max_num_seqs"] == 7

"""The machine is told as it is: its cores, and the cards that NVIDIA's tool lists."""

from pathlib import Path

import pytest

from transforms.engine.machine import machine, machine_line


@pytest.fixture(autouse=True)
def anew():
    machine.cache_clear()
    yield
    machine.cache_clear()


def _tool(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "nvidia-smi"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_cards_of_one_kind_are_told_once_with_their_number_and_driver(tmp_path, monkeypatch):
    _tool(tmp_path, "for i in 1 2; do echo 'NVIDIA H100 80GB HBM3, 570.86.15'; done", monkeypatch)
    assert "2 x NVIDIA H100 80GB HBM3 (driver 570.86.15)" in machine_line()
    assert machine()["gpus"][1] == {"name": "NVIDIA H100 80GB HBM3", "driver": "570.86.15"}


@pytest.mark.parametrize("script", ["exit 9", None])
def test_a_machine_without_a_driver_has_no_cards(tmp_path, monkeypatch, script):
    if script is None:
        monkeypatch.setenv("PATH", str(tmp_path))
    else:
        _tool(tmp_path, script, monkeypatch)
    assert machine()["gpus"] == []

"""`import transforms` offers names, and loads a module when one of its names is used."""

import subprocess
import sys

import pytest

import transforms
from transforms.engine.code import modules
from transforms.engine.defaults import group
from transforms.engine.errors import SettingsError


def test_every_name_is_there_and_documented():
    for name in transforms.__all__:
        assert name == "Steps" or getattr(transforms, name).__doc__, name


def test_the_import_alone_loads_nothing_else():
    code = "import sys, transforms; print([m for m in sys.modules if m.startswith('transforms.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600)
    assert done.stdout.strip() == "[]", done.stderr


def test_a_name_that_is_not_offered_is_an_error_that_says_so():
    with pytest.raises(AttributeError, match="'transforms' has no attribute 'Nothing'"):
        _ = transforms.Nothing


def test_code_that_a_name_stands_for_is_part_of_a_stages_identity(tmp_path, monkeypatch):
    (tmp_path / "users_stage.py").write_text("from transforms import Grade\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "transforms.stages.grade" in modules("users_stage")


def test_a_group_of_settings_is_that_of_conf_with_changes():
    assert group("dedup", max_per_fingerprint=7).max_per_fingerprint == 7
    assert group("sandbox", "strict").mode == "strict"
    with pytest.raises(SettingsError, match="dedup.threshold=2: "):
        group("dedup", threshold=2)

"""A stage's code is known by its meaning: comments and docstrings are not part of it."""

import sys

import pytest

from transforms.engine.code import _module, code_digest, modules

STAGE = """
from transforms.engine.ids import content_id
from .helper import double

def stage(x):
    return double(x)
"""
HELPER = """
def double(x):
    return 2 * x
"""


@pytest.fixture
def digest(tmp_path, monkeypatch):
    """The digest of a package of a user's, with other texts for its files."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("COTMILL_CACHE", str(tmp_path / "cache"))

    def of(**texts):
        folder = tmp_path / "users_recipe"
        folder.mkdir(exist_ok=True)
        for name, text in {"__init__": "", "stage": STAGE, "helper": HELPER, **texts}.items():
            (folder / f"{name}.py").write_text(text)
        for name in [name for name in sys.modules if name.startswith("users_recipe")]:
            del sys.modules[name]
        _module.cache_clear()
        return code_digest("users_recipe.stage")

    yield of
    _module.cache_clear()


def test_comments_docstrings_and_layout_change_nothing(digest):
    documented = HELPER.replace("    return", '    """Doubles."""\n\n    # twice\n    return')
    assert digest() == digest(helper=f'"""Help."""\n{documented}', unused="x = 1")


@pytest.mark.parametrize(
    "change",
    [
        {"stage": STAGE.replace("double(x)", "double(x) + 1")},
        {"helper": HELPER.replace("2 * x", "3 * x")},
        {"helper": f"{HELPER}\nNAME = 'x'"},
    ],
    ids=["its own", "what it imports", "a constant"],
)
def test_other_code_is_another_digest(digest, change):
    assert digest() != digest(**change)


@pytest.mark.parametrize("stage", ["execute", "unify", "diversity.instructions"])
def test_groups_that_stages_share_are_no_part_of_their_code(stage):
    assert not [name for name in modules(f"transforms.stages.{stage}") if "settings" in name]


def test_settings_and_engines_are_no_part_of_a_digest(digest):
    stage = f"import transforms.engine.settings\nfrom transforms.models import engines\n{STAGE}"
    one = digest(stage=stage)
    _module.cache_clear()
    assert "transforms.engine.settings" not in modules("users_recipe.stage")
    assert "transforms.engine.ids" in modules("users_recipe.stage")
    assert code_digest("users_recipe.stage") == one


def test_a_module_without_source_has_a_digest_too():
    assert modules("nowhere.at_all") == {} == modules("math")
    assert len(code_digest("math")) == 32


@pytest.mark.parametrize("name", ["zygote", "harness", "preload", "cells"])
def test_what_runs_around_a_program_is_part_of_a_stages_code(name):
    assert f"transforms.sandbox.{name}" in modules("transforms.stages.execute")


def test_what_was_read_before_is_the_same_from_the_cache(digest, tmp_path):
    read = digest(), modules("users_recipe.stage")
    kept = tmp_path / "cache" / "code"
    assert len(list(kept.iterdir())) >= 3
    assert (digest(), modules("users_recipe.stage")) == read


@pytest.mark.parametrize("left", ["", None], ids=["empty", "a folder"])
def test_a_damaged_cache_costs_time_alone(digest, tmp_path, left):
    read = digest()
    for file in (tmp_path / "cache" / "code").iterdir():
        file.unlink()
        file.mkdir() if left is None else file.write_text(left)
    assert digest() == read

"""Recipes of a folder of one's own and of installed packages are found, extended and explained."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from rich.console import Console

from pipelines.config_folders import config_folders, take_config_folders
from pipelines.hydra_app import choices, composed
from pipelines.recipes import found, recipes
from pipelines.stage_help import stage_options
from tests.pipelines import commands
from transforms.engine.errors import SettingsError
from transforms.engine.paths import CONFIG_FOLDERS, DATA, prompt_path
from transforms.engine.recipe import build_segments, in_order, stage_class
from transforms.models.episode import ModelEpisode
from transforms.models.prompts import PromptTemplate
from transforms.recipes.settings import Settings

EXTENDING = """
defaults: [caco]
name: brief
about: As caco, without wordy rows.
prompts: [prompts, data/prompts/caco]
stages:
  trivial: null
  brief:
    _target_: transforms.Filter
    checks: [own_checks.wordy]
    after: verify
"""
CHECKS = """
from transforms import check

@check("too_wordy")
def wordy(row):
    return len(row.instruction.split()) > 60
"""


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Undoes afterwards what `--config-dir` changes in this process."""
    for name in (CONFIG_FOLDERS, "PYTHONPATH"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    monkeypatch.syspath_prepend("")
    return monkeypatch


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a recipe that extends caco, and the module that it names."""
    (tmp_path / "recipe").mkdir()
    (tmp_path / "recipe" / "brief.yaml").write_text(EXTENDING)
    (tmp_path / "own_checks.py").write_text(CHECKS)
    return tmp_path


def settings_of(*overrides: str) -> Settings:
    return commands.settings_of("synthesize", Settings, *overrides)


def test_a_recipe_of_ones_own_folder_extends_a_shipped_one(clean, folder: Path) -> None:
    take_config_folders(["--config-dir", str(folder)])
    built = build_segments(settings_of("recipe=brief"), "/run", "/run/ledger")
    names = [stage.name for segment in built for stage in segment.stages]
    assert names[names.index("verify") + 1] == "brief" and "trivial" not in names
    assert {"seeds", "decontaminate"} <= set(names)


def test_a_folder_that_is_named_is_searched_and_the_other_flags_are_left(clean, folder) -> None:
    left = take_config_folders(["--cfg", "job", f"--config-dir={folder}", "-m"])
    assert left == ["--cfg", "job", "-m"]
    assert "brief" in choices("recipe") and "caco" in choices("recipe")


def test_a_folder_that_is_not_there_is_named() -> None:
    with pytest.raises(SettingsError, match="--config-dir=/nowhere is no folder"):
        take_config_folders(["-cd", "/nowhere"])


def test_a_recipe_whose_name_is_taken_is_named(clean, folder: Path) -> None:
    (folder / "recipe" / "caco.yaml").write_text(EXTENDING)
    with pytest.raises(SettingsError, match="recipe/caco.yaml has the name of .*: rename it"):
        take_config_folders(["-cd", str(folder)])


def package(folder: Path, *, conf: bool) -> None:
    """Lays an installed package `own_recipes` into a folder, with an entry point."""
    (folder / "own_recipes").mkdir()
    (folder / "own_recipes" / "__init__.py").touch()
    if conf:
        (folder / "own_recipes" / "conf" / "recipe").mkdir(parents=True)
        (folder / "own_recipes" / "conf" / "recipe" / "packaged.yaml").write_text(
            EXTENDING.replace("name: brief", "name: packaged").replace(
                "[prompts, ", "[pkg://own_recipes/prompts, "
            )
        )
    information = folder / "own_recipes-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: own_recipes\nVersion: 1.0")
    (information / "entry_points.txt").write_text("[cotmill.recipes]\nown = own_recipes\n")


def test_a_recipe_of_an_installed_package_is_found_by_its_entry_point(
    clean: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package(tmp_path, conf=True)
    clean.syspath_prepend(tmp_path)
    settings = settings_of("recipe=packaged")
    assert settings.recipe.name == "packaged"
    assert list(settings.recipe.stages)[:2] == ["seeds", "validate"]


def test_an_entry_point_without_a_folder_of_recipes_is_named(
    clean: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package(tmp_path, conf=False)
    clean.syspath_prepend(tmp_path)
    with pytest.raises(SettingsError, match="entry point own of cotmill.recipes names own_recipes"):
        config_folders()


def test_a_prompt_is_taken_from_the_first_folder_that_has_it(clean, folder: Path) -> None:
    take_config_folders(["-cd", str(folder)])
    (folder / "prompts").mkdir()
    own = (DATA / "prompts" / "caco" / "solve.yaml").read_text()
    (folder / "prompts" / "solve.yaml").write_text(own.replace("step by step", "slowly"))
    folders = ["prompts", "data/prompts/caco"]
    assert prompt_path(folders, "solve") == f"{folder}/prompts/solve.yaml"
    assert PromptTemplate.load(prompt_path(folders, "reverse")).words.license


def test_a_prompt_of_a_package_lies_below_the_packages_folder() -> None:
    assert prompt_path("pkg://transforms/words", "p").endswith("/transforms/words/p.yaml")
    with pytest.raises(SettingsError, match="recipe.prompts=pkg://no_such/words: there is no"):
        prompt_path("pkg://no_such/words", "p")


def test_the_list_of_recipes_has_families_and_a_line_and_the_stages_of_each(
    clean, folder, capsys
) -> None:
    take_config_folders(["-cd", str(folder)])
    recipes(Console(width=80))
    printed = capsys.readouterr().out
    problems = printed.partition("\nproblems\n")[2].partition("\nrepairs\n")[0]
    assert "brief: As caco, without wordy rows. (arXiv 2510.04081)\n    strong model; " in problems
    assert (
        "arXiv 2403.16437)\n    no model; shown: own rows\n    seeds > validate > ask\n" in printed
    )
    assert "verify > brief > deduplicate" in printed
    assert {"augment", "brief", "caco"} <= {name for name, _ in found()}


def test_a_recipe_is_shown_by_its_own_rows_where_it_asks_no_model() -> None:
    said = {name: recipe for name, recipe in found() if recipe.shown != "not said"}
    assert len(said) > 70 and all(recipe.family and recipe.about for recipe in said.values())
    for name, recipe in said.items():
        assert (recipe.shown == "own rows") == (recipe.needs == "no model"), name


def test_what_a_recipe_says_that_it_needs_is_what_its_stages_ask() -> None:
    for _, recipe in found():
        classes = [stage_class(name, stage) for name, stage in in_order(recipe).items()]
        asks = any(issubclass(each, ModelEpisode) for each in classes)
        assert asks == (recipe.needs != "no model"), recipe.name


def test_help_shows_each_stage_of_the_recipe_and_its_own_fields_with_their_meaning(
    clean, folder: Path
) -> None:
    take_config_folders(["-cd", str(folder)])
    recipe = composed("synthesize", ["recipe=brief"])["recipe"]
    shown = {key: (value, meaning) for key, value, meaning in stage_options(recipe, Settings)}
    assert shown["recipe.stages.brief.checks"][0] == "[own_checks.wordy]"
    assert "Functions record -> Verdict" in shown["recipe.stages.brief.checks"][1]
    assert shown["recipe.stages.solve"][0] == "Solve"
    assert "recipe.stages.solve.verify" not in shown and "recipe.stages.trivial" not in shown


def test_help_shows_a_stage_that_cannot_be_imported_with_the_reason() -> None:
    recipe = {"stages": {"a": {"_target_": "no.Such"}}}
    [(key, value, meaning)] = stage_options(recipe, Settings)
    assert (key, value) == ("recipe.stages.a", "no.Such") and "there is no transform" in meaning

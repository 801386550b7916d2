"""What docs/ says is what the code has."""

from __future__ import annotations

import re
import sys
from functools import cache

import pytest
from omegaconf import DictConfig

from pipelines import cli, hydra_app
from pipelines.recipes import found
from pipelines.reference import PAGE, settings_page
from tests.pages import commands
from transforms.engine.paths import PROJECT
from transforms.engine.recipe import in_order, stage_class
from transforms.engine.settings import Group, RecipeSettings


@cache
def shipped() -> dict[str, RecipeSettings]:
    return dict(found())


def test_every_reason_of_the_shipped_stages_is_in_the_page_on_operations():
    page = (PROJECT / "docs" / "operations.md").read_text()
    named = set(re.findall(r"`([a-z_]+)`", "\n".join(re.findall(r"^\| `.*", page, re.M))))
    stages = [
        (name, stage) for recipe in shipped().values() for name, stage in in_order(recipe).items()
    ]
    reasons = {str(reason) for name, stage in stages for reason in stage_class(name, stage).reasons}
    assert {"truncated", "other_unit", "no_preference"} < reasons
    assert reasons - named == set()


@pytest.mark.parametrize("page", ["README.md", "docs/recipes/index.md"])
def test_every_shipped_recipe_is_listed(page):
    recipes = {path.stem for path in (PROJECT / "conf/recipe").glob("*.yaml")}
    listed = set(re.findall(r"`(\w+)`", (PROJECT / page).read_text()))
    assert recipes <= listed, sorted(recipes - listed)


def test_the_table_of_recipes_says_how_far_each_is_shown():
    shown = {name: recipe.shown for name, recipe in shipped().items()}
    page = (PROJECT / "docs" / "recipes" / "index.md").read_text()
    table = re.findall(r"^\|[^|]*\| ([^|]*`[^|]*) \|.*\| ([^|]*) \|$", page, re.M)
    listed = {name: said for names, said in table for name in re.findall(r"`(\w+)`", names)}
    assert listed == {name: shown[name] for name in listed} and "not said" not in shown.values()


def test_the_page_of_settings_is_what_the_settings_are():
    """Where it is not: python -m pipelines.reference."""
    assert PAGE.read_text() == settings_page()


@pytest.mark.parametrize(
    "page", ["data_model.md", "rewards.md", "capacity.md", "recipes/trajectories.md", "pictures.md"]
)
def test_the_code_of_a_page_runs(page):
    text = (PROJECT / "docs" / page).read_text()
    for code in re.findall(r"```python\n(.*?)```", text, re.S):
        block = compile(code, page, "exec", dont_inherit=True)
        exec(block, {"__name__": "docs"})


class _Valid(Exception):
    """Raised where a command would begin its work."""


PAGES = [
    PROJECT / "README.md",
    PROJECT / "CONTRIBUTING.md",
    *sorted((PROJECT / "docs").rglob("*.md")),
]
COMMANDS = [
    pytest.param(words, id=f"{page.stem}: {' '.join(words)[:60]}")
    for page in PAGES
    for words in commands(page, "", "sh", "bash")
    if words[0] == "cotmill" and "--config-dir" not in words  # test_pages.py runs those
]


@pytest.mark.parametrize("words", COMMANDS)
def test_a_command_that_a_page_shows_has_settings_that_exist(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = hydra_app.to_settings

    def stop(config: DictConfig, root: type[Group]) -> None:
        real(config, root)
        raise _Valid

    monkeypatch.setattr(hydra_app, "to_settings", stop)
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(_Valid):
        cli.main()


def test_every_target_of_make_that_a_page_names_is_one() -> None:
    makefile = (PROJECT / "Makefile").read_text()
    shown = (words for page in PAGES for words in commands(page, "", "sh", "bash"))
    named = {words[1] for words in shown if words[0] == "make"}
    assert {name for name in named if not re.search(rf"^{name}:", makefile, re.M)} == set()


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "data/README.md"])
def test_a_link_of_a_page_outside_the_site_leads_somewhere(page: str) -> None:
    """Sphinx looks at those of docs/."""
    path = PROJECT / page
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.S | re.M)
    links = re.findall(r"\]\((?!https?:)([^)\s#]+)", text)
    assert [link for link in links if not (path.parent / link).exists()] == []
    titles = re.findall(r"^#+ (.*)", text, re.M)
    anchors = {re.sub(r"[^\w\- ]", "", title).lower().replace(" ", "-") for title in titles}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) - anchors == set()

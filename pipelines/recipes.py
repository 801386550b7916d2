"""cotmill recipes: which recipes there are, what each makes and needs, how far it is shown, and its
stages."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from pydantic import Field
from rich.console import Console
from rich.text import Text

from pipelines.arguments import name_first_word
from pipelines.hydra_app import choices, composed, no_choice, run_command
from transforms.engine.errors import SettingsError
from transforms.engine.recipe import in_order
from transforms.engine.settings import Group, RecipeSettings, parse_settings


class RecipesSettings(Group):
    """Everything `cotmill recipes` can be told; `--config-dir` adds a folder of recipes."""

    name: str | None = Field(None, description="show this recipe alone; may stand first")


def found(wanted: str | None = None) -> Iterator[tuple[str, RecipeSettings]]:
    """Yields (the name that `recipe=` takes, recipe) of each that ships, that an installed package
    offers or that lies in a folder of `--config-dir`; of `wanted` alone where it is named.

    Raises SettingsError for a recipe that lacks something or says what no recipe has, and where
    there is none of the name that is wanted.
    """
    names = choices("recipe")
    if wanted is not None and wanted not in names:
        raise SettingsError(f"name={wanted}: {no_choice('recipe', wanted)}")
    for name in names if wanted is None else [wanted]:
        values = composed(None, [f"+recipe={name}"])["recipe"]
        yield name, parse_settings({"recipe": values}, _OneRecipe).recipe


class _OneRecipe(Group):
    recipe: RecipeSettings


def recipes(console: Console, wanted: str | None = None) -> None:
    """Prints, family by family, a recipe's name, what it makes, where its method comes from, what
    it needs, how far it is shown, and its stages; of `wanted` alone where it is named."""
    families: dict[str, list[tuple[str, RecipeSettings]]] = {}
    for name, recipe in found(wanted):
        families.setdefault(recipe.family or "of no family", []).append((name, recipe))
    for family, own in sorted(families.items()):
        console.print(Text(family, style="bold underline"))
        for name, recipe in own:
            citation = f" ({recipe.citation})" if recipe.citation else ""
            console.print(
                Text(f"{name}: ", style="bold").append(f"{recipe.about}{citation}", style="none"),
                soft_wrap=True,
            )
            console.print(Text(f"    {recipe.needs}; shown: {recipe.shown}"), soft_wrap=True)
            console.print(Text(f"    {' > '.join(in_order(recipe))}"), soft_wrap=True)


def main() -> None:
    name_first_word("name")
    run_command(
        "recipes",
        "which recipes there are, what each makes, and its stages",
        RecipesSettings,
        lambda settings: recipes(Console(file=sys.stdout), settings.name),
    )

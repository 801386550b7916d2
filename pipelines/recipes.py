"""cotmill recipes: which recipes there are, what each makes and needs, how far it is shown, and its
stages."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from pipelines.hydra_app import choices, composed, run_command
from transforms.engine.recipe import in_order
from transforms.engine.settings import Group, RecipeSettings, parse_settings


class RecipesSettings(Group):
    """`cotmill recipes` has no settings: `--config-dir` names a folder of recipes of one's own."""


def found() -> Iterator[tuple[str, RecipeSettings]]:
    """Yields (the name that `recipe=` takes, recipe) of each that ships, that an installed package
    offers or that lies in a folder of `--config-dir`.

    Raises SettingsError for a recipe that lacks something or says what no recipe has.
    """
    for name in choices("recipe"):
        values = composed(None, [f"+recipe={name}"])["recipe"]
        yield name, parse_settings({"recipe": values}, _OneRecipe).recipe


class _OneRecipe(Group):
    recipe: RecipeSettings


def recipes(console: Console) -> None:
    """Prints, family by family, a recipe's name, what it makes, where its method comes from, what
    it needs, how far it is shown, and its stages."""
    families: dict[str, list[tuple[str, RecipeSettings]]] = {}
    for name, recipe in found():
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
    run_command(
        "recipes",
        "which recipes there are, what each makes, and its stages",
        RecipesSettings,
        lambda _: recipes(Console(file=sys.stdout)),
    )

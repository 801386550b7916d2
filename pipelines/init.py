"""cotmill init recipe NAME: a folder with a recipe of one's own that runs at once."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from pydantic import Field
from rich.console import Console

from pipelines.arguments import HELP, name_first_word, take_word
from pipelines.hydra_app import choices, run_command
from transforms.engine.errors import SettingsError
from transforms.engine.paths import DATA
from transforms.engine.settings import Group

_SCAFFOLD = DATA / "scaffold"
"""The recipe that is copied. It runs itself; its name is replaced."""


class InitRecipeSettings(Group):
    """Everything `cotmill init recipe` can be told."""

    name: str = Field(
        pattern=r"^[a-z][a-z0-9_]*$",
        description="name of the recipe and of its module, such as word_problems",
    )
    folder: str | None = Field(
        None, description="folder to write, which does not exist yet (null: of the recipe's name)"
    )


def init_recipe(settings: InitRecipeSettings, console: Console) -> None:
    """Writes the recipe, its prompt, its module and a test, and prints what to run.

    Raises SettingsError where the folder exists, or the name is that of a recipe or module.
    """
    name, folder = settings.name, Path(settings.folder or settings.name).expanduser()
    if folder.exists():
        raise SettingsError(f"folder={folder} exists: name another one, or remove it")
    if name in choices("recipe") or importlib.util.find_spec(name) is not None:
        raise SettingsError(f"name={name} is the name of a recipe or module: choose another one")
    for source in sorted(_SCAFFOLD.rglob("*.*")):
        if source.suffix in (".py", ".yaml"):
            target = folder / str(source.relative_to(_SCAFFOLD)).replace("scaffold", name)
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise SettingsError(f"folder={folder} cannot be made: {error}") from error
            target.write_text(source.read_text().replace("scaffold", name))
            console.print(f"wrote {target}", highlight=False, soft_wrap=True)
    common = f"--config-dir {folder} recipe={name} backend=openai backend.base_url=URL"
    for line in (
        "", "See five records go through it, then run it:", "",
        f"cotmill preview {common} backend.model=MODEL",
        f"cotmill synthesize {common} backend.model=MODEL output_dir=runs/{name}",
    ):  # fmt: skip
        console.print(line, highlight=False, soft_wrap=True)


def main() -> None:
    if take_word() != "recipe":
        print("Usage: cotmill init recipe NAME [folder=FOLDER]", file=sys.stderr)
        sys.exit(0 if set(HELP) & set(sys.argv) else 2)
    name_first_word("name")
    run_command(
        "init recipe",
        "a folder with a recipe of one's own that runs at once",
        InitRecipeSettings,
        lambda settings: init_recipe(settings, Console(file=sys.stdout)),
    )

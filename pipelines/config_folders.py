"""Where Hydra looks for recipes and other choices: cotmill's conf/, installed packages' folders of
their own, and those that `--config-dir` names."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from transforms.engine.errors import SettingsError
from transforms.engine.paths import CONF, CONFIG_FOLDERS, package_folder

ENTRY_POINTS = "cotmill.recipes"
"""Group of the entry points by which an installed package offers recipes: each one's value is a
package with a folder conf/, which has a folder recipe/ (and source/, backend/ ... if it likes)."""

_FLAGS = ("--config-dir", "-cd")


def config_folders() -> list[Path]:
    """The folders, in the order in which they are searched: cotmill's own is the first."""
    named = os.environ.get(CONFIG_FOLDERS, "").split(os.pathsep)
    return list(dict.fromkeys([CONF, *(Path(each) for each in named if each), *_of_packages()]))


def take_config_folders(flags: Sequence[str]) -> list[str]:
    """Has the folders that `--config-dir` names searched, and returns the other flags.

    A module that lies in such a folder can be named by a recipe, also in worker processes.

    Raises SettingsError for a folder that is not there, and for a recipe whose name is taken:
    Hydra would take the first of them without a word.
    """
    left, named = [], []
    rest = list(flags)
    while rest:
        flag, equals, value = rest.pop(0).partition("=")
        if flag in _FLAGS:
            named.append(Path(value if equals else rest.pop(0)).expanduser().absolute())
        else:
            left.append(flag + equals + value)
    for folder in named:
        if not folder.is_dir():
            raise SettingsError(
                f"--config-dir={folder} is no folder: name the one that holds recipe/NAME.yaml"
            )
    if named:
        os.environ[CONFIG_FOLDERS] = os.pathsep.join(map(str, named))
        sys.path[:0] = [str(folder) for folder in named]
        before = os.environ.get("PYTHONPATH")
        paths = [*map(str, named), *([before] if before else [])]
        os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    first: dict[str, Path] = {}
    for path in (path for each in config_folders() for path in each.glob("recipe/*.yaml")):
        if (other := first.setdefault(path.stem, path)) != path:
            raise SettingsError(f"{path} has the name of {other}: rename it")
    return left


@cache  # they are asked for some ten times, and all installed packages are read for them
def _entry_points(path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """The entry points of recipes among what is installed in the folders of `path`, `sys.path`."""
    return tuple(entry_points(group=ENTRY_POINTS))


def _of_packages() -> list[Path]:
    found = []
    for point in _entry_points(tuple(sys.path)):
        folder = package_folder(point.value)
        if folder is None or not (folder / "conf").is_dir():
            raise SettingsError(
                f"entry point {point.name} of {ENTRY_POINTS} names {point.value}, which is no "
                "package with a folder conf/: mend or uninstall the package that offers it"
            )
        found.append(folder / "conf")
    return found

"""Where the files that ship with cotmill are, in a checkout and in an installed package alike."""

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path

from transforms.engine.errors import SettingsError

PROJECT = Path(__file__).resolve().parents[2]
"""The folder that holds pipelines/ and transforms/; in a checkout conf/ and data/ too."""


def _shipped(inside: str, name: str) -> Path:
    """A folder that ships: a wheel has it inside a package, where no other wheel has its name."""
    packed = PROJECT / inside / name
    return packed if packed.is_dir() else PROJECT / name


CONF = _shipped("pipelines", "conf")
DATA = _shipped("transforms", "data")

CONFIG_FOLDERS = "COTMILL_CONFIG_FOLDERS"
"""Environment variable that holds the folders of `--config-dir`."""


def child_environment() -> dict[str, str]:
    """This process's environment for a Python of its own that imports this very code; what stands
    in `PYTHONPATH` stays, after it."""
    before = os.environ.get("PYTHONPATH")
    paths = [str(PROJECT), *([before] if before else [])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def cache_folder() -> Path:
    """The folder that all runs of this user share: `$COTMILL_CACHE`, else `~/.cache/cotmill`."""
    return Path(os.environ.get("COTMILL_CACHE") or Path.home() / ".cache" / "cotmill")


def package_folder(package: str) -> Path | None:
    """The folder of an installed package, by its dotted name; None where there is none."""
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return None
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(str(next(iter(spec.submodule_search_locations))))


def prompt_path(folders: str | Sequence[str], name: str) -> str:
    """Where a recipe's prompt file is: in the first of its folders that has it.

    A folder is a URL, an absolute path, `pkg://PACKAGE/FOLDER` in an installed package, or a path
    below a folder of `--config-dir` or below cotmill's own.

    Raises SettingsError for a package that is not installed.
    """
    named = [folders] if isinstance(folders, str) else folders
    places = [f"{place}/{name}.yaml" for folder in named for place in _places(folder)]
    return next((place for place in places if os.path.exists(place)), places[-1])


def _places(folder: str) -> list[str]:
    if folder.startswith("pkg://"):
        package, _, below = folder.removeprefix("pkg://").partition("/")
        root = package_folder(package)
        if root is None:
            raise SettingsError(f"recipe.prompts={folder}: there is no package {package}")
        return [str(root / below)]
    if "://" in folder:
        return [folder]
    roots = os.environ.get(CONFIG_FOLDERS, "").split(os.pathsep)
    return [str(Path(root) / folder) for root in [*filter(None, roots), str(DATA.parent)]]

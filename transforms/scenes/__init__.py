"""Pictures whose truth is known because a program draws them: scenes by name."""

from __future__ import annotations

import pkgutil

from transforms.scenes.base import Box, Scene, SceneQuestion
from transforms.worlds.base import LEVELS

_SCENES = {
    "board": "board:Board",
    "chart": "chart:Chart",
    "geometry": "geometry:Geometry",
    "page": "page:Page",
    "part": "part:Part",
    "shapes": "shapes:Shapes",
    "table": "table:Table",
}
NAMES = tuple(_SCENES)
CORE = tuple(name for name in NAMES if name != "part")
"""Scenes that the core install draws."""

__all__ = [
    "CORE", "LEVELS", "NAMES", "Box", "Scene", "SceneQuestion", "scene_type",
]  # fmt: skip


def scene_type(name: str) -> type[Scene]:
    """Returns a kind of scene by its name, or one's own by its import path (`my_package:Maps`).

    Raises:
        ValueError: there is none of that name.
    """
    try:
        path = f"transforms.scenes.{_SCENES[name]}" if name in _SCENES else name
        found = pkgutil.resolve_name(path)
    except (ImportError, AttributeError, ValueError):
        found = None
    if not (isinstance(found, type) and issubclass(found, Scene)):
        raise ValueError(f"there is no scene {name}: use one of {', '.join(NAMES)}")
    return found

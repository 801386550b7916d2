"""What `--help` shows of a recipe's stages: each one's own fields, values and meanings."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from transforms.engine.errors import CotmillError
from transforms.engine.recipe import in_order, stage_class
from transforms.engine.run_settings import RunSettings
from transforms.engine.settings import Group, RecipeSettings
from transforms.engine.tables import meanings
from transforms.recipes.settings import Settings

_SHARED = Settings.model_fields.keys() - RunSettings.model_fields.keys() - {"seed"}
"""Settings that are there for stages to read."""

_LEFT_OUT = (
    *("name", "recipe", "run_id", "run_seed", "ledger_dir", "ran_ahead", "ahead", "begins_segment"),
    "blobs",
)
"""Fields that a run fills in, and the one that every stage has (shown where it is set)."""


def stage_options(recipe: Mapping[str, Any], root: type[Group]) -> Iterator[tuple[str, str, str]]:
    """Yields (key, value, meaning) of each stage of a composed recipe and of its own fields.

    Fields that are groups of the settings `root` are left out: they are options of their own. A
    stage that cannot be imported is shown with the reason.
    """
    ordered = in_order(RecipeSettings.model_validate({**recipe, "name": "", "prompts": ""}))
    for name, stage in ordered.items():
        key, chosen = f"recipe.stages.{name}", stage.model_extra or {}
        try:
            cls = stage_class(name, stage)
        except CotmillError as error:
            yield key, stage.target, str(error)
            continue
        yield key, stage.target.rpartition(".")[2], first_line(cls)
        fields, types = meanings(cls), inspect.get_annotations(cls)
        for field in dataclasses.fields(cls):
            elsewhere = field.name in _LEFT_OUT or field.name in root.model_fields
            if elsewhere and field.name not in chosen:
                continue
            value = chosen.get(field.name, _default(field))
            kind = str(types.get(field.name, field.type))
            yield f"{key}.{field.name}", _shown(value), f"{fields.get(field.name, '')} ({kind})"


def unread(recipe: Mapping[str, Any]) -> set[str]:
    """Returns the settings, groups of them mostly, that no stage of a composed recipe reads; none
    where a stage cannot be imported."""
    ordered = in_order(RecipeSettings.model_validate({**recipe, "name": "", "prompts": ""}))
    try:
        classes = [stage_class(name, stage) for name, stage in ordered.items()]
    except CotmillError:
        return set()
    read = {field.name for cls in classes for field in dataclasses.fields(cls)}
    return set(_SHARED - read - ({"models"} if "backend" in read else set()))


def first_line(cls: type) -> str:
    """The first sentence of a class's docstring, in one line."""
    paragraph = (inspect.getdoc(cls) or "").partition("\n\n")[0]
    return " ".join(paragraph.split())


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return "(required)"


def _shown(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_shown, value))}]"
    return getattr(value, "__qualname__", None) or str(value)

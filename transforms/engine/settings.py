"""The base of settings, the engine's own groups, and one clear line when a value is wrong."""

from __future__ import annotations

import difflib
import os
from typing import Annotated, Any, Literal, TypeVar, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from transforms.engine.errors import SettingsError


class Group(BaseModel):
    """A group of settings: frozen, and closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def identity(self) -> Any:
        """The part of the group that decides rows, as JSON: what only decides speed stays out."""
        return self.model_dump(mode="json")


LocalOrNot = Annotated[str, AfterValidator(os.path.expanduser)]
"""A path or name in which a leading ~ is the user's folder: shells leave it where it follows =."""


Folder = Annotated[str, Field(min_length=1)]
"""A folder to write: an empty name, as of a variable that is not set, would be the working one."""


class SinkSettings(Group):
    """How accepted rows are written."""

    rows_per_shard: int = Field(ge=1, description="rows per Parquet shard, at most about")
    compression: Literal["zstd", "snappy", "none"] = Field(description="Parquet compression")


class StageSettings(BaseModel):
    """One stage of a recipe: the transform and its own fields."""

    model_config = ConfigDict(extra="allow", frozen=True)
    target: str = Field(
        alias="_target_", description="the transform, such as transforms.sources.ReadSeeds"
    )
    after: str | None = Field(None, description="the stage that it follows (null: as listed)")
    before: str | None = Field(None, description="the stage that follows it (null: as listed)")

    @model_validator(mode="after")
    def _one_place(self) -> StageSettings:
        if self.after and self.before:
            raise ValueError("after and before exclude each other: set one of them")
        return self


StageName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class RecipeSettings(Group):
    """A kind of reasoning data: its stages and its prompts."""

    name: str = Field(description="name of the recipe, a column of every row")
    family: str = Field("", description="what recipes of its kind are about, such as execution")
    needs: Literal["no model", "any model", "strong model", "vision model"] = Field(
        "any model", description="the model that it takes to accept rows"
    )
    shown: Literal["not said", "own rows", "scripted model", "small model"] = Field(
        "not said",
        description="how far it is shown: by rows that it makes without a model, in tests that "
        "script the model, or also with a small one",
    )
    about: str = Field("", description="what it makes, in a line")
    citation: str = Field("", description="where its method comes from, such as arXiv 2510.04081")
    prompts: str | list[str] = Field(
        "",
        description="folder of prompt files, where a stage has prompts, or a list: the first that "
        "has a file gives it (pkg://PACKAGE/FOLDER: of an installed package; a relative folder: "
        "below --config-dir or cotmill's own)",
    )
    stages: dict[StageName, StageSettings | None] = Field(
        description="name -> stage, in order (null: left out)"
    )


class FolderSettings(Group):
    """Where a command writes, and what becomes of what is there."""

    output_dir: Folder = Field(description="folder to write, on any Beam filesystem")
    resume: bool = Field(
        False, description="go on in output_dir: what is done is skipped, what was begun finished"
    )
    overwrite: bool = Field(False, description="delete what output_dir holds and start anew")

    @model_validator(mode="after")
    def _exclusive(self) -> FolderSettings:
        if self.resume and self.overwrite:
            raise ValueError("resume and overwrite exclude each other: set one of them")
        return self


S = TypeVar("S", bound=Group)


def parse_settings(values: dict[str, Any], root: type[S]) -> S:
    """Returns validated settings of the class `root` from plain values.

    Raises SettingsError, one line per mistake: the key, what is wrong with it, and the nearest
    known key where it is unknown.
    """
    try:
        return root.model_validate(values)
    except ValidationError as error:
        lines = [_mistake(item, values, root) for item in error.errors()]
        raise SettingsError("; ".join(lines)) from None


def _mistake(item: Any, values: dict[str, Any], root: type[Group]) -> str:
    path = _path(item["loc"])
    key = ".".join(str(part) for part in path)
    if item["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(path[-1]), option_names(root, values, path[:-1]), n=1)
        hint = f": did you mean {'.'.join(map(str, [*path[:-1], near[0]]))}?" if near else ""
        return f"{key} is not a setting{hint or ' (see --help)'}"
    if item["type"] == "missing" and path[-1] == "_target_":
        near = difflib.get_close_matches(str(path[-2]), _siblings(values, path[:-1]), n=1)
        hint = f"did you mean {'.'.join(map(str, [*path[:-2], near[0]]))}?" if near else ""
        return f"{key} is missing: {hint or f'set {key}=VALUE'}"
    if item["type"] == "missing":
        return f"{key} is missing: set {key}=VALUE"
    if item["type"] == "union_tag_not_found":
        tag = item["ctx"]["discriminator"].strip("'")
        return f"{key}.{tag} is missing: it says what {key} is"
    message = item["msg"].removeprefix("Value error, ")
    if item["type"] in ("dict_type", "model_type", "model_attributes_type"):
        message = "should be a map, such as {KEY: VALUE}"
    if item["type"] == "string_type" and isinstance(item["input"], (int, float)):
        message += f""": to give it as a text, quote it twice: '{key}="TEXT"'"""
    if not key:
        return message
    if isinstance(item["input"], dict) and message.startswith(tuple(item["input"])):
        return f"{key}.{message}"
    return f"{key}={_as_set(item['input'])}: {message[:1].lower()}{message[1:]}"


def _as_set(value: Any) -> str:
    """A value as it is written on a command line."""
    return {"None": "null", "True": "true", "False": "false"}.get(repr(value), repr(value))


def _siblings(values: Any, path: list[Any]) -> list[str]:
    """The keys beside the last one of a path."""
    for part in path[:-1]:
        values = values[part]
    return [name for name in values if name != path[-1]]


def _path(place: tuple[Any, ...]) -> list[Any]:
    """The keys of an error's place: the names of kinds of source or engine in it are none."""
    path: list[Any] = []
    tagged = False
    for index, part in enumerate(place):
        if part != "[key]" and "[" not in str(part) and not tagged:
            path.append(part)
        before = place[index - 1] if index else None
        chosen = part in ("source", "backend", "format", "runner") or before in (
            "sources",
            "benchmarks",
            "models",
        )
        tagged = chosen and not tagged
    return path


def option_names(root: type[Group], values: dict[str, Any], path: list[Any]) -> list[str]:
    """The names of the settings below `path`, for the groups chosen in `values`."""
    group: Any = root
    for part in path:
        group = group_class(group, str(part), values)
        values = values.get(part, {}) if isinstance(values, dict) else {}
        if group is None:
            return []
    return list(group.model_fields)


def group_class(parent: type[BaseModel], name: str, values: dict[str, Any]) -> Any:
    """The class of a settings group; for a choice, the one that `values` names. None if none."""
    field = parent.model_fields.get(name)
    if field is None or get_origin(field.annotation) is dict:
        return None
    choices = [
        choice
        for choice in (field.annotation, *getattr(field.annotation, "__args__", ()))
        if isinstance(choice, type) and issubclass(choice, Group)
    ]
    if len(choices) < 2 or field.discriminator is None:
        return choices[0] if choices else None
    chosen = values.get(name, {})
    tag = chosen.get(field.discriminator) if isinstance(chosen, dict) else None
    for choice in choices:
        if tag in getattr(choice.model_fields[str(field.discriminator)].annotation, "__args__", ()):
            return choice
    return None

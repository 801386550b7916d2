"""A recipe, from its YAML to stages: finds the transforms, fills in their settings, hashes them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hydra.utils import get_class

from transforms.code import code_digest
from transforms.errors import SettingsError
from transforms.generation.prompts import PromptTemplate
from transforms.ids import content_id
from transforms.paths import PROJECT
from transforms.settings import (
    DecontaminateSettings,
    Group,
    RunSettings,
    SegmentSettings,
    StageSettings,
)
from transforms.sources.content import SOURCES, content


@dataclass(frozen=True)
class Segment:
    """One Beam pipeline of a run: its stages in order, and what identifies its result."""

    name: str
    label: str
    """Number and name, such as 03-sampling: what its rejects and counts are filed under."""
    folder: str
    """Where its kept rows go, relative to the run folder."""
    stages: tuple[Any, ...]
    """Stage transforms: PCollection of `reads` -> `Outcome` of `writes`."""
    fingerprint: str
    """Hash of everything that decides its rows, all earlier segments included."""

    @property
    def reads(self) -> type | None:
        """The record type it starts from; None where it starts from a source."""
        return self.stages[0].reads

    @property
    def writes(self) -> type:
        return self.stages[-1].writes


def build_segments(settings: RunSettings, root: str, ledger_dir: str = "") -> tuple[Segment, ...]:
    """Returns the recipe's segments, ready to run into the folder `root`.

    A stage is a dataclass; a field that bears the name of a settings group is given that group,
    `prompt` and `…_prompt` the prompt file it names, `seeds` the folder of the segment it names.
    All other fields come from the recipe as they stand.

    Raises SettingsError for a transform, field, prompt or segment that does not exist.
    """
    recipe = settings.recipe
    fingerprints: list[str] = []
    for segment in recipe.segments:
        upstream = fingerprints[-1] if fingerprints else ""
        identities = [_identity(stage, settings) for stage in segment.stages]
        fingerprints.append(content_id("segment", upstream, recipe.name, identities))
    run = {
        "ledger_dir": ledger_dir,
        "recipe": recipe.name,
        "run_id": fingerprints[-1],
    }
    labels = {s.name: f"{index:02d}-{s.name}" for index, s in enumerate(recipe.segments, start=1)}
    folders = {name: f"stages/{label}" for name, label in labels.items()}
    folders[recipe.segments[-1].name] = "data"
    return tuple(
        Segment(
            name=segment.name,
            label=labels[segment.name],
            folder=folders[segment.name],
            stages=_build(segment, settings, run, {k: f"{root}/{v}" for k, v in folders.items()}),
            fingerprint=fingerprint,
        )
        for segment, fingerprint in zip(recipe.segments, fingerprints, strict=True)
    )


def _build(
    segment: SegmentSettings,
    settings: RunSettings,
    run: Mapping[str, Any],
    folders: Mapping[str, str],
) -> tuple[Any, ...]:
    stages = []
    for stage in segment.stages:
        cls = _stage_class(stage)
        given = dict(stage.model_extra or {})
        if "seeds" in given:
            if given["seeds"] not in folders:
                raise SettingsError(
                    f"recipe.segments: stage {stage.target} takes its seeds from segment "
                    f"{given['seeds']!r}, which the recipe does not have ({', '.join(folders)})"
                )
            given["seeds"] = folders[given["seeds"]]
        for name in _prompts(given):
            given[name] = _prompt(settings, given[name])
        for field in dataclasses.fields(cls):
            if field.name in given:
                continue
            if field.name in run:
                given[field.name] = run[field.name]
            elif field.name in type(settings).model_fields:
                given[field.name] = getattr(settings, field.name)
        try:
            stages.append(cls(**given))
        except TypeError as error:
            raise SettingsError(
                f"recipe.segments: {stage.target} cannot be built from the recipe: {error}"
            ) from None
    return tuple(stages)


def _stage_class(stage: StageSettings) -> Any:
    try:
        cls = get_class(stage.target)
    except Exception:
        raise SettingsError(
            f"recipe.segments: there is no transform {stage.target}: check the recipe's _target_"
        ) from None
    if not dataclasses.is_dataclass(cls) or not hasattr(cls, "writes"):
        raise SettingsError(f"recipe.segments: {stage.target} is not a stage (see transforms/)")
    return cls


def _prompts(given: Mapping[str, Any]) -> list[str]:
    """The fields of a stage that name prompt files."""
    return [name for name in given if name == "prompt" or name.endswith("_prompt")]


def _prompt(settings: RunSettings, name: str) -> PromptTemplate:
    folder = settings.recipe.prompts
    if "://" not in folder:
        folder = str(PROJECT / folder)
    return PromptTemplate.load(f"{folder}/{name}.yaml")


def _identity(stage: StageSettings, settings: RunSettings) -> list[Any]:
    """Everything that decides the rows of a stage, as JSON values: its code, its settings, and
    what its sources hold. Speed stays out."""
    cls = _stage_class(stage)
    given = dict(stage.model_extra or {})
    for name in _prompts(given):
        given[name] = _prompt(settings, given[name]).identity()
    groups, contents = {}, {}
    for field in dataclasses.fields(cls):
        group = getattr(settings, field.name, None)
        if field.name not in given and isinstance(group, Group):
            groups[field.name] = group.identity()
            if isinstance(group, SOURCES):
                contents[field.name] = content(group)  # type: ignore[arg-type]
            elif isinstance(group, DecontaminateSettings):
                contents |= {name: content(source) for name, source in group.benchmarks.items()}
    return [stage.target, code_digest(cls.__module__), given, groups, contents]

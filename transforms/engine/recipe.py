"""A recipe, from its YAML to stages: finds the transforms, fills in their settings, hashes them."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_type_hints

from hydra.utils import get_class
from pydantic import TypeAdapter, ValidationError

from transforms.engine.accounting import UNANSWERED
from transforms.engine.code import code_digest
from transforms.engine.errors import SettingsError
from transforms.engine.files import FileSystems
from transforms.engine.ids import content_id
from transforms.engine.paths import prompt_path
from transforms.engine.run_settings import (
    ModelRunSettings,
    RunSettings,
    backend_for,
    backends_of,
    check_models,
)
from transforms.engine.settings import Group, RecipeSettings, StageSettings
from transforms.engine.stage import Stage, lacking, takes, written_by
from transforms.models.backends.settings import Backend, OpenAIBackend, refuses_pictures
from transforms.models.prompts import PromptTemplate
from transforms.models.settings import SamplerSettings
from transforms.models.tools import Tool
from transforms.sources.read import SOURCES, AnySource


@dataclass(frozen=True)
class Segment:
    """One Beam pipeline of a run: its stages in order, and what identifies its result."""

    name: str
    """That of its first stage."""
    label: str
    """Number and name, such as 03-sample: what its rejects and counts are filed under."""
    folder: str
    """Where its kept rows go, relative to the run folder."""
    stages: tuple[Stage, ...]
    reads: type | None
    """The record type that it starts from; None where it starts from a source."""
    writes: type
    fingerprint: str
    """Hash of everything that decides its rows, all earlier segments included."""
    blobs: str = ""
    """Folder of the run's pictures."""
    part: str = ""
    """Which part of its input it takes, such as -p00001; empty for all of it."""

    @property
    def prefix(self) -> str:
        """What the names of its files of rows begin with."""
        return ("train" if self.folder == "data" else "part") + self.part

    def part_of(self, number: int, identity: object) -> Segment:
        """The segment that takes a part of its input, and files what it makes of it apart."""
        part = f"-p{number:05d}"
        fingerprint = content_id("part", self.fingerprint, identity)
        return dataclasses.replace(
            self, label=self.label + part, part=part, fingerprint=fingerprint
        )


def build_segments(settings: RunSettings, root: str, ledger_dir: str = "") -> tuple[Segment, ...]:
    """Returns the recipe's segments, ready to run into the folder `root`.

    A stage is a dataclass, and its name the recipe's key. Its fields come from the recipe; those
    that the recipe leaves out and that bear the name of a settings group are given that group.
    `prompt` and `..._prompt` name a prompt file, `seeds` a stage before it, whose rows are to be
    shown: it has to be the last of its segment. A segment begins at the first stage and at each
    with `begins_segment`.

    Raises SettingsError for a transform, field, value, prompt or stage that does not exist or does
    not fit, for a stage that cannot take what the stage before it writes, and for a reason that
    cannot be one.
    """
    ordered = in_order(settings.recipe)
    classes = {name: stage_class(name, stage) for name, stage in ordered.items()}
    if isinstance(settings, ModelRunSettings):
        named = {each for n, stage in ordered.items() for each in _models_of(stage, classes[n])}
        check_models(settings, {name for name in named if name})
    groups = _grouped(ordered, classes)
    fingerprints: list[str] = []
    for names in groups:
        upstream = fingerprints[-1] if fingerprints else ""
        identities = [_identity(name, ordered[name], classes[name], settings) for name in names]
        fingerprints.append(content_id("segment", upstream, settings.recipe.name, identities))
    labels = [f"{number:02d}-{names[0]}" for number, names in enumerate(groups, start=1)]
    folders = [*(f"stages/{label}" for label in labels[:-1]), "data"]
    blobs = FileSystems.join(FileSystems.split(ledger_dir)[0] if ledger_dir else root, "blobs")
    run = {
        "ledger_dir": ledger_dir,
        "blobs": blobs,
        "recipe": settings.recipe.name,
        "run_id": fingerprints[-1],
        "run_seed": getattr(settings, "seed", 0),
    }
    last_of = {names[-1]: f"{root}/{folder}" for names, folder in zip(groups, folders, strict=True)}
    segments: list[Segment] = []
    arriving: type | None = None
    for names, label, folder, fingerprint in zip(
        groups, labels, folders, fingerprints, strict=True
    ):
        reads, stages = arriving, []
        for name in names:
            stage = _built(name, ordered[name], classes[name], settings, run, last_of)
            if not takes(stage, arriving):
                raise _misfit(stage, arriving)
            _check_reasons(stage)
            for field, value in lacking(stage, arriving).items():
                raise SettingsError(
                    f"recipe.stages.{name}.{field}={value}: {getattr(arriving, '__name__', '')}, "
                    "which comes in, has no such field"
                )
            arriving = written_by(stage, arriving)
            stages.append(stage)
        assert arriving is not None
        segments.append(
            Segment(names[0], label, folder, tuple(stages), reads, arriving, fingerprint, blobs)
        )
    return tuple(segments)


def asked_backends(settings: ModelRunSettings) -> dict[str, Backend]:
    """Returns the backends that the recipe's stages ask, by the name of their setting; a recipe
    may ask none.

    Raises SettingsError for a transform that does not exist.
    """
    stages = in_order(settings.recipe)
    classes = {name: stage_class(name, stage) for name, stage in stages.items()}
    asking = {each for name, stage in stages.items() for each in _models_of(stage, classes[name])}
    places = {f"models.{name}" if name in settings.models else "backend" for name in asking}
    return {place: each for place, each in backends_of(settings).items() if place in places}


def _models_of(stage: StageSettings, cls: Any) -> list[str | None]:
    """What the recipe calls the models that a stage asks, its own first, None for the run's own;
    empty for a stage that asks none."""
    fields = {field.name: field.default for field in dataclasses.fields(cls)}
    if "backend" not in fields:
        return []
    given = {name: (stage.model_extra or {}).get(name, value) for name, value in fields.items()}
    further = [value for name, value in given.items() if name.endswith("_model")]
    further += [each for name in given if name.endswith("_models") for each in given[name]]
    return [given.get("model"), *dict.fromkeys(filter(None, further))]


def in_order(recipe: RecipeSettings) -> dict[str, StageSettings]:
    """Returns a recipe's stages by name, those with `after` or `before` in their place; a stage
    that is null is left out.

    Raises SettingsError where a stage is to stand beside one that is not there.
    """
    given = {name: stage for name, stage in recipe.stages.items() if stage is not None}
    names = [name for name, stage in given.items() if not (stage.after or stage.before)]
    for name, stage in given.items():
        beside = stage.after or stage.before
        if beside is None:
            continue
        if beside not in names:
            raise SettingsError(
                f"recipe.stages.{name} stands {'after' if stage.after else 'before'} {beside}, "
                f"which is not a stage before it in the file ({', '.join(names)})"
            )
        names.insert(names.index(beside) + bool(stage.after), name)
    if not names:
        raise SettingsError("recipe.stages is empty: a recipe has at least one stage")
    return {name: given[name] for name in names}


def _grouped(ordered: Mapping[str, StageSettings], classes: Mapping[str, Any]) -> list[list[str]]:
    """The names of the stages, segment by segment."""
    groups: list[list[str]] = []
    for name, stage in ordered.items():
        begins = (stage.model_extra or {}).get("begins_segment", classes[name].begins_segment)
        if begins or not groups:
            groups.append([])
        groups[-1].append(name)
    return groups


def _check_reasons(stage: Stage) -> None:
    for reason in stage.rejects_for():
        if reason == UNANSWERED or not re.fullmatch("[a-z][a-z0-9_]*", reason):
            raise SettingsError(
                f"recipe.stages.{stage.name} ({type(stage).__name__}) gives a reason {reason!r}: "
                f"one is a word of a-z, 0-9 and _, and {UNANSWERED} stands for records put off"
            )


def _misfit(stage: Stage, arriving: type | None) -> SettingsError:
    wanted = "nothing" if stage.reads is None else stage.reads.__name__
    found = "nothing comes before it" if arriving is None else f"{arriving.__name__} comes in"
    return SettingsError(
        f"recipe.stages.{stage.name} ({type(stage).__name__}) reads {wanted}, but {found}: change "
        "the order of the stages"
    )


def _built(
    name: str,
    stage: StageSettings,
    cls: Any,
    settings: RunSettings,
    run: Mapping[str, Any],
    folders: Mapping[str, str],
) -> Stage:
    given = dict(stage.model_extra or {})
    if "seeds" in given:
        if given["seeds"] not in folders:
            raise SettingsError(
                f"recipe.stages.{name} takes its seeds from stage {given['seeds']!r}, which does "
                f"not end a segment of the recipe (those that do: {', '.join(folders)})"
            )
        given["seeds"] = folders[given["seeds"]]
    for field in _prompts(given):
        given[field] = _with_prompts(settings, given[field], lambda prompt: prompt)
    given |= _values(name, stage, cls)
    given["name"] = name
    for known in dataclasses.fields(cls):
        if known.name in given:
            continue
        if known.name in run:
            given[known.name] = run[known.name]
        elif (group := _group_of(known.name, stage, cls, settings)) is not None:
            given[known.name] = group
    fields = [field.name for field in dataclasses.fields(cls)]
    for key in given:
        if key not in fields:
            near = difflib.get_close_matches(key, fields, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(fields)}"
            raise SettingsError(
                f"recipe.stages.{name}.{key} is not a setting of {stage.target}: {hint}"
            )
    try:
        built: Stage = cls(**given)
    except TypeError as error:
        raise SettingsError(
            f"recipe.stages.{name}: {stage.target} cannot be built from the recipe: {error}"
        ) from None
    _check_first_tokens(built)
    _check_scores(built)
    _check_pictures(built)
    return built


def _check_first_tokens(stage: Stage) -> None:
    """Raises SettingsError where a stage wants a first token of its own from a backend that cannot
    give one."""
    if not isinstance(getattr(stage, "backend", None), OpenAIBackend):
        return
    samplers: dict[str, Any] = {}
    for field in dataclasses.fields(stage):
        value = getattr(stage, field.name)
        samplers[f"recipe.stages.{stage.name}.{field.name}"] = value
        if isinstance(value, Group):
            samplers |= {f"{field.name}.{key}": each for key, each in value}
    for place, value in samplers.items():
        if isinstance(value, SamplerSettings) and value.fire_temperature is not None:
            raise SettingsError(
                f"{place}.fire_temperature needs backend vllm or vllm_server: other endpoints do "
                "not continue an answer token by token"
            )


def _check_scores(stage: Stage) -> None:
    """Raises SettingsError where a stage asks how likely texts are of a chat, which cannot say."""
    backend = getattr(stage, "backend", None)
    if not isinstance(backend, OpenAIBackend) or backend.api != "chat":
        return
    if getattr(stage, "scores_texts", False):
        model = getattr(stage, "model", None)
        place = f"models.{model} (or backend)" if model else "backend"
        raise SettingsError(
            f"recipe.stages.{stage.name} asks how likely given texts are, which the chats of an "
            f"endpoint do not tell: set api=completions or engine=vllm of {place}"
        )


def _check_pictures(stage: Stage) -> None:
    """Raises SettingsError where a stage shows pictures, and a backend that it asks takes text
    alone."""
    if not stage.shows_pictures:
        return
    own = getattr(stage, "model", None)
    asked = {own: getattr(stage, "backend", None), **getattr(stage, "models", {})}
    for model, backend in asked.items():
        if backend is not None and (refusal := refuses_pictures(backend)):
            place = f" of models.{model} (or backend)" if model else " of backend"
            raise SettingsError(f"recipe.stages.{stage.name} shows pictures, {refusal}{place}")


def _group_of(field: str, stage: StageSettings, cls: Any, settings: RunSettings) -> Any:
    """The settings that a stage's field is named after; of the backends, those of its models."""
    if field in ("backend", "models") and isinstance(settings, ModelRunSettings):
        own, *further = _models_of(stage, cls)
        if field == "models":
            return {name: backend_for(settings, name) for name in further}
        return backend_for(settings, own)
    return getattr(settings, field, None) if field in type(settings).model_fields else None


def _values(name: str, stage: StageSettings, cls: Any) -> dict[str, Any]:
    """The fields that the recipe sets, prompts and seeds aside, as their types have them: bounds
    hold, groups are built, and functions are found."""
    given, values = stage.model_extra or {}, {}
    hints = get_type_hints(cls, include_extras=True)
    for field in given.keys() & hints.keys() - {"seeds", *_prompts(given)}:
        try:
            values[field] = TypeAdapter(hints[field]).validate_python(given[field])
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(["recipe.stages", name, field, *(str(part) for part in first["loc"])])
            what = first["msg"].removeprefix("Value error, ")
            raise SettingsError(f"{place}: {what} (it is {first['input']!r})") from None
    return values


def stage_class(name: str, stage: StageSettings) -> Any:
    """The class of a stage; SettingsError where its import path names none."""
    try:
        cls = get_class(stage.target)
    except Exception:
        raise SettingsError(
            f"recipe.stages.{name}: there is no transform {stage.target}: check its _target_"
        ) from None
    if not issubclass(cls, Stage) or not hasattr(cls, "reads"):
        raise SettingsError(
            f"recipe.stages.{name}: {stage.target} is not a stage (see transforms/engine/stage.py)"
        )
    return cls


def _prompts(given: Mapping[str, Any]) -> list[str]:
    """The fields of a stage that name prompt files; those that end in `_prompts` name several, in
    maps and lists."""
    return [name for name in given if name == "prompt" or name.endswith(("_prompt", "_prompts"))]


def _with_prompts(settings: RunSettings, named: Any, of: Callable[[PromptTemplate], Any]) -> Any:
    """Returns what names prompt files with what `of` makes of each in its place."""
    if isinstance(named, Mapping):
        return {key: _with_prompts(settings, each, of) for key, each in named.items()}
    if isinstance(named, list):
        return [_with_prompts(settings, each, of) for each in named]
    return of(PromptTemplate.load(prompt_path(settings.recipe.prompts, named)))


def _identity(name: str, stage: StageSettings, cls: Any, settings: RunSettings) -> list[Any]:
    """Everything that decides the rows of a stage, as JSON values: its code, its settings, and
    what its sources hold. Speed stays out."""
    given = dict(stage.model_extra or {})
    for field in _prompts(given):
        given[field] = _with_prompts(settings, given[field], PromptTemplate.identity)
    groups, sources = {}, dict[str, AnySource]()
    for known in dataclasses.fields(cls):
        group = _group_of(known.name, stage, cls, settings)
        if known.name not in given and isinstance(group, Group):
            groups[known.name] = group.identity()
            if known.name == "sampling" and not cls.draws:
                del groups[known.name]["num_programs"]
            sources |= _sources(known.name, group)
        if known.name == "models" and group:
            groups["models"] = {name: each.identity() for name, each in group.items()}
        if known.name == "run_seed":
            groups["seed"] = getattr(settings, "seed", 0)
    parts = list(_parts(_values(name, stage, cls)))
    functions = [each.function if isinstance(each, Tool) else each for each in parts]
    readers = [type(part) for source in sources.values() for part in source.parts().values()]
    modules = [cls.__module__, *sorted({each.__module__ for each in (*functions, *readers)})]
    code = [code_digest(module) for module in modules]
    contents = {name: source.content() for name, source in sources.items()}
    contents |= {f"tools.{tool.name}": tool.identity for tool in parts if isinstance(tool, Tool)}
    return [name, stage.target, code, given, groups, contents]


def _parts(value: Any) -> Iterator[Any]:
    """The functions and tools among a stage's values."""
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, tuple):
        for each in value:
            yield from _parts(each)
    elif callable(value):
        yield value


def _sources(name: str, group: Group) -> dict[str, AnySource]:
    """The sources in a group of settings, by name: itself, or those in a map of it."""
    if isinstance(group, SOURCES):
        return {name: group}
    maps = [value for _, value in group if isinstance(value, dict)]
    return {key: each for map in maps for key, each in map.items() if isinstance(each, SOURCES)}

"""What every command shares: Hydra composition, generated help, and errors of one line."""

from __future__ import annotations

import difflib
import io
import logging
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import hydra
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.arguments import HELP, MULTIRUN, check_single, flags_and_settings, readable
from pipelines.config_folders import config_folders, take_config_folders
from pipelines.stage_help import stage_options, unread
from transforms.engine import errors
from transforms.engine.errors import CotmillError, Interrupted, SettingsError
from transforms.engine.paths import CONF, DATA
from transforms.engine.settings import Group, group_class, parse_settings

OmegaConf.register_new_resolver("data", lambda path: str(DATA / path), replace=True)


_QUIET = (
    "hydra.output_subdir=null",
    "hydra.run.dir=.",
    "hydra/job_logging=none",
    "hydra/hydra_logging=none",
)
"""Hydra writes nothing of its own: a run folder's manifest holds the resolved configuration."""

_UNUSABLE = re.compile(r"\[Errno (?:1|13|17|20|21|30|36|40)\] ([^\n\[]*?): '([^'\n]+)'")
"""What the system says of a file or folder that no process of this user can use as asked."""

S = TypeVar("S", bound=Group)


def run_command(command: str, purpose: str, root: type[S], main: Callable[[S], None]) -> None:
    """Runs `main` with the settings that Hydra composes from conf/COMMAND.yaml and the overrides.

    `root` is the class of the settings; a command of two words has its file at conf/ONE_TWO.yaml.

    `--help` shows every option with its meaning; Hydra's own flags (`--cfg job`, `--multirun`,
    `--hydra-help` ...) work as in any Hydra app, in any place. A CotmillError, and anything that
    Hydra finds wrong with the overrides, ends the process with one line on stderr and status 1.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # not every terminal has all letters
    with _one_line():
        flags, settings = flags_and_settings(sys.argv[1:])
        flags = take_config_folders(flags)
        settings = [readable(setting) for setting in settings]
        if not set(MULTIRUN) & set(flags):
            for setting in settings:
                check_single(setting)
        overrides = [settable(chosen(setting)) for setting in settings]
        if set(HELP) & set(flags):
            print_help(command, purpose, root, overrides)
            return
    sys.argv[1:] = [*flags, *_QUIET, *search_path(), *overrides]
    full = os.environ.get("HYDRA_FULL_ERROR")
    if full == "1":
        os.environ["COTMILL_DEBUG"] = "1"  # tracebacks in full

    caught: list[BaseException] = []

    def task(config: DictConfig) -> None:
        try:
            settings = to_settings(config, root)
            _find_stores(settings)
            main(settings)
        except Exception as error:  # raised again outside: Hydra would announce it itself
            caught.append(error)

    # Libraries' errors and our own warnings go to stderr. Hydra's logging would silence the loggers
    # of modules that are imported already.
    logging.getLogger().setLevel(logging.ERROR)
    # The Hub's client warns of each of its tries, and sets its level as it is imported.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    logging.getLogger("transforms").setLevel(logging.WARNING)
    with _one_line():
        app = hydra.main(
            version_base="1.3", config_path=str(CONF), config_name=config_name(command)
        )
        os.environ["HYDRA_FULL_ERROR"] = "1"  # errors reach us, not Hydra's own printing
        try:
            app(task)()
        finally:
            os.environ["HYDRA_FULL_ERROR"] = full or "0"
        if caught:
            raise caught[0]


def _find_stores(settings: Group) -> None:
    """Has object stores be found by the runner's options from the first look at output_dir on."""
    runner = getattr(settings, "runner", None)
    if options := runner and runner.beam_options():
        from transforms.engine.files import use_options  # Beam, which few commands need

        use_options(options)


def config_name(command: str) -> str:
    return command.replace(" ", "_")


def search_path() -> list[str]:
    """The override by which Hydra finds the choices of all config folders."""
    added = ",".join(f'"file://{folder}"' for folder in config_folders()[1:])
    return [f"hydra.searchpath=[{added}]"] if added else []


def _is_group(key: str) -> bool:
    """Whether a key names a config group; it may say where a choice goes, as backend@after."""
    return any((folder / key.split("@")[0]).is_dir() for folder in config_folders())


def to_settings(config: DictConfig, root: type[S]) -> S:
    """Returns validated settings from a composed configuration; SettingsError where it is wrong."""
    missing = sorted(OmegaConf.missing_keys(config))
    if missing:
        key = missing[0]
        values = OmegaConf.to_container(config, resolve=False)
        meanings = {name: field.description for name, field, _ in options(root, values)}
        meaning = f" ({meanings[key]})" if meanings.get(key) else ""
        raise SettingsError(f"{key} is missing: set {key}=VALUE{meaning}")
    values = OmegaConf.to_container(config, resolve=True)
    assert isinstance(values, dict)
    plain = {str(key): value for key, value in values.items() if key != "hydra"}
    return parse_settings(plain, root)


class _one_line:
    """Turns the errors that a user can mend into one line on stderr and their exit status."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        message = None
        if isinstance(error, (HydraException, OmegaConfBaseException)):
            message = hydra_mistake(error)
        elif isinstance(error, KeyboardInterrupt):
            message = "interrupted: what was written stays, resume=true goes on from there"
        elif isinstance(error, Exception):
            message = user_message(error)
        if message is None:
            return
        print(f"cotmill: {message}", file=sys.stderr)
        if isinstance(error, Interrupted):
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(error.status)  # threads that still wait for a model are not waited for
        sys.exit(error.status if isinstance(error, CotmillError) else 1)


def is_caused_by(error: BaseException, kind: type[CotmillError]) -> bool:
    """Whether an error of `kind` is in an exception, also where a worker left only its text."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, kind) or f"{kind.__module__}.{kind.__name__}: " in str(cause):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def user_message(error: BaseException | None) -> str | None:
    """Finds the CotmillError in an exception, also where a worker process only left its text."""
    while error is not None:
        if isinstance(error, CotmillError):
            return re.sub(r" \[while running '.*", "", str(error), flags=re.DOTALL)
        names = "|".join(name for name in vars(errors) if name[0].isupper())
        found = re.findall(rf"transforms\.engine\.errors\.(?:{names}): (.*)", str(error))
        if found:
            return re.sub(r" \[while running '.*", "", found[-1])
        full = re.search(r"\[Errno (?:28|122)\] [^\n\[]*", str(error))
        if full:
            return f"{full.group().strip()}: free some space, then go on with resume=true"
        if isinstance(error, OSError) and (place := _UNUSABLE.search(str(error))):
            return f"{place[2]} cannot be used ({place[1]}): name another place, or mend its rights"
        if "Unable to get filesystem from specified path" in str(error):
            path = str(error).rpartition("Path specified: ")[2]
            return f"{path}: no file system has such paths: use a local one, s3:// or gs://"
        if "Channel closed prematurely" in str(error):
            return (
                "a worker process died, perhaps for want of memory: use fewer runner.workers, "
                "then go on with resume=true"
            )
        if re.search("SDK worker disconnected|in state FAILED: panic in", str(error)):
            return (  # Prism's words: with a worker gone it may fall over its own feet
                "the runner lost a worker, perhaps for want of memory: see that workers run where "
                "runner.options.environment_config says, then go on with resume=true"
            )
        error = error.__cause__ or error.__context__
    return None


def chosen(setting: str) -> str:
    """Returns a setting; SettingsError where it chooses from a group by something but a name."""
    group, equals, value = setting.partition("=")
    group = group.lstrip("+")
    if not equals or not _is_group(group):
        return setting
    override = OverridesParser.create().parse_override(setting)
    if override.is_sweep_override() or isinstance(override.value(), str):
        return setting
    raise SettingsError(
        f"{group}={value}: {no_choice(group, value)}; a setting of it is {group}.KEY=VALUE"
    )


def no_choice(group: str, name: str) -> str:
    names = choices(group)
    if near := difflib.get_close_matches(name, names):
        return f"there is no such choice: did you mean {' or '.join(near)}?"
    listed = "see cotmill recipes" if group == "recipe" else ", ".join(names)
    return f"there is no such choice: {listed or 'none'}"


def settable(argument: str) -> str:
    """Lets KEY=VALUE set a key that no YAML lists: which keys there are, the settings know."""
    key, equals, _ = argument.partition("=")
    plain = (
        equals
        and not _is_group(key)
        and key[:1] not in ("+", "~", "-")
        and not key.startswith("hydra")
    )
    return f"++{argument}" if plain else argument


def hydra_mistake(error: Exception) -> str:
    """One line for what Hydra found wrong with the overrides."""
    text = str(error)
    choice = re.search(r"Could not find '([^']+)'", text)
    if choice and "/" in choice.group(1):
        group, name = choice.group(1).rsplit("/", 1)
        return f"{group}={name}: {no_choice(group, name)}"
    return " ".join(text.split())


def choices(group: str) -> list[str]:
    """The names of a config group's files; `group` may say where they go, as in backend@after."""
    folders = [folder / group.split("@")[0] for folder in config_folders()]
    return sorted({path.stem for folder in folders for path in folder.glob("*.yaml")})


def chosen_groups(command: str) -> list[str]:
    """The config groups that a command's YAML chooses from."""
    config = yaml.safe_load((CONF / f"{config_name(command)}.yaml").read_text()) or {}
    groups: set[str] = set()
    for item in config.get("defaults", []):
        if isinstance(item, dict):
            groups.update(item)
        elif item != "_self_":  # the YAML of another command, whose groups are this one's too
            groups.update(chosen_groups(item))
    return sorted(groups)


def composed(config: str | None, overrides: Iterable[str]) -> dict[str, Any]:
    """Returns what Hydra composes from a YAML of conf/ (None: from the overrides alone), as plain
    values whose interpolations are left as they are."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        found = compose(config_name=config, overrides=[*search_path(), *overrides])
    OmegaConf.set_struct(found, False)
    values = OmegaConf.to_container(found, resolve=False)
    assert isinstance(values, dict)
    return {str(key): value for key, value in values.items()}


def options(
    group: type[BaseModel], values: Any, prefix: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    """Yields (dotted key, pydantic field, value) for every option of the composed groups."""
    for name, field in group.model_fields.items():
        below = group_class(group, name, values if isinstance(values, dict) else {})
        value = values.get(name, field.default) if isinstance(values, dict) else field.default
        if below is not None and "list" not in str(field.annotation):
            yield from options(below, value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field, value


def print_help(command: str, purpose: str, root: type[Group], overrides: list[str]) -> None:
    """Prints the groups with their choices, and every option with its value and meaning; of a
    recipe, those that one of its stages reads."""
    values = composed(config_name(command), overrides)
    console = Console()
    console.print(f"[bold]cotmill {command}[/]: {purpose}\n")
    has_groups = "\\[GROUP=CHOICE] " if chosen_groups(command) else ""
    console.print(f"Usage: cotmill {command} {has_groups}\\[KEY=VALUE] ...   (Hydra overrides)\n")
    groups = Table(title="Groups", title_justify="left", box=None, pad_edge=False)
    groups.add_column("GROUP")
    groups.add_column("CHOICES")
    left_out = unread(values["recipe"]) if "recipe" in values else set()
    for name in chosen_groups(command):
        if name in left_out:
            continue
        groups.add_row(name, ", ".join(choices(name)))
    if groups.row_count:
        console.print(groups, "")
    table = _options_table("Options, with their values for the groups chosen")
    for key, field, value in options(root, values):
        if key.partition(".")[0] in left_out:
            continue
        long = isinstance(value, (list, dict)) and bool(value)
        text = f"(see conf/{key.split('.')[0]})" if long else shown(value)
        table.add_row(key, text, f"{field.description or ''} {type_of(field)}".strip())
    if table.row_count:
        console.print(table, "")
    if "recipe" in values:
        _print_stages(console, values["recipe"], root)
    if groups.row_count:
        console.print(f"To see a group's own options: cotmill {command} GROUP=CHOICE --help")
    console.print("Hydra's flags: --cfg job (show the configuration), --multirun, --hydra-help")


def _options_table(title: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("KEY", no_wrap=True)
    table.add_column("VALUE", overflow="fold", max_width=28)
    table.add_column("MEANING")
    return table


def _print_stages(console: Console, recipe: dict[str, Any], root: type[Group]) -> None:
    table = _options_table(
        f"Stages of recipe {recipe.get('name')} with their own fields, beside begins_segment"
    )
    for row in stage_options(recipe, root):
        table.add_row(*map(Text, row))
    console.print(table, "")


def shown(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if repr(value) == "PydanticUndefined" or value == "???":
        return "(required)"
    return str(value)


def type_of(field: Any) -> str:
    """The type and bounds of an option, or its choices, in brackets."""
    bounds = [
        f"{sign} {getattr(item, attribute)}"
        for item in field.metadata
        for attribute, sign in (("ge", ">="), ("gt", ">"), ("le", "<="), ("lt", "<"))
        if getattr(item, attribute, None) is not None
    ]
    return f"({', '.join([_type_name(field.annotation), *bounds])})"


def _type_name(annotation: Any) -> str:
    """The name of a type as a user knows it, or its choices.

    >>> _type_name(Literal["a", "b"] | None), _type_name(str | list[str])
    ('a | b | null', 'str | list')
    """
    origin = get_origin(annotation)
    if origin is Annotated:
        return _type_name(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return " | ".join(dict.fromkeys(map(_type_name, get_args(annotation))))
    if origin is Literal:
        return " | ".join(map(str, get_args(annotation)))
    return "null" if annotation is NoneType else (origin or annotation).__name__

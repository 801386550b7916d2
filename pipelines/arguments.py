"""The words of a command line: flags apart from settings, and values as Hydra can read them."""

from __future__ import annotations

import contextlib
import difflib
import json
import shlex
import sys
from collections.abc import Sequence
from typing import Any

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException

from transforms.engine.errors import SettingsError

HELP = ("--help", "-h")
MULTIRUN = ("--multirun", "-m")
_FLAGS = [*HELP, *MULTIRUN, "--hydra-help", "--version", "--resolve", "--run", "-r"]
_FLAGS += ["--shell-completion", "-sc"]
_FLAGS_WITH_VALUE = ["--cfg", "-c", "--package", "-p", "--info", "-i", "--config-path", "-cp"]
_FLAGS_WITH_VALUE += ["--config-name", "-cn", "--config-dir", "-cd", "--experimental-rerun"]
_STRUCTURED = ("[", "{", '"', "'")
"""What a list, a map or a quoted text begins with."""


def flags_and_settings(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Returns Hydra's flags with their values, and the settings, each in their order.

    Raises SettingsError for a flag that Hydra does not have, and for an argument without `=`.
    """
    flags: list[str] = []
    settings: list[str] = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if not argument.startswith("-"):
            settings.append(_with_equals(argument, settings))
            continue
        name, equals, value = argument.partition("=")
        if name not in (*_FLAGS, *_FLAGS_WITH_VALUE):
            setting = f"{name.lstrip('-').replace('-', '_')}={value if equals else 'VALUE'}"
            near = difflib.get_close_matches(name, [*_FLAGS, *_FLAGS_WITH_VALUE], 1, 0.8)
            hint = near[0] if near else f"{shlex.quote(setting)}, without dashes"
            raise SettingsError(f"{name} is not a flag: did you mean {hint}? (see --help)")
        flags.append(argument)
        if name in _FLAGS_WITH_VALUE and not equals:
            if not rest or rest[0].startswith("-"):
                raise SettingsError(f"{name} needs a value, such as --cfg job")
            flags.append(rest.pop(0))
    return flags, settings


def take_word() -> str:
    """Takes the first word that is not a flag out of sys.argv; empty where there is none.

    It names a command: `cotmill --help synthesize` is `cotmill synthesize --help`.
    """
    for index, argument in enumerate(sys.argv[1:], start=1):
        if not argument.startswith("-"):
            return sys.argv.pop(index)
    return ""


def name_first_word(key: str) -> None:
    """Makes the first argument, where it is neither a flag nor a setting, the value of `key`:
    `cotmill inspect runs/first` is `cotmill inspect output_dir=runs/first`."""
    if len(sys.argv) > 1 and "=" not in sys.argv[1] and not sys.argv[1].startswith(("-", "~")):
        sys.argv[1] = f"{key}={sys.argv[1]}"


def quote_values(keys: Sequence[str]) -> None:
    """Quotes the values of settings that are any text, so that Hydra reads `id=12e45678` as no
    number, and `search=a,b` as no sweep. Values in quotes already, and `null`, stay as they are."""
    for index, argument in enumerate(sys.argv[1:], start=1):
        key, equals, value = argument.partition("=")
        if equals and key in keys and value != "null" and value[:1] not in ("'", '"'):
            sys.argv[index] = f"{key}={_quoted(value)}"


def _with_equals(argument: str, before: Sequence[str]) -> str:
    if "=" in argument or argument.startswith("~"):
        return argument
    hint = " (see --help)"
    if before:
        example = shlex.quote(f"{before[-1]} {argument}")
        hint = f"; a value with spaces is quoted for the shell: {example}"
    raise SettingsError(f"{argument!r} is not a setting: settings are KEY=VALUE{hint}")


def check_single(setting: str) -> None:
    """Raises SettingsError where a setting that Hydra can read has several values, as `KEY=1,2`."""
    if not OverridesParser.create().parse_override(setting).is_sweep_override():
        return
    key, _, value = setting.partition("=")
    raise SettingsError(
        f"{setting} is several values: as a list it is {shlex.quote(f'{key}=[{value}]')}, as a "
        f"text {shlex.quote(f'{key}={_quoted(value)}')}; --multirun runs once for each"
    )


def readable(setting: str) -> str:
    """Returns KEY=VALUE as Hydra can read it.

    A value that Hydra's grammar does not know is a text, or a list or map as YAML writes them.
    Raises SettingsError where the key is none, and where a value begins as a list, a map or a
    quoted text but does not go on as one.
    """
    if _parses(setting):
        return setting
    key, _, value = setting.partition("=")
    if not _parses(f"{key}=1"):
        raise SettingsError(f"{setting}: {key!r} is not a setting (see --help)")
    text = f"{key}={_quoted(value)}"
    if not value.startswith(_STRUCTURED):
        return text
    with contextlib.suppress(yaml.YAMLError):
        structure = yaml.safe_load(value)
        translated = f"{key}={_translated(structure)}"
        if isinstance(structure, (list, dict)) and _parses(translated):
            return translated
    raise SettingsError(
        f"{setting}: the value begins as a list, a map or a quoted text, and does not end as one; "
        f"to give it as a text, quote it for cotmill and for the shell: {shlex.quote(text)}"
    )


def _parses(setting: str) -> bool:
    try:
        OverridesParser.create().parse_override(setting)
    except HydraException:
        return False
    return True


def _quoted(text: str) -> str:
    return QuotedString(text, Quote.double).with_quotes()


def _translated(value: Any) -> str:
    """A value of YAML in Hydra's grammar."""
    if isinstance(value, dict):
        pairs = (f"{key}: {_translated(each)}" for key, each in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_translated, value)) + "]"
    return _quoted(value) if isinstance(value, str) else json.dumps(value, default=str)

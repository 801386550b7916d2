"""Where an endpoint is, with the key and the headers that it is asked with."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import SecretStr

from transforms.engine.errors import BackendError
from transforms.models.backends.settings import OpenAIBackend


@dataclass(frozen=True)
class Place:
    """Where an endpoint is, and as whom it is asked."""

    base_url: str
    api_key: str
    headers: Mapping[str, str] = field(default_factory=dict)
    """Further headers."""
    setting: str = "backend"
    """The setting that names it, for messages."""


def api_key(variable: str) -> str:
    """Returns the key in an environment variable, without the space around it; `none` if unset.

    Raises:
        BackendError: it holds what no HTTP header can carry.
    """
    key = os.environ.get(variable, "").strip() or "none"
    for place, letter in enumerate(key, start=1):
        if not "!" <= letter <= "~":
            raise BackendError(
                f"{variable} holds {ascii(letter)} at place {place}, which no key has: set it to "
                "the key alone"
            )
    return key


def place_of(backend: OpenAIBackend) -> Place:
    """Returns where an endpoint is, with the key and the headers that the environment holds.

    Raises: as `api_key` and `header_values` do.
    """
    setting = backend.place
    headers = header_values(backend.headers, f"{setting}.headers")
    return Place(backend.base_url, api_key(backend.api_key_env), headers, setting)


def header_values(headers: Mapping[str, SecretStr], setting: str) -> dict[str, str]:
    """Returns headers with the values of environment variables in place of `$NAME`.

    Args:
        setting: the one that holds them, for messages.

    Raises:
        BackendError: a variable is not set, or a header holds what HTTP cannot carry.
    """
    values = {}
    for name, secret in headers.items():
        value = secret.get_secret_value()
        if value.startswith("$"):
            variable = value[1:].strip("{}")
            if variable not in os.environ:
                raise BackendError(
                    f"{setting}.{name} names the environment variable {variable}, which is "
                    f"not set: set {variable}"
                )
            value = os.environ[variable].strip()
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            raise BackendError(f"{setting}: {name!r} is no name of an HTTP header")
        if not re.fullmatch(r"[\t -~]*", value):
            raise BackendError(
                f"{setting}.{name} holds a letter that no HTTP header can carry: give it in "
                "plain ASCII, on one line"
            )
        values[name] = value
    return values

"""The environment of all HTML pages: what models wrote is escaped, a missing name is an error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from transforms.publish.fields import Picture, pretty
from transforms.publish.report.formats import clock, number, percent, short

_SHARED = Path(__file__).parent / "templates"


def environment(folder: Path, picture_url: Callable[[Picture], str]) -> Environment:
    """Returns the environment of the templates in `folder`, beside those that all pages share.

    Args:
        picture_url: where a page finds a picture; empty where it is not shown.
    """
    found = Environment(
        loader=FileSystemLoader([folder, _SHARED]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(number=number, percent=percent, clock=clock, short=short, pretty=pretty)
    found.filters["picture_url"] = picture_url
    return found

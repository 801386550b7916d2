"""What the pages of the documentation show: their blocks of code, and the commands in them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from transforms.engine.paths import PROJECT

DOCS = PROJECT / "docs"


def blocks(page: Path, *languages: str) -> list[str]:
    """The blocks of code of a page that are in one of the languages ("": they name none)."""
    fenced = re.findall(r"^```([^\n]*)\n(.*?)^```", page.read_text(), re.S | re.M)
    return [text for language, text in fenced if language in languages]


def commands(page: Path, *languages: str) -> list[list[str]]:
    """The words of each `cotmill` and `make` in a page's blocks of those languages."""
    shell = "".join(blocks(page, *languages)).replace("\\\n", " ")
    return [
        shlex.split(line, comments=True)
        for line in re.findall(r"^(?:cotmill|make) .*", shell, re.M)
    ]

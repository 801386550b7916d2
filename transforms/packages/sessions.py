"""Sessions that hold a package, and what a model changes there."""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from transforms.packages import in_session
from transforms.packages.package import MOST_BYTES, Files, packed
from transforms.sandbox.jobs import Cell, Status

if TYPE_CHECKING:
    from transforms.models.episode import Steps


def prelude(files: Files) -> str:
    """Returns the cell that fills a session with files and with functions that show, search, write
    and edit them and run tests (`in_session`)."""
    return f"{Path(in_session.__file__).read_text()}\n_begin({packed(files)!r})\n"


def changes(after: tuple[str, ...]) -> Steps[dict[str, str]]:
    """Returns the Python files of a session that differ from those of its beginning, as they are
    after some cells: the claim of code that ran there."""
    seen = yield Cell("print(_changes())", after)
    try:
        data = base64.b64decode(seen.stdout)
        found = json.loads(zlib.decompressobj().decompress(data, MOST_BYTES))
    except (ValueError, RecursionError, zlib.error):
        return {}
    if seen.status is not Status.OK or not isinstance(found, dict):
        return {}
    return {str(path): text for path, text in found.items() if isinstance(text, str)}

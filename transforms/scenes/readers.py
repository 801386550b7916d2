"""A reader of text in pictures, which measures whether an operation helps (`pip install
'cotmill[ocr]'`)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from transforms.engine.errors import SettingsError
from transforms.scenes.base import Box, decoded
from transforms.scenes.table import Table

_LOCK = Lock()
"""One picture is read at a time: the engine of a process is shared by its threads."""


class Text(NamedTuple):
    """A piece of text that was read."""

    text: str
    box: Box


def is_read(texts: Sequence[Text], wanted: str, merged: bool = False) -> bool:
    """Whether a text is among those that were read, whole.

    Args:
        merged: whether words may have lost the blank between them, as OCR reads small print; then
            small letters are told from digits and capitals alone.

    >>> is_read([Text("Amount due: 120 crowns", (0, 0, 9, 9))], "120")
    True
    >>> is_read([Text("1200", (0, 0, 9, 9))], "120", merged=True)
    False
    >>> is_read([Text("due:120crowns", (0, 0, 9, 9))], "120", merged=True)
    True
    """
    before, after = r"\w.", r"\w"
    if merged:
        before, after = (_alike(wanted[:1]) + ".", _alike(wanted[-1:]))
    alone = re.compile(rf"(?<![{before}]){re.escape(wanted)}(?![{after}])")
    return any(alone.search(each.text) for each in texts)


def _alike(character: str) -> str:
    """The characters that one is of a kind with, as a regular expression has them in brackets."""
    return next((kind for kind in ("A-Z0-9", "a-z") if re.match(f"[{kind}]", character)), r"\w")


_SMALL, _SIDES = 160, (320, 736)
"""Pixels that the shorter side of a picture is enlarged to, at least: the first where it has fewer
than `_SMALL`. A line cut out took four times as long at 736, and was read no better."""


def ocr(png: bytes) -> list[Text]:
    """Reads a picture with the OCR models of the package rapidocr-onnxruntime, one thread.

    Raises:
        SettingsError: the package is not installed.
    """
    image = decoded(png)
    with _LOCK:
        engine = _engine()
        engine.text_det.limit_side_len = _SIDES[min(image.size) >= _SMALL]
        found, _ = engine(np.asarray(image)[..., ::-1])
    texts = []
    for corners, text, _score in found or ():
        xs, ys = [round(x) for x, _ in corners], [round(y) for _, y in corners]
        texts.append(Text(text, (min(xs), min(ys), max(xs), max(ys))))
    return texts


def rows_of(texts: Sequence[Text]) -> tuple[tuple[str, ...], ...] | None:
    """Returns what was read in a table, row by row and from left to right.

    None where there is nothing, or rows have not as many cells as the first.

    >>> rows_of([Text("b", (50, 0, 60, 10)), Text("a", (0, 1, 9, 11)), Text("c", (0, 40, 9, 50))])
    >>> rows_of([Text("b", (50, 0, 60, 10)), Text("a", (0, 1, 9, 11))])
    (('a', 'b'),)
    """
    if not texts:
        return None
    line = median(each.box[3] - each.box[1] for each in texts)
    rows: list[list[Text]] = []
    for each in sorted(texts, key=lambda text: text.box[1] + text.box[3]):
        middle = (each.box[1] + each.box[3]) / 2
        last = rows[-1][0].box if rows else None
        if last is not None and middle - (last[1] + last[3]) / 2 < line:
            rows[-1].append(each)
        else:
            rows.append([each])
    found = tuple(
        tuple(each.text for each in sorted(row, key=lambda text: text.box[0])) for row in rows
    )
    return found if len({*map(len, found)}) == 1 else None


class TableReader:
    """Reads the picture of a table scene by OCR, as a tool (see `transforms.models.tools`)."""

    @property
    def version(self) -> Any:
        """What decides its answers: the drawer, and the models of the OCR."""
        return [Table.drawer(), ocr_version()]

    def __call__(self, scene: str) -> list[list[str]]:
        """Reads a table.

        Args:
            scene: the table as JSON; it is drawn, and only the picture is read
        """
        rows = rows_of(ocr(Table.model_validate_json(scene).draw()))
        if rows is None:
            raise ValueError("what is read is no table: rows differ in their number of cells")
        return [[*row] for row in rows]


def require_ocr(setting: str, other: str) -> None:
    """Raises SettingsError where the OCR of a setting is not installed; it names another value."""
    if find_spec("rapidocr_onnxruntime") is None:
        raise SettingsError(
            f"{setting}=ocr needs OCR: pip install 'cotmill[ocr]', or set {setting}={other}"
        )


@cache
def ocr_version() -> str:
    """Returns what the answers of `ocr` depend on beside the picture: a digest of its models and of
    how much it enlarges."""
    package = Path(_package().__file__).parent
    models = sorted(package.glob("models/*.onnx"))
    parts = (repr((_SMALL, _SIDES)).encode(), *map(Path.read_bytes, models))
    return hashlib.sha256(b"".join(parts)).hexdigest()


def _package() -> Any:
    try:
        import rapidocr_onnxruntime
    except ImportError:
        raise SettingsError("reading pictures needs OCR: pip install 'cotmill[ocr]'") from None
    return rapidocr_onnxruntime


@cache
def _engine() -> Any:
    return _package().RapidOCR(intra_op_num_threads=1, inter_op_num_threads=1)

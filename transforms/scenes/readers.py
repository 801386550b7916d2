"""A reader of text in pictures, which measures whether an operation helps (`pip install
'cotmill[ocr]'`)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from transforms.engine.errors import SettingsError
from transforms.scenes.base import Box, decoded


class Text(NamedTuple):
    """A piece of text that was read."""

    text: str
    box: Box


Reader = Callable[[bytes], Sequence[Text]]
"""A picture as PNG -> what is read in it."""


class Need(NamedTuple):
    """Whether an operation makes a text readable."""

    before: bool
    """Whether the text is read in the picture as it is."""
    after: bool
    """Whether it is read in the changed one."""

    @property
    def needs_tool(self) -> bool:
        """Whether it is read after the operation alone (DeepEyesV2's rule that the tool helps,
        arXiv 2511.05271, measured)."""
        return self.after and not self.before


def need(reader: Reader, before: bytes, after: bytes, wanted: str) -> Need:
    """Reads two pictures and looks for a text, which has to stand alone or between blanks."""
    return Need(*(is_read(reader(png), wanted) for png in (before, after)))


def is_read(texts: Sequence[Text], wanted: str) -> bool:
    """Whether a text is among those that were read, whole.

    >>> is_read([Text("Amount due: 120 crowns", (0, 0, 9, 9))], "120")
    True
    >>> is_read([Text("1200", (0, 0, 9, 9))], "120")
    False
    """
    alone = re.compile(rf"(?<![\w.]){re.escape(wanted)}(?!\w)")
    return any(alone.search(each.text) for each in texts)


def ocr(png: bytes) -> list[Text]:
    """Reads a picture with the OCR models of the package rapidocr-onnxruntime, one thread.

    Raises:
        SettingsError: the package is not installed.
    """
    import numpy as np

    found, _ = _engine()(np.asarray(decoded(png))[..., ::-1])
    texts = []
    for corners, text, _score in found or ():
        xs, ys = [round(x) for x, _ in corners], [round(y) for _, y in corners]
        texts.append(Text(text, (min(xs), min(ys), max(xs), max(ys))))
    return texts


@cache
def ocr_version() -> str:
    """Returns the digest of the models of `ocr`: what its answers depend on, beside the picture."""
    package = Path(_package().__file__).parent
    models = sorted(package.glob("models/*.onnx"))
    return hashlib.sha256(b"".join(map(Path.read_bytes, models))).hexdigest()


def _package() -> Any:
    try:
        import rapidocr_onnxruntime
    except ImportError:
        raise SettingsError("reading pictures needs OCR: pip install 'cotmill[ocr]'") from None
    return rapidocr_onnxruntime


@cache
def _engine() -> Any:
    return _package().RapidOCR(intra_op_num_threads=1, inter_op_num_threads=1)

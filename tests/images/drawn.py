"""Small pictures for tests."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image, ImageDraw


def drawn(
    number: int = 0, size: tuple[int, int] = (64, 48), form: str = "PNG", **saved: Any
) -> bytes:
    """A picture like no other with another number."""
    image = Image.new("RGB", size, (number % 256, number // 256 % 256, 90))
    ImageDraw.Draw(image).line((0, 0, *size), fill="white")
    file = io.BytesIO()
    image.save(file, form, **saved)
    return file.getvalue()

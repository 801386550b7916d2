"""Solids of CadQuery scripts as line drawings (`pip install 'cotmill[cad]'`)."""

from __future__ import annotations

from typing import Any

from transforms.engine.errors import SettingsError
from transforms.scenes.base import decoded, encoded

_VIEW = (-1.0, 0.7, 1.6)
"""From where the part is seen."""


def hidden_lines(script: str) -> bytes:
    """Returns the picture of a solid that a script of `Part` makes: hidden lines are dotted.

    Raises:
        SettingsError: CadQuery or resvg is not installed.
    """
    try:
        import cadquery  # noqa: F401
        import resvg_py
        from cadquery.occ_impl.exporters.svg import getSVG
    except ImportError:
        raise SettingsError("drawing parts needs CadQuery: pip install 'cotmill[cad]'") from None
    names: dict[str, Any] = {}
    exec(script, names)  # our own text, made of whole numbers
    options = {
        "width": 1200, "height": 1000, "marginLeft": 20, "marginTop": 20, "showAxes": False,
        "projectionDir": _VIEW, "strokeWidth": 0.4, "strokeColor": (30, 30, 36),
        "hiddenColor": (150, 150, 160),
    }  # fmt: skip
    svg = getSVG(names["part"].val(), options)
    png = resvg_py.svg_to_bytes(svg_string=svg, background="white")
    return encoded(decoded(bytes(png)))

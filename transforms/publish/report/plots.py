"""Plots as inline SVG in the page's colours and letters."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from markupsafe import Markup

from transforms.stages.diversity.measure import BINS

COLOURS = {
    **dict.fromkeys(("rows", "kept", "generated"), "rows"),
    **dict.fromkeys(("programs", "recorded"), "programs"),
    **dict.fromkeys(("seeds", "unanswered"), "seeds"),
    "rejected": "rejected",
}
"""Name of a series -> the page's variable that holds its colour."""
_WIDTH = 332.0
"""Pixels: as wide as a phone shows without shrinking the letters."""
_LETTER = 5.8
"""Pixels that a letter of the plots is wide, on average; those of most fonts are narrower."""
_LINE = 14.0
"""Pixels of a line of letters."""
_LONGEST = 28
"""Letters of a label."""
_GAP = 4.0
_SHORTEST = 20.0
"""Pixels of the longest bar where letters take the rest."""


def bars(
    title: str,
    labels: Sequence[str],
    series: Mapping[str, Sequence[float]],
    *,
    stacked: bool = False,
    percent: bool = False,
    notes: Sequence[str] = (),
) -> Markup:
    """Draws lying bars, one group or one stack a label, the first label on top.

    Args:
        series: name (a key of `COLOURS`) -> one value a label.
        percent: values are shares.
        notes: what is written at the end of each stack.
    """
    pitch = 17.0 if stacked else 8.0 + 6.0 * len(series)
    thick = 0.7 * pitch if stacked else 0.8 * pitch / len(series)
    names = [label if len(label) <= _LONGEST else f"{label[: _LONGEST - 1]}…" for label in labels]
    left = _GAP + _LETTER * max(map(len, names), default=0)
    ends = [
        sum(values) if stacked else max(values) for values in zip(*series.values(), strict=True)
    ]
    space = _WIDTH - left - _LETTER * 2
    scale = min(
        (
            max(space - _GAP - _LETTER * len(note), _SHORTEST) / end
            for note, end in zip(notes or [""] * len(ends), ends, strict=True)
            if end
        ),
        default=1.0,
    )
    bottom = pitch * len(labels) + 2
    parts = []
    for tick in _ticks(max(ends, default=0), whole=not percent):
        x = left + tick * scale
        parts += [_line(x, 0, x, bottom), _text(_value(tick, percent), x, bottom + 11, "middle")]
    starts = [left] * len(labels)
    for index, (name, values) in enumerate(series.items()):
        for row, value in enumerate(values):
            y = pitch * row + 0.1 * pitch + (0.05 * pitch if stacked else index * thick)
            parts.append(_bar(name, starts[row], y, value * scale, thick))
            if stacked:
                starts[row] += value * scale
    for row, name in enumerate(names):
        parts.append(_text(name, left - _GAP, pitch * (row + 0.5) + 3.5, "end"))
    for row, note in enumerate(notes):
        parts.append(_text(note, starts[row] + _GAP, pitch * (row + 0.5) + 3.5, "start"))
    return _svg(title, bottom + _LINE, parts)


def histogram(title: str, series: Mapping[str, Sequence[int]]) -> Markup:
    """Draws shares of the rows by `BINS`, sets beside each other, empty ends left out."""
    totals = [sum(counts) for counts in zip(*series.values(), strict=True)]
    used = [index for index, total in enumerate(totals) if total]
    first, last = used[0], used[-1] + 1
    shares = {
        name: [count / (sum(counts) or 1) for count in counts[first:last]]
        for name, counts in series.items()
    }
    highest = max(map(max, shares.values()))
    left, bottom = _LETTER * 6, 130.0
    scale, pitch = (bottom - _LINE) / highest, (_WIDTH - left) / (last - first)
    parts = []
    for tick in _ticks(highest, whole=False):
        y = bottom - tick * scale
        parts += [_line(left, y, _WIDTH, y), _text(_value(tick, True), left - _GAP, y + 3.5, "end")]
    thick = 0.86 * pitch / len(series)
    for index, (name, values) in enumerate(shares.items()):
        for place, value in enumerate(values):
            x = left + pitch * place + 0.07 * pitch + index * thick
            parts.append(_bar(name, x, bottom - value * scale, thick, value * scale))
    for place in range(0, last - first, 1 + (last - first - 1) // 6):
        parts.append(
            _text(_bin(first + place), left + pitch * (place + 0.5), bottom + 11, "middle")
        )
    return _svg(title, bottom + _LINE, parts)


def _ticks(highest: float, whole: bool) -> Iterator[float]:
    """Yields round numbers from 0 to `highest`, at most six."""
    unit = 10.0 ** math.floor(math.log10(highest / 5)) if highest else 1.0
    step = next(unit * factor for factor in (1, 2, 5, 10) if highest <= unit * factor * 5.001)
    step = max(step, 1.0) if whole else step
    for number in range(int(highest / step + 1e-9) + 1):
        yield number * step


def _value(tick: float, percent: bool) -> str:
    if percent:
        return f"{100 * tick:.3g} %"
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if tick >= size:
            return f"{tick / size:.4g}{letter}"
    return f"{tick:.4g}"


def _bin(index: int) -> str:
    """The whole numbers that fall into a bin."""
    if index + 1 == len(BINS):
        return f"{BINS[index]}+"
    low, high = BINS[index], BINS[index + 1] - 1
    return str(low) if low == high else f"{low}–{high}"


def _bar(name: str, x: float, y: float, width: float, height: float) -> Markup:
    place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return Markup(f'<rect {place} fill="var(--{COLOURS[name]})"/>')


def _line(x1: float, y1: float, x2: float, y2: float) -> Markup:
    place = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return Markup(f'<line {place} stroke="var(--grid)" stroke-width="0.5"/>')


def _text(text: str, x: float, y: float, anchor: str) -> Markup:
    place = Markup(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">')
    return place + text + Markup("</text>")


def _svg(title: str, height: float, parts: Sequence[Markup]) -> Markup:
    """An `<svg>` for a page: scaled to its place, named by its title."""
    head = Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{}" '
        'viewBox="0 0 {:.0f} {:.0f}" font-size="10" fill="var(--ink)">'
    )
    return head.format(title, _WIDTH, height) + Markup("").join(parts) + Markup("</svg>")

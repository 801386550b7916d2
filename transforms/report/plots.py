"""Plots as inline SVG that follow the page's colours, drawn by matplotlib."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from transforms.diversity.measure import BINS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Colours that matplotlib writes, and the page's variable that takes the place of each.
_VARIABLES = {
    "#010101": "var(--ink)",
    "#020202": "var(--grid)",
    "#030303": "var(--rows)",
    "#040404": "var(--programs)",
    "#050505": "var(--seeds)",
    "#060606": "var(--rejected)",
}
_INK, _GRID, _ROWS, _PROGRAMS, _SEEDS, _REJECTED = _VARIABLES
COLOURS = {
    **{"rows": _ROWS, "programs": _PROGRAMS, "seeds": _SEEDS},
    **{"kept": _ROWS, "rejected": _REJECTED, "generated": _ROWS, "recorded": _PROGRAMS},
    "unanswered": _SEEDS,
}
"""Name of a series -> its colour; the page's legend uses the same names."""
_WIDTH = 4.6
"""Inches of 72 px: as wide as a phone shows without shrinking the letters."""
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: small, searchable, in the page's font
    "svg.hashsalt": "cotmill",
    "text.parse_math": False,  # a dollar in a name is a dollar
    "font.size": 10,
    "font.family": "DejaVu Sans",  # comes with matplotlib, and is wider than what pages use
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": _GRID,
    "axes.labelcolor": _INK,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "axes.axisbelow": True,
    "grid.color": _GRID,
}


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
    from matplotlib import rc_context

    height = 0.24 if stacked else 0.12 + 0.08 * len(series)
    with rc_context(_STYLE):
        figure, axes = _figure(0.55 + height * max(1, len(labels)))
        left = [0.0] * len(labels)
        for index, (name, values) in enumerate(series.items()):
            thick = 0.7 if stacked else 0.8 / len(series)
            shift = 0.0 if stacked else (index - (len(series) - 1) / 2) * thick
            places = [n + shift for n in range(len(labels))]
            axes.barh(places, values, thick, left if stacked else None, color=COLOURS[name])
            left = [before + value for before, value in zip(left, values, strict=True)]
        for place, note in enumerate(notes):
            axes.annotate(
                note, (left[place], place), (4, 0), textcoords="offset points", va="center"
            )
        axes.set_yticks(range(len(labels)), [_clipped(label) for label in labels])
        axes.tick_params(length=0)
        axes.invert_yaxis()
        axes.margins(x=0.22 if notes else 0.02, y=0.01)
        axes.grid(axis="x", linewidth=0.5)
        _count_axis(axes, percent)
        return _svg(figure, title)


def histogram(title: str, series: Mapping[str, Sequence[int]]) -> Markup:
    """Draws shares of the rows by `BINS`, sets beside each other, empty ends left out."""
    from matplotlib import rc_context

    totals = [sum(counts) for counts in zip(*series.values(), strict=True)]
    used = [index for index, total in enumerate(totals) if total]
    first, last = used[0], used[-1] + 1
    with rc_context(_STYLE):
        figure, axes = _figure(2.1)
        thick = 0.86 / len(series)
        for index, (name, counts) in enumerate(series.items()):
            total = sum(counts)
            shares = [count / total for count in counts[first:last]]
            shift = (index - (len(series) - 1) / 2) * thick
            axes.bar([n + shift for n in range(len(shares))], shares, thick, color=COLOURS[name])
        step = 1 + (last - first - 1) // 6
        places = list(range(0, last - first, step))
        axes.set_xticks(places, [_bin(first + place) for place in places])
        axes.tick_params(length=0)
        axes.grid(axis="y", linewidth=0.5)
        axes.yaxis.set_major_formatter(_percent())
        return _svg(figure, title)


def _bin(index: int) -> str:
    """The whole numbers that fall into a bin."""
    if index + 1 == len(BINS):
        return f"{BINS[index]}+"
    low, high = BINS[index], BINS[index + 1] - 1
    return str(low) if low == high else f"{low}–{high}"


def _figure(height: float) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    return figure, figure.subplots()


def _count_axis(axes: Axes, percent: bool) -> None:
    from matplotlib.ticker import EngFormatter, MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=not percent))
    axes.xaxis.set_major_formatter(_percent() if percent else EngFormatter(sep=""))
    axes.set_xlim(left=0)


def _percent() -> Any:
    from matplotlib.ticker import FuncFormatter

    return FuncFormatter(lambda share, _: f"{100 * share:.3g} %")


def _clipped(label: str) -> str:
    return label if len(label) <= 28 else f"{label[:27]}…"


def _svg(figure: Figure, title: str) -> Markup:
    """The figure as an `<svg>` for a page: no header, scaled to its place, named by its title."""
    written = io.StringIO()
    figure.savefig(written, format="svg", transparent=True, metadata={"Date": None})
    svg = written.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*">', "<g>", svg)  # every plot of the page has a figure_1
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1, flags=re.DOTALL)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1, flags=re.DOTALL)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, variable)
    return Markup(svg.replace("<svg", f'<svg role="img" aria-label="{Markup.escape(title)}"', 1))

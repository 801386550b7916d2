"""Half-open ranges of whole numbers, written (start, end)."""

from spans.algebra import clip, gaps, intersect, merge, subtract
from spans.schedule import busiest, free, overlaps, pack
from spans.text import format_spans, parse_spans

__all__ = [
    "busiest",
    "clip",
    "format_spans",
    "free",
    "gaps",
    "intersect",
    "merge",
    "overlaps",
    "pack",
    "parse_spans",
    "subtract",
]

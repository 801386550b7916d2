"""Small tables as lists of dicts, one a row."""

from rowkit.core import columns, group, join, pivot, rank, rename, running, select
from rowkit.show import align, parse, to_number

__all__ = [
    "align",
    "columns",
    "group",
    "join",
    "parse",
    "pivot",
    "rank",
    "rename",
    "running",
    "select",
    "to_number",
]

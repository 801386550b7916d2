"""Shapes found in a picture by its pixels alone, for plain scenes: no shape lies within another."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from transforms.scenes.base import Box, decoded
from transforms.scenes.pen import COLOURS, Pen
from transforms.scenes.shape import KINDS, Shape, outline

Mask = Any
"""A numpy array of booleans, rows by columns."""


def shapes_in(png: bytes) -> tuple[Shape, ...]:
    """Returns the shapes of a plain scene, in the order in which their uppermost pixels come.

    Every connected part that is not white is a shape: its colour is the palette's that is nearest
    to its most frequent one, its kind the one that covers its box as it does.
    """
    pixels = np.asarray(decoded(png)).astype(int)
    found = []
    for box, mask in parts((255 - pixels).max(axis=2) > 8):
        left, top, right, bottom = box
        inked = pixels[top:bottom, left:right][mask]
        values, counts = np.unique(inked, axis=0, return_counts=True)
        most = values[counts.argmax()]
        colour = min(COLOURS, key=lambda name: np.abs(most - COLOURS[name]).sum())
        found.append(Shape(kind=_kind(mask), colour=colour, box=box))
    return tuple(found)


def parts(ink: Mask) -> list[tuple[Box, Mask]]:
    """Returns the parts of a mask whose pixels touch, sides or corners, each with its box."""
    runs: list[tuple[int, int, int]] = []
    root: list[int] = []
    above: list[int] = []
    for y, row in enumerate(ink):
        edges = np.flatnonzero(np.diff(row.astype(np.int8), prepend=0, append=0))
        here = []
        for start, end in edges.reshape(-1, 2).tolist():
            number = len(runs)
            runs.append((y, start, end))
            root.append(number)
            here.append(number)
            for other in above:
                if runs[other][1] <= end and start <= runs[other][2]:
                    one, two = sorted((_root(root, number), _root(root, other)))
                    root[two] = one
        above = here
    members: dict[int, list[tuple[int, int, int]]] = {}
    for number, run in enumerate(runs):
        members.setdefault(_root(root, number), []).append(run)
    found = []
    for each in members.values():
        box = (min(s for _, s, _ in each), each[0][0], max(e for *_, e in each), each[-1][0] + 1)
        mask = np.zeros((box[3] - box[1], box[2] - box[0]), bool)
        for y, start, end in each:
            mask[y - box[1], start - box[0] : end - box[0]] = True
        found.append((box, mask))
    return found


def _root(root: list[int], number: int) -> int:
    while root[number] != number:
        root[number] = root[root[number]]
        number = root[number]
    return number


def _kind(mask: Mask) -> str:
    """The kind of shape that, drawn into the same box, covers most nearly the same pixels."""
    high, wide = mask.shape
    return min(KINDS, key=lambda kind: int((_drawn(kind, wide, high) ^ mask).sum()))


@lru_cache(maxsize=1000)
def _drawn(kind: str, wide: int, high: int) -> Mask:
    pen = Pen(wide, high)
    outline(pen, Shape(kind=kind, colour="black", box=(0, 0, wide, high)))
    return np.asarray(decoded(pen.png())).min(axis=2) < 247

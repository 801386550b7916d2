"""Points of the plane: a figure placed on a sheet, middles, and ways from one point to another."""

from __future__ import annotations

import math

from transforms.scenes.pen import Point


def placed(corners: list[Point], turn: float, sheet: tuple[int, int]) -> tuple[Point, ...]:
    """Turns, scales and moves a figure to the middle of the sheet; y is turned downwards."""
    cos, sin = math.cos(turn), math.sin(turn)
    turned = [(x * cos - y * sin, -(x * sin + y * cos)) for x, y in corners]
    xs, ys = [x for x, _ in turned], [y for _, y in turned]
    scale = min(380 / (max(xs) - min(xs)), 300 / (max(ys) - min(ys)))
    left, top = (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2
    width, height = sheet
    return tuple(
        (round(width / 2 + (x - left) * scale, 1), round(height / 2 + (y - top) * scale, 1))
        for x, y in turned
    )


def mean(points: tuple[Point, ...] | list[Point]) -> Point:
    return sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points)


def towards(at: Point, to: Point, pixels: float) -> Point:
    """The point so many pixels from one towards another."""
    away = math.dist(at, to)
    return at[0] + (to[0] - at[0]) * pixels / away, at[1] + (to[1] - at[1]) * pixels / away

"""What can be proved of a changed picture, from pixels and boxes, without a model.

Exact inverses are held to equal pixels, contrast to a monotone map and the range of levels, turns
to the angle that is left, crops to their own box, noise to how far it is from the original.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from transforms.scenes.base import Box, decoded, inside
from transforms.scenes.operations import (
    Blur,
    Levels,
    Mirror,
    Noise,
    Operation,
    Rotate,
    Transpose,
)


class Proof(NamedTuple):
    """Whether an operation did what it is for."""

    holds: bool
    detail: str
    """What was measured."""


MOST_DEGREES = 1.0
"""Angle that may be left of a turn."""
LEAST_LIKENESS = 0.9
"""Correlation of the pixels of two pictures, one of which is turned, at least."""
LEAST_DECIBELS = 6.0
"""What has to be won over a noisy or blurred picture, in PSNR to the original."""
LEAST_RANGE = 0.9
"""Share of the original's range of levels that has to be restored."""


def restores(change: Operation, original: bytes, changed: bytes, restored: bytes) -> Proof:
    """Whether a picture undoes an operation as far as that can be undone.

    Raises:
        ValueError: the operation only takes away (crop, zoom) or is itself an improvement.
    """
    match change:
        case Transpose() | Mirror():
            return same_pixels(original, restored)
        case Rotate():
            left = turned(original, restored)
            holds = abs(left.degrees) <= MOST_DEGREES and left.likeness >= LEAST_LIKENESS
            return Proof(holds, f"{left.degrees:g} degrees are left, like {left.likeness:.2f}")
        case Levels():
            return stretched(changed, restored, original)
        case Noise() | Blur():
            return nearer(changed, restored, original)
    raise ValueError(f"{change.name} is not a fault that can be undone")


def same_pixels(one: bytes, other: bytes) -> Proof:
    """Whether two pictures have equal size and pixels."""
    first, second = decoded(one), decoded(other)
    if first.size != second.size:
        return Proof(False, f"{second.size} in place of {first.size}")
    differ = (np.asarray(first) != np.asarray(second)).any(axis=2).sum()
    return Proof(not differ, f"{differ} pixels differ")


def stretched(changed: bytes, restored: bytes, original: bytes) -> Proof:
    """Whether a picture is another through a monotone map of levels and has the range of a third.

    The map is one for each channel, or from brightness to grey.
    """
    before, after = _levels(changed), _levels(restored)
    if before.shape != after.shape:
        return Proof(False, "another size")
    grey = (after == after[..., :1]).all()
    pairs = [(before[..., c], after[..., c]) for c in range(3)]
    maps = [_is_monotone(*pair) for pair in pairs]
    if grey and not all(maps):
        light = ((before * [299, 587, 114]).sum(axis=2) / 1000).round().astype(int)
        maps = [_is_monotone(light, after[..., 0], slack=2)]
    if not all(maps):
        return Proof(False, "levels change their order")
    wanted = LEAST_RANGE * np.ptp(_levels(original))
    return Proof(bool(np.ptp(after) >= wanted), f"range {np.ptp(after)} of {wanted:.0f}")


def _is_monotone(before: Any, after: Any, slack: int = 0) -> bool:
    """Whether each level becomes one level, but for `slack`, and none overtakes another."""
    order = np.argsort(before, axis=None, kind="stable")
    levels, starts = np.unique(before.ravel()[order], return_index=True)
    values = after.ravel()[order]
    low = np.minimum.reduceat(values, starts)
    high = np.maximum.reduceat(values, starts)
    within = (high - low <= slack).all()
    return bool(within and (np.diff(low) >= -slack).all() and len(levels) > 0)


def nearer(changed: bytes, restored: bytes, original: bytes) -> Proof:
    """Whether a picture is nearer to the original than the changed one by `LEAST_DECIBELS`."""
    before, after = (_decibels(each, original) for each in (changed, restored))
    return Proof(after - before >= LEAST_DECIBELS, f"{before:.1f} dB, then {after:.1f} dB")


def _decibels(one: bytes, other: bytes) -> float:
    """PSNR of two pictures; -inf where their sizes differ, inf where they are equal."""
    first, second = _levels(one), _levels(other)
    if first.shape != second.shape:
        return float("-inf")
    error = float(((first - second) ** 2).mean())
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


class Turn(NamedTuple):
    """How one picture is turned against another."""

    degrees: float
    """Clockwise, from -180 up to 180."""
    likeness: float
    """Correlation with the other, turned by that, around the middle; 1 where they are the same."""


def turned(original: bytes, other: bytes) -> Turn:
    """Returns the turn of the original, to a quarter of a degree, that is most like a picture."""
    side, reach = 240, min(decoded(original).size)
    upright = _disc(decoded(original), reach, side)
    y, x = np.ogrid[:side, :side]
    disc = (x - side / 2) ** 2 + (y - side / 2) ** 2 < (side / 2 - 2) ** 2
    seen = _centred(_disc(decoded(other), reach, side), disc)

    def likeness(degrees: float) -> float:
        tried = upright.rotate(-degrees, Image.Resampling.BILINEAR, fillcolor=255)
        return float((_centred(tried, disc) * seen).sum())

    best = max(range(-180, 180, 2), key=likeness)
    found = max((best + quarter / 4 for quarter in range(-8, 9)), key=likeness)
    return Turn((found + 180) % 360 - 180, likeness(found))


def _centred(image: Image.Image, where: Any) -> Any:
    """The levels at some places as a vector of mean 0 and length 1; of zeros where they are one."""
    levels = np.asarray(image)[where].astype(float)
    levels -= levels.mean()
    return levels / (np.sqrt((levels**2).sum()) or 1)


def _disc(image: Image.Image, reach: int, side: int) -> Image.Image:
    """The square around the middle of a picture, grey and small."""
    x, y, half = image.width / 2, image.height / 2, reach / 2
    box = (round(x - half), round(y - half), round(x + half), round(y + half))
    sheet = Image.new("L", (reach, reach), 255)
    sheet.paste(image.convert("L").crop(box))
    return sheet.resize((side, side), Image.Resampling.BOX)


def crop_fault(box: Box, target: Box, share: float = 0.05) -> str | None:
    """Returns what is wrong with a crop: `missed` where it does not cover the target, `too_large`
    where the target fills less than `share` of it, else None.

    >>> crop_fault((0, 0, 100, 100), (10, 10, 20, 20)), crop_fault((0, 0, 15, 90), (10, 10, 20, 20))
    ('too_large', 'missed')
    """
    if not inside(target, box):
        return "missed"
    return "too_large" if _area(target) < share * _area(box) else None


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def place_of(piece: bytes, original: bytes) -> Box | None:
    """Returns the box of the original whose pixels a picture has, the uppermost where there are
    several; None where it is no piece of it at the same scale."""
    small, large = np.asarray(decoded(piece)), np.asarray(decoded(original))
    (high, wide, _), (rows, columns, _) = small.shape, large.shape
    if high > rows or wide > columns:
        return None
    y, x = np.mgrid[: rows - high + 1, : columns - wide + 1].reshape(2, -1)
    colours, which, counts = np.unique(
        small.reshape(-1, 3), axis=0, return_inverse=True, return_counts=True
    )
    rare = np.argsort(counts[which.ravel()], kind="stable")[:: max(1, high * wide // 64)]
    for pixel in rare:
        down, right = divmod(int(pixel), wide)
        kept = (large[y + down, x + right] == small[down, right]).all(axis=1)
        y, x = y[kept], x[kept]
    for top, left in zip(y.tolist(), x.tolist(), strict=True):
        if (large[top : top + high, left : left + wide] == small).all():
            return (left, top, left + wide, top + high)
    return None


def is_zoom_of(zoomed: bytes, original: bytes, box: Box) -> Proof:
    """Whether a picture is a box of the original, enlarged: shrunk again it differs by 4 levels of
    255 on average at most."""
    large, cut = decoded(zoomed), decoded(original).crop(box)
    across, down = large.width / cut.width, large.height / cut.height
    if across <= 1 or abs(across / down - 1) > 0.02:
        return Proof(False, f"{across:.2f} times as wide, {down:.2f} times as high")
    small = np.asarray(large.resize(cut.size, Image.Resampling.BOX)).astype(int)
    error = float(np.abs(small - np.asarray(cut)).mean())
    return Proof(error <= 4, f"differs by {error:.1f} levels")


def _levels(png: bytes) -> Any:
    return np.asarray(decoded(png)).astype(int)

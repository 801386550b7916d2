"""What can be proved of a changed picture, from pixels and boxes, without a model.

Exact inverses are held to equal pixels, contrast to a monotone map and the range of levels, turns
to the angle that is left, crops to their own box, noise to how far it is from the original.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageFilter

from transforms.scenes.base import Box, decoded, inside
from transforms.scenes.operations import (
    Blur,
    Levels,
    Mirror,
    Noise,
    Operation,
    Rotate,
    Transpose,
    undone,
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
LEAST_OF_PART = 0.55
"""Correlation of each square of a picture that was noisy or blurred with the original's, at least.
Of twelve tables and pages with noise the least square had 0.58 or more after medians of 3 and blurs
by 1.2; 0.38 or less after a median of 5, by which small print is lost; and 0 where an answer was
painted over."""
_SQUARE, _INK = 16, 40
"""Side in pixels; standard deviation of grey levels from which something stands in a square."""
_LIGHTER = 10
"""Levels by which a square is lighter or darker where it was painted over. Pictures that were
turned there and back had -11 at most, painted ones 38 or more."""
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
            if holds and is_painted_over(original, restored, left.degrees):
                return Proof(False, "something is painted over")
            return Proof(holds, f"{left.degrees:g} degrees are left, like {left.likeness:.2f}")
        case Levels():
            return stretched(changed, restored, original)
        case Noise() | Blur():
            return nearer(changed, restored, original)
    raise ValueError(f"{change.name} is not a fault that can be undone")


def undoes(changes: Sequence[Operation], original: bytes, changed: bytes, restored: bytes) -> Proof:
    """Whether a picture undoes operations that were applied one after another: one that `restores`
    takes, or turns by quarters and mirrorings and then one.

    Raises:
        ValueError: there is none, or none that can be undone.
    """
    *turns, last = changes
    for turn in turns:
        if not isinstance(turn, (Transpose, Mirror)):
            raise ValueError(f"{turn.name} and then {last.name} cannot be told apart")
        back = undone(turn)
        assert back is not None
        changed = back.apply(changed)  # the last one alone is left
    return restores(last, original, changed, restored)


def same_pixels(one: bytes, other: bytes) -> Proof:
    """Whether two pictures have equal size and pixels."""
    first, second = decoded(one), decoded(other)
    if first.size != second.size:
        return Proof(False, f"{second.size} in place of {first.size}")
    differ = (np.asarray(first) != np.asarray(second)).any(axis=2).sum()
    return Proof(not differ, f"{differ} pixels differ")


def stretched(changed: bytes, restored: bytes, original: bytes) -> Proof:
    """Whether a picture is another through a monotone map of levels and has the ranges of a third.

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
    wanted = LEAST_RANGE * np.ptp(_levels(original), axis=(0, 1))
    ranges = np.ptp(after, axis=(0, 1))  # of each channel: a sheet of one colour has none
    holds = bool((ranges >= wanted).all())
    return Proof(holds, f"ranges {ranges.tolist()} of {wanted.round().tolist()}")


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
    """Whether a picture is nearer to the original than the changed one by `LEAST_DECIBELS`, and
    like it in each part where something stands."""
    before, after = (_decibels(each, original) for each in (changed, restored))
    detail = f"{before:.1f} dB, then {after:.1f} dB"
    if after - before < LEAST_DECIBELS:
        return Proof(False, detail)
    like = least_likeness(original, restored)
    return Proof(like >= LEAST_OF_PART, f"{detail}, each part like {like:.2f}")


def least_likeness(original: bytes, other: bytes) -> float:
    """Returns the least correlation, over squares where the original has ink, of two pictures of
    one size; 1 where it has none."""
    found = [1.0]
    for one, two in _inked(decoded(original), decoded(other)):
        spreads = np.maximum(one.std(axis=1) * two.std(axis=1), 1.0)
        one, two = (each - each.mean(axis=1, keepdims=True) for each in (one, two))
        found += ((one * two).mean(axis=1) / spreads).tolist()
    return min(found)


def is_painted_over(original: bytes, other: bytes, degrees: float) -> bool:
    """Whether a square where the original has ink is, in a picture turned by that angle around the
    same middle, lighter or darker than all that lies within 4 pixels of it there."""
    first = decoded(original)
    dark = light = Rotate(degrees=-degrees, size=first.size).of(decoded(other))
    for _ in range(4):
        dark, light = dark.filter(ImageFilter.MinFilter(3)), light.filter(ImageFilter.MaxFilter(3))
    return any(
        (low.mean(axis=1) - own.mean(axis=1) > _LIGHTER).any()
        or (own.mean(axis=1) - high.mean(axis=1) > _LIGHTER).any()
        for own, low, high in _inked(first, dark, light)
    )


def _inked(original: Image.Image, *others: Image.Image) -> Iterator[list[Any]]:
    """Yields the squares in which the original has ink, as grey levels, one square a row, of it and
    of others; of two grids, half a square apart."""
    smooth = [
        np.asarray(each.convert("L").filter(ImageFilter.BoxBlur(1))).astype(float)
        for each in (original, *others)
    ]
    for start in (0, _SQUARE // 2):
        squares = [_squares(each[start:, start:]) for each in smooth]
        has_ink = squares[0].std(axis=1) >= _INK
        yield [each[has_ink] for each in squares]


def _squares(levels: Any) -> Any:
    """The squares that a picture is divided into, one a row."""
    high, wide = (length // _SQUARE for length in levels.shape)
    cut = levels[: high * _SQUARE, : wide * _SQUARE].reshape(high, _SQUARE, wide, _SQUARE)
    return cut.transpose(0, 2, 1, 3).reshape(high * wide, _SQUARE**2)


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
    pictures = [decoded(each) for each in (original, other)]
    reach = min(pictures[0].size)
    coarse, fine = (
        _likeness(*(_disc(each, reach, side) for each in pictures)) for side in (96, 240)
    )
    best = sorted(range(-180, 180, 2), key=coarse)[-3:]
    found = max({turn + quarter / 4 for turn in best for quarter in range(-8, 9)}, key=fine)
    return Turn((found + 180) % 360 - 180, fine(found))


def _likeness(upright: Image.Image, seen: Image.Image) -> Callable[[float], float]:
    """Returns how like a square picture is to another, for each turn of the other."""
    side = seen.width
    y, x = np.ogrid[:side, :side]
    disc = (x - side / 2) ** 2 + (y - side / 2) ** 2 < (side / 2 - 2) ** 2
    levels = _centred(seen, disc)

    def likeness(degrees: float) -> float:
        tried = upright.rotate(-degrees, Image.Resampling.BILINEAR, fillcolor=255)
        return float((_centred(tried, disc) * levels).sum())

    return likeness


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
    small, large = (_levels(each) @ (1, 256, 65536) for each in (piece, original))
    (high, wide), (rows, columns) = small.shape, large.shape
    if high > rows or wide > columns:
        return None
    y, x = np.mgrid[: rows - high + 1, : columns - wide + 1].reshape(2, -1)
    _, which, counts = np.unique(small, return_inverse=True, return_counts=True)
    rare = np.argsort(counts[which.ravel()], kind="stable")[:: max(1, high * wide // 64)]
    for pixel in rare:
        down, right = divmod(int(pixel), wide)
        kept = large[y + down, x + right] == small[down, right]
        y, x = y[kept], x[kept]
    for top, left in zip(y.tolist(), x.tolist(), strict=True):
        if (large[top : top + high, left : left + wide] == small).all():
            return (left, top, left + wide, top + high)
    return None


def box_of(piece: bytes, original: bytes) -> Box | None:
    """Returns the box of the original that a picture shows, at the same scale or enlarged by a
    whole factor up to 8; None where it shows none, or one that is all alike."""
    if (box := place_of(piece, original)) is not None:
        return box
    large = decoded(piece)
    for factor in range(2, 9):
        if large.width % factor == large.height % factor == 0:
            size = (large.width // factor, large.height // factor)
            small = np.asarray(large.resize(size, Image.Resampling.BOX)).mean(axis=2)
            box = _nearest(small, _levels(original).mean(axis=2))
            if box is not None and is_zoom_of(piece, original, box).holds:
                return box
    return None


def _nearest(small: Any, large: Any) -> Box | None:
    """Where grey levels are most like smaller ones, among places whose 16 parts are as light to 4
    levels; None where there are none, or too many."""
    (high, wide), (rows, columns) = small.shape, large.shape
    if high > rows or wide > columns:
        return None
    sums = np.pad(large.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    y, x = np.mgrid[: rows - high + 1, : columns - wide + 1].reshape(2, -1)
    down, right = (sorted({length * part // 4 for part in range(5)}) for length in (high, wide))
    parts = [(*of_y, *of_x) for of_y in pairwise(down) for of_x in pairwise(right)]
    for top, bottom, left, end in [(0, high, 0, wide), *parts]:
        total = (sums[y + bottom, x + end] - sums[y + top, x + end]
                 - sums[y + bottom, x + left] + sums[y + top, x + left])  # fmt: skip
        light = total / ((bottom - top) * (end - left))
        kept = np.abs(light - small[top:bottom, left:end].mean()) <= 4
        y, x = y[kept], x[kept]
    if not 0 < len(y) <= 500:
        return None
    places = zip(y.tolist(), x.tolist(), strict=True)
    top, left = min(
        places, key=lambda at: np.abs(large[at[0] :, at[1] :][:high, :wide] - small).mean()
    )
    return (left, top, left + wide, top + high)


def is_zoom_of(zoomed: bytes, original: bytes, box: Box) -> Proof:
    """Whether a picture is a box of the original, enlarged: shrunk again it differs by 4 levels of
    255 on average at most, or by a sixth of the spread of its levels, as smooth small print does.
    """
    large, cut = decoded(zoomed), decoded(original).crop(box)
    across, down = large.width / cut.width, large.height / cut.height
    if across <= 1 or abs(across / down - 1) > 0.02:
        return Proof(False, f"{across:.2f} times as wide, {down:.2f} times as high")
    small = np.asarray(large.resize(cut.size, Image.Resampling.BOX)).astype(int)
    levels = np.asarray(cut).astype(int)
    error = float(np.abs(small - levels).mean())
    return Proof(error <= max(4.0, levels.std() / 6), f"differs by {error:.1f} levels")


def _levels(png: bytes) -> Any:
    return np.asarray(decoded(png)).astype(int)

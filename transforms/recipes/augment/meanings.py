"""Values over all runs of a program, and which of them a number in a text may stand for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from transforms.text.numerals import Numeral

Vector = Any
"""A numpy array of floats: a value on the original input, then on each redrawn one."""

MOST_MEANINGS = 12
"""A number that may stand for more is not explained."""
UNITS = (1, 2, 3, 7, 10, 12, 24, 60, 100, 180, 360, 1000, 3600)
"""Numbers that a formula may hold on its own account."""


@dataclass(frozen=True)
class Meaning:
    """One thing that a number of the text may stand for."""

    vector: Vector
    exact: bool = True
    """Whether the text shows the value in full; else rounded to the decimals that it shows."""


@dataclass
class Known:
    """The values that a text may draw on; what it says itself is added as it goes along."""

    vectors: list[Vector]
    """Values that the program computes or is given."""
    constants: frozenset[float]
    """Numbers that stay: of the code, and of the problem besides its input."""
    runs: int
    inputs: list[tuple[Vector, str]] = field(default_factory=list)
    """The values that the problem states, with their units."""
    outputs: list[Vector] = field(default_factory=list)
    """The answer; two vectors, numerator and denominator, where it is a fraction."""
    _keys: set[bytes] = field(default_factory=set)
    _firsts: Vector = None

    def __post_init__(self) -> None:
        given, self.vectors = self.vectors, []
        for vector in (*self.outputs, *given):
            self.add(vector)

    def copy(self) -> Known:
        return Known(list(self.vectors), self.constants, self.runs, self.inputs, self.outputs)

    def add(self, vector: Vector) -> None:
        key = key_of(vector)
        if key not in self._keys:
            self._keys.add(key)
            self.vectors.append(vector)
            self._firsts = None

    def constant(self, value: float) -> Meaning:
        return Meaning(np.full(self.runs, float(value)))

    def meanings(self, numeral: Numeral, rounded: bool = True) -> list[Meaning]:
        """What a number may stand for as it stands.

        Args:
            rounded: also a value that a whole number shows rounded; decimal fractions always may.
        """
        found = [] if numeral.truncated else list(map(Meaning, self._beginning(numeral.value)))
        if not found and (numeral.decimals or rounded):
            found = [
                Meaning(cut(vector, numeral), exact=False)
                for vector in self._beginning(numeral.value, lambda firsts: cut(firsts, numeral))
                if abs(vector[0] - numeral.value) <= 0.01 * abs(numeral.value)
            ]
        if numeral.value in self.constants:
            found.append(self.constant(numeral.value))
        return different(found)

    def derived(self, numeral: Numeral) -> list[Meaning]:
        """What a number may stand for one small step away from a known value."""
        return different(
            Meaning(step(vector))
            for step in _STEPS
            for vector in self._beginning(numeral.value, step)
        )

    def _beginning(self, value: float, step: Callable[[Any], Any] = lambda v: v) -> list[Vector]:
        """The vectors whose first value, after a step, is this one."""
        if self._firsts is None:
            self._firsts = np.array([vector[0] for vector in self.vectors])
        with np.errstate(all="ignore"):
            near = np.abs(step(self._firsts) - value) <= 1e-9 * max(1.0, abs(value))
        return [self.vectors[place] for place in np.flatnonzero(near)]


_STEPS: tuple[Callable[[Any], Any], ...] = (
    lambda v: v / 100,
    lambda v: 1 - v / 100,
    lambda v: 1 + v / 100,
    lambda v: 100 - v,
    lambda v: 100 + v,
    lambda v: v * 100,
    lambda v: v * 60,
    lambda v: v / 60,
    lambda v: v + 1,
    lambda v: v - 1,
    lambda v: -v,
)


def cut(vector: Vector, numeral: Numeral) -> Vector:
    """Returns a vector as the numeral's decimals show it."""
    if numeral.truncated:
        scale = 10.0**numeral.decimals
        return np.floor(vector * scale + 1e-9) / scale
    return np.round(vector + np.sign(vector) * 1e-12, numeral.decimals)


def equal(one: float, other: float, slack: float = 0.0) -> bool:
    return bool(abs(one - other) <= slack + 1e-9 * max(1.0, abs(other)))


def same(one: Vector, other: Vector, slack: float) -> bool:
    """Whether two vectors are one on every run that has both, and nearly all runs do."""
    both = np.isfinite(one) & np.isfinite(other)
    if both.sum() < 2 or (np.isfinite(one) != np.isfinite(other)).mean() > 0.1:
        return False
    off = np.abs(one[both] - other[both])
    return bool(np.all(off <= slack + 1e-9 * np.maximum(1, np.abs(other[both]))))


def is_constant(vector: Vector) -> bool:
    return bool(np.nanmax(vector) == np.nanmin(vector))


def key_of(vector: Vector) -> bytes:
    """A key that vectors share where they agree to ten digits."""
    with np.errstate(all="ignore"):
        digits = 9 - np.floor(np.log10(np.abs(vector) + 1e-300))
        scale = np.where(vector == 0, 1.0, 10.0**digits)
        return bytes(np.round(vector * scale) / scale + 0.0)


def different(meanings: Iterable[Meaning]) -> list[Meaning]:
    """Returns the meanings without those that say the same on every run."""
    kept: dict[bytes, Meaning] = {}
    for meaning in meanings:
        kept.setdefault(key_of(meaning.vector), meaning)
    return list(kept.values())

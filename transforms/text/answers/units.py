r"""Reads a number with its unit, and writes the program that converts it into another unit.

Nothing here evaluates a text. Which names are units only pint knows, and it runs in the sandbox:
its parser evaluates arithmetic, and `9**9**8 m` did not return in 8 s. So a text has to pass a
pattern before (`unit_text`): names, products, quotients and small whole powers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from transforms.text.answers.compare import without_label
from transforms.text.answers.latex import tidy
from transforms.text.answers.quantity import QUANTITY, in_digits
from transforms.text.answers.symbolic import program_with

_LONGEST = 80
"""Characters of a unit."""


class Measure(NamedTuple):
    """A number with its unit, as a text states them."""

    value: float
    step: float
    """The worth of the last digit that is stated; 0 of a fraction."""
    unit: str
    """In pint's notation; empty where there is none."""


_REWRITES = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\\frac ?\{([^{}]*)\} ?\{([^{}]*)\}", r"(\1)/(\2)"),
        (r"\\(?:cdot|times)(?![A-Za-z])|[⋅×·]", "*"),
        (r"\\mu(?![A-Za-z]) ?", "μ"),
        (r"\^|\*\*", "**"),
        (r"\*\* ?(?:\{ ?([-+]?[0-9]+) ?\}|\( ?([-+]?[0-9]+) ?\)|([-+]?[0-9]+))", r"**\1\2\3"),
        (r"(?:°|\bdegrees? )\s?[Cc](?:elsius)?\b|\b[Cc]elsius\b", "degC"),
        (r"(?:°|\bdegrees? )\s?[Ff](?:ahrenheit)?\b|\b[Ff]ahrenheit\b", "degF"),
        (r"°", " degree"),
        (r"(?<=[A-Za-z])[- ]?per[- ](?=[A-Za-z])", "/"),
        (r"(?<=[A-Za-z])-(?=[A-Za-z])", "*"),
        (r"(?<![A-Za-z])([kM]?N)m(?![A-Za-z])", r"\1*m"),
        (r"(?<=[mst])(-?[1-4])(?![A-Za-z0-9])", r"**\1"),
        (r"%", "percent"),
        (r"\s*([*/])\s*|(?<=\()\s+|\s+(?=\))", r"\1"),
    )
]
_UNIT = re.compile(
    r"(?:1/)?(?:(?:[A-Za-zμΩ_]|H2O)+|\*\*[-+]?[0-9]{1,2}(?![0-9]|\*\*)|\*(?!\*)|[/() ])*"
)


def unit_text(text: str) -> str | None:
    r"""Returns a unit in pint's notation; None where a text is more than names, products, quotients
    and powers, or is too long.

    >>> unit_text(r"\frac{\mathrm{kg}}{\mathrm{m}^3}"), unit_text("m/s²"), unit_text("N·m")
    ('(kg)/(m**3)', 'm/s**2', 'N*m')
    >>> unit_text("9**9**8 m"), unit_text("m^9^9")
    (None, None)
    """
    text = tidy(text) if len(text) <= 5 * _LONGEST else text
    for pattern, replacement in _REWRITES if len(text) <= 5 * _LONGEST else ():
        text = pattern.sub(replacement, text)
    text = text.strip()
    return text if len(text) <= _LONGEST and _UNIT.fullmatch(text) else None


def read_measure(text: str) -> Measure | None:
    r"""Reads a number with its unit; None where a text says more, or something else.

    >>> read_measure(r"F = 1.25 \times 10^{3}\,\text{N}")
    Measure(value=1250.0, step=10.0, unit='N')
    """
    text = text if len(text) <= 10 * _LONGEST else ""
    match = QUANTITY.fullmatch(without_label(tidy(text)))
    number, unit = (in_digits(match), unit_text(match["rest"])) if match else (None, None)
    if match is None or number is None or unit is None:
        return None
    value, step = number
    if step is None and not match["over"]:
        step = Fraction(10) ** int(match["power"] or match["tens"] or 0)
    try:
        return Measure(float(value), float(step or 0), unit)
    except OverflowError:
        return None


def conversion_program(measures: Sequence[tuple[Measure, str | None]]) -> str:
    """Writes the program that converts measures, to be run in the sandbox.

    Args:
        measures: (what is converted, the unit that is wanted; None is some other of its dimension,
            for which the name is returned in place of the step).

    Returns:
        Python source that defines `output`: for each measure [value, step] in the unit that is
        wanted, or why it has no value in it (its dimension is another, or there is no such unit).
        Needs pint, nothing of this project.
    """
    return program_with("conversions.py", measures=[[*measure, unit] for measure, unit in measures])


def significant_digits(text: str) -> int:
    """Returns how many digits of the number that a text begins with are significant.

    >>> [significant_digits(text) for text in ("0.050 m", "120 N", "3.1e4")]
    [2, 3, 2]
    """
    digits = re.split(r"[eE ]", text.strip().lstrip("+-"))[0].replace(",", "").replace(".", "")
    return len(digits.lstrip("0")) or 1


def is_same_value(value: float, step: float, gold: float, tolerance: float) -> bool:
    """Whether a value is a gold one, up to a relative tolerance, or up to rounding: half a step,
    which is a thousandth of the gold one at most."""
    rounding = min(step / 2, abs(gold) / 1000)
    return abs(value - gold) <= max(tolerance * abs(gold), rounding) * (1 + 1e-9) + 1e-300

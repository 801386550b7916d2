"""biomechanics: quantities that a program with units computes (after arXiv 2511.15752).

Problems come from laws with ranges (`problems`), or from any source whose programs take texts such
as "1.6 kg" and give one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from transforms.engine.ids import derived_seed
from transforms.engine.paths import DATA
from transforms.stages.quantities import tolerance_of
from transforms.text.answers.units import significant_digits

_PROGRAM = """from math import pi

import numpy as np
from pint import Quantity

input = {givens!r}
g = Quantity("9.81 m/s**2")


def solution({names}):
    [{names}] = map(Quantity, [{names}])
    result = {law}
    return f"{{result.to({asked!r}).magnitude:.10g}} {asked}".strip()


output = solution(**input)
"""


def problems(
    count: int = 100, first: int = 0, file: str = "biomechanics.yaml"
) -> Iterator[dict[str, Any]]:
    """Yields problems as seeds' columns, for `source=function`, the laws in turn.

    Args:
        file: of laws, in data/formulas or by its path.
    """
    shipped = yaml.safe_load((DATA / "formulas" / file).read_text("utf-8"))
    laws = list(shipped["laws"].items())
    for number in range(first, first + count):
        kind, law = laws[number % len(laws)]
        givens = {}
        for name, (low, high, decimals, unit) in law["givens"].items():
            steps = round((high - low) * 10**decimals)
            drawn = derived_seed(0, "given", kind, number, name) % (steps + 1)
            givens[name] = f"{low + drawn / 10**decimals:.{decimals}f} {unit}"
        code = _PROGRAM.format(
            givens=givens,
            names=", ".join(givens),
            law=re.sub(r"\b(sin|exp|log)\(", r"np.\1(", law["law"]),
            asked=law["asked"],
        )
        shown = {name: as_written(given) for name, given in givens.items()}
        problem = law["problem"].format(**shown).strip()
        names: dict[str, Any] = {}
        exec(code, names)  # of laws and literals that are the user's own
        digits = min(map(significant_digits, givens.values()))
        made = {"problem": problem, "code": code, "kind": kind, "answer": names["output"]}
        yield {**made, "tolerance": tolerance_of(digits), "license": shipped["license"]}


def as_written(measure: str) -> str:
    """Returns a measure as a text states it.

    >>> as_written("60 degree/s"), as_written("2.0 mm**2"), as_written("3.1 mPa*s")
    ('60 degrees/s', '2.0 mm^2', '3.1 mPa s')
    """
    text = measure.strip().replace("**", "^").replace("*", " ").replace("degree", "degrees")
    return text.replace("radian", "rad").replace("hour", "h").replace("minute", "min")

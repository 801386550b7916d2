"""The form that an instruction asks its answer in: an order, decimals, a fraction."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from functools import lru_cache

from transforms.text.answers import lexicon
from transforms.text.answers.brackets import alternatives, peel
from transforms.text.answers.latex import tidy
from transforms.text.answers.quantity import FRACTION, read_quantity, slash

_ORDER = re.compile(
    r"\b(?:in (?:the )?(?:[\w-]+ ){0,3}order|sort(?:ed)?|ascending|descending|(?:in|de)creasing"
    r"|ordered|arranged?|ranked|sequence|from (?:the )?(?:smallest|largest|least|lowest|highest"
    r"|shortest|longest|earliest|latest|oldest|youngest))\b",
    re.I,
)
_DECIMALS = re.compile(
    r"\b(?:to|with|at|correct to|rounded to|exactly) (?P<to>\w+) (?:decimals?\b|d\.?p\b)"
    r"|保留(?P<keep>\w)位小数|\bnearest (?P<nearest>\w+)",
    re.I,
)
_NEAREST = {"tenth": 1, "hundredth": 2, "cent": 2, "penny": 2, "thousandth": 3}
_NEAREST |= dict.fromkeys(("whole", "integer", "unit", "dollar", "euro", "percent", "minute"), 0)
_LOWEST = re.compile(
    r"\b(?:lowest|simplest) (?:terms|form|fraction)|\b(?:reduced|simplified|irreducible)\b[\w ]*"
    r"\bfraction|最简分数",
    re.I,
)
_AS_FRACTION = re.compile(r"\bas an? (?:[a-z]+ ){0,2}fraction\b|分数(?:形式)?表示", re.I)
_QUOTIENT = re.compile(r"(?<![\d./])([0-9]+) ?/ ?([0-9]+)(?![\d./])")


def as_asked(answer: str, output: str, instruction: str) -> str | None:
    r"""The answer to hold against the output; None where it is not in the form that is asked for.

    Where order is asked for, a set or "a or b" is a list in the order it is in. Where decimals are
    asked for, a number with more or fewer is another one, final zeros aside. Where lowest terms or
    a fraction are asked for, 6/8 and 0.75 are not 3/4.

    Args:
      output: JSON.

    >>> as_asked(r"\{2, 1\}", "[1, 2]", "List them in descending order.")
    '[2, 1]'
    >>> as_asked("3.1", "3.14", "Round to two decimal places.") is None
    True
    >>> as_asked("6/8", '"3/4"', "Give it in lowest terms.") is None
    True
    """
    if output.startswith("["):
        return as_sequence(answer) if _asks_for(_ORDER, instruction) else answer
    text = FRACTION.sub(slash, tidy(re.split(r"[=≈]|\\approx", answer)[-1]))
    quotient, stated = _QUOTIENT.search(text), read_quantity(text)
    if _asks_for(_LOWEST, instruction) and quotient and math.gcd(*map(int, quotient.groups())) > 1:
        return None
    if output.startswith('"'):
        wants_fraction = any(_asks_for(form, instruction) for form in (_LOWEST, _AS_FRACTION))
        decimal = stated and not quotient and stated.value.denominator > 1
        return None if decimal and wants_fraction and "/" in output else answer
    decimals = decimals_asked(instruction)
    if decimals is None or stated is None or not re.fullmatch(r"-?[0-9]+\.[0-9]+", output):
        return answer
    off = abs(stated.value - Fraction(output)) * 10**decimals
    shown = (stated.value * 10**decimals).denominator == 1
    return answer if shown and off <= Fraction(1, 2) + Fraction(1, 10**6) else None


@lru_cache(1000)  # each attempt at a problem asks the same
def _asks_for(form: re.Pattern[str], instruction: str) -> bool:
    return form.search(instruction) is not None


def as_sequence(answer: str) -> str:
    r"""An answer whose order counts: a set or "a or b" is read as a list in the order it is in.

    >>> as_sequence(r"\{2, 1\}")
    '[2, 1]'
    """
    text = tidy(answer)
    inner = peel(text, "{")
    if inner != text and ":" not in inner:
        return f"[{inner}]"
    parts = alternatives(text)
    return ", ".join(parts) if len(parts) > 1 else answer


@lru_cache(1000)
def decimals_asked(instruction: str) -> int | None:
    """The decimals that an answer is asked with; None where none are, or different ones.

    >>> decimals_asked("How many metres is that, to the nearest hundredth?")
    2
    """
    asked = set()
    for match in _DECIMALS.finditer(instruction):
        word = (match["to"] or match["keep"] or match["nearest"]).casefold()
        if match["nearest"]:
            asked.add(_NEAREST.get(word))
        else:
            number = int(word) if word.isdecimal() else lexicon.spelled_anywhere([word])
            asked.add(None if number is None else int(number))
    return asked.pop() if len(asked) == 1 else None

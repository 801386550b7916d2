"""A text whose numbers are explained, and the same text for another run."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import numpy as np

from transforms.engine.accounting import Verdict, reject
from transforms.recipes.augment.meanings import Meaning, Vector, different, equal, key_of
from transforms.text.numerals import Numeral, rendered


class RedrawReason(StrEnum):
    """Why a seed has no copy with other numbers."""

    NOT_REDRAWABLE = "not_redrawable"
    UNEXPLAINED_NUMBER = "unexplained_number"
    OTHER_WAY = "other_way"
    AMBIGUOUS_NUMBER = "ambiguous_number"
    IMPLAUSIBLE = "implausible"


_BOUNDS = {"degree": (180, 360), "%": (100,), "percent": (100,)}
"""Unit -> what its values do not pass where the original does not."""

_SMALL = 3
"""Up to here a number stands for many things in one text, and may become different ones."""


@dataclass
class Explanation:
    """A text's numbers and what each may stand for."""

    text: str
    numerals: list[Numeral]
    meanings: dict[int, list[Meaning]] = field(default_factory=dict)
    strings: dict[int, list[list[Any]]] = field(default_factory=dict)
    """For clock times and dates: lists of texts, one a run."""
    certain: set[int] = field(default_factory=set)
    """Numbers whose meaning the program, or their unit, confirms."""
    results: set[int] = field(default_factory=set)
    """Numbers that the text computes and the program does not confirm."""

    def filled(self, run: int) -> str | Verdict:
        """Returns the text for a run, or why it is not certain what it should say.

        Where a decimal fraction of the original does not end on the new values it is rounded, and
        an equals sign before it becomes ≈.
        """
        if (number := self._contradiction(run)) is not None:
            return _ambiguous(number)
        pieces: list[str] = []
        done = 0
        for index, numeral in enumerate(self.numerals):
            before = self.text[done : numeral.start]
            if index in self.strings:
                options = {texts[run] for texts in self.strings[index]}
                written = options.pop() if len(options) == 1 else None
            else:
                meanings = self.meanings[index]
                written = self._written(numeral, meanings, run)
                if written is None and numeral.decimals:
                    rounded = replace(numeral, decimals=max(2, numeral.decimals))
                    inexact = [Meaning(meaning.vector, exact=False) for meaning in meanings]
                    written = self._written(rounded, inexact, run)
                    before = re.sub(r"=(\s*[$€£]?)$", r"≈\1", before)
            if written is None:
                return _ambiguous(numeral)
            if _too_large(numeral, self.meanings.get(index, []), run):
                return reject(RedrawReason.IMPLAUSIBLE, f"{written} {numeral.unit}")
            pieces += [before, written]
            done = numeral.end
        return with_articles("".join([*pieces, self.text[done:]]))

    def _contradiction(self, run: int) -> Numeral | None:
        """A number that would become different ones without a good reason."""
        groups: dict[float, list[int]] = defaultdict(list)
        for index, numeral in enumerate(self.numerals):
            if numeral.kind in ("number", "ordinal"):
                groups[numeral.value].append(index)
        for value, places in groups.items():
            new = [self.meanings[place][0].vector[run] for place in places]
            for number, place in enumerate(places):
                if place in self.results and not all(equal(v, new[number]) for v in new[number:]):
                    return self.numerals[place]
            pairs = zip(places, new, strict=True)
            doubtful = [(place, v) for place, v in pairs if place not in self.certain]
            if value > _SMALL and doubtful and not all(equal(v, doubtful[0][1]) for v in new):
                return self.numerals[doubtful[0][0]]
        return None

    def _written(self, numeral: Numeral, meanings: list[Meaning], run: int) -> str | None:
        values = [meaning.vector[run] for meaning in meanings]
        if not all(np.isfinite(value) and equal(value, values[0]) for value in values):
            return None
        if equal(values[0], numeral.value):
            return numeral.text
        one = equal(values[0], 1) or equal(numeral.value, 1)
        if one and re.match(r"[\s-]+[^\W\d_]{2,}", self.text[numeral.end :]):
            return None  # the word after it would need its singular, or plural
        exact = any(meaning.exact for meaning in meanings)
        if not exact and equal(values[0], 0):
            return None
        return rendered(numeral, float(values[0]), exact)


_SENTENCE_END = re.compile(r"[.;:]\s")


def sentence_ends(text: str) -> list[int]:
    """Returns where sentences, and parts of them that stand alone, end."""
    return [match.end() for match in _SENTENCE_END.finditer(text)]


def combined(index: int, result: Explanation, sentences: int) -> list[Meaning]:
    """What two numbers of the last sentences give together, where that is the number."""
    numeral = result.numerals[index]
    if numeral.value <= _SMALL:
        return []
    ends = sentence_ends(result.text[: numeral.start])
    begin = ends[-sentences] if len(ends) >= sentences else 0
    before: dict[bytes, Vector] = {
        key_of(meaning.vector): meaning.vector
        for other in range(index)
        if result.numerals[other].start >= begin and result.numerals[other].kind == "number"
        for meaning in result.meanings.get(other, [])[:2]
        if not equal(meaning.vector[0], 1)
    }
    vectors = together(before.values())
    return different(Meaning(vector) for vector in vectors if equal(vector[0], numeral.value))


def together(vectors: Iterable[Vector]) -> Iterator[Vector]:
    """Yields what each two of the vectors give by one operation."""
    for a, b in itertools.combinations(vectors, 2):
        with np.errstate(all="ignore"):
            yield from (a * b, a + b, a - b, b - a, a / b, b / a)


def _ambiguous(numeral: Numeral) -> Verdict:
    return reject(RedrawReason.AMBIGUOUS_NUMBER, numeral.text)


def _too_large(numeral: Numeral, meanings: list[Meaning], run: int) -> bool:
    """Whether a value passes what its unit bounds, where the original does not."""
    bound = next((b for b in _BOUNDS.get(numeral.unit, ()) if numeral.value <= b), None)
    return bound is not None and any(meaning.vector[run] > bound for meaning in meanings)


_ARTICLE = re.compile(
    r"\b(?P<article>[Aa]n?)(?P<space>\s)"
    r"(?P<number>\d[\w-]*|(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)\b)"
)


def with_articles(text: str) -> str:
    """Returns a text with a or an before each number as that is spoken."""

    def article(match: re.Match[str]) -> str:
        vowel = re.match(r"8|11(?!\d)|18(?!\d)|eight|eleven", match["number"])
        new = "an" if vowel else "a"
        first = new.capitalize() if match["article"][0].isupper() else new
        return first + match["space"] + match["number"]

    return _ARTICLE.sub(article, text)

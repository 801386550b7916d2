"""What the numbers of a worked solution stand for, found by looking at many runs at once.

Every value of the problem's program is a vector over the runs: its value on the original input,
then on each redrawn one. A number of the text may stand for the vectors that begin with it. Where
an equation of the text gives on all runs what the program computes, that is what its numbers mean.
Whatever remains open may differ on some runs: those are given up, not guessed at.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from transforms.recipes.augment.equate import Unexplained, equate
from transforms.recipes.augment.explanation import Explanation, combined, sentence_ends
from transforms.recipes.augment.meanings import (
    MOST_MEANINGS,
    UNITS,
    Known,
    Meaning,
    different,
    equal,
    is_constant,
    key_of,
)
from transforms.text.equations import chains, holds, leaves
from transforms.text.numerals import Numeral, numerals

_ROUNDED = re.compile(r"(?:≈|about|roughly|nearly|rounds to|rounded to)\s*[$€£]?\s*$")
_CALL = re.compile(r"(?<![A-Za-z])[A-BD-Za-z]\([^()]*\)")
"""A function of the text's own, such as w(3): the number says which, and stays."""


def explain(text: str, known: Known, strings: Sequence[Sequence[Any]]) -> Explanation:
    """Returns what every number of `text` may stand for; `known` grows by what the text says.

    Args:
        strings: texts that the program computes, each as a list with one entry a run.

    Raises:
        Unexplained: a number stands for nothing known, or an equation holds for nothing known.
    """
    result = Explanation(text, numerals(text))
    found = result.numerals
    chain_at = {chain.leaves()[0]: chain for chain in chains(text, found) if holds(chain, found)}
    in_chain = {leaf for chain in chain_at.values() for leaf in chain.leaves()}
    reduced = {reduction.divisor: reduction for reduction in reductions(text, found)}
    lowest = {
        place: known.outputs[part]
        for reduction in reduced.values()
        if _is_answer(reduction, found, known)
        for part, place in enumerate((reduction.new_top, reduction.new_bottom))
    }
    for index, numeral in enumerate(found):
        if numeral.kind in ("clock", "date"):
            result.strings[index] = _texts(numeral, strings)
        elif index in lowest:
            result.meanings[index] = [Meaning(lowest[index])]
            result.certain.add(index)
        elif index in reduced:
            result.meanings[index] = _divisors(reduced[index], result, known)
            result.certain.add(index)  # the filled text is checked for it
        elif index in chain_at:
            equate(chain_at[index], known, result)
        elif index not in in_chain:
            meanings = result.meanings[index] = _outside_equations(index, result, known)
            if numeral.kind == "number":
                for meaning in meanings[:3]:
                    known.add(meaning.vector)
    operands = {
        leaf for chain in chain_at.values() for side in chain.sides[:-1] for leaf in leaves(side)
    }
    _agree_in_sentences(result, operands, in_chain)
    _follow_certain(result)
    return result


def _texts(numeral: Numeral, strings: Sequence[Sequence[Any]]) -> list[list[Any]]:
    texts = [list(column) for column in strings if column[0] == numeral.text]
    if not texts:
        raise Unexplained(numeral.text, numeral.start)
    return texts


def _outside_equations(index: int, result: Explanation, known: Known) -> list[Meaning]:
    """What a number outside of equations may stand for.

    One with the unit of an input of its size stands for that. Words and the numbers of a text's
    own functions stay, whatever else they could mean.
    """
    numeral = result.numerals[index]
    rounded = bool(_ROUNDED.search(result.text[: numeral.start]))
    constant = known.constant(numeral.value)
    if numeral.kind in ("word", "ordinal_word"):
        if numeral.value <= (1 if numeral.kind == "word" else 3):
            return [constant]
        return different([constant, *known.meanings(numeral, rounded)])
    if any(m.start() < numeral.start < m.end() for m in _CALL.finditer(result.text)):
        return different([constant, *known.meanings(numeral, rounded)])
    stated = [
        Meaning(vector)
        for vector, unit in known.inputs
        if numeral.unit and unit == numeral.unit and equal(vector[0], numeral.value)
    ]
    if stated:
        result.certain.add(index)
        return different(stated)
    meanings = known.meanings(numeral, rounded)
    if not meanings and numeral.value in (0, 1, 60, 100):
        return [constant]
    if not meanings:
        meanings = [*known.derived(numeral), *combined(index, result, sentences=2)]
        if numeral.value in UNITS:
            meanings.append(constant)
    elif numeral.value <= 12:
        if _is_of_another_unit(numeral, known):
            meanings.append(constant)
    else:
        if len(meanings) == 1:
            result.certain.add(index)
        meanings += combined(index, result, sentences=1)
    meanings = different(meanings)
    if not meanings or len(meanings) > MOST_MEANINGS:
        raise Unexplained(numeral.text, numeral.start)
    return meanings


def _is_of_another_unit(numeral: Numeral, known: Known) -> bool:
    """Whether inputs of a number's size are stated, but as so many of something else."""
    units = {unit for vector, unit in known.inputs if equal(vector[0], numeral.value)}
    return bool(numeral.unit and units and "" not in units)


def _agree_in_sentences(result: Explanation, operands: set[int], in_chain: set[int]) -> None:
    """A number that an equation of its sentence works with stands for the same as there."""
    ends = sentence_ends(result.text)
    groups: dict[tuple[int, float], list[int]] = defaultdict(list)
    for index, numeral in enumerate(result.numerals):
        groups[sum(end <= numeral.start for end in ends), numeral.value].append(index)
    for places in groups.values():
        meant = [
            {key_of(meaning.vector) for meaning in result.meanings[place]}
            for place in places
            if place in operands
            and not any(is_constant(meaning.vector) for meaning in result.meanings[place])
        ]
        if not meant or any(keys != meant[0] for keys in meant):
            continue
        for place in places:
            if place not in in_chain and result.numerals[place].kind == "number":
                common = [m for m in result.meanings[place] if key_of(m.vector) in meant[0]]
                result.meanings[place] = common or result.meanings[place]


def _follow_certain(result: Explanation) -> None:
    """A number with one meaning, which a certain number of its size has, is certain too."""
    sure = {
        (result.numerals[place].value, key_of(meaning.vector))
        for place in result.certain
        for meaning in result.meanings[place]
    }
    for index, meanings in result.meanings.items():
        only = key_of(meanings[0].vector)
        if len(meanings) == 1 and (result.numerals[index].value, only) in sure:
            result.certain.add(index)


class Reduction(NamedTuple):
    """A fraction brought to lowest terms: places of its numerals, as in 15/220 by 5 gives 3/44."""

    top: int
    bottom: int
    divisor: int
    new_top: int
    new_bottom: int


_REDUCTION = re.compile(
    r"(\d[\d,]*)/(\d[\d,]*),? and dividing both by (\d[\d,]*) gives (\d[\d,]*)/(\d[\d,]*)"
)


def reductions(text: str, found: Sequence[Numeral]) -> list[Reduction]:
    """Returns the fractions that a text brings to lowest terms."""
    at = {numeral.start: index for index, numeral in enumerate(found)}
    return [
        Reduction(*(at[match.start(group)] for group in range(1, 6)))
        for match in _REDUCTION.finditer(text)
        if all(match.start(group) in at for group in range(1, 6))
    ]


def _is_answer(reduction: Reduction, found: Sequence[Numeral], known: Known) -> bool:
    """Whether what a fraction is brought to is the answer."""
    lowest = (found[reduction.new_top].value, found[reduction.new_bottom].value)
    return len(known.outputs) == 2 and lowest == tuple(vector[0] for vector in known.outputs)


def _divisors(reduction: Reduction, result: Explanation, known: Known) -> list[Meaning]:
    """What both parts of a fraction are divided by."""
    if _is_answer(reduction, result.numerals, known):
        new_tops = [known.outputs[0]]
    else:
        new = known.meanings(result.numerals[reduction.new_top])
        new_tops = [meaning.vector for meaning in new]
    with np.errstate(all="ignore"):
        meanings = different(
            Meaning(top.vector / new_top)
            for top in result.meanings[reduction.top]
            for new_top in new_tops
        )
    if not meanings:
        place = result.numerals[reduction.divisor]
        raise Unexplained(place.text, place.start)
    return meanings

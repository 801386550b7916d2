"""Which values the numbers of a worked solution stand for, found by looking at many runs at once.

Every value of the problem's program is a vector over the runs: its value on the original input,
then on each redrawn one. A number of the text is explained by the vectors that begin with it. Where
an equation of the text holds for some of them on all runs, the others are dropped. What then
remains may still differ on some runs: those runs are given up, not guessed at.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np

from transforms.augmentation.equations import Chain, Tree, chains, evaluate, leaves, parts
from transforms.augmentation.numerals import Numeral, numerals, rendered

Vector = Any
"""A numpy array of floats, one a run; nan where the run does not have the value."""

UNITS = (1, 2, 3, 7, 10, 12, 24, 60, 100, 180, 360, 1000, 3600)
"""Numbers that a formula may hold on its own account."""

_MOST_COMBINATIONS = 1000
_MOST_MEANINGS = 12
"""A number that may stand for more is not explained."""


@dataclass(frozen=True)
class Meaning:
    """One thing that a number of the text may stand for."""

    vector: Vector
    exact: bool = True
    """Whether the text shows the value in full; else rounded to the decimals that it shows."""


class Unexplained(Exception):
    """A number of the text that stands for nothing known."""

    def __init__(self, text: str, place: int) -> None:
        super().__init__(text)
        self.place = place


@dataclass(frozen=True)
class Source:
    """A vector and how likely a text is to speak of it: 0 (input, output, variables) or 1."""

    vector: Vector
    rank: int = 0


@dataclass
class Known:
    """The vectors that a text may draw on; what it says itself is added as it goes along."""

    sources: list[Source]
    constants: frozenset[float]
    """Numbers that the problem states besides its input."""
    literals: frozenset[float]
    """Numbers that stand in the code."""
    runs: int
    inputs: list[tuple[Vector, str]] = field(default_factory=list)
    """The values that the problem states, with their units."""
    _rank_of: dict[bytes, int] = field(default_factory=dict)
    _firsts: Vector = None

    def __post_init__(self) -> None:
        given, self.sources = self.sources, []
        for source in given:
            self.add(source.vector, source.rank)

    def copy(self) -> Known:
        return Known(list(self.sources), self.constants, self.literals, self.runs, self.inputs)

    def add(self, vector: Vector, rank: int = 0) -> None:
        key = _key(vector)
        if key not in self._rank_of:
            self.sources.append(Source(vector, rank))
        elif rank < self._rank_of[key]:
            place = next(i for i, source in enumerate(self.sources) if _key(source.vector) == key)
            self.sources[place] = Source(vector, rank)
        else:
            return
        self._rank_of[key] = rank
        self._firsts = None

    def beginning(self, value: float, step: Callable[[Any], Any] = lambda v: v) -> list[Source]:
        """The sources whose first value, after a step, is this one."""
        if self._firsts is None:
            self._firsts = np.array([source.vector[0] for source in self.sources])
        with np.errstate(all="ignore"):
            near = np.abs(step(self._firsts) - value) <= 1e-9 * max(1.0, abs(value))
        return [self.sources[place] for place in np.flatnonzero(near)]

    def constant(self, value: float) -> Vector:
        return np.full(self.runs, float(value))

    def meanings(self, numeral: Numeral, rounded: bool = True, every: bool = False) -> list[Meaning]:
        """What a number may stand for among the known vectors and the constants.

        Args:
            rounded: also where it shows a vector rounded.
            every: whatever the rank; else of the lowest rank alone.
        """
        value = numeral.value
        found = [
            (source.rank, Meaning(source.vector))
            for source in self.beginning(value)
            if not numeral.truncated
        ]
        if not found and (numeral.decimals or rounded):
            found = [
                (source.rank, Meaning(_cut(source.vector, numeral), exact=False))
                for source in self.beginning(value, lambda firsts: _cut(firsts, numeral))
                if abs(source.vector[0] - value) <= 0.01 * abs(value)
            ]
        if value in self.constants or value in self.literals:
            found.append((0, Meaning(self.constant(value))))
        lowest = min((rank for rank, _ in found), default=0)
        return _different(meaning for rank, meaning in found if every or rank == lowest)

    def derived(self, numeral: Numeral) -> list[Meaning]:
        """What a number may stand for one small step away from the known vectors."""
        found = []
        for step in _STEPS:
            for source in self.beginning(numeral.value, step):
                found.append((source.rank, Meaning(step(source.vector))))
        lowest = min((rank for rank, _ in found), default=0)
        return _different(meaning for rank, meaning in found if rank == lowest)


_STEPS = (
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


def _equal(one: float, other: float) -> bool:
    return bool(abs(one - other) <= 1e-9 * max(1.0, abs(other)))


def same(one: Vector, other: Vector, slack: float = 0.0) -> bool:
    """Whether two vectors are one wherever both are known, and both are known somewhere else."""
    both = np.isfinite(one) & np.isfinite(other)
    if both.sum() < 2 or (np.isfinite(one) != np.isfinite(other)).mean() > 0.1:
        return False
    return bool(
        np.all(np.abs(one[both] - other[both]) <= slack + 1e-9 * np.maximum(1, np.abs(other[both])))
    )


def _key(vector: Vector) -> bytes:
    with np.errstate(all="ignore"):
        scale = np.where(vector == 0, 1.0, 10.0 ** (9 - np.floor(np.log10(np.abs(vector) + 1e-300))))
        return bytes(np.round(vector * scale) / scale)


def _different(meanings: Iterable[Meaning]) -> list[Meaning]:
    kept: dict[bytes, Meaning] = {}
    for meaning in meanings:
        kept.setdefault(_key(meaning.vector), meaning)
    return list(kept.values())


def _cut(vector: Vector, numeral: Numeral) -> Vector:
    """The vector as the numeral's decimals show it."""
    if numeral.truncated:
        scale = 10.0**numeral.decimals
        return np.floor(vector * scale + 1e-9) / scale
    return np.round(vector + np.sign(vector) * 1e-12, numeral.decimals)


@dataclass
class Explanation:
    """A text's numbers and what each may stand for."""

    text: str
    numerals: list[Numeral]
    meanings: dict[int, list[Meaning]]
    strings: dict[int, list[list[Any]]]
    """For clock times and dates: lists of texts, one a run."""
    certain: set[int] = field(default_factory=set)
    """Numbers whose meaning the program or their unit confirms."""
    results: set[int] = field(default_factory=set)
    """Numbers that the text computes and the program does not confirm."""

    def filled(self, run: int) -> str | None:
        """Returns the text for a run, or None where it is not certain what it should say.

        Where a decimal fraction of the original would not end on the new values, it is rounded, and
        an equals sign before it becomes ≈.
        """
        if self._contradicts(run):
            return None
        pieces: list[str] = []
        done = 0
        for index, numeral in enumerate(self.numerals):
            if index in self.strings:
                options = {texts[run] for texts in self.strings[index]}
                written = options.pop() if len(options) == 1 else None
            else:
                written = self._written(numeral, self.meanings.get(index, []), run)
            before = self.text[done : numeral.start]
            if written is None and numeral.decimals and self.meanings.get(index):
                rounded = replace(numeral, decimals=max(2, numeral.decimals))
                inexact = [Meaning(m.vector, exact=False) for m in self.meanings[index]]
                written = self._written(rounded, inexact, run)
                before = re.sub(r"=(\s*[$€£]?)$", r"≈\1", before)
            if written is None:
                return None
            pieces += [before, written]
            done = numeral.end
        return _articles("".join([*pieces, self.text[done:]]), self.text)

    def _contradicts(self, run: int) -> bool:
        """Whether numbers that were one would become different ones without a good reason."""
        groups: dict[float, list[int]] = {}
        for index, numeral in enumerate(self.numerals):
            if numeral.kind in ("number", "ordinal") and self.meanings.get(index):
                groups.setdefault(numeral.value, []).append(index)
        for value, places in groups.items():
            new = [self.meanings[place][0].vector[run] for place in places]
            for number, place in enumerate(places):
                if place in self.results and not all(_equal(v, new[number]) for v in new[number:]):
                    return True
            sure = [place in self.certain for place in places]
            doubtful = [v for v, certain in zip(new, sure, strict=True) if not certain]
            if value > 3 and doubtful and not all(_equal(v, doubtful[0]) for v in new):
                return True
        return False

    def _written(self, numeral: Numeral, meanings: list[Meaning], run: int) -> str | None:
        values = [meaning.vector[run] for meaning in meanings]
        if not values or not all(np.isfinite(value) and _equal(value, values[0]) for value in values):
            return None
        if _equal(values[0], numeral.value):
            return numeral.text
        if _names_one(self.text, numeral) and (_equal(values[0], 1) or _equal(numeral.value, 1)):
            return None
        exact = any(meaning.exact for meaning in meanings)
        written = rendered(numeral, float(values[0]), exact)
        shown = "".join(sign for sign in written or "" if sign.isdigit() or sign == ".")
        if not exact and (not shown or _equal(meanings[0].vector[run], 0)):
            return None
        return written


def _names_one(text: str, numeral: Numeral) -> bool:
    """Whether a word follows that would be singular after 1."""
    return bool(re.match(r"[\s-]+[^\W\d_]{2,}", text[numeral.end :]))


def _articles(text: str, original: str) -> str:
    """Sets a or an as the number after it is spoken."""

    def article(match: re.Match[str]) -> str:
        vowel = re.match(r"(?:8|11(?!\d)|18(?!\d)|eight|eleven|eighteen)", match["number"]) is not None
        new = "an" if vowel else "a"
        return (new.capitalize() if match["article"][0].isupper() else new) + match["space"] + match["number"]

    return re.sub(r"\b(?P<article>[Aa]n?)(?P<space>\s)(?P<number>[\d]+[\w-]*|\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)\b)", article, text)


def explain(
    text: str, known: Known, strings: Sequence[Sequence[Any]]
) -> Explanation:
    """Returns what every number of `text` may stand for.

    Args:
        strings: texts that the program computes, each as a list with one entry a run.

    Raises:
        Unexplained: a number stands for nothing known, or an equation holds for nothing known.
    """
    found = numerals(text)
    chain_at = {chain.leaves()[0]: chain for chain in chains(text, found) if _holds(chain, found)}
    in_chain = {leaf for chain in chain_at.values() for leaf in chain.leaves()}
    result = Explanation(text, found, {}, {})
    reduced = {fraction.divisor: fraction for fraction in reductions(text, found)}
    for index, numeral in enumerate(found):
        if numeral.kind in ("clock", "date"):
            result.strings[index] = _texts(numeral, strings)
        elif index in reduced:
            result.meanings[index] = _divisors(reduced[index], result, found, known, text)
        elif index in chain_at:
            _explain_chain(chain_at[index], found, known, result, text)
        elif index not in in_chain:
            result.meanings[index] = _stray(index, result, known)
            if numeral.kind == "number":
                for meaning in result.meanings[index][:3]:
                    known.add(meaning.vector)
    _agree_in_sentences(result, in_chain)
    return result


def _agree_in_sentences(result: Explanation, in_chain: set[int]) -> None:
    """A number that also stands in an equation of its sentence stands for the same as there."""
    sentences = [match.end() for match in re.finditer(r"[.;:]\s", result.text)]
    by_sentence: dict[tuple[int, float], list[int]] = {}
    for index, numeral in enumerate(result.numerals):
        sentence = sum(end <= numeral.start for end in sentences)
        by_sentence.setdefault((sentence, numeral.value), []).append(index)
    for places in by_sentence.values():
        meant = [
            result.meanings[place]
            for place in places
            if place in in_chain and not any(_is_constant(m.vector) for m in result.meanings[place])
        ]
        if not meant or any({_key(m.vector) for m in one} != {_key(m.vector) for m in meant[0]} for one in meant):
            continue
        keys = {_key(meaning.vector) for meaning in meant[0]}
        for place in places:
            if place not in in_chain and result.numerals[place].kind == "number":
                common = [m for m in result.meanings[place] if _key(m.vector) in keys]
                if common:
                    result.meanings[place] = common


def _is_constant(vector: Vector) -> bool:
    return bool(np.nanmax(vector) == np.nanmin(vector))


@dataclass(frozen=True)
class Reduction:
    """A fraction brought to lowest terms: places of its numerals, as in 15/220 by 5 gives 3/44."""

    top: int
    bottom: int
    divisor: int
    new_top: int
    new_bottom: int


_REDUCTION = re.compile(r"(\d[\d,]*)/(\d[\d,]*),? and dividing both by (\d+) gives (\d[\d,]*)/(\d[\d,]*)")


def reductions(text: str, found: Sequence[Numeral]) -> list[Reduction]:
    """Returns the fractions that a text brings to lowest terms."""
    at = {numeral.start: index for index, numeral in enumerate(found)}
    return [
        Reduction(*(at[match.start(group)] for group in range(1, 6)))
        for match in _REDUCTION.finditer(text)
    ]


def _divisors(
    reduction: Reduction, result: Explanation, found: Sequence[Numeral], known: Known, text: str
) -> list[Meaning]:
    tops = result.meanings[reduction.top]
    new_tops = known.meanings(found[reduction.new_top], every=True)
    with np.errstate(all="ignore"):
        return _different(Meaning(top.vector / new.vector) for top in tops for new in new_tops)


def _texts(numeral: Numeral, strings: Sequence[Sequence[Any]]) -> list[list[Any]]:
    texts = [list(column) for column in strings if column[0] == numeral.text]
    if not texts:
        raise Unexplained(numeral.text, numeral.start)
    return texts


def _holds(chain: Chain, found: Sequence[Numeral]) -> bool:
    """Whether an equation is true of the numbers that stand in it, as closely as they are shown."""
    values = [float(evaluate(side, lambda leaf: found[leaf].value)) for side in chain.sides]
    slack = 0.501 * 10.0 ** -_decimals(chain.sides[-1], found)
    return all(abs(value - values[0]) <= slack for value in values[1:])


def _decimals(side: Tree, found: Sequence[Numeral]) -> int:
    return max((found[leaf].decimals for leaf in leaves(side)), default=0)


def _is_rounded(text: str, numeral: Numeral) -> bool:
    return bool(re.search(r"(?:≈|about|roughly|nearly|rounds to|rounded to)\s*[$€£]?\s*$", text[: numeral.start]))


_INDEXED = re.compile(
    r"\b(?:days?|weeks?|months?|years?|minutes?|hours?|rounds?|steps?|numbers?|cards?|rows?|places?"
    r"|positions?|toss(?:es)?|jumps?|stops?|machines?|stages?|layers?|pages?|brackets?|tasks?|slots?"
    r"|lamps?|stairs?|squares?|columns?)\s*$",
    re.IGNORECASE,
)
"""Words before a number that says which one, not how many."""


_CALL = re.compile(r"(?<![A-Za-z])[A-BD-Za-z]\([^()]*\)")
"""A function of the text's own, such as w(3): the number says which, and stays."""


def _stray(index: int, result: Explanation, known: Known) -> list[Meaning]:
    """What a number outside of equations may stand for."""
    numeral, text = result.numerals[index], result.text
    rounded = _is_rounded(text, numeral)
    constant = Meaning(known.constant(numeral.value))
    if numeral.kind in ("word", "ordinal_word"):
        if numeral.value <= (1 if numeral.kind == "word" else 3):
            return [constant]
        return _different([constant, *known.meanings(numeral, rounded, every=True)])
    if any(match.start() < numeral.start < match.end() for match in _CALL.finditer(text)):
        return _different([constant, *known.meanings(numeral, rounded, every=True)])
    if numeral.unit:
        stated = [
            Meaning(vector)
            for vector, unit in known.inputs
            if unit == numeral.unit and _equal(vector[0], numeral.value)
        ]
        if stated:
            result.certain.add(index)
            return _different(stated)
    meanings = known.meanings(numeral, rounded)
    if numeral.kind == "ordinal" or _INDEXED.search(text[: numeral.start]):
        meanings = known.meanings(numeral, rounded, every=True)
    if not meanings and numeral.value in (0, 1, 60, 100):
        return [constant]
    if not meanings:
        meanings = [*known.derived(numeral), *_combined(index, result, 2)]
        if numeral.value in UNITS:
            meanings.append(constant)
    elif numeral.value > 12:
        if len(meanings) == 1:
            result.certain.add(index)
        meanings = [*meanings, *_combined(index, result, 1)]
    meanings = _different(meanings)
    if not meanings or len(meanings) > _MOST_MEANINGS:
        raise Unexplained(numeral.text, numeral.start)
    return meanings


def _combined(index: int, result: Explanation, sentences: int) -> list[Meaning]:
    """What two numbers shortly before a number give together, where that is the number."""
    numeral = result.numerals[index]
    if numeral.value <= 3:
        return []
    ends = [match.end() for match in re.finditer(r"[.;:]\s", result.text[: numeral.start])]
    begin = ends[-sentences] if len(ends) >= sentences else 0
    before: dict[bytes, Vector] = {
        _key(meaning.vector): meaning.vector
        for other in range(index)
        if result.numerals[other].start >= begin and result.numerals[other].kind == "number"
        for meaning in result.meanings.get(other, [])[:2]
    }
    found = []
    for one, other in itertools.combinations(before.values(), 2):
        with np.errstate(all="ignore"):
            for vector in (one * other, one + other, one - other, other - one, one / other, other / one):
                if _equal(vector[0], numeral.value) and not _equal(one[0], 1) and not _equal(other[0], 1):
                    found.append(Meaning(vector))
    return _different(found)


def _leaf(numeral: Numeral, known: Known, width: int) -> list[Meaning]:
    """What a number within an equation may stand for: the equation will say which.

    Args:
        width: 0 for the likeliest alone, 1 for whatever the rank, 2 for steps away as well.
    """
    likely = known.meanings(numeral)
    if width == 0 and likely:
        return likely
    meanings = known.meanings(numeral, every=True)
    if numeral.value in UNITS:
        meanings = _different([*meanings, Meaning(known.constant(numeral.value))])
    if width == 2 or not meanings:
        meanings = _different([*meanings, *known.derived(numeral)])
    return meanings


def _explain_chain(
    chain: Chain, found: Sequence[Numeral], known: Known, result: Explanation, text: str
) -> None:
    """Gives the numbers of an equation their meanings.

    Where some choice of them gives on every run what the program computes, it is that choice.
    """
    place = found[chain.leaves()[0]].start
    first, *others = chain.sides
    likely: list[tuple[Way, Vector]] = []
    for width in (0, 1, 2):
        ways = [(way, _vector(first, way)) for way in _ways(first, found, known, [], width)]
        confirmed = False
        for side in others:
            if side[0] == "number":
                ways, anchored = _settled(ways, side[1], found[side[1]], known)
                confirmed = confirmed or anchored
            else:
                ways = _continued(ways, first, side, found, known, width)
        likely = likely or ways
        if confirmed and ways:
            break
    else:
        ways, confirmed = likely, False
    if not ways:
        raise Unexplained(text[place : place + 40], place)
    for leaf in chain.leaves():
        meanings = result.meanings[leaf] = _different(way[leaf] for way, _ in ways)
        if len(meanings) > _MOST_MEANINGS:
            raise Unexplained(found[leaf].text, found[leaf].start)
        for meaning in meanings:
            known.add(meaning.vector)
    if confirmed:
        result.certain.update(chain.leaves())
    else:
        result.results.update(side[1] for side in others if side[0] == "number")


Way = dict[int, Meaning]
"""A meaning for each number of an equation."""


def _vector(tree: Tree, way: Way) -> Vector:
    value = evaluate(tree, lambda leaf: way[leaf].vector)
    runs = len(next(iter(way.values())).vector)
    return np.broadcast_to(np.asarray(value, float), (runs,))


def _ways(
    side: Tree, found: Sequence[Numeral], known: Known, extra: list[Vector], width: int
) -> Iterator[Way]:
    """Yields the ways to give each number of a side a meaning."""
    places = leaves(side)
    options = []
    for leaf in places:
        more = [Meaning(v) for v in extra if np.isfinite(v[0]) and _equal(v[0], found[leaf].value)]
        option = _different([*more, *_leaf(found[leaf], known, width)])
        if not option:
            raise Unexplained(found[leaf].text, found[leaf].start)
        options.append(option)
    fewer = max(2, int(_MOST_COMBINATIONS ** (1 / max(1, len(options)))))
    if math.prod(map(len, options)) > _MOST_COMBINATIONS:
        options = [option[: max(fewer, 2)] for option in options]
    for combination in itertools.islice(itertools.product(*options), _MOST_COMBINATIONS):
        yield dict(zip(places, combination, strict=True))


def _settled(
    ways: list[tuple[Way, Vector]], leaf: int, numeral: Numeral, known: Known
) -> tuple[list[tuple[Way, Vector]], bool]:
    """Gives the number after an equals sign its meaning, and drops the ways that it speaks against.

    Where the program computes on every run what one way gives, that way is meant. Returns also
    whether it does.
    """
    targets = known.meanings(numeral, every=True)
    slack = 0.501 * 10.0**-numeral.decimals if numeral.decimals else 0.0
    exact_targets = {_key(target.vector) for target in targets if target.exact}
    judged: dict[bytes, tuple[Meaning, bool]] = {}
    anchored, free = [], []
    for way, value in ways:
        key = _key(value)
        if key not in judged:
            exact = _equal(value[0], numeral.value)
            meant = key in exact_targets or any(
                same(value, target.vector, slack)
                for target in targets
                if not (exact and target.exact)
            )
            judged[key] = Meaning(value if exact else _cut(value, numeral), exact), meant
        meaning, meant = judged[key]
        (anchored if meant else free).append(({**way, leaf: meaning}, value))
    return anchored or free, bool(anchored)


def _continued(
    ways: list[tuple[Way, Vector]],
    first: Tree,
    side: Tree,
    found: Sequence[Numeral],
    known: Known,
    width: int,
) -> list[tuple[Way, Vector]]:
    """Gives the numbers of a further side meanings with which it equals the first one."""
    decimals = _decimals(side, found)
    slack = 0.501 * 10.0**-decimals if decimals else 0.0
    longer: list[tuple[Way, Vector]] = []
    seen: set[bytes] = set()
    for way, value in ways[:50]:
        extra = [_vector(part, way) for part in parts(first)]
        key = _key(value)
        for more in _ways(side, found, known, extra, width):
            other = _vector(side, more)
            if _key(other) == key or (slack and same(other, value, slack)):
                longer.append(({**way, **more}, value))
        if side[0] == "/" and side[1][0] == side[2][0] == "number" and _key(value) not in seen:
            seen.add(_key(value))
            longer += _as_fraction(way, value, side[1][1], side[2][1], found)
        if len(longer) > _MOST_COMBINATIONS:
            break
    return longer


def _as_fraction(
    way: Way, value: Vector, top: int, bottom: int, found: Sequence[Numeral]
) -> list[tuple[Way, Vector]]:
    """The value of an equation written as a fraction in lowest terms, where it was one before."""
    numbers = [
        Fraction(float(number)).limit_denominator(100_000) if np.isfinite(number) else None
        for number in value
    ]
    first = numbers[0]
    if first is None or (first.numerator, first.denominator) != (found[top].value, found[bottom].value):
        return []
    tops = np.array([math.nan if n is None else float(n.numerator) for n in numbers])
    bottoms = np.array([math.nan if n is None else float(n.denominator) for n in numbers])
    return [({**way, top: Meaning(tops), bottom: Meaning(bottoms)}, value)]

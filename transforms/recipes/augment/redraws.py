"""Other inputs for a problem: which of its values its text states, and new ones for them."""

from __future__ import annotations

import copy
import math
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from transforms.engine.ids import derived_seed
from transforms.text.numerals import Numeral

Path = tuple[Any, ...]
"""Where a value stands in the input: keys and positions."""

YEARS = range(1900, 2101)
"""Numbers that may be years, which stay as they are: weekdays and leap days hang on them."""

_DECIMAL_PLACES = re.compile(r"[\s-]*(?:decimal|digit|place|significant)", re.IGNORECASE)


@dataclass(frozen=True)
class Slot:
    """A value of the input and the numerals of the problem that state it."""

    path: Path
    value: float
    numerals: tuple[int, ...]
    unit: str = ""
    """The word after it, without a plural's s."""
    largest: float | None = None
    """What a new value may not exceed, where its meaning bounds it: a percentage, minutes."""


def numbers_in(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yields (path, number) for every number in a nested value, in its order."""
    if isinstance(value, bool):
        return
    if isinstance(value, (int, float)):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from numbers_in(item, (*path, key))
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from numbers_in(item, (*path, index))


def find_slots(problem: str, found: Sequence[Numeral], inputs: Mapping[str, Any]) -> list[Slot]:
    """Returns the values that the problem states, each with all numerals that state it.

    Values of a list or table are looked for in its order, others by being the only ones of their
    size. A value that is not stated, or that cannot be told from another, has no slot.
    """
    free = {
        index
        for index, numeral in enumerate(found)
        if numeral.kind in ("number", "ordinal", "word")
        and not _DECIMAL_PLACES.match(problem, numeral.end)
    }
    stated: dict[Path, tuple[int, ...]] = {}
    for key, value in inputs.items():
        leaves = list(numbers_in(value, (key,)))
        if len(leaves) > 1:
            for part in _tables(leaves):
                run = _in_order([number for _, number in part], found, free)
                if run is not None:
                    stated.update(
                        {path: (place,) for (path, _), place in zip(part, run, strict=True)}
                    )
                    free -= set(run)
    scalars = [(path, number) for path, number in numbers_in(inputs) if path not in stated]
    for value in dict.fromkeys(abs(number) for _, number in scalars):
        paths = [path for path, number in scalars if abs(number) == value]
        places = [index for index in sorted(free) if found[index].value == value]
        digits = [index for index in places if found[index].kind != "word"]
        places = digits or places
        if len(paths) == 1 and places and (len(places) == 1 or _same_thing(found, places)):
            stated[paths[0]] = tuple(places)
        elif len(paths) == len(places) and not _is_word(found, places):
            stated.update({path: (place,) for path, place in zip(paths, places, strict=True)})
    claimed = {place for places in stated.values() for place in places}
    others = {
        found[index].value for index in free - claimed if found[index].kind in ("number", "ordinal")
    }
    return [
        Slot(
            path,
            value,
            stated[path],
            found[stated[path][0]].unit,
            _largest(
                " ".join(map(str, path)),
                value,
                [problem[found[place].end :].lstrip() for place in stated[path]],
                _is_word(found, stated[path]),
            ),
        )
        for path, value in numbers_in(inputs)
        if path in stated
        and abs(value) > 1
        and not _may_be_year(value)
        and abs(value) not in others
    ]


def template_slots(template: str, inputs: Mapping[str, Any]) -> list[Slot]:
    """Returns the numbers of the input that can be drawn anew, of a problem as a template with a
    place `{key}` for each: all but zero and numbers that may be years. A fraction stays below 1."""
    slots = []
    for key, value in inputs.items():
        if type(value) in (int, float) and value and not _may_be_year(value):
            after = [part.lstrip() for part in template.split(f"{{{key}}}")[1:]]
            slots.append(Slot((key,), value, (), largest=_largest(key, value, after)))
    return slots


def _may_be_year(value: float) -> bool:
    return isinstance(value, int) and value in YEARS


def _tables(leaves: list[tuple[Path, Any]]) -> Iterator[list[tuple[Path, Any]]]:
    """The whole of a list's numbers, then its rows: the larger is looked for first."""
    yield leaves
    rows: dict[Path, list[tuple[Path, Any]]] = {}
    for path, number in leaves:
        rows.setdefault(path[:-1], []).append((path, number))
    if len(rows) > 1:
        yield from (row for row in rows.values() if len(row) > 1)


def _in_order(numbers: list[Any], found: Sequence[Numeral], free: set[int]) -> list[int] | None:
    """The places of `numbers` one after another in the text, on the shortest stretch of it."""
    order = sorted(free)
    best: list[int] | None = None
    for begin, first in enumerate(order):
        if found[first].value != abs(numbers[0]):
            continue
        run = [first]
        for place in order[begin + 1 :]:
            if len(run) == len(numbers):
                break
            if found[place].value == abs(numbers[len(run)]):
                run.append(place)
        if len(run) == len(numbers) and (best is None or run[-1] - run[0] < best[-1] - best[0]):
            best = run
    return best


def _is_word(found: Sequence[Numeral], places: Sequence[int]) -> bool:
    return any(found[place].kind == "word" for place in places)


def _same_thing(found: Sequence[Numeral], places: Sequence[int]) -> bool:
    """Whether numerals of one value speak of one thing: it is large, or their unit is the same."""
    units = {found[place].unit for place in places}
    return found[places[0]].value > 12 or len(units) == 1


def _largest(name: str, value: float, after: Sequence[str], in_words: bool = False) -> float | None:
    """What a new value may not exceed; None where nothing bounds it.

    Args:
        name: keys of the value.
        after: the texts that follow it in the problem.
        in_words: whether the problem writes it in words.
    """
    if isinstance(value, float) and abs(value) < 1:
        return 1
    if "percent" in name or any(text.startswith(("%", "percent")) for text in after):
        return 100 if abs(value) <= 100 else None
    if "digit" in name and value < 10:
        return 9
    if "minute" in name and value < 60:
        return 59
    if "hour" in name and value < 24:
        return 23
    return 20 if in_words else None


def redraw(
    inputs: Mapping[str, Any], slots: Sequence[Slot], spread: float, rng: random.Random
) -> dict[str, Any]:
    """Returns the inputs with new values in some of the slots.

    Type, sign, decimals, roundness and about the size of each value are kept; so are the order
    within a list, which of its values are equal, and a sum of 100.

    Args:
        spread: a new value is at most so many times the old one, and at least that part of it.
    """
    share = rng.choice((0.2, 0.4, 0.7, 1.0))
    chosen = [slot for slot in slots if rng.random() < share] or [rng.choice(list(slots))]
    few = len(slots) == 1
    new = {slot.path: _near(slot, spread, few, rng) for slot in chosen}
    groups: dict[Path, list[Slot]] = {}
    for slot in chosen:
        if len(slot.path) > 1:
            groups.setdefault(slot.path[:-1], []).append(slot)
    for path, group in groups.items():
        _keep_order(new, group)
        before = [number for _, number in numbers_in(at(inputs, path))]
        if sum(before) == 100 and len(before) == len(group):
            new[group[-1].path] = 100 - sum(new[slot.path] for slot in group[:-1])
    result = copy.deepcopy(dict(inputs))
    for slot_path, value in new.items():
        holder = at(result, slot_path[:-1])
        if isinstance(holder, tuple):
            continue
        holder[slot_path[-1]] = value
    return result


def redraws(
    inputs: Mapping[str, Any],
    slots: Sequence[Slot],
    spread: float,
    count: int,
    seed: int,
    *parts: object,
) -> list[dict[str, Any]]:
    """Returns the different inputs that `count` redraws give, without the one that is redrawn.

    Args:
        seed, parts: what decides the draws, beside their number.
    """
    chances = (random.Random(derived_seed(seed, *parts, number)) for number in range(count))
    new = {repr(each): each for each in (redraw(inputs, slots, spread, rng) for rng in chances)}
    return [each for name, each in new.items() if name != repr(inputs)]


def at(value: Any, path: Path) -> Any:
    """Returns what stands at a path."""
    for part in path:
        value = value[part]
    return value


def _keep_order(new: dict[Path, Any], group: list[Slot]) -> None:
    sizes = sorted({slot.value for slot in group})
    values = sorted({new[slot.path] for slot in group})
    if len(values) >= len(sizes):
        for slot in group:
            new[slot.path] = values[sizes.index(slot.value)]


_STEPS = (1000, 500, 100, 50, 10, 5, 1)
"""A value that is a multiple of one of these, four times or more, stays a multiple of it."""


def _near(slot: Slot, spread: float, alone: bool, rng: random.Random) -> Any:
    """A value near the slot's; `alone` where no other value of the problem is redrawn."""
    value = slot.value
    fraction = isinstance(value, float) and not value.is_integer()
    decimals = len(str(value).partition(".")[2]) if fraction else 0
    scale = 10**decimals
    whole = round(abs(value) * scale)
    step = next(n for n in _STEPS if n == 1 or (whole % n == 0 and whole >= 4 * n))
    if whole <= _FEW and not decimals:
        low, high = max(2, whole - 4), whole + (30 if alone else 8)
    else:
        low, high = math.ceil(whole / spread), math.floor(whole * spread)
    if slot.largest is not None:
        high = min(high, round(slot.largest * scale) - (whole < slot.largest * scale))
    first = -(-low // step) * step
    choices = [number for number in range(first, high + 1, step) if number != whole] or [whole]
    number = rng.choice(choices)
    signed = number if value > 0 else -number
    return signed / scale if isinstance(value, float) else signed


_FEW = 12
"""Up to here a value is redrawn by a difference, not by a ratio."""


def keeps_relations(
    before: Mapping[str, Any], after: Mapping[str, Any], slots: Sequence[Slot]
) -> bool:
    """Whether values of one unit are still larger, smaller or equal to each other as before.

    A lowest score is below the mean, a part is not larger than its whole. Parts that make up 100
    still do.
    """
    for path in {slot.path[:-1] for slot in slots if len(slot.path) > 1}:
        sums = [
            sum(number for _, number in numbers_in(at(given, path))) for given in (before, after)
        ]
        if sums[0] == 100 != sums[1]:
            return False
    for index, one in enumerate(slots):
        for other in slots[index + 1 :]:
            if one.unit and one.unit == other.unit and one.path[:-1] == other.path[:-1] == ():
                new_one, new_other = at(after, one.path), at(after, other.path)
                if (one.value < other.value) != (new_one < new_other) or (
                    one.value == other.value
                ) != (new_one == new_other):
                    return False
    return True

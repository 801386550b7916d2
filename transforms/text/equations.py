"""Equations in a text: where their sides begin and end, and those of numbers alone as trees."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from transforms.text.expressions import Tree, evaluate, side_of
from transforms.text.notation import ENDS, STARTS, Token, tokens_of
from transforms.text.numerals import Numeral, rounding

_SIDE_CAP = 120
"""Tokens; nobody writes a longer side."""
EXACT = frozenset(["equal", "approx"])
"""Kinds of tokens between sides of an equation."""
_BREAKS = EXACT | {"end", "arrow", "colon", "cell", "gives", "is"}
JOINS = re.compile(
    r"and|so|then|or|but|we|because|since|thus|hence|that|if|as|with|where|for|i|when|after|before"
    r"|he|she|they|them|there|has|have|is|was|which|who|it|you",
    re.IGNORECASE,
)
"""Words after a number that are no unit of it."""


@dataclass(frozen=True)
class Chain:
    """Sides that a text says are equal: trees over the indexes of its numerals."""

    sides: tuple[Tree, ...]

    def leaves(self) -> list[int]:
        return [leaf for side in self.sides for leaf in leaves(side)]

    def span(self, found: Sequence[Numeral]) -> tuple[int, int]:
        """Returns where it stands in the text, from its first number to the end of its last."""
        places = self.leaves()
        return found[places[0]].start, found[places[-1]].end


def leaves(tree: Tree) -> list[int]:
    """Returns the indexes of the numerals in a tree, from left to right."""
    if tree[0] in ("number", "value"):
        return [tree[1]] if tree[0] == "number" else []
    return [leaf for branch in tree[1:] for leaf in leaves(branch)]


def decimals(side: Tree, found: Sequence[Numeral]) -> int:
    """Returns the most decimals that a number of a side shows."""
    return max((found[leaf].decimals for leaf in leaves(side)), default=0)


def holds(chain: Chain, found: Sequence[Numeral]) -> bool:
    """Whether an equation is true of the numbers that stand in it, as closely as they are shown."""
    first, *others = chain.sides
    slack = rounding(decimals(others[-1], found))
    return all(_equal(first, side, found, slack) for side in others)


def _equal(one: Tree, other: Tree, found: Sequence[Numeral], slack: float) -> bool:
    try:
        a, b = (evaluate(side, lambda leaf: found[leaf].value) for side in (one, other))
        return bool(abs(a - b) <= slack)
    except (ArithmeticError, ValueError, TypeError):
        return False


def parts(tree: Tree) -> Iterator[Tree]:
    """Yields the trees within a tree, itself included, and partial products and sums of it."""
    yield tree
    for branch in tree[1:]:
        if isinstance(branch, tuple):
            yield from parts(branch)
    if tree[0] in ("*", "/") and tree[1][0] == "*":
        yield (tree[0], tree[1][1], tree[2])
        yield (tree[0], tree[1][2], tree[2])
    if tree[0] == "*" and tree[1][0] == "/":
        yield ("*", tree[1][1], tree[2])


def chains(text: str, found: Sequence[Numeral]) -> list[Chain]:
    """Returns the equations of a text that hold numerals alone.

    A percentage is a number (100% - 60% = 40%), or a share where that makes its equation true.
    """
    if "=" not in text and "≈" not in text:
        return []
    at = {numeral.start: index for index, numeral in enumerate(found)}
    tokens = tokens_of(text)
    chained: list[list[Tree]] = [[]]
    reached = -1
    for place, token in enumerate(tokens):
        if token.kind in EXACT:
            start, end = begin_of(tokens, place), end_of(tokens, place + 1)
            if reached != place:
                chained.append(_trees(tokens[start:place], at, found))
            first = chained[-1]
            right = _trees(tokens[place + 1 : end], at, found)
            lead = _trees(tokens[place + 1 : place + 2], at, found) if right else []
            equal = [
                first and _equal(first[0], side[0], found, 0) for side in (lead, right) if side
            ]
            if equal == [True, False]:
                chained += [[*chained.pop(), *lead], right]  # 6 + 4 = 10 × 2 = 20
            elif first and right:
                first += right
            else:
                chained.append(right)
            reached = end
    plain = [Chain(tuple(map(_bare, sides))) for sides in chained if len(sides) > 1]
    shares = [Chain(tuple(sides)) for sides in chained if len(sides) > 1]
    return [
        share if holds(share, found) and not holds(number, found) else number
        for number, share in zip(plain, shares, strict=True)
    ]


def _bare(tree: Tree) -> Tree:
    """A tree whose percentages are numbers."""
    if tree[0] == "percent":
        return _bare(tree[1])
    return tree if tree[0] in ("number", "value") else (tree[0], *map(_bare, tree[1:]))


def _trees(tokens: Sequence[Token], at: Mapping[int, int], found: Sequence[Numeral]) -> list[Tree]:
    """The tokens as one tree over numerals; none where they are no expression of numerals."""
    side = side_of(tokens)

    def indexed(tree: Tree) -> Tree:
        if tree[0] == "number":
            index = at[tree[1].start]
            if found[index].value != tree[1].values[0]:
                raise KeyError(index)
            return ("number", index)
        return tree if tree[0] == "value" else (tree[0], *map(indexed, tree[1:]))

    try:
        return [indexed(side.tight)] if side else []
    except KeyError:
        return []


def begin_of(tokens: Sequence[Token], at: int) -> int:
    """Returns where the expression begins that ends before token `at`."""
    depth, words, first = 0, 0, at
    for place in range(at - 1, max(-1, at - 1 - _SIDE_CAP), -1):
        token, after = tokens[place], tokens[place + 1]
        depth += (token.kind == "close") - (token.kind == "open")
        if depth < 0 or token.kind in _BREAKS or (token.kind == "comma" and not depth):
            break
        if token.kind == "word":
            words += 1
            if words > 5 or after.kind in STARTS or JOINS.fullmatch(token.text):
                break
            continue  # a unit, if a number stands before it
        apart = token.kind in ("number", "var") or (
            token.kind == "close" and token.end < after.start
        )
        if (words and token.kind not in ENDS) or (apart and after.kind in ("number", "var")):
            break
        words, first = 0, place
    return first


def end_of(tokens: Sequence[Token], at: int) -> int:
    """Returns where the expression ends that begins with token `at`."""
    depth, end, place = 0, at, at
    while place < min(len(tokens), at + _SIDE_CAP):
        token, before = tokens[place], tokens[max(at, place - 1)]
        if token.kind == "word":
            words = place
            while place < len(tokens) and tokens[place].kind == "word" and place < words + 5:
                place += 1
            further = tokens[place].kind if place + 1 < len(tokens) else ""
            goes_on = further == "op" or (further == "close" and depth)
            if not goes_on or words == at:
                return at if depth else end
            continue
        if token.kind == "open" and before.kind == "number":
            unit = [t.kind for t in tokens[place + 1 : place + 3]] == ["word", "close"]
            if unit or before.end < token.start:
                return end
        depth += (token.kind == "open") - (token.kind == "close")
        if depth < 0 or token.kind in _BREAKS or (token.kind == "comma" and not depth):
            return end
        apart = place > at and token.kind in ("number", "var")
        if apart and before.kind in ("number", "word", "var"):
            return end
        place += 1
        end = place
    return end

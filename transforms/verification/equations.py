"""Equations in a text, such as 12 × 5 = 60, read as trees over its numerals."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from transforms.verification.numerals import Numeral, rounding

_LEXEME = re.compile(r"\s+|[$€£]|%|C(?=\()|√|π|[-−–+×*÷/^!(),=≈]")
_WORD = re.compile(r"\w+|.", re.DOTALL)
_MINUS = "-−–"
_LONGEST = 200
"""Numerals and signs of a run, at most: longer ones are no equation that a person would write."""
_TIGHT = "fraction bar"
"""A / without spaces, which binds more tightly than ÷: 5/6 ÷ 5/12."""
Tree = tuple[Any, ...]
"""("number", index of the numeral), ("pi",), or (operation, tree, ...)."""


@dataclass(frozen=True)
class Chain:
    """Sides that a text says are equal."""

    sides: tuple[Tree, ...]

    def leaves(self) -> list[int]:
        return [leaf for side in self.sides for leaf in leaves(side)]

    def span(self, found: Sequence[Numeral]) -> tuple[int, int]:
        """Returns where it stands in the text, from its first number to the end of its last."""
        places = self.leaves()
        return found[places[0]].start, found[places[-1]].end


def leaves(tree: Tree) -> list[int]:
    """Returns the indexes of the numerals in a tree, from left to right."""
    if tree[0] == "number":
        return [tree[1]]
    return [leaf for branch in tree[1:] for leaf in leaves(branch)]


def decimals(side: Tree, found: Sequence[Numeral]) -> int:
    """Returns the most decimals that a number of a side shows."""
    return max((found[leaf].decimals for leaf in leaves(side)), default=0)


def holds(chain: Chain, found: Sequence[Numeral]) -> bool:
    """Whether an equation is true of the numbers that stand in it, as closely as they are shown."""
    values = [value_of(side, found) for side in chain.sides]
    slack = rounding(decimals(chain.sides[-1], found))
    return all(abs(value - values[0]) <= slack for value in values[1:])


_OPERATIONS: Mapping[str, Callable[..., Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "^": lambda a, b: np.power(a, b),
    "neg": lambda a: -a,
    "sqrt": lambda a: np.sqrt(a),
    "!": np.vectorize(lambda a: _factorial(a), otypes=[float]),
    "C": np.vectorize(lambda a, b: _comb(a, b), otypes=[float]),
}


def _factorial(n: float) -> float:
    return float(math.factorial(round(n))) if 0 <= n <= 20 and n == round(n) else math.nan


def _comb(n: float, k: float) -> float:
    whole = 0 <= n <= 200 and 0 <= k <= 200 and n == round(n) and k == round(k)
    return float(math.comb(round(n), round(k))) if whole else math.nan


def evaluate(tree: Tree, values: Callable[[int], Any]) -> Any:
    """Returns the value of a tree, given those of its numerals (numbers or arrays of them)."""
    if tree[0] == "number":
        return values(tree[1])
    if tree[0] == "pi":
        return math.pi
    with np.errstate(all="ignore"):
        return _OPERATIONS[tree[0]](
            *(np.asarray(evaluate(branch, values), float) for branch in tree[1:])
        )


def value_of(tree: Tree, found: Sequence[Numeral]) -> float:
    """Returns the value of a tree as its numbers stand in the text; nan where it is too large."""
    try:
        return float(evaluate(tree, lambda leaf: found[leaf].value))
    except OverflowError:
        return math.nan


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
    """Returns the equations of a text that hold numerals alone."""
    if "=" not in text and "≈" not in text:
        return []
    groups = (group for group in _groups(text, found) if any(s in ("=", "≈") for s, _ in group))
    runs = ([sign for sign, _ in group] for group in groups if len(group) <= _LONGEST)
    return [chain for run in runs if (chain := _chain(run)) is not None]


def _groups(text: str, found: Sequence[Numeral]) -> Iterator[list[tuple[Any, int]]]:
    """Yields the longest runs of numerals and signs: (sign or index of numeral, position)."""
    at = {numeral.start: index for index, numeral in enumerate(found)}
    group: list[tuple[Any, int]] = []
    place = 0
    while place < len(text):
        if place in at and found[at[place]].kind in ("number", "raised"):
            numeral = found[at[place]]
            raised = numeral.kind == "raised"
            if raised:
                group.append(("^", place))
            group.append((at[place], place))
            place = numeral.end
            if place < len(text) and text[place].isalpha() and text[place] != "π":
                group = group[: -2 if raised else -1]  # a coefficient, an ordinal, a unit
                if group:
                    yield group
                group = []
                while place < len(text) and text[place].isalnum():
                    place += 1
            continue
        match = _LEXEME.match(text, place)
        if match is not None and (
            (match.group() == "," and not _within_call(group))
            or (match.group() == "(" and text[place - 1 : place].isalpha() and group[-1:] == [])
        ):
            match = None
        if match is None:
            if group:
                yield group
            group = []
            step = _WORD.match(text, place)
            assert step is not None
            place = next((p for p in range(place + 1, step.end()) if p in at), step.end())
            continue
        sign = match.group().strip()
        hyphen = (
            sign
            and sign in _MINUS
            and not (text[place - 1 : place].isspace() and text[place + 1 : place + 2].isspace())
        )
        if hyphen and not (
            text[place + 1 : place + 2].isdigit() and text[place - 1 : place] in " ("
        ):
            if group:
                yield group
            group = []
        elif sign and sign not in "$€£%":
            tight = (
                sign == "/" and text[place - 1].isdigit() and text[place + 1 : place + 2].isdigit()
            )
            group.append((_TIGHT if tight else "-" if sign in _MINUS else sign, place))
        place = match.end()
    if group:
        yield group


def _within_call(group: list[tuple[Any, int]]) -> bool:
    """Whether the run is inside the parentheses of C(n, k)."""
    opened: list[bool] = []
    for number, (sign, _) in enumerate(group):
        if sign == "(":
            opened.append(number > 0 and group[number - 1][0] == "C")
        elif sign == ")" and opened:
            opened.pop()
    return bool(opened) and opened[-1]


def _chain(lexemes: list[Any]) -> Chain | None:
    """Reads a run of lexemes as a chain: its longest stretch of sides that are expressions."""
    sides: list[list[Any]] = [[]]
    for lexeme in lexemes:
        if lexeme in ("=", "≈"):
            sides.append([])
        else:
            sides[-1].append(lexeme)
    trees = [_left(side) if n == 0 else _right(side) for n, side in enumerate(sides)]
    best: list[Tree] = []
    stretch: list[Tree] = []
    for tree in [*trees, None]:
        if tree is not None:
            stretch.append(tree)
            continue
        best = max(best, stretch, key=len)
        stretch = []
    return Chain(tuple(best)) if len(best) > 1 else None


def _left(side: list[Any]) -> Tree | None:
    """The longest end of the side that is an expression: words may have signs before it."""
    for begin in range(len(side)):
        before = side[begin - 1] if begin else None
        if begin and before not in ("(", ")"):
            continue
        tree = _Parser(side[begin:]).whole()
        if tree is not None:
            return tree
    return None


def _right(side: list[Any]) -> Tree | None:
    """The longest beginning of the side that is an expression."""
    for end in range(len(side), 0, -1):
        after = side[end] if end < len(side) else None
        if after is not None and after not in (")", "("):
            continue
        tree = _Parser(side[:end]).whole()
        if tree is not None:
            return tree
    return None


class _Parser:
    """Recursive descent over the usual precedence, from left to right."""

    def __init__(self, lexemes: list[Any]) -> None:
        self._lexemes, self._at = lexemes, 0

    def whole(self) -> Tree | None:
        try:
            tree = self._sum()
        except (IndexError, SyntaxError, RecursionError):  # the last: nested past any use
            return None
        return tree if self._at == len(self._lexemes) else None

    def _peek(self) -> Any:
        return self._lexemes[self._at] if self._at < len(self._lexemes) else None

    def _take(self) -> Any:
        lexeme = self._lexemes[self._at]
        self._at += 1
        return lexeme

    def _sum(self) -> Tree:
        tree = self._product()
        while self._peek() in ("+", "-"):
            tree = (self._take(), tree, self._product())
        return tree

    def _product(self) -> Tree:
        tree = self._power()
        while self._peek() in ("×", "*", "÷", "/", "π"):
            if self._peek() == "π":
                self._take()
                tree = ("*", tree, ("pi",))
                continue
            sign = "*" if self._take() in ("×", "*") else "/"
            tree = (sign, tree, self._power())
        return tree

    def _power(self) -> Tree:
        if self._peek() == "-":
            self._take()
            return ("neg", self._power())
        tree = self._factor()
        while self._peek() in ("!", "^", _TIGHT):
            match self._take():
                case "!":
                    tree = ("!", tree)
                case "^":
                    tree = ("^", tree, self._factor())
                case _:
                    tree = ("/", tree, self._factor())
        return tree

    def _factor(self) -> Tree:
        lexeme = self._take()
        if isinstance(lexeme, int):
            return ("number", lexeme)
        if lexeme == "π":
            return ("pi",)
        if lexeme == "√":
            return ("sqrt", self._factor())
        if lexeme == "(":
            tree = self._sum()
            self._expect(")")
            return tree
        if lexeme == "C":
            self._expect("(")
            n = self._sum()
            self._expect(",")
            k = self._sum()
            self._expect(")")
            return ("C", n, k)
        raise SyntaxError(str(lexeme))

    def _expect(self, sign: str) -> None:
        if self._take() != sign:
            raise SyntaxError(sign)

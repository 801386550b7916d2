"""Sides of an equation: read as trees, evaluated in every way that they can be read.

Trees are evaluated here, over floats or arrays of them: nothing that a model wrote is executed.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, product, starmap
from typing import Any, NamedTuple

import numpy as np

from transforms.text.measures import factors, is_measure, measures, ratios_of, same_system, size_of
from transforms.text.notation import STARTS, Token

Tree = tuple[Any, ...]
"""("number", its token or name), ("value", float), or (operation, tree, ...)."""

_THIRDS = re.compile(r"\.\d*?(?:33+|66*7|66+)$")


@dataclass
class Side:
    """An expression: its tokens, and how it is read."""

    tokens: Sequence[Token]
    tight: Tree

    @cached_property
    def loose(self) -> Tree:
        """The same, where a fraction without spaces does not bind first: 10^6/2."""
        return _from_the_right(_Parser(self.tokens, tight=False).whole())

    @cached_property
    def numbers(self) -> list[Token]:
        return [token for token in self.tokens if token.kind in ("number", "raised")]

    @property
    def calculates(self) -> bool:
        return self.tokens[0].kind in ("call", "frac", "root") or any(
            t.kind in ("op", "raised", "bang", "call", "frac", "root")
            or (t.kind == "open" and before.kind in ("number", "close") and before.end == t.start)
            for before, t in pairwise(self.tokens)
        )

    @property
    def plain(self) -> Token | None:
        """Its number, where it is no more than one."""
        return None if self.calculates or len(self.numbers) != 1 else self.numbers[0]

    @property
    def units(self) -> set[str]:
        return {t.text.lower().removesuffix("s") for t in self.tokens if t.kind == "word"}

    @property
    def signs(self) -> set[str]:
        return {t.sign for t in self.numbers} - {""}

    @property
    def measures(self) -> set[str]:
        return set(filter(is_measure, self.units))

    @property
    def divides(self) -> bool:
        return any(t.kind in ("frac", "root", "pi") or t.text == "/" for t in self.tokens)


def side_of(tokens: Sequence[Token]) -> Side | None:
    """Reads tokens as an expression; None where they are none."""
    try:
        side = Side(tokens, _Parser(tokens, tight=True).whole())
    except (SyntaxError, ValueError, IndexError, RecursionError, MemoryError):
        return None
    return side if side.numbers else None


_BINDING = {"+": 1, "-": 1, "*": 2, "/": 2, "//": 2, "%": 2, "**": 4}
_SIGN = 3
"""What the sign of a number binds more tightly than; a power binds more tightly than its sign."""


def _from_the_right(tree: Tree) -> Tree:
    """Reads a / b / c as a / (b / c)."""
    match tree:
        case ("number" | "value", _):
            return tree
        case ("/", ("/", a, b), c):
            tree = ("/", a, ("/", b, c))
    return (tree[0], *map(_from_the_right, tree[1:]))


class _Parser:
    """Precedence climbing over the tokens of a side; its units are left out.

    Args:
      tight: whether a fraction without spaces binds first, and 3 1/2 is a sum. Otherwise a product
        that is not written binds before a quotient: 6 ÷ 2(1 + 2) = 1.

    Raises:
      SyntaxError, IndexError: the tokens are no expression.
    """

    def __init__(self, tokens: Sequence[Token], tight: bool) -> None:
        self._tokens = [token for token in tokens if token.kind != "word"]
        self._tight, self._at = tight, 0

    def whole(self) -> Tree:
        tree = self._expression()
        if self._at < len(self._tokens):
            raise SyntaxError(self._tokens[self._at].kind)
        return tree

    def _peek(self, ahead: int = 0) -> Token:
        place = self._at + ahead
        return self._tokens[place] if place < len(self._tokens) else Token("end", -1, -1)

    def _take(self, kind: str) -> Token:
        token = self._tokens[self._at]
        self._at += 1
        if token.kind != kind:
            raise SyntaxError(token.kind)
        return token

    def _expression(self, least: int = 0) -> Tree:
        tree = self._operand()
        while sign := self._sign():
            written = self._peek().kind == "op"
            binding = _BINDING[sign] if written or self._tight else _SIGN
            if binding < least:
                break
            self._at += written
            tree = (sign, tree, self._expression(binding + (sign != "**")))
        return tree

    def _sign(self) -> str:
        """The operation that comes next, a product that is not written included; "" for none."""
        token = self._peek()
        return token.text if token.kind == "op" else "*" if token.kind in STARTS else ""

    def _operand(self) -> Tree:
        token = self._peek()
        if token.kind == "op" and token.text in ("+", "-"):
            self._at += 1
            inner = self._expression(_SIGN)
            return inner if token.text == "+" else ("neg", inner)
        tree = self._atom()
        while (kind := self._peek().kind) in ("bang", "percent", "raised"):
            if kind == "percent" and self._peek(1).kind in STARTS:
                raise SyntaxError("7 % 3, or 7% of 3")
            self._at += 1
            raised = ("number", self._tokens[self._at - 1])
            tree = ("**", tree, raised) if kind == "raised" else (kind, tree)
        return tree

    def _atom(self) -> Tree:
        token = self._peek()
        self._at += 1
        match token.kind:
            case "number":
                return self._fraction(("number", token), token)
            case "pi":
                return ("value", math.pi)
            case "open":
                self._at -= 1
                return self._group()
            case "call":
                return (token.text, *self._arguments())
            case "frac":
                sign = "/" if token.text == "frac" else token.text
                return (sign, self._group(), self._group())
            case "root":
                grouped = self._peek().kind == "open"
                inner = self._group() if grouped else self._expression(_BINDING["**"])
                return (token.text, ("value", token.values[0]), inner)
        raise SyntaxError(token.kind)

    def _fraction(self, tree: Tree, token: Token) -> Tree:
        """A number, or the fraction that it begins: 1/2 without spaces, and 3 1/2."""
        bar, under = self._peek(), self._peek(1)
        if (bar.kind, bar.text) == ("frac", "frac"):
            return ("+" if self._tight else "*", tree, self._atom())
        close = token.end == bar.start and bar.end == under.start
        if self._tight and close and (bar.text, under.kind) == ("/", "number"):
            self._at += 2
            return ("/", tree, ("number", under))
        return tree

    def _group(self) -> Tree:
        (tree,) = self._arguments()
        return tree

    def _arguments(self) -> list[Tree]:
        self._take("open")
        arguments = [self._expression()]
        while self._peek().kind == "comma":
            self._at += 1
            arguments.append(self._expression())
        self._take("close")
        return arguments


NO_SIZES: Mapping[int, float] = {}


class Mode(NamedTuple):
    """One way to read what can be read in several."""

    european: bool = False
    share: str = "share"
    """What a percentage is: a share (20% = 0.2), a number (20), or a change (100 + 20% = 120)."""
    tight: bool = True
    """Whether a fraction without spaces binds first, and 3 1/2 and a / b / c are read so."""
    multiples: bool = True
    exact: bool = False
    """Whether a number stands for what it was rounded from."""


def _modes(sides: Sequence[Side], known: Mapping[str, float]) -> Iterator[Mode]:
    """Yields the modes in which these sides differ."""
    tokens = [token for side in sides for token in side.tokens]
    numbers = [number for side in sides for number in side.numbers]
    both = (False, True)
    yield from starmap(
        Mode,
        product(
            both if any(n.values[0] != n.values[1] for n in numbers) else (False,),
            ("share", "number", "change")
            if any(t.kind == "percent" for t in tokens)
            else ("share",),
            (True, False) if any(t.text in ("/", "frac") for t in tokens) else (True,),
            (True, False) if any(n.multiple != 1 for n in numbers) else (True,),
            both if any(n.text in known or _THIRDS.search(n.text) for n in numbers) else (False,),
        ),
    )


def _root(degree: float, value: float) -> float:
    if value < 0 and not degree % 2:
        raise ValueError("no real root")
    return math.copysign(abs(value) ** (1 / degree), value)


def _power(base: float, exponent: float) -> float:
    if abs(exponent) > 1000 or (base < 0 and exponent != round(exponent)):
        raise ValueError("too large, or no real power")
    return float(base**exponent)


def _whole(function: Callable[..., int], most: int) -> Callable[..., float]:
    """The function, of whole numbers up to `most` alone."""

    def applied(*values: float) -> float:
        if any(abs(value - round(value)) > 1e-9 or abs(value) > most for value in values):
            raise ValueError("not a whole number, or too large")
        return float(function(*map(round, values)))

    return applied


OPERATIONS: Mapping[str, Callable[..., Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": _power,
    "neg": operator.neg,
    "root": _root,
    "log": lambda base, value: math.log(value, base),
    "bang": _whole(math.factorial, 150),
    "comb": _whole(math.comb, 500),
    "perm": _whole(lambda n, k: math.perm(n, k), 150),
    "gcd": _whole(math.gcd, 10**15),
    "lcm": _whole(math.lcm, 10**15),
    "sqrt": math.sqrt,
    "max": max,
    "min": min,
    "abs": abs,
    "floor": math.floor,
    "ceil": math.ceil,
}


def evaluate(
    tree: Tree,
    number: Callable[[Any], Any],
    share: str = "share",
    operations: Mapping[str, Callable[..., Any]] = OPERATIONS,
) -> Any:
    """Returns the value of a tree, given those of its numbers.

    Raises:
      ArithmeticError, ValueError, TypeError: it has none.
    """

    def of(inner: Tree) -> Any:
        return evaluate(inner, number, share, operations)

    match tree:
        case ("number", name):
            return number(name)
        case ("value", value):
            return value
        case ("percent", inner):
            return of(inner) / (1 if share == "number" else 100)
        case ("+" | "-" as sign, left, ("percent", _) as right) if share == "change":
            return of(left) * operations[sign](1, of(right))
    return operations[tree[0]](*map(of, tree[1:]))


def _on_arrays(function: Callable[..., Any]) -> Callable[..., Any]:
    def applied(*values: float) -> float:
        try:
            return float(function(*values))
        except (ArithmeticError, ValueError, TypeError):
            return math.nan

    return np.vectorize(applied, otypes=[float])


_ON_ARRAYS = {sign: _on_arrays(function) for sign, function in OPERATIONS.items()} | {
    **{"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide},
    "**": np.power,
}


def evaluate_arrays(tree: Tree, number: Callable[[Any], Any]) -> Any:
    """The same for arrays of floats, one value a run; nan where a run has none."""
    with np.errstate(all="ignore"):
        return evaluate(tree, lambda name: np.asarray(number(name), float), operations=_ON_ARRAYS)


def evaluated(
    side: Side, mode: Mode, known: Mapping[str, float], sizes: Mapping[int, float] = NO_SIZES
) -> float:
    """The value of a side; nan where it has none.

    Args:
        sizes: the start of a number -> what to multiply it by.
    """

    def number(token: Token) -> float:
        if mode.exact and token.text in known:
            return known[token.text]
        if mode.exact and (third := _THIRDS.search(token.text)):
            return round(token.values[0] * 3) / 3 if len(third.group()) > 2 else token.values[0]
        value = token.values[mode.european] * (token.multiple if mode.multiples else 1)
        return value * sizes.get(token.start, 1)

    try:
        return float(evaluate(side.tight if mode.tight else side.loose, number, mode.share))
    except (ArithmeticError, ValueError, TypeError, RecursionError):
        return math.nan


def conversions(
    left: Side, right: Side, known: Mapping[str, float], lenient: float
) -> list[tuple[float, float]]:
    """How many times the right side, in base units, the left one is, and what that may be off 1,
    in each reading; none where not both have units, or where they do not measure the same."""
    one, other = measures(left.tokens), measures(right.tokens)
    if not one or not other:
        return []
    units = {*one.values(), *other.values()}
    slack = 1e-9 + lenient + (0 if same_system(units) else 0.1)
    if len(units) > 1:
        slack += sum(_blur(number) for side in (left, right) for number in side.numbers)
    if len(units) > 1 and right.plain and (right.plain.decimals[0] or left.divides):
        slack += 0.501 * 10.0 ** -right.plain.decimals[0] / (abs(right.plain.values[0]) or 1)
    found = []
    for mode in _modes((left, right), known):
        ratios = [
            evaluated(left, mode, known, factors(one, others))
            / (evaluated(right, mode, known, factors(other, others)) or math.nan)
            for others in (False, True)
        ]
        if math.isclose(*ratios, rel_tol=1e-9):
            found.append((ratios[0], slack))
    return found


def agree(left: Side, right: Side, known: dict[str, float], lenient: float) -> bool:
    """Whether some reading makes two sides equal, as closely as the right one is shown.

    Args:
        lenient: how far apart they may be as a share of the left one.
    """
    number, sized = right.plain, conversions(left, right, known, lenient)
    if any(abs(ratio - 1) <= slack for ratio, slack in sized):
        return True
    for mode in _modes((left, right), known):
        a, b = evaluated(left, mode, known), evaluated(right, mode, known)
        if not (math.isfinite(a) and math.isfinite(b)):
            if mode.european:
                continue
            return True
        slack = max(1e-12 * abs(a), lenient * abs(a))
        cents = sum(t.text == "cent" for t in left.tokens)  # $3 + 50¢
        mixed = len(left.measures) > 1 or 0 < cents < len(left.numbers)
        if mixed and not sized and any(t.text in ("+", "-") for t in left.tokens):
            return True
        if number is not None:
            shown = 10.0 ** -number.decimals[mode.european]
            shown *= number.multiple if mode.multiples else 1
            shown /= 100 if right.tokens[-1].kind == "percent" and mode.share != "number" else 1
            inexact = abs(a / shown - round(a / shown)) > 1e-6 if abs(a / shown) < 1e15 else False
            if inexact:
                cut = left.divides or number.cut
                slack = max(slack, shown * (1 - 1e-9) if cut else 0.501 * shown)
        else:
            slack += abs(a) * sum(_blur(n) for side in (left, right) for n in side.numbers)
        if abs(a - b) <= slack or (not sized and _converts(left, right, a, b)):
            if number is not None and a != b and abs(a - b) <= slack and number.decimals[0]:
                known[number.text] = a
            return True
    return False


def may_hold(
    left: Side, right: Side, compares: Callable[[float, float], bool], known: Mapping[str, float]
) -> bool:
    """Whether some reading makes a comparison (<, ≥, ≠) of two sides true."""
    for mode in _modes((left, right), known):
        a, b = evaluated(left, mode, known), evaluated(right, mode, known)
        if math.isnan(a + b) or compares(a, b) or (compares(1, 1) and math.isclose(a, b)):
            return True
    return False


def _blur(number: Token) -> float:
    """How far a number that shows two decimals or more may be off for rounding, as a share."""
    value = abs(number.values[0])
    return 0.0 if number.decimals[0] < 2 or not value else 0.5 * 10.0 ** -number.decimals[0] / value


def _converts(left: Side, right: Side, a: float, b: float) -> bool:
    """Whether one side is in another unit of what the only unit of the two measures."""
    if left.units == right.units or not (left.measures | right.measures) or not a or not b:
        return False
    ratio, number = max(abs(a / b), abs(b / a)), right.plain
    shown = 0.501 * 10.0 ** -number.decimals[0] / abs(b) if number and number.decimals[0] else 0
    kinds = {(size_of(unit) or ("",))[0] for unit in left.measures | right.measures}
    return len(kinds) == 1 and any(
        math.isclose(ratio, factor, rel_tol=max(1e-9 if factor % 1 == 0 else 2e-3, shown))
        for unit in left.measures | right.measures
        for factor in ratios_of(unit)
    )

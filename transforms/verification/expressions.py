"""Sides of an equation: read as Python, evaluated in every way that they can be read.

An expression is rewritten as Python, parsed by `ast` and evaluated here over floats: nothing that a
model wrote is executed.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product, starmap
from typing import NamedTuple

from transforms.verification.notation import ENDS, STARTS, Token

_CONVERSIONS = (
    *(10.0**n for n in range(1, 10)),
    *(60, 3600, 24, 1440, 86400, 168, 720, 7, 12, 52, 30, 365, 14, 16, 36, 3, 4, 8, 20, 128, 144),
    *(1760, 5280, 2.54, 30.48, 1.609, 1609, 0.4536, 453.6, 28.35, 3.785, 3.6),
)
"""How many of one unit of measure are one of another."""
_THIRDS = re.compile(r"\.\d*?(?:33+|66*7|66+)$")
_MEASURES = re.compile(
    r"(?:k|c|m|d)?m|(?:k|m)?g|m?l|h|s|(?:kilo|centi|milli)?(?:meter|metre|gram|liter|litre)|hr|hour|min"
    r"|minute|sec|second|day|week|month|year|decade|foot|feet|ft|inch|inche|in|yard|yd|mile|pound|lb"
    r"|ounce|oz|cent|dollar|euro|ton|tonne|gallon|quart|pint|cup|century|centurie|degree|mph|kph|pence"
)


def is_measure(unit: str) -> bool:
    """Whether a word is a unit of measure, of which others make up so many: cm, hours, cents."""
    return _MEASURES.fullmatch(unit.lower().partition("/")[0].removesuffix("s")) is not None


@dataclass
class Side:
    """An expression: its tokens and the Python that it comes to."""

    tokens: Sequence[Token]
    tight: ast.expr
    loose: ast.expr
    """The same, where a fraction without spaces does not bind first: 10^6/2."""
    numbers: Sequence[Token]

    @property
    def calculates(self) -> bool:
        return any(
            t.kind in ("op", "raised", "bang", "call", "frac", "root") for t in self.tokens[1:]
        ) or (self.tokens[0].kind in ("call", "frac", "root"))

    @property
    def plain(self) -> Token | None:
        """Its number, where it is no more than one."""
        return None if self.calculates or len(self.numbers) != 1 else self.numbers[0]

    @property
    def units(self) -> set[str]:
        return {t.text.lower().removesuffix("s") for t in self.tokens if t.kind == "word"}

    @property
    def measures(self) -> set[str]:
        return set(filter(is_measure, self.units))

    @property
    def divides(self) -> bool:
        return any(t.kind in ("frac", "root", "pi") or t.text == "/" for t in self.tokens)


def side_of(tokens: Sequence[Token]) -> Side | None:
    """Reads tokens as an expression; None where they are none."""
    tokens = [token for token in tokens if token.kind != "gone"]
    signs = [token for token in tokens if token.kind != "word"]
    try:
        tight, loose = (
            ast.parse("".join(_source(signs, one)), mode="eval").body for one in (True, False)
        )
    except (SyntaxError, ValueError, IndexError, RecursionError, MemoryError):
        return None
    numbers = [token for token in signs if token.kind in ("number", "raised")]
    unknown = any(token.kind == "var" for token in signs)
    return Side(tokens, tight, loose, numbers) if numbers and not unknown else None


def _source(signs: Sequence[Token], tight: bool) -> list[str]:
    """Writes signs and numbers as Python, where number i is named ni."""
    source: list[str] = []
    groups: list[bool] = []  # of each open parenthesis: whether it holds what stands over a bar
    count, wrapped, under = 0, -1, False
    for index, token in enumerate(signs):
        kind, text = token.kind, token.text
        before = signs[index - 1] if index else None
        after = signs[index + 1] if index + 1 < len(signs) else None
        mixed = kind == "frac" and text == "frac" and before is not None and before.kind == "number"
        if before and before.kind in ENDS and kind in STARTS and not under and not mixed:
            source.append("*")
        match kind:
            case "number" | "raised":
                name = f"**n{count}" if kind == "raised" else f"n{count}"
                count += 1
                mixes = after is not None and after.kind == "frac" and after.text == "frac"
                source.append(f"mix({name})" if mixes else name)
                if wrapped == index:
                    source.append(")")
            case "op" if (
                text == "/" and tight and wrapped != index - 1 and _is_bar(before, token, after)
            ):
                source[-1:] = ["(", source[-1], "/"]
                wrapped = index + 1
            case "op" | "call":
                source.append(text)
            case "percent":
                source.append("%" if after and after.kind in STARTS else "**percent")
            case "bang":
                source.append("**bang")
            case "root":
                source.append(f"root{text}" if after and after.kind == "open" else f"root{text}**")
            case "frac" if not mixed:
                source.append(text)
            case "open":
                groups.append(before is not None and before.kind == "frac")
                source.append("(")
                under = False
            case "close":
                under = groups.pop() and after is not None and after.kind == "open"
                source.append(")")
            case "comma":
                source.append(",")
            case "pi":
                source.append("pi")
    return source


def _is_bar(before: Token | None, bar: Token, after: Token | None) -> bool:
    """Whether a / stands between two numbers without spaces."""
    return (
        before is not None
        and after is not None
        and before.kind == after.kind == "number"
        and before.end == bar.start
        and bar.end == after.start
    )


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


def _modes(sides: Sequence[Side], known: dict[str, float]) -> Iterator[Mode]:
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


def _power(base: float, exponent: float) -> float:
    return (
        base**exponent
        if abs(exponent) <= 1000 and (base >= 0 or exponent == round(exponent))
        else math.nan
    )


def _root(degree: int, value: float) -> float:
    return (
        math.copysign(abs(value) ** (1 / degree), value) if value >= 0 or degree % 2 else math.nan
    )


def _whole(function: Callable[..., int]) -> Callable[..., float]:
    def applied(*values: float) -> float:
        return float(function(*(_integer(value) for value in values)))

    return applied


def _integer(value: float) -> int:
    if abs(value - round(value)) > 1e-9 or abs(value) > 1e15:
        raise ValueError("not a whole number")
    return round(value)


def _factorial(n: int) -> int:
    return math.factorial(n) if n <= 150 else math.factorial(-1)


_FUNCTIONS: dict[str, Callable[..., float]] = {
    "gcd": _whole(math.gcd),
    "lcm": _whole(math.lcm),
    "comb": _whole(lambda n, k: math.comb(n, k) if n <= 500 else math.comb(-1, k)),
    "perm": _whole(lambda n, k: math.perm(n, k) if n <= 150 else math.perm(-1, k)),
    "max": max,
    "min": min,
    "abs": abs,
    "floor": math.floor,
    "ceil": math.ceil,
    "sqrt": math.sqrt,
}
_OPERATIONS: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
}


def _value(node: ast.AST, side: Side, mode: Mode, known: dict[str, float]) -> float:
    """The value of a node; nan where it holds something unknown."""

    def of(inner: ast.AST) -> float:
        return _value(inner, side, mode, known)

    match node:
        case ast.Name(id="pi"):
            return math.pi
        case ast.Name(id=name) if name[0] == "n" and name[1:].isdigit():
            token = side.numbers[int(name[1:])]
            if mode.exact and token.text in known:
                return known[token.text]
            if mode.exact and (third := _THIRDS.search(token.text)):
                return round(token.values[0] * 3) / 3 if len(third.group()) > 2 else token.values[0]
            return token.values[mode.european] * (token.multiple if mode.multiples else 1)
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -of(inner)
        case ast.UnaryOp(op=ast.UAdd(), operand=inner):
            return of(inner)
        case ast.BinOp(left=inner, op=ast.Pow(), right=ast.Name(id="percent")):
            return of(inner) / (1 if mode.share == "number" else 100)
        case ast.BinOp(left=inner, op=ast.Pow(), right=ast.Name(id="bang")):
            return float(_factorial(_integer(of(inner))))
        case ast.BinOp(left=ast.Name(id=root), op=ast.Pow(), right=inner) if root.startswith(
            "root"
        ):
            return _root(int(root[4:]), of(inner))
        case ast.BinOp(
            left=left, op=ast.Add() | ast.Sub() as op, right=ast.BinOp(right=ast.Name(id="percent"))
        ) if mode.share == "change":
            return of(left) * _OPERATIONS[type(op)](1, of(node.right))
        case ast.BinOp(left=ast.BinOp(left=a, op=ast.Div(), right=b), op=ast.Div(), right=c) if (
            not mode.tight
        ):
            return of(a) / (of(b) / of(c))
        case ast.BinOp(left=left, op=op, right=right):
            return _OPERATIONS[type(op)](of(left), of(right))
        case ast.Call(
            func=ast.Call(func=ast.Call(func=ast.Name(id="mix"), args=[whole]), args=[top]),
            args=[under],
        ):
            part = of(top) / of(under)
            return of(whole) + part if mode.tight else of(whole) * part
        case ast.Call(func=ast.Call(func=ast.Name(id="frac"), args=[top]), args=[under]):
            return of(top) / of(under)
        case ast.Call(func=ast.Name(id=name), args=[inner]) if name.startswith("root"):
            return _root(int(name[4:]), of(inner))
        case ast.Call(func=ast.Call(func=ast.Name(id="comb"), args=[n]), args=[k]):
            return _FUNCTIONS["comb"](of(n), of(k))
        case ast.Call(func=ast.Name(id=name), args=args) if name in _FUNCTIONS:
            return float(_FUNCTIONS[name](*map(of, args)))
    return math.nan


def evaluated(side: Side, mode: Mode, known: dict[str, float]) -> float:
    try:
        return float(_value(side.tight if mode.tight else side.loose, side, mode, known))
    except (ArithmeticError, ValueError, TypeError, RecursionError):
        return math.nan


def agree(left: Side, right: Side, known: dict[str, float], lenient: float) -> bool:
    """Whether some reading makes two sides equal, as closely as the right one is shown.

    Args:
        lenient: how far apart they may be as a share of the left one.
    """
    number = right.plain
    for mode in _modes((left, right), known):
        a, b = evaluated(left, mode, known), evaluated(right, mode, known)
        if not (math.isfinite(a) and math.isfinite(b)):
            return True
        slack = max(1e-12 * abs(a), lenient * abs(a))
        if len(left.measures) > 1 and any(t.text in ("+", "-") for t in left.tokens):
            return True
        if number is not None:
            shown = 10.0 ** -number.decimals[mode.european] * (
                number.multiple if mode.multiples else 1
            )
            shown = (
                shown / 100
                if right.tokens[-1].kind == "percent" and mode.share != "number"
                else shown
            )
            inexact = abs(a / shown - round(a / shown)) > 1e-6 if abs(a / shown) < 1e15 else False
            if inexact:
                cut = left.divides or number.cut
                slack = max(slack, shown * (1 - 1e-9) if cut else 0.501 * shown)
        else:
            slack += abs(a) * sum(_blur(n) for side in (left, right) for n in side.numbers)
        if abs(a - b) <= slack or (_may_convert(left, right) and _converts(a, b)):
            if number is not None and a != b and abs(a - b) <= slack and number.decimals[0]:
                known[number.text] = a
            return True
    return False


def _blur(number: Token) -> float:
    """How far a number that shows two decimals or more may be off for rounding, as a share."""
    value = abs(number.values[0])
    return 0.0 if number.decimals[0] < 2 or not value else 0.5 * 10.0 ** -number.decimals[0] / value


def _may_convert(left: Side, right: Side) -> bool:
    return left.units != right.units and bool(left.measures | right.measures)


def _converts(a: float, b: float) -> bool:
    if not a or not b:
        return False
    ratio = max(abs(a / b), abs(b / a))
    return any(math.isclose(ratio, factor, rel_tol=2e-3) for factor in _CONVERSIONS)

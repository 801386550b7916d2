r"""Finds a language solution's final answer and decides whether it agrees with a program's output.

The program's output is the truth, so a false agreement costs more than a missed one: where a rule
would have to guess, the answer does not agree. Two steps, cheap before dear:

1. `compare_plain` reads both sides with exact arithmetic and evaluates nothing. It settles nearly
   every answer, and safely so on text that a model wrote.
2. What needs algebra (`2\sqrt{3}` against `3.4641016151`) is left to math-verify, in a program that
   `compare_program` writes and the caller runs inside the sandbox, because sympy evaluates what it
   parses.

The rules:

- Integer output: exactly equal. Float output: within 1e-6 of it, or equal when rounded to the
  decimals that the answer states, whichever is looser, and never more than 1e-3 off (both
  relative). An answer without a decimal point states no decimals, and against a whole float it is
  held to be exact.
- A percent sign is a unit, never a factor of 100: `12%` agrees with 12, not with 0.12; `5%` does
  not agree with 0.05, nor 5 with 500. Units are read past and never converted: `1.5 hours` is not
  90. `million` is part of the number, `dozen` a unit.
- Booleans agree with true/false and yes/no, never with 1/0. Strings agree when equal up to case,
  spacing, quotes, LaTeX's `\text` and closing punctuation. A clock time with AM/PM agrees with one
  without only where that has an hour of the 24-hour clock alone (0, 13 to 23).
- Lists agree in order, whatever brackets stand around them; in any order where the answer wrote
  braces (a set), "or", or a plus-minus sign. A half-open interval is not a list. Dicts agree key
  by key.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TypeAlias

Json: TypeAlias = "None | bool | str | Decimal | list[Json] | dict[str, Json]"

# Outputs and answers still to be paired off symbolically, in any order; mostly one of each.
Leaf: TypeAlias = tuple[tuple[str, ...], tuple[str, ...]]

# What a plain comparison leaves open: nothing (they agree), some leaves, or None (they differ).
Open: TypeAlias = "tuple[Leaf, ...] | None"
AGREE: tuple[Leaf, ...] = ()

_TEXT_CAP = 50_000  # characters, from the end of a solution; final answers come last
_ANSWER_CAP = 12_000  # characters; outputs are at most 10,000
_SYMBOLIC_CAP = 300  # characters; longer algebra is not a final answer
_SET_CAP = 64  # elements that exact text does not pair off; the pairing is quadratic
_DEPTH_CAP = 16  # brackets within brackets in an output; deeper ones nobody writes as an answer
_EXPONENT_CAP = 12_000  # powers of ten; covers every output and is far from filling the memory
_FLOAT_TOLERANCE = Fraction(1, 10**6)
_ROUNDING_LIMIT = Fraction(1, 10**3)


def agrees(
    output: str,
    solution_text: str,
    symbolic: Callable[[list[tuple[str, str]]], list[bool]],
) -> bool:
    """Says whether a language solution's final answer agrees with the program's output.

    Args:
      output: the program's output as a JSON string.
      solution_text: the whole language solution.
      symbolic: runs `compare_program(pairs)` in the sandbox and returns its `output`, one boolean
        for each pair of output and answer. Called only where exact rules leave the pair undecided.
    """
    answer = extract_answer(solution_text)
    if answer is None:
        return False
    decided = compare_plain(output, answer, solution=solution_text)
    return symbolic([(output, answer)]) == [True] if decided is None else decided


def compare_plain(output: str, answer: str, *, solution: str = "") -> bool | None:
    r"""Compares by exact rules alone; never evaluates either side.

    Args:
      output: the program's output as a JSON string.
      answer: the answer as `extract_answer` gives it.
      solution: the text that the answer came from. A list output also agrees where the solution's
        last boxes stand on one line, one for each element (`x=\boxed{1}, y=\boxed{2}`).

    Returns:
      True where they agree, False where they differ, None where only algebra can tell.

    Raises:
      ValueError: output is not JSON.
    """
    left = _left_open(output, answer)
    if left != AGREE and solution and output.lstrip().startswith("["):
        boxes = _boxes_on_last_line(solution[-_TEXT_CAP:])
        if len(boxes) > 1 and _left_open(output, ", ".join(boxes)) == AGREE:
            return True
    return None if left else left is not None


def compare_program(pairs: Sequence[tuple[str, str]]) -> str:
    """Writes the program that compares outputs with answers symbolically, to be run in the sandbox.

    The program has the form of every program (`input`, `solution`, `output`) and sets no time limit
    of its own. All pairs share one process, so where it ends by a limit the caller asks again pair
    by pair. What exact rules decide, and text that is no formula, never reaches math-verify.

    Args:
      pairs: the program's output as a JSON string and the extracted answer, for each pair.

    Returns:
      Python source that defines `output`, a list with one boolean for each pair; False where a side
      cannot be parsed. Needs math-verify and sympy, nothing of this project.
    """
    data = json.dumps({"pairs": [_left_open(output, answer) for output, answer in pairs]})
    # The repr of ASCII JSON is a Python literal, so that no pair can leave the string it stands in.
    return COMPARE_PROGRAM.replace("PAIRS_JSON", repr(data))


# Why not math-verify alone. Version 0.9.0 finds that 5% = 0.05 and 5% = 5, that 0.0000001 equals
# 0.0000004 (six decimals, whatever the size), that ab = ba, that 3:4 = 0.75 and that 12 hours 30 is
# 30, and takes x^2 = 4 for 4 in one direction. So it is handed formulas alone (`_is_formula`);
# plain notation is read here, constants must be equal as numbers, and the rest hold both ways.
COMPARE_PROGRAM = r'''
import ast
import json
import logging
import operator
import re

import sympy
from math_verify import parse, verify
from math_verify.parser import LatexExtractionConfig, NormalizationConfig

input = json.loads(PAIRS_JSON)

logging.disable(logging.WARNING)  # math-verify warns that no time limit is set: the sandbox sets it
LATEX = [
    LatexExtractionConfig(
        normalization_config=NormalizationConfig(
            basic_latex=True, units=False, malformed_operators=True, nits=True, boxed="all"
        )
    )
]
OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
FUNCTIONS = {
    name: getattr(sympy, name)
    for name in (
        "sqrt cbrt exp log ln sin cos tan asin acos atan sinh cosh tanh factorial binomial Rational"
    ).split()
}
FUNCTIONS["abs"] = FUNCTIONS["Abs"] = sympy.Abs
CONSTANTS = {
    "pi": sympy.pi, "oo": sympy.oo, "e": sympy.E, "E": sympy.E, "i": sympy.I, "I": sympy.I
}
TOKEN = re.compile(r"[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?|\.[0-9]+|[A-Za-z]+|\*\*|\S")


def with_products(text):
    """Writes implied products out: 2xy(x+1) as 2*x*y*(x+1)."""
    tokens = []
    for token in TOKEN.findall(text.replace("^", "**")):
        known = token in FUNCTIONS or token in CONSTANTS or not token.isalpha()
        for part in [token] if known else token:
            previous = tokens[-1] if tokens else "("
            if (previous[-1].isalnum() or previous in ".)") and (part[0].isalnum() or part == "("):
                if not (previous in FUNCTIONS and part == "("):
                    tokens.append("*")
            tokens.append(part)
    return "".join(tokens)


def value_of(node):
    """A sympy value, from arithmetic, the functions above and one-letter names alone."""
    match node:
        case ast.Constant(value=bool() | str() | bytes() | complex()):
            raise ValueError("not a number")
        case ast.Constant(value=number):
            return sympy.sympify(number)
        case ast.Name(id=name) if name in CONSTANTS:
            return CONSTANTS[name]
        case ast.Name(id=name) if len(name) == 1:
            return sympy.Symbol(name.lower())
        case ast.UnaryOp(op=op, operand=operand):
            return OPERATORS[type(op)](value_of(operand))
        case ast.BinOp(op=op, left=left, right=right):
            return OPERATORS[type(op)](value_of(left), value_of(right))
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
            return FUNCTIONS[name](*map(value_of, args))
    raise ValueError("not arithmetic")


def read(text):
    """Reads Python's notation, else LaTeX; None where it is neither."""
    try:
        return value_of(ast.parse(with_products(text), mode="eval").body)
    except (SyntaxError, ValueError, KeyError, TypeError):
        pass
    text = re.sub(r"(?<![\\A-Za-z])(pi|sin|cos|tan|ln|log|exp)(?![a-z])", r"\\\1 ", text)
    text = re.sub(r"(?<![\\A-Za-z])oo(?![a-z])", r"\\infty ", text)
    parsed = parse(
        "\\boxed{" + text + "}", LATEX, fallback_mode="no_fallback", parsing_timeout=None
    )
    if not parsed:
        return None
    names = {symbol: symbol.name.lower() for symbol in parsed[0].free_symbols}
    return parsed[0].xreplace({
        symbol: sympy.I if name == "i" else sympy.Symbol(name) for symbol, name in names.items()
    })


def same(gold, answer):
    """Says whether two formulas are equal, in both directions and without loose rounding."""
    a, b = read(gold), read(answer)
    if a is None or b is None:
        return False
    if isinstance(a, sympy.Expr) != isinstance(b, sympy.Expr):
        return False  # to math-verify the interval [0, 0] is 0
    if isinstance(a, sympy.Expr):
        if not (a.free_symbols or b.free_symbols):
            x, y = sympy.N(a, 50), sympy.N(b, 50)
            inexact = a.has(sympy.Float) or b.has(sympy.Float)
            tolerance = 1e-12 if a.is_Rational else 1e-6
            if not (x.is_finite and y.is_finite):
                return a == b
            if inexact:
                return bool(abs(x - y) <= tolerance * abs(x))
            if x != 0 and not abs(x - y) <= 1e-40 * abs(x):
                return False
    limits = {"float_rounding": 15, "timeout_seconds": None}
    return verify(a, b, **limits) and verify(b, a, **limits)


def paired(golds, answers):
    """Pairs each gold off with an answer of its own."""
    left = list(answers)
    for gold in golds:
        match = next((answer for answer in left if same(gold, answer)), None)
        if match is None:
            return False
        left.remove(match)
    return not left


def agree(leaves):
    try:
        return leaves is not None and all(paired(*leaf) for leaf in leaves)
    except Exception:  # whatever sympy makes of a model's text, this pair alone does not agree
        return False


def solution(pairs):
    return [agree(leaves) for leaves in pairs]


output = solution(**input)
'''


# -------------------------------------------------------------------------------------------------
# Extraction


_BOX_TOKEN = re.compile(r"(?:\\f?boxed\s*)?(?P<brace>\{)|\}|\\.", re.S)
_SENTENCE_END = re.compile(r"[.?](?=\s|$)|,?\s(?:because|since)\s", re.I)
_MARKER = re.compile(
    r"""
    \b(?:final\s)?answers?\b (?:[^\n.:=]|\.(?=[0-9])){0,80}? \b(?:is|are)\b  # the answer is X
    | ^[ \t\#>*_]* (?:the\s|my\s)? (?:final\s)? answers? [ \t*_]* [:=]       # Answer: X
    | \bfinal\sanswers?\b [ \t*_]* [:=]?                                     # final answer X
    | ^[ \t]*\#{4}(?!\#)                                                     # #### X
    """,
    re.I | re.M | re.X,
)
_DISPLAY = {r"\[": r"\]", "$$": "$$", r"\begin{": r"\end{"}
_WRAPPERS = (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"), ("_", "_"))
_CUT_OFF = re.compile(
    r"(?:[-=+*/^(,:;{\[<>\\]|\b(?:to|and|the|of|is|are|by|with|then|we|for|a|an|so|plus|minus|times"
    r"|from|in|that|or|if))$",
    re.I,
)
_MATH_SPAN = re.compile(
    r"\$(?=\S)([^$\n]+)(?<=\S)\$(?![0-9])|\\\((.{1,400}?)\\\)|\\\[(.{1,400}?)\\\]"
)
_LAST_NUMBER = re.compile(
    r"""
    [\[(] [-+0-9.,\s/]+ [\])]                                          # a list or tuple of numbers
    | (?:(?<![0-9A-Za-z)}\]])-)?                                       # a sign, not a difference
      (?: [0-9]+ \s [0-9]+/[0-9]+ | [0-9]+/[0-9]+
        | (?<!,) [0-9]{1,3} (?:,[0-9]{3})+ (?![0-9]) (?:\.[0-9]+)?
        | [0-9]+ (?:\.[0-9]+)? (?:[eE][-+]?[0-9]+)? | \.[0-9]+ )
      (?: \s?\\?% )?
    """,
    re.X,
)


def extract_answer(text: str) -> str | None:
    r"""Finds the final answer in a language solution.

    The last `\boxed{X}` wins, whatever follows it; else the last `the answer is X`, `Answer: X`,
    `final answer X` or `#### X`, up to the end of its sentence or line; else the last number or
    formula of the last line. A box or marker that the text breaks off in was being written, so what
    stood before it was not final: that gives None, as does a last line that ends half-way.

    Returns:
      The answer without emphasis, math delimiters and final period, or None. Linear in the text, of
      which the last 50,000 characters are read.
    """
    text = text[-_TEXT_CAP:]
    boxes = _boxes(text)
    if boxes:
        return boxes[-1][1]
    return _marked(text)


def _boxes(text: str) -> list[tuple[int, str | None]]:
    r"""Start and content of each innermost `\boxed{…}`; the content is None where it breaks off."""
    found: list[tuple[int, str | None]] = []
    # Where each open brace's box starts (None for a plain brace), and where its content does.
    opened: list[tuple[int | None, int]] = []
    for token in _BOX_TOKEN.finditer(text):
        if token[0] == "}":
            start, content = opened.pop() if opened else (None, 0)
            if start is not None and not (found and found[-1][0] > start):
                found.append((start, _strip(text[content : token.start()])))
        elif token["brace"]:
            opened.append((token.start() if len(token[0]) > 1 else None, token.end()))
    broken = [start for start, _ in opened if start is not None]
    return [*found, (broken[-1], None)] if broken else found


def _boxes_on_last_line(text: str) -> list[str]:
    boxes = _boxes(text)
    line = text.rfind("\n", 0, boxes[-1][0]) if boxes else 0
    return [content for start, content in boxes if start > line and content]


def _marked(text: str) -> str | None:
    for marker in reversed(list(_MARKER.finditer(text))):
        rest = text[marker.end() :].lstrip(" \t\r\n*_`:")
        if not rest:
            return None
        gap = text[marker.end() : len(text) - len(rest)]
        answer, after = _first_statement(rest)
        # Text that goes on below a heading "Answer" is a solution, not the answer.
        ends_text = not re.search(r"\w", after)
        if answer and (ends_text or not ("\n" in gap or marker[0].endswith("####"))):
            return answer
    return _from_last_line(text)


def _first_statement(text: str) -> tuple[str | None, str]:
    """Splits a text after its first displayed formula, or else its first sentence or line."""
    for opening, closing in _DISPLAY.items():
        if text.startswith(opening):
            end = text.find(closing, len(opening))
            if end < 0:
                return None, ""
            if opening == r"\begin{":
                end = text.find("}", end) + 1
                return _strip(text[:end]), text[end:]
            return _strip(text[len(opening) : end]), text[end + len(closing) :]
    line = text.split("\n", 1)[0]
    stop = _SENTENCE_END.search(line)
    end = stop.start() if stop else len(line)
    return _strip(text[:end]), text[end:]


def _from_last_line(text: str) -> str | None:
    lines = [line.strip(" \t\r*_`") for line in text.split("\n")]
    lines = [line for line in lines if line.strip("$[]\\() ")]
    if not lines or _CUT_OFF.search(lines[-1]):
        return None
    line = lines[-1]
    if "=" in line:
        tail = _strip(line.rsplit("=", 1)[1])
        formula = _tidy(tail) if tail and len(tail) <= _SYMBOLIC_CAP else ""
        if _read_quantity(formula) or _is_formula(formula, _letters(formula)):
            return tail
    spans = list(_MATH_SPAN.finditer(line))
    numbers = list(_LAST_NUMBER.finditer(line))
    if spans and (not numbers or spans[-1].end() >= numbers[-1].end()):
        return _strip(next(filter(None, spans[-1].groups())).rsplit("=", 1)[-1])
    return _strip(numbers[-1][0]) if numbers else None


def _strip(text: str) -> str | None:
    """Takes off emphasis, math delimiters and final periods; None where nothing is left."""
    for _ in range(8):  # layers around the answer, of which real text has two or three
        text = text.strip().strip("*`")
        if text.endswith(".") and not text.endswith(".."):
            text = text[:-1]
        for opening, closing in _WRAPPERS:
            inner = text[len(opening) : -len(closing)]
            if text.startswith(opening) and text.endswith(closing) and closing not in inner:
                text = inner
                break
        else:
            if text.count("$") == 1 and text.endswith("$"):
                text = text[:-1]
    return text or None


# -------------------------------------------------------------------------------------------------
# Plain comparison


_CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?\s*(?:([ap])\.?\s?m\.?)?", re.I)
_VERDICT = re.compile(r"(?P<yes>true|yes)|(?P<no>false|no)", re.I)
_BRACKETS = {"(": ")", "[": "]", "{": "}"}
_NAME = re.compile(
    r"[A-Za-z][A-Za-z ]*(?:_\{?\w{1,20}\}?)?'?(?:\([^()=]{0,40}\))?|\([A-Za-z](?:, ?[A-Za-z])*\)"
)
_COLON_LABEL = re.compile(r"[A-Za-z][A-Za-z_ ]{0,60}:\s+(?=\S)")
_EQUALS = re.compile(r"(?<![<>!=:])=(?!=)|\\approx(?![a-z])")
_HEDGE = re.compile(
    r"(?:(?:approximately|about|roughly|around|nearly|exactly|only|just|simply|therefore|thus"
    r"|a total of|equal to)\b|\\approx(?![a-z])|=)\s*",
    re.I,
)


def _left_open(output: str, answer: str) -> Open:
    """What exact rules leave open of a pair: nothing, leaves for algebra, or None (they differ)."""
    try:
        value: Json = json.loads(
            output, parse_int=Decimal, parse_float=Decimal, parse_constant=Decimal
        )
        depth = max((depth for _, _, depth in _scan(output)), default=0)
        if not answer.strip() or len(answer) > _ANSWER_CAP or depth > _DEPTH_CAP:
            return None
        if isinstance(value, (list, dict)) and _is_same_json(value, answer):
            return AGREE
        return _compare(value, answer)
    except RecursionError:  # nested deeper than any written answer
        return None


def _is_same_json(value: Json, answer: str) -> bool:
    try:
        stated = json.loads(answer, parse_int=Decimal, parse_float=Decimal)
    except ValueError:
        return False
    same = [json.dumps(side, default=str, sort_keys=True) for side in (value, stated)]
    return same[0] == same[1]


def _compare(value: Json, answer: str) -> Open:
    text = _tidy(answer)
    match value:
        case None:
            return AGREE if text.casefold() in {"none", "null"} else None
        case bool():
            return AGREE if _verdict(text) is value else None
        case Decimal():
            return _compare_number(value, text)
        case str():
            return _compare_string(value, answer, text)
        case list():
            return _compare_list(value, text)
        case dict():
            return _compare_dict(value, text)


def _verdict(text: str) -> bool | None:
    """True or False where the text is a yes or a no, alone or before a pause ("No, because …")."""
    text = _without_label(text)
    found = _VERDICT.match(text)
    if not found or not re.match(r"\s*(?:$|[,.;:!])", text[found.end() :]):
        return None
    return found["yes"] is not None


def _compare_number(value: Decimal, text: str) -> Open:
    if not value.is_finite():
        return None
    text = _without_label(text)
    stated = _read_quantity(text)
    if stated:
        return AGREE if _is_close(value, stated) else None
    return _leaf(str(value), text)


def _is_close(value: Decimal, stated: Quantity) -> bool:
    if abs(value.adjusted()) > _EXPONENT_CAP and value:
        return False
    truth = Fraction(value)
    off = abs(truth - stated.value)
    is_float = value.as_tuple().exponent != 0  # JSON integers are read without a point or exponent
    whole = truth.denominator == stated.value.denominator == 1 and not stated.step
    if not off or not is_float or (whole and abs(truth) < 2**53):  # whole floats are exact that far
        return not off
    rounding = min(stated.step / 2, _ROUNDING_LIMIT * abs(truth)) if stated.step else Fraction(0)
    return off <= max(rounding, _FLOAT_TOLERANCE * abs(truth))


def _compare_string(value: str, answer: str, text: str) -> Open:
    tidied = _tidy(value)
    readings = (answer, text, _without_label(text), _peel(text, "("), text.strip("!?.,;:"))
    if {_fold(value), _fold(tidied)} & {_fold(reading) for reading in readings if reading.strip()}:
        return AGREE
    if _CLOCK.fullmatch(tidied):
        return AGREE if _same_time(tidied, text) else None
    if not tidied:
        return None
    printed, stated = _bracketed(tidied), _bracketed(text)
    if printed and stated:
        return _compare_bracketed(printed, stated)
    if "=" not in tidied:
        text = _without_label(text)
    output_number = _read_quantity(tidied) if tidied[0] in "-+.0123456789" else None
    number = _read_quantity(text)
    # A leading zero makes a code, not a number ("007").
    if output_number and number and not re.match(r"[-+]?0[0-9]", tidied):
        units = {output_number.unit, number.unit} - {""}
        return AGREE if output_number.value == number.value and len(units) < 2 else None
    return _leaf(tidied, text) if _is_output_formula(tidied) else None


def _same_time(one: str, other: str) -> bool:
    a, b = _CLOCK.fullmatch(one), _CLOCK.fullmatch(other)
    if not a or not b:
        return False
    if (a[4] is None) != (b[4] is None) and int((b if a[4] else a)[1]) in range(1, 13):
        return False
    return _seconds(a) == _seconds(b)


def _seconds(clock: re.Match[str]) -> int:
    hour, half = int(clock[1]), (clock[4] or "").lower()
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    return (hour * 60 + int(clock[2])) * 60 + int(clock[3] or 0)


def _compare_bracketed(output: tuple[str, str, str], answer: tuple[str, str, str]) -> Open:
    """Compares what a program printed in brackets: an interval, tuple or set as text."""
    if (output[0], output[2]) != (answer[0], answer[2]):
        return None
    compare = _pair_off if output[0] == "{" else _compare_all
    return compare(list(_split(output[1])), _split(answer[1]))


def _compare_list(values: list[Json], answer: str) -> Open:
    text = _without_label(answer)
    inner = _peel(text, "([{")
    if not values:
        return AGREE if text in ("[]", "()", "{}", "\\emptyset") else None
    if _bracketed(text) and inner == text:
        return None  # the brackets do not match: a half-open interval
    if _RATIO.fullmatch(text):
        return _compare_all(values, text.split(":"))
    if "\\pm" in text and len(values) == 2:
        return _pair_off(values, [text.replace("\\pm", "+"), text.replace("\\pm", "-")])
    alternatives = _split(inner, _ALTERNATIVES)
    if " or " in inner and len(alternatives) == len(values):
        return _pair_off(values, alternatives)
    is_set = text.startswith("{") and inner != text
    for parts in (*_partings(inner), *_partings(text)):
        if len(parts) == len(values):
            return _pair_off(values, parts) if is_set else _compare_all(values, parts)
    # A matrix of one row stands in two pairs of brackets.
    return _compare_list(values, inner) if _peel(inner, "([") != inner else None


def _compare_all(values: Sequence[Json], parts: Sequence[str]) -> Open:
    if len(values) != len(parts):
        return None
    left: tuple[Leaf, ...] = ()
    for value, part in zip(values, parts, strict=True):
        opened = _compare(value, part)
        if opened is None:
            return None
        left += opened
    return left


def _pair_off(values: Sequence[Json], parts: Sequence[str]) -> Open:
    """Compares in any order: by text, then by rule; what is left over goes to algebra together."""
    if len(values) != len(parts):
        return None
    texts = Counter(_fold(_tidy(part)) for part in parts)
    others = []
    for value in values:
        text = _fold(_tidy(_plain(value)))
        if texts[text]:
            texts[text] -= 1
        else:
            others.append(value)
    left = list(texts.elements())
    if len(left) > _SET_CAP:
        return None
    undecided = []
    for value in others:
        match = next((part for part in left if _compare(value, part) == AGREE), None)
        if match is None:
            undecided.append(value)
        else:
            left.remove(match)
    if not undecided:
        return AGREE
    leaves = [[_compare(value, part) for part in left] for value in undecided]
    if not all(map(any, leaves)) or not all(map(any, zip(*leaves, strict=True))):
        return None  # one of them agrees with none of the others
    golds = tuple(_tidy(_plain(value)) for value in undecided)
    return ((golds, tuple(_without_label(part) for part in left)),)


def _compare_dict(values: Mapping[str, Json], answer: str) -> Open:
    inner = _peel(answer, "{[(")
    for parts in _partings(inner):
        if len(parts) != len(values):
            continue
        keyed = [re.split(r"\s*(?::|=|\\to(?![a-z])|->)\s*", part, maxsplit=1) for part in parts]
        if not all(len(pair) == 2 for pair in keyed):
            return None
        stated = {_fold(_tidy(key)): part for key, part in keyed}
        wanted = {_fold(_tidy(key)): value for key, value in values.items()}
        if stated.keys() != wanted.keys() or len(wanted) != len(values):
            return None
        return _compare_all(list(wanted.values()), [stated[key] for key in wanted])
    return None


def _plain(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str).replace('"', "")


def _leaf(output: str, answer: str) -> Open:
    return (((output,), (answer,)),) if _is_formula(answer, _letters(output)) else None


# -------------------------------------------------------------------------------------------------
# Numbers


@dataclass(frozen=True)
class Quantity:
    """A number as a text states it."""

    value: Fraction
    step: Fraction | None
    """The worth of its last stated decimal; None where it states none."""
    unit: str
    """The unit in its simplest spelling, "%" for percent, "" for none."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SMALL = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen
    fifteen sixteen seventeen eighteen nineteen"""
SMALL_NUMBERS = _SMALL.split()
"""Zero to nineteen in words."""
_ONES = {word: number for number, word in enumerate(SMALL_NUMBERS)}
_TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50}
_TENS |= {"sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_PARTS = {"half": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "eighth": 8}
_PARTS |= {"halves": 2, "seventh": 7, "ninth": 9, "tenth": 10}
_PARTS |= {f"{part}s": size for part, size in _PARTS.items() if part not in {"half", "halves"}}

_CURRENCY = r"(?:[€£¥₹]|US\s?|USD\s?|EUR\s?|GBP\s?|Rs\.?\s?)?"
_PLAIN = r"(?:(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]*)?|\.[0-9]+)"
_QUANTITY = re.compile(
    rf"""
    (?P<sign>[-+]|(?i:minus|negative)\b)? \s* {_CURRENCY} (?P<inner_sign>[-+])? \s*
    (?: (?: (?P<whole>[0-9][0-9,]*) (?:\s+|\s+and\s+) )?
        (?P<over>{_PLAIN}) \s*/\s* (?P<under>{_PLAIN})
      | (?P<plain>{_PLAIN})
        (?: [eE] (?P<power>[-+]?[0-9]+) (?![0-9A-Za-z])
          | \s* (?:\\times|\\cdot|\*|x) \s* 10 \s* (?:\^|\*\*)
            \s* [{{(]? (?P<tens>[-+]?[0-9]+) [)}}]?
        )?
    )
    (?P<rest>.*)
    """,
    re.X | re.S,
)
_PERCENT = re.compile(r"\s*(?:%|(?:percent|per\s?cent|pct)(?:age)?\b)(?:\s*points?\b)?", re.I)

# A word of one or two letters is a unit only if it stands here, and directly behind the digits only
# if no variable or preposition; a longer word after a space is one unless it counts or computes.
_SHORT_UNITS = _words(
    """m s g h l c f w v mm cm dm km nm um mg kg ml dl cl hz pa kw mw wh in ft yd mi lb oz hr ms ns
    us kb mb gb tb sq cu st nd rd th of on at by as up"""
)
_ATTACHED_UNITS = _SHORT_UNITS - _words("c f w v of on at by as up")
_ATTACHED_UNITS |= _words("mph kph kwh hrs min mins sec secs lbs")
_FUNCTIONS = _words(
    """sqrt cbrt exp log ln sin cos tan asin acos atan sinh cosh tanh factorial binomial abs
    rational"""
)
_NO_UNITS = _words(
    """and or to plus minus times over than not if remainder mod modulo through point factorial
    squared cubed choose between hundred pi negative"""
).union(_ONES, _TENS, _SCALES, _PARTS, _FUNCTIONS)
_FRACTION = re.compile(r"\\frac ?(?:\{ ?(-?[0-9.,]+) ?\} ?\{ ?([0-9.,]+) ?\}|([0-9]) ?([0-9]))")


def _read_quantity(text: str) -> Quantity | None:
    """Reads one number with its unit, in digits or in words; None where the text says more.

    Digits may have thousands separators, a currency sign, a power of ten, be a fraction or a mixed
    number, and be followed by `million` and the like, then by a percent sign or a unit.
    """
    text = re.sub(r" ?\([A-Za-z ]+\)$", "", _peel(text, "("))
    text = _FRACTION.sub(_slash, text).strip()
    found = _QUANTITY.fullmatch(text)
    number = _in_digits(found) if found else None
    if not found or not number:
        return _read_words(text)
    (value, step), rest = number, found["rest"]
    scale = re.match(r"\s*(hundred|thousand|million|billion|trillion)\b", rest, re.I)
    if scale:
        size = _SCALES.get(scale[1].lower(), 100)
        value, step, rest = value * size, step and step * size, rest[scale.end() :]
    unit = _unit(rest)
    negative = (found["sign"] not in (None, "+")) != (found["inner_sign"] == "-")
    return None if unit is None else Quantity(-value if negative else value, step, unit)


def _slash(fraction: re.Match[str]) -> str:
    """Writes a numeric LaTeX fraction with a slash, and apart from a whole number before it."""
    over, under = (part for part in fraction.groups() if part)
    return f" {over}/{under}"


def _in_digits(found: re.Match[str]) -> tuple[Fraction, Fraction | None] | None:
    """The value and last decimal of the unsigned number that `_QUANTITY` found."""
    parts = {name: (found[name] or "").replace(",", "") for name in ("whole", "over", "under")}
    if parts["over"]:
        over, under = Fraction(Decimal(parts["over"])), Fraction(Decimal(parts["under"]))
        if not under or (parts["whole"] and over >= under):
            return None
        return Fraction(Decimal(parts["whole"] or 0)) + over / under, None
    digits = found["plain"].replace(",", "")
    power = int((found["power"] or found["tens"] or "0")[:9])
    if abs(power) > _EXPONENT_CAP:
        return None
    decimals = len(digits.partition(".")[2])
    step = Fraction(10) ** (power - decimals) if decimals else None
    return Fraction(Decimal(digits)) * Fraction(10) ** power, step


def _unit(text: str) -> str | None:
    """The unit in its simplest spelling, "" for none; None where the text is no plain unit."""
    percent = _PERCENT.match(text)
    if percent:
        return None if _unit(text[percent.end() :]) is None else "%"
    if re.match(r"\s+-", text):
        return None  # a difference; a hyphen stands close ("5-inch")
    attached = text[:1].isalpha()
    text = re.sub(r"(?<=[^\W0-9_])(?: ?\^\{?-?[0-9]\}?|[23]\b)", "", text.casefold())
    text = text.strip().replace("°", "").replace("\\cdot", "·")
    if not re.fullmatch(r"[^\W0-9_]*(?:(?:\s?[/·.']\s?|\s|-)[^\W0-9_]+)*[.']?", text):
        return None
    words = re.findall(r"[^\W0-9_]+", text)
    if len(words) > 6 or not _NO_UNITS.isdisjoint(words):
        return None
    if attached and words[0] not in _ATTACHED_UNITS:
        return None
    if any(len(word) < 3 and word not in _SHORT_UNITS for word in words):
        return None
    return " ".join(word.removesuffix("s") if len(word) > 3 else word for word in words)


def _read_words(text: str) -> Quantity | None:
    """Reads a number in words ("minus three and a half", "twelve apples")."""
    words = text.casefold().replace("-", " ").split()
    negative = words[:1] in (["minus"], ["negative"])
    words = words[1:] if negative else words
    for end in range(min(len(words), 20), 0, -1):
        value = spelled(words[:end])
        unit = _unit(" " + " ".join(words[end:])) if value is not None else None
        if value is not None and unit is not None:
            return Quantity(-value if negative else value, None, unit)
    return None


def spelled(words: list[str]) -> Fraction | None:
    """A cardinal, a fraction ("two thirds"), or both ("three and a half")."""
    size = _PARTS.get(words[-1])
    if size is None:
        return _cardinal(words)
    before = words[-2] if words[1:] else "one" if words[0] in ("half", "quarter") else ""
    count = 1 if before in ("a", "an") else _ONES.get(before)
    if not count or count >= size:
        return None
    part = Fraction(count, size)
    if len(words) < 3:
        return part
    whole = _cardinal(words[:-3]) if words[-3] == "and" and words[:-3] else None
    return None if whole is None else whole + part


def _cardinal(words: list[str]) -> Fraction | None:
    """A whole number in words; None where a word does not fit ("one two", "twenty twelve")."""
    if words == ["zero"]:
        return Fraction(0)
    if words[0] == "a":
        words = ["one", *words[1:]] if len(words) > 1 else []
    total = group = 0
    room, scale_room = 1000, 10**15  # what the next word has to stay below
    for position, word in enumerate(words):
        number = _ONES.get(word, _TENS.get(word, 0))
        if word == "and" and room in (100, 1000) and 0 < position < len(words) - 1:
            continue
        if 0 < number < room:
            group, room = group + number, 10 if number >= 20 else 1
        elif word == "hundred" and 0 < group < 100:
            group, room = group * 100, 100
        elif word in _SCALES and group and _SCALES[word] < scale_room:
            total += group * _SCALES[word]
            group, room, scale_room = 0, 1000, _SCALES[word]
        else:
            return None
    return Fraction(total + group) if total + group else None


# -------------------------------------------------------------------------------------------------
# Text


_CHARACTERS = str.maketrans(
    {
        **dict.fromkeys("−–‐‑", "-"),
        **dict.fromkeys("‘’", "'"),
        **dict.fromkeys("“”", '"'),
        **dict.fromkeys("\u2009\u202f", "\\,"),
        **{"×": "\\times ", "·": "\\cdot ", "÷": "/", "π": "\\pi ", "²": "^2", "³": "^3"},
        **{"≈": "\\approx ", "≤": "\\le ", "≥": "\\ge ", "∪": "\\cup ", "±": "\\pm ", "∞": "oo"},
        **{"½": " 1/2", "⅓": " 1/3", "⅔": " 2/3", "¼": " 1/4", "¾": " 3/4", "⅛": " 1/8"},
    }
)
_REWRITES = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\\(?:left|right|[bB]igg?[lr]?|displaystyle)(?![A-Za-z])", ""),
        (r"\\(?:text|textbf|textit|mathrm|mathbf|mathit|mbox|operatorname) ?\{([^{}]*)\}", r" \1 "),
        (r"\\[dtc]frac(?![A-Za-z])", r"\\frac"),
        (r"(?<=[0-9])(?:\{,\}|\\,|\\!,|,\\!)(?=[0-9]{3})", ","),
        (r"\\[,;:! ]|\\q?quad(?![A-Za-z])|~", " "),
        (r"\\[()\[\]]|\\?\$", ""),
        (r"\\([%#&_])", r"\1"),
        (r"\\\{|\\lbrace(?![A-Za-z])", "{"),
        (r"\\\}|\\rbrace(?![A-Za-z])", "}"),
        (r"\\langle(?![A-Za-z])", "("),
        (r"\\rangle(?![A-Za-z])", ")"),
        (r"\^ ?\{? ?\\circ ?\}?", "°"),
        (r"\\infty(?![A-Za-z])|\b[Ii]nf(?:inity)?\b", "oo"),
        (r"√ ?([0-9]+|[a-z])", r"sqrt(\1)"),
        (r"√ ?(?=\()", "sqrt"),
        (r"\s+", " "),
    )
]
_MATRIX = re.compile(
    r"\\begin\{([a-zA-Z]?matrix|array)\}(?:\{[lcr|]+\})?(.{0,2000}?)\\end\{\1\}", re.S
)
_COMMAS = re.compile(r"[,;]\s*(?:and\s+)?")
_LISTINGS = (
    re.compile(r"[,;]\s+(?:and\s+)?"),  # first, so that 1,234 stays one number
    re.compile(r"[,;]\s+(?:and\s+)?|\s+(?:and|&)\s+"),
    _COMMAS,
    re.compile(r"[,;]\s*(?:and\s+)?|\s+(?:and|&)\s+"),
)
_ALTERNATIVES = re.compile(r"[,;]\s*(?:or\s+)?|\s+or\s+")
_RATIO = re.compile(r"(?:[1-9][0-9]*|0)(?: ?: ?(?:[1-9][0-9]*|0))+")

_COMMANDS = _words(
    """frac sqrt pi cdot times div cup cap ln log exp sin cos tan arcsin arccos arctan sinh cosh
    tanh binom le ge leq geq lt gt alpha beta gamma delta theta lambda mu sigma phi omega"""
)
_FORMULA_TEXT = re.compile(r"(?:[A-Za-z0-9 +\-*/^_(){}\[\].,|!=<>]|\\[A-Za-z]+)+")
_NO_PRODUCT = re.compile(r"[A-Za-z][0-9]|[0-9] +[0-9]|(?<![0-9.])[01][A-Za-z]")
# Towers of powers, large powers and large factorials only cost time; the sandbox stops the rest.
_TOWER = re.compile(r"(?:\^|\*\*)[ {(]*(?:[0-9 ]*(?:\^|\*\*)|[0-9]{4})|[0-9]{4} ?!|[!)] ?!")


def _tidy(text: str) -> str:
    """Writes LaTeX and typography that only shape a text as plain text; formulas stay LaTeX."""
    text = _MATRIX.sub(_matrix_rows, text).translate(_CHARACTERS)
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    text = text.strip(" *`").rstrip(" .,;:")
    quoted = text[:1] in ("'", '"') and text[-1:] == text[:1] and text[:1] not in text[1:-1]
    return text[1:-1].strip() if quoted else text


def _matrix_rows(matrix: re.Match[str]) -> str:
    """Writes a matrix as a list of rows, and a column as a list."""
    rows = [row.split("&") for row in matrix[2].split(r"\\") if row.strip()]
    if all(len(row) == 1 for row in rows):
        return f"[{', '.join(row[0] for row in rows)}]"
    return f"[{', '.join('[' + ', '.join(row) + ']' for row in rows)}]"


def _fold(text: str) -> str:
    return " ".join(text.casefold().split())


def _without_label(text: str) -> str:
    """Takes off what introduces an answer: `x =`, `2 + 3 =`, `Total:`, `about`."""
    *before, last = _EQUALS.split(text)
    if before and last.strip() and all(map(_is_label, before)):
        text = last.strip()
    text = text[label.end() :] if (label := _COLON_LABEL.match(text)) else text
    return text[hedge.end() :] if (hedge := _HEDGE.match(text)) else text


def _is_label(text: str) -> bool:
    """A name, or arithmetic on numbers: `x`, `f(2)`, `Total cost`, `2 + 3`; but not `x^2`."""
    bare = re.sub(r"\\[A-Za-z]+", "", text).strip()
    return bool(_NAME.fullmatch(bare)) or not re.search(r"[A-Za-z,;]", bare)


def _scan(text: str) -> Iterator[tuple[int, str, int]]:
    """Position, character and depth in brackets of what stands outside quotes."""
    depth, quote, fresh = 0, "", True
    for position, char in enumerate(text):
        if quote:
            quote = "" if char == quote else quote
        elif fresh and char in "'\"":  # elsewhere it is an apostrophe or a prime
            quote = char
        else:
            depth -= char in ")]}"
            yield position, char, depth
            depth += char in "([{"
        fresh = char in ",;:=([{" or (fresh and char.isspace())


def _bracketed(text: str) -> tuple[str, str, str] | None:
    """Opening, content and closing of the one pair of brackets around a text, of any two kinds."""
    if text[:1] not in _BRACKETS:
        return None
    closings = (at for at, char, depth in _scan(text) if at and not depth and char in ")]}")
    if next(closings, None) != len(text) - 1:
        return None
    return text[0], text[1:-1].strip(), text[-1]


def _peel(text: str, kinds: str) -> str:
    """Takes off the brackets around the whole text where they are of these kinds and match."""
    if text[:1] not in tuple(kinds):
        return text
    found = _bracketed(text)
    return found[1] if found and found[2] == _BRACKETS[found[0]] else text


def _split(text: str, separator: re.Pattern[str] = _COMMAS) -> list[str]:
    """Splits where the separator stands outside brackets and quotes."""
    outside = {position for position, _, depth in _scan(text) if not depth}
    parts, start = [], 0
    for found in separator.finditer(text):
        if found.start() in outside:
            parts.append(text[start : found.start()].strip())
            start = found.end()
    return [*parts, text[start:].strip()]


def _partings(text: str) -> Iterator[list[str]]:
    """The ways to read a text as a list, the likeliest first."""
    for separator in _LISTINGS:
        yield _split(text, separator)


def _letters(text: str) -> frozenset[str]:
    """The one-letter names in a formula."""
    bare = re.sub(r"\\[A-Za-z]+", "*", text)
    return frozenset(re.findall(r"(?<![a-z])[a-z](?![a-z])", bare.lower()))


def _is_formula(text: str, letters: frozenset[str]) -> bool:
    """Says whether a text is mathematics in the given variables, so that algebra may judge it.

    math-verify reads numbers out of prose, `ab` as a product and `3:4` as a quotient, and takes a
    percent sign for a factor or for nothing: none of that passes.
    """
    if len(text) > _SYMBOLIC_CAP or not _FORMULA_TEXT.fullmatch(text) or _TOWER.search(text):
        return False
    if not _COMMANDS.issuperset(re.findall(r"\\([A-Za-z]+)", text)):
        return False
    bare = re.sub(r"\\[A-Za-z]+", "*", text)
    known = letters | {"e", "i"}
    names = re.findall(r"[a-z]+", bare.lower())
    words = [name for name in names if not known.issuperset(name)]
    if not (_FUNCTIONS | {"pi", "oo"}).issuperset(words):
        return False
    listed = any(char == "," and not depth for _, char, depth in _scan(text))
    return not listed and not _NO_PRODUCT.search(bare)


def _is_output_formula(text: str) -> bool:
    """Says whether a program printed a formula, rather than a name, date, score or code."""
    if re.search(r"[\w)] +[\w(]", text) or not re.search(r"[A-Za-z^]|\*\*", text):
        return False
    computes = re.search(r"[^A-Za-z()\[\]{} ]|^(?:pi|oo)$", text)
    return bool(computes) and _is_formula(text, _letters(text))

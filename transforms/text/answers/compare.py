"""Compares outputs with answers by exact rules, and leaves to algebra what they cannot decide."""

from __future__ import annotations

import json
import operator
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any, TypeAlias

from transforms.text.answers.brackets import (
    RATIO,
    alternatives,
    bracketed,
    partings,
    peel,
    scan,
    split,
)
from transforms.text.answers.calendar import (
    read_clock,
    read_date,
    read_measured,
    read_name,
    same_name,
    same_time,
)
from transforms.text.answers.extract import extract_answer
from transforms.text.answers.latex import fold, tidy
from transforms.text.answers.lexicon import either
from transforms.text.answers.quantity import (
    EXPONENT_CAP,
    FUNCTIONS,
    Quantity,
    read_based,
    read_quantity,
)
from transforms.text.answers.symbolic import (
    AGREE,
    Leaf,
    Open,
    is_output_formula,
    leaf,
    program_with,
    without_unit,
)

Json: TypeAlias = "None | bool | str | Decimal | list[Json] | dict[str, Json]"

_ANSWER_CAP = 12_000  # characters; outputs are at most 10,000
_SET_CAP = 64  # elements that exact text does not pair off; the pairing is quadratic
_DEPTH_CAP = 16  # brackets within brackets in an output; deeper ones nobody writes as an answer
_FLOAT_TOLERANCE = Fraction(1, 10**6)
_ROUNDING_LIMIT = Fraction(1, 10**3)

_VERDICT = re.compile(
    rf"(?:(?P<yes>{either('affirmed')})|(?P<no>{either('denied')}))(?=\s*(?:$|[,.;:!]))", re.I
)
_NAME = re.compile(
    r"[^\W\d_][^\W\d_ ]*(?: [^\W\d_]+)* ?(?:_\{?\w{1,20}\}?)?'?(?:\([^()=]{0,40}\))?"
    r"|\([A-Za-z](?:, ?[A-Za-z])*\)"
)
_COLON_LABEL = re.compile(r"[^\W\d_][^\d:;,.=\"'\\|()\[\]{}]{0,99}:\s+(?=\S)|\([A-E]\)\s+(?=\S)")
_EQUALS = re.compile(r"(?<![<>!=:])=(?!=)")
_ABOUT = re.compile(r"\\approx(?![a-z])")
_HEDGE = re.compile(
    r"(?:(?:approximately|about|roughly|around|nearly|exactly|only|just|simply|therefore|thus"
    r"|so|hence|a total of|in total|equal to)\b,?|\\(?:approx|sim|therefore)(?![a-z])|="
    r"|[a-z] ?\\in(?![a-z])|(?:一|总|總)?共有?|大?[约約])\s*",
    re.I,
)
_CHOICE = re.compile(r"(?:(?:option|choice) )?\(?([a-z])(?:[).:]+(?: .*)?)?", re.I | re.S)
_RECURRING = re.compile(r"(.*\.)([0-9]*)([0-9]) ?\(?(?:recurring|repeating)\)?", re.I)
_MODULUS = re.compile(r" ?(?:\\pmod ?\{?[0-9]+\}?|\( ?\\?b?mod ?[0-9]+ ?\))$")
_NOTHING = re.compile(
    r"\[\]|\(\)|\{\}|\\emptyset|\\varnothing|∅|(?:there (?:is|are) )?no (?:real )?solutions?"
    r"|(?:the |an )?empty (?:list|set)",
    re.I,
)
_COMPLEX = re.compile(r"\(?([-+0-9.e]*[0-9.])j\)?")
# How Python shows the values that have no notation in JSON.
_BETWEEN = re.compile(r"(\S{1,99}) ?(<|\\leq?|≤) ?[a-z] ?(<|\\leq?|≤) ?(\S{1,99})")
_TURNED = re.compile(r"([\[\]])([^\[\]]+)([\[\]])")
_BOUND = re.compile(r"[a-z] ?(<=?|>=?|\\[lg]eq?|≤|≥) ?([-+0-9./]+)")
_REPR = re.compile(
    r"Fraction\((?P<over>-?[0-9]+), (?P<under>[0-9]+)\)|Decimal\('(?P<decimal>[^']+)'\)"
    r"|datetime\.date\((?P<year>[0-9]+), (?P<month>[0-9]+), (?P<day>[0-9]+)\)"
)
# What shows that an answer is a statement that holds the answer.
_STATEMENT = re.compile(r"(?:boxed|fbox)\s*\{|####|</|\banswers?\b", re.I)


@lru_cache(1000)  # an attempt is marked, and then held against its rivals
def compare_plain(output: str, answer: str) -> bool | None:
    r"""Compares by exact rules alone; never evaluates either side.

    Args:
      output: the program's output as a JSON string.
      answer: the answer as `extract_answer` gives it, or a source's reference, which may stand in a
        box or a sentence.

    Returns:
      True where they agree, False where they differ, None where only algebra can tell.

    Raises:
      ValueError: output is not JSON.
    """
    opened = _left_open(output, answer)
    return None if opened else opened is not None


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
    return program_with("formulas.py", pairs=[_left_open(*pair) for pair in pairs])


def _left_open(output: str, answer: str) -> Open:
    """What exact rules leave open of a pair: nothing, leaves for algebra, or None (they differ)."""
    try:
        value: Json = json.loads(
            output, parse_int=Decimal, parse_float=Decimal, parse_constant=Decimal
        )
        depth = max((depth for _, _, depth in scan(output)), default=0)
        if not answer.strip() or len(answer) > _ANSWER_CAP or depth > _DEPTH_CAP:
            return None
        if isinstance(value, (list, dict)) and _is_same_json(value, answer):
            return AGREE
        opened = _compare(value, answer)
        sentence = answer.rstrip().endswith((".", "!")) and len(answer.split()) > 3
        if opened is None and (sentence or _STATEMENT.search(answer)):
            inner = extract_answer(answer)
            return _compare(value, inner) if inner and inner != answer else None
        return opened
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
    text = tidy(answer)
    match value:
        case None:
            return AGREE if text.casefold() in {"none", "null"} else None
        case bool():
            return AGREE if _verdict(text) is value else None
        case Decimal():
            return _compare_number(value, text)
        case str():
            return _compare_string(_without_repr(value), answer, text)
        case list():
            return _compare_list(value, text)
        case dict():
            return _compare_dict(value, text)


def _verdict(text: str) -> bool | None:
    """True or False where the text is a yes or a no, alone or before a pause ("No, because …")."""
    verdict = _VERDICT.match(without_label(text))
    return verdict["yes"] is not None if verdict else None


def _compare_number(value: Decimal, text: str) -> Open:
    if not value.is_finite():
        return None
    text = _exact_side(value, tidy(without_label(peel(_MODULUS.sub("", text), "[{"))))
    if recurring := _RECURRING.fullmatch(text):  # the last digit, or all decimals
        whole, first, last = recurring.groups()
        readings = f"{whole}{first}({last})", f"{whole}({first}{last})"
        return AGREE if AGREE in [_compare_number(value, each) for each in readings] else None
    if (based := read_based(text)) and value == based[1]:
        return AGREE
    if stated := read_quantity(text):
        return AGREE if _is_close(value, stated) else None
    if measured := read_measured(text):  # 12 m 30 cm is 12.3
        _, total, size = measured
        return AGREE if _is_close(value, Quantity(total / size, None, "")) else None
    return leaf(str(value), text)


def _exact_side(value: Decimal, text: str) -> str:
    r"""Of `\frac{1}{6} \approx 0.167` the first side, where the others are that rounded."""
    exact, *rounded = (side.strip() for side in _ABOUT.split(text))
    for side in rounded:
        stated = read_quantity(without_label(side))
        if not stated or abs(Fraction(value) - stated.value) > (stated.step or Fraction(1)):
            return side
    return without_label(exact)


def _is_close(value: Decimal, stated: Quantity) -> bool:
    if abs(value.adjusted()) > EXPONENT_CAP and value:
        return False
    truth = Fraction(value)
    off = abs(truth - stated.value)
    is_float = value.as_tuple().exponent != 0  # JSON integers are read without a point or exponent
    whole = truth.denominator == stated.value.denominator == 1 and not stated.step
    if not off or not is_float or (whole and abs(truth) < 2**53):  # whole floats are exact that far
        return not off
    rounding = min(stated.step / 2, _ROUNDING_LIMIT * abs(truth)) if stated.step else Fraction(0)
    # 3.33 for 10/3 is off by a thousandth and by what the float itself is off.
    return off <= rounding + _FLOAT_TOLERANCE * abs(truth)


def _without_repr(value: str) -> str:
    shown = _REPR.fullmatch(value)
    if not shown:
        return value
    if shown["over"]:
        return f"{shown['over']}/{shown['under']}"
    return shown["decimal"] or "{year}-{month:0>2}-{day:0>2}".format(**shown.groupdict())


def _compare_string(value: str, answer: str, text: str) -> Open:
    tidied = tidy(value)
    bare = without_label(text)
    readings = (
        answer,
        text,
        bare,
        peel(text, "("),
        text.strip("!?.,;:"),
        based[0] if (based := read_based(bare)) else bare,
    )
    if {fold(value), fold(tidied)} & {fold(reading) for reading in readings if reading.strip()}:
        return AGREE
    if not tidied:
        return None
    if len(value) == 1 and value.isalpha() and (choice := _CHOICE.fullmatch(text)):
        return AGREE if choice[1].casefold() == value.casefold() else None
    for read, same, alone in _KINDS:
        if (one := read(tidied)) and ((other := read(bare)) or alone):
            return AGREE if other and same(one, other) else None
    printed, stated = bracketed(tidied), bracketed(_as_brackets(bare))
    if printed and stated:
        return _compare_bracketed(printed, stated)
    if "=" not in tidied:
        text = bare
    output_number = read_quantity(tidied) if tidied[0] in "-+.0123456789$€£¥₹" else None
    number = read_quantity(text)
    # A leading zero makes a code, not a number ("007").
    if output_number and number and not re.match(r"[-+]?0[0-9]", tidied):
        units = {output_number.unit, number.unit} - {""}
        return AGREE if output_number.value == number.value and len(units) < 2 else None
    if complex_number := _COMPLEX.fullmatch(tidied):
        tidied = f"{complex_number[1]}i"
    return leaf(tidied, text) if is_output_formula(tidied) else None


def _as_brackets(text: str) -> str:
    """An interval in brackets, where it is stated by bounds (1 < x <= 4, x < 2) or as ]1, 4]."""
    if turned := _TURNED.fullmatch(text):
        opening, inside, closing = turned.groups()
        return f"{'[('[opening == ']']}{inside}{'])'[closing == '[']}"
    if bound := _BOUND.fullmatch(text):
        closed = "=" in bound[1] or "e" in bound[1] or bound[1] in "≤≥"
        if bound[1][:2] in ("<", "<=", "\\l") or bound[1] == "≤":
            return f"(-oo, {bound[2]}{'])'[not closed]}"
        return f"{'[('[not closed]}{bound[2]}, oo)"
    return _BETWEEN.sub(_as_interval, text)


def _as_interval(bounds: re.Match[str]) -> str:
    low, left, right, high = bounds.groups()
    return f"{'(' if left in '<' else '['}{low}, {high}{')' if right in '<' else ']'}"


def _ratio(text: str) -> list[str] | None:
    return re.findall("[0-9]+", text) if RATIO.fullmatch(text) else None


# Reader of a kind of value, whether two of them are the same, and whether nothing else agrees.
_KINDS: tuple[tuple[Callable[[str], Any], Callable[[Any, Any], bool], bool], ...] = (
    (_ratio, operator.eq, False),
    (read_clock, same_time, True),
    (read_date, operator.eq, True),
    (read_measured, lambda one, other: one[:2] == other[:2], False),
    (read_name, same_name, False),
)


def _compare_bracketed(output: tuple[str, str, str], answer: tuple[str, str, str]) -> Open:
    """Compares what a program printed in brackets: an interval, tuple or set as text."""
    if (output[0], output[2]) != (answer[0], answer[2]):
        return None
    compare = _pair_off if output[0] == "{" else _compare_all
    return compare(list(split(output[1])), split(answer[1]))


def _compare_list(values: list[Json], answer: str) -> Open:
    text = without_label(answer)
    inner = peel(text, "([{")
    if not values:
        return AGREE if _NOTHING.fullmatch(text) else None
    if bracketed(text) and inner == text:
        return None  # the brackets do not match: a half-open interval
    if RATIO.fullmatch(text):
        return _compare_all(values, re.findall("[0-9]+", text))
    if "\\pm" in text and len(values) == 2:
        return _pair_off(values, [text.replace("\\pm", "+"), text.replace("\\pm", "-")])
    in_any_order = _pair_off if _may_be_set(values) else _compare_all
    if len(parts := alternatives(inner) or alternatives(answer)) == len(values):
        return in_any_order(values, parts)
    is_set = text.startswith("{") and inner != text
    for parts in (*partings(inner), *partings(text)):
        if len(parts) == len(values):
            return in_any_order(values, parts) if is_set else _compare_all(values, parts)
    # A matrix of one row stands in two pairs of brackets.
    return _compare_list(values, inner) if peel(inner, "([") != inner else None


def _may_be_set(values: list[Json]) -> bool:
    """Whether a list is as a set is put out: sorted, each value once; or roots as formulas."""
    texts = [json.dumps(value, default=str, sort_keys=True) for value in values]
    if len(set(texts)) < len(texts):
        return False
    if all(isinstance(value, str) and is_output_formula(value) for value in values):
        return True
    try:
        return values == sorted(values)  # type: ignore[type-var]
    except TypeError:
        return texts == sorted(texts)


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
    texts = Counter(fold(tidy(part)) for part in parts)
    others = []
    for value in values:
        text = fold(tidy(_plain(value)))
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
    golds = tuple(tidy(_plain(value)) for value in undecided)
    return ((golds, tuple(without_unit(without_label(part)) for part in left)),)


def _compare_dict(values: Mapping[str, Json], answer: str) -> Open:
    inner = peel(answer, "{[(")
    for parts in partings(inner):
        if len(parts) != len(values):
            continue
        keyed = [re.split(r"\s*(?::|=|\\to(?![a-z])|->)\s*", part, maxsplit=1) for part in parts]
        if not all(len(pair) == 2 for pair in keyed):
            return None
        stated = {fold(tidy(key)): part for key, part in keyed}
        wanted = {fold(tidy(key)): value for key, value in values.items()}
        if stated.keys() != wanted.keys() or len(wanted) != len(values):
            return None
        return _compare_all(list(wanted.values()), [stated[key] for key in wanted])
    return None


def _plain(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str).replace('"', "")


def without_label(text: str) -> str:
    """Takes off what introduces an answer: `x =`, `2 + 3 =`, `Total:`, `about`."""
    *before, last = _EQUALS.split(text)
    if before and last.strip() and all(map(_is_label, before)):
        text = last.strip()
    text = text[label.end() :] if (label := _COLON_LABEL.match(text)) else text
    name, about, rest = text.partition("\\approx")
    if about and _NAME.fullmatch(name.strip()) and name.partition("(")[0] not in FUNCTIONS:
        text = rest.strip()
    return text[hedge.end() :] if (hedge := _HEDGE.match(text)) else text


def _is_label(text: str) -> bool:
    """A name, or arithmetic on numbers: `x`, `f(2)`, `|A|`, `2 + 3`; but not `x^2`."""
    bare = re.sub(r"\\[A-Za-z]+|\|", "", text).strip()
    return bool(_NAME.fullmatch(bare)) or not re.search(r"[^\W\d_]|[,;]", bare)

"""What is left to algebra: which texts are formulas, and the program that compares them."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from transforms.text.answers import lexicon
from transforms.text.answers.brackets import scan
from transforms.text.answers.quantity import FUNCTIONS
from transforms.text.words import word_set

# Outputs and answers still to be paired off symbolically, in any order; mostly one of each.
Leaf: TypeAlias = tuple[tuple[str, ...], tuple[str, ...]]

# What a plain comparison leaves open: nothing (they agree), some leaves, or None (they differ).
Open: TypeAlias = "tuple[Leaf, ...] | None"
AGREE: tuple[Leaf, ...] = ()

SYMBOLIC_CAP = 300
"""Characters; longer algebra is not a final answer."""

_COMMANDS = word_set(
    """frac sqrt pi cdot times div cup cap ln log exp sin cos tan arcsin arccos arctan sinh cosh
    tanh binom le ge leq geq lt gt alpha beta gamma delta theta lambda mu sigma phi omega"""
)
_FORMULA_TEXT = re.compile(r"(?:[A-Za-z0-9 +\-*/^_(){}\[\].,|!=<>]|\\[A-Za-z]+)+")
_NO_PRODUCT = re.compile(r"[A-Za-z][0-9]|[0-9] +[0-9]|(?<![0-9.])[01][A-Za-z]")
# Towers of powers, large powers and large factorials only cost time; the sandbox stops the rest.
_TOWER = re.compile(r"(?:\^|\*\*)[ {(]*(?:[0-9 ]*(?:\^|\*\*)|[0-9]{4})|[0-9]{4} ?!|[!)] ?!")
_DEGREES = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?°")
_UNIT_WORDS = word_set("unit square cubic sq cu per")
_LAST_WORD = re.compile(r"(.*\S)\s+([^\W0-9_]+)(?: ?\^ ?\{?-?[0-9]\}?)?", re.S)


def letters_of(text: str) -> frozenset[str]:
    """The one-letter names in a formula."""
    bare = re.sub(r"\\[A-Za-z]+", "*", text)
    return frozenset(re.findall(r"(?<![a-z])[a-z](?![a-z])", bare.lower()))


def is_formula(text: str, letters: frozenset[str]) -> bool:
    """Whether a text is mathematics in the given variables, so that algebra may judge it.

    math-verify reads numbers out of prose, `ab` as a product and `3:4` as a quotient, and takes a
    percent sign for a factor or for nothing: none of that passes.
    """
    if len(text) > SYMBOLIC_CAP or not _FORMULA_TEXT.fullmatch(text) or _TOWER.search(text):
        return False
    if not _COMMANDS.issuperset(re.findall(r"\\([A-Za-z]+)", text)):
        return False
    bare = re.sub(r"\\[A-Za-z]+", "*", text)
    known = letters | {"e", "i"}
    names = re.findall(r"[a-z]+", bare.lower())
    words = [name for name in names if not known.issuperset(name)]
    if not (FUNCTIONS | {"pi", "oo"}).issuperset(words):
        return False
    listed = any(depth < 0 or (char == "," and not depth) for _, char, depth in scan(text))
    return not listed and not _NO_PRODUCT.search(bare)


def is_output_formula(text: str) -> bool:
    """Whether a program printed a formula, rather than a name, date, score or code."""
    if re.search(r"[\w)] +[\w(]", text) or not re.search(r"[A-Za-z^]|\*\*", text):
        return False
    computes = re.search(r"[^A-Za-z()\[\]{} ]|^(?:pi|oo)$", text)
    return bool(computes) and is_formula(text, letters_of(text))


def without_unit(text: str, letters: frozenset[str] = frozenset()) -> str:
    r"""Takes the units off a formula (`9\pi cm^2`), of which no letter is one of its variables."""
    if len(text) > SYMBOLIC_CAP:
        return text
    while not is_formula(text, letters) and (match := _LAST_WORD.fullmatch(text)):
        word = match[2]
        singular = word.casefold().removesuffix("s")
        if lexicon.UNITS.keys().isdisjoint((word, singular)) and singular not in _UNIT_WORDS:
            break
        text = match[1].rstrip(" /")
    return text


def leaf(output: str, answer: str) -> Open:
    """The pair for algebra to decide; None where the answer is no formula in the same letters."""
    letters = letters_of(output)
    bare = without_unit(answer, letters)
    if bare != answer and re.fullmatch(r"[-+0-9., ]+", bare):
        return None  # a number, with what is no unit of a plain quantity ("3 pm")
    if len(bare) > SYMBOLIC_CAP:
        return None
    answer = _DEGREES.sub(r"(\1\\pi /180)", bare)
    return (((output,), (answer,)),) if is_formula(answer, letters) else None


@cache
def _source(name: str) -> str:
    return Path(__file__).with_name(name).read_text("utf-8")


def program_with(name: str, **inputs: Any) -> str:
    """The program in a file beside this one, with its input."""
    data = json.dumps(inputs)
    # The repr of ASCII JSON is a Python literal, so that no text can leave the string it stands in.
    begun = f"{_source(name)}\nimport json\n\ninput = json.loads({data!r})\n"
    return f"{begun}output = solution(**input)\n"

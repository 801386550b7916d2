"""The program that compares formulas by algebra. It runs inside the sandbox and alone: it imports
nothing of this project, and `symbolic.program_with` adds its input.

Why not math-verify alone: version 0.9.0 finds that 5% = 0.05 and 5% = 5, that 0.0000001 equals
0.0000004 (six decimals, whatever the size), that ab = ba, that 3:4 = 0.75 and that 12 hours 30 is
30, and takes x^2 = 4 for 4 in one direction. So it is handed formulas alone; constants must be
equal as numbers, and the rest hold both ways.
"""

import logging
import re

import sympy
from math_verify import parse, verify
from math_verify.parser import LatexExtractionConfig, NormalizationConfig
from sympy.parsing.sympy_parser import (
    convert_xor,
    implicit_multiplication,
    parse_expr,
    split_symbols_custom,
    standard_transformations,
)

logging.disable(logging.WARNING)  # math-verify warns that no time limit is set: the sandbox sets it
LATEX = [
    LatexExtractionConfig(
        normalization_config=NormalizationConfig(
            basic_latex=True, units=False, malformed_operators=True, nits=True, boxed="all"
        )
    )
]
NAMES = "sqrt cbrt exp log ln sin cos tan asin acos atan sinh cosh tanh factorial binomial Rational"
KNOWN = {name: getattr(sympy, name) for name in f"{NAMES} pi oo E I".split()}
KNOWN |= {"abs": sympy.Abs, "Abs": sympy.Abs, "e": sympy.E, "i": sympy.I}
# What sympy's tokenizer writes; without it every name of sympy, S and N included, would be known.
WRITTEN = {name: getattr(sympy, name) for name in ["Integer", "Float", "Symbol", "Function"]}
SPLIT = split_symbols_custom(lambda name: True)
RULES = (*standard_transformations, convert_xor, SPLIT, implicit_multiplication)


def read(text):
    """Reads Python's notation, else LaTeX; None where it is neither.

    The text passed `is_formula`: its names are single letters and those above, so that sympy's
    parser, which evaluates, has nothing to call but them.
    """
    try:
        parsed = parse_expr(text, KNOWN, RULES, WRITTEN)
    except Exception:  # what its tokenizer and Python make of LaTeX
        parsed = None
    if not isinstance(parsed, sympy.Basic):
        text = re.sub(r"(?<![\\A-Za-z])(pi|sin|cos|tan|ln|log|exp)(?![a-z])", r"\\\1 ", text)
        text = re.sub(r"(?<![\\A-Za-z])oo(?![a-z])", r"\\infty ", text)
        boxed = "\\boxed{" + text + "}"
        found = parse(boxed, LATEX, fallback_mode="no_fallback", parsing_timeout=None)
        parsed = found[0] if found else None
    if parsed is None:
        return None
    names = {symbol: symbol.name.lower() for symbol in parsed.free_symbols}
    return parsed.xreplace(
        {symbol: sympy.I if name == "i" else sympy.Symbol(name) for symbol, name in names.items()}
    )


def same(gold, answer):
    """Says whether two formulas are equal, in both directions and without loose rounding."""
    a, b = read(gold), read(answer)
    if a is None or b is None:
        return False
    if isinstance(a, sympy.Expr) != isinstance(b, sympy.Expr):
        return False  # to math-verify the interval [0, 0] is 0
    if isinstance(a, sympy.Expr) and not (a.free_symbols or b.free_symbols):
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

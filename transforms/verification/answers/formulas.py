"""The program that compares formulas by algebra. It runs inside the sandbox and alone: it imports
nothing of this project, and `symbolic.program_of` adds its input.

Why not math-verify alone: version 0.9.0 finds that 5% = 0.05 and 5% = 5, that 0.0000001 equals
0.0000004 (six decimals, whatever the size), that ab = ba, that 3:4 = 0.75 and that 12 hours 30 is
30, and takes x^2 = 4 for 4 in one direction. So it is handed formulas alone; constants must be
equal as numbers, and the rest hold both ways.
"""

import ast
import logging
import operator
import re
from collections.abc import Callable
from typing import Any

import sympy
from math_verify import parse, verify
from math_verify.parser import LatexExtractionConfig, NormalizationConfig

logging.disable(logging.WARNING)  # math-verify warns that no time limit is set: the sandbox sets it
LATEX = [
    LatexExtractionConfig(
        normalization_config=NormalizationConfig(
            basic_latex=True, units=False, malformed_operators=True, nits=True, boxed="all"
        )
    )
]
OPERATORS: dict[type, Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
NAMES = "sqrt cbrt exp log ln sin cos tan asin acos atan sinh cosh tanh factorial binomial Rational"
FUNCTIONS = {name: getattr(sympy, name) for name in NAMES.split()}
FUNCTIONS["abs"] = FUNCTIONS["Abs"] = sympy.Abs
CONSTANTS = {"pi": sympy.pi, "oo": sympy.oo, "e": sympy.E, "E": sympy.E, "i": sympy.I, "I": sympy.I}
TOKEN = re.compile(r"[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?|\.[0-9]+|[A-Za-z]+|\*\*|\S")


def with_products(text):
    """Writes implied products out: 2xy(x+1) as 2*x*y*(x+1)."""
    tokens: list[str] = []
    for token in TOKEN.findall(text.replace("^", "**")):
        known = token in FUNCTIONS or token in CONSTANTS or not token.isalpha()
        for part in [token] if known else token:
            previous = tokens[-1] if tokens else "("
            calls = previous in FUNCTIONS and part == "("
            ends = previous[-1].isalnum() or previous in ".)"
            if ends and (part[0].isalnum() or part == "(") and not calls:
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
    return parsed[0].xreplace(
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

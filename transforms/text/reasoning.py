"""Reasoning of a worked solution: whether it leads to the answer that it ends in.

A right answer can stand below steps of another problem, a loop or nothing at all, or beside another
conclusion. Each rule looks at plain signs in the text alone, and what is in doubt passes.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache

from transforms.engine.accounting import Verdict, keep, reject
from transforms.text.answers import extract_answer
from transforms.text.answers.extract import TAKEN_BACK
from transforms.text.answers.latex import plain_characters, tidy
from transforms.text.answers.quantity import read_quantity
from transforms.text.stated import asked_unit, same_kind, stated, stated_numbers, unit_of
from transforms.text.steps import false_step


class ReasoningReason(StrEnum):
    """Why a worked solution does not lead to its answer."""

    FALSE_EQUATION = "false_equation"
    REPETITIVE = "repetitive"
    NO_REASONING = "no_reasoning"
    OTHER_CONCLUSION = "other_conclusion"
    OTHER_PROBLEM = "other_problem"
    OTHER_UNIT = "other_unit"


_TEXT_CAP = 50_000  # characters
_FINAL = re.compile(
    r"\$*\\boxed\s*\{(?P<box>[^{}]*(?:\{[^{}]*\}[^{}]*)*)\}\$*"
    r"|(?:\b(?:final\s)?answers?\b[ \t*_]*(?::|\b(?:is|are)\b)|^[ \t]*\#{4})[ \t*_$:\\(]*"
    r"(?P<stated>[-−]?(?:\d+(?:-\d+)+|\\[dt]?frac\{\d+\}\{\d+\}|\d+/\d+|[\d.,]*(?:\{,\}\d{3})*\d)"
    r"(?![\w/^{,:]|[.–-]\d|[ \u00a0\u202f]\d{3}\b)|[a-z]+(?:-[a-z]+)?(?=[\s.*]*$))",
    re.IGNORECASE | re.MULTILINE,
)
"""A final answer: a box, or a number that is stated as the answer, a word at a line's end."""
_RETRACTS = re.compile(
    r"\b(?:wait|actually|hmm+|oops|on second thought|correction"
    rf"|let me (?:re-?check|re-?do|re-?compute|correct))\b|{TAKEN_BACK.pattern}",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?<=[.!?。！？])\s+|\n+|(?<=[。！？])")
_CONCLUDES = re.compile(
    r"^\W*(?:so|thus|therefore|hence|in total|in all|altogether|finally|this means)\b",
    re.IGNORECASE,
)
_EQUATION = re.compile(r"[\d)] ?= ?[-−$]?\d")
_WORDS = re.compile(r"[^\W\d_]{4,}")
_CALCULATES = re.compile(r"\d\s*(?:[-+*/×÷·−=%^]|\(\.?\d|\\(?:times|cdot|div|frac))")
_REASONS = re.compile(
    r"\b(?:steps?|text|given|results?|comput|calculat|count|solv|problem|number|values?|list|add"
    r"|subtract|multipl|divid|formula|equation|total|sum)",
    re.IGNORECASE,
)
"""Words that any solution may use, whatever its problem."""
_FILLERS = re.compile(
    r"\b(?:the|final|answer|is|so|let|us|me|think|step|by|clearly|carefully|we|it|this|problem|solve"
    r"|okay|thus|therefore|therefore|have|get|correct|obviously)\b|\blet's\b",
    re.I,
)
"""Words that any solution begins or ends with."""
_ROUNDS = re.compile(r"round|nearest|approx|about|almost|nearly|≈|\\approx", re.IGNORECASE)
_REPEATS = 8
"""How often one sentence may stand in a solution."""
_LIKE = 0.7
"""Share of the numbers asked about that steps use, and thrice that of their words: own steps of 292
seeds have 0.95 and more, steps of another one less than 0.7 in three of four."""
_LEAST_WORDS = 4
"""Words besides the answer that a solution without any calculation needs."""


@lru_cache(maxsize=4096)  # each attempt is judged round by round, thousands beside each other
def judge_reasoning(solution: str, instruction: str) -> Verdict:
    """Rejects a solution whose steps are wrong, or do not lead to its final answer."""
    solution = solution[-_TEXT_CAP:]
    false = false_step(solution)
    if false is not None:
        return reject(ReasoningReason.FALSE_EQUATION, false)
    repeated = _repeated(solution)
    if repeated:
        return reject(ReasoningReason.REPETITIVE, repeated)
    finals = list(_FINAL.finditer(solution))
    steps = _FINAL.sub(" ", solution).strip()
    words = re.findall(r"[^\W\d_]+", _FILLERS.sub("", steps))
    letters = sum(len(word) if not word.isascii() else 0 for word in words)
    if not _CALCULATES.search(steps) and max(len(words), letters // 2) < _LEAST_WORDS:
        return reject(ReasoningReason.NO_REASONING, solution[:200])
    if differs := _other_conclusion(solution, instruction, finals):
        return reject(ReasoningReason.OTHER_CONCLUSION, differs)
    if differs := _other_unit(solution, instruction):
        return reject(ReasoningReason.OTHER_UNIT, differs)
    if _is_about_something_else(steps, instruction):
        return reject(ReasoningReason.OTHER_PROBLEM, steps[:200])
    return keep()


def _repeated(text: str) -> str | None:
    """What a text that runs in a loop repeats; None for a text that does not."""
    sentences = Counter(s.strip() for s in _SENTENCE.split(text) if len(s.split()) >= 3)
    sentence, count = max(sentences.items(), key=lambda item: item[1], default=("", 0))
    if count > _REPEATS:
        return f"{count} times: {sentence[:150]}"
    loops = len(text) > 1000 and len(zlib.compress(text.encode())) < 0.06 * len(text)
    return f"in a loop: {text[-150:]}" if loops else None


def _number(final: re.Match[str]) -> Fraction | None:
    """The value of a final answer that is a plain number; None for any other."""
    stated = read_quantity(tidy(final["stated"] if final["box"] is None else final["box"]))
    return stated.value if stated else None


def _other_conclusion(solution: str, instruction: str, finals: list[re.Match[str]]) -> str | None:
    """What a solution concludes besides its last final answer; None where it is one."""
    if not finals or (answer := _number(finals[-1])) is None:
        return _not_shown(solution, instruction)
    last = finals[-1]
    after = solution[last.end() :]
    if (taken_back := _RETRACTS.search(after)) and re.search(r"\d", after[taken_back.end() :]):
        return after[taken_back.start() :][:200].strip()
    for final in finals[:-1]:
        between = solution[final.end() : last.start()]
        value = _number(final)
        apart = "\n" in between or final["box"] is None or last["box"] is None
        if value is not None and value != answer and apart and not _RETRACTS.search(between):
            return f"{final.group().strip()} and {last.group().strip()}"
    before = solution[: next(f.start() for f in finals if _number(f) == answer)]
    sentences = [s for s in _SENTENCE.split(before) if re.search(r"\d", s)]
    if not sentences:
        return None
    concluding = _CONCLUDES.match(sentences[-1]) is not None
    tail = sentences[-1] if concluding else " ".join(sentences[-3:])
    counted = concluding or re.search(r"\d\W{0,4}=|=\W{0,4}\d", sentences[-1])
    rounded = _ROUNDS.search(tail) is not None
    if not counted and _EQUATION.search(before):
        counted, tail = True, before
    if counted and not _shows(tail, answer, rounded):
        return f"{sentences[-1].strip()[:150]} but {last.group().strip()}"
    return None


def _not_shown(solution: str, instruction: str) -> str | None:
    """The date, time or list that a solution ends in, where it calculates and comes to no number
    of it that is not in the instruction; None elsewhere."""
    if not (answer := extract_answer(solution)):
        return None
    before, _, after = plain_characters(solution).rpartition(answer)
    known = stated_numbers(instruction)
    new = [
        mention.values for mention in stated(tidy(answer)).mentions if not mention.values & known
    ]
    shown = any(_shows(before, value, True) for values in new for value in values)
    comes_last = not re.search(r"\d", after) and _EQUATION.search(before)
    return answer[:200] if new and not shown and comes_last else None


def _shows(text: str, answer: Fraction, rounded: bool) -> bool:
    """Whether a text states a number, or comes to it in another unit (90 minutes for 1.5)."""
    mentions = stated(text).mentions
    last = mentions[-1].values if mentions else ()
    converted = {v for value in last for n in (12, 24, 60, 1000) for v in (n * value, value / n)}
    numbers = (*stated_numbers(text), *converted)
    return any(_is_shown(answer, value, rounded) for value in numbers)


def _is_shown(answer: Fraction, value: Fraction, rounded: bool) -> bool:
    """Whether a number is the answer, up to its sign, its rounding, and a share in percent.

    Whole numbers that differ are rounded only where the text speaks of it.
    """
    answer = abs(answer)
    whole = answer.denominator == value.denominator == 1 and not rounded
    return any(
        answer == v or (not whole and abs(answer - v) <= abs(v) / 200)
        for v in (value, 100 * value, value / 100)
    )


def _other_unit(solution: str, instruction: str) -> str | None:
    """The answer of a solution in minutes where hours are asked for; None for any other."""
    asked = asked_unit(instruction)
    if not asked:
        return None
    answer = re.sub(r"\\[a-z]+|[{}$*~\\]", " ", extract_answer(solution) or "")
    measured = re.fullmatch(r"\s*[-−]?[\d., /]*\d\s*([^\W\d_]+)[\s.]*", answer)
    unit = unit_of(measured[1].lower()) if measured else ""
    return answer.strip() if unit != asked and same_kind(unit, asked) else None


def _is_about_something_else(steps: str, instruction: str) -> bool:
    """Whether steps share hardly a number and hardly a longer word with what was asked."""
    asked = stated_numbers(instruction) - {0, 1, 2}
    shared = asked & stated_numbers(steps)
    words, used = _stems(instruction), _stems(steps)
    if _CALCULATES.search(steps):
        shares = re.search(r"%|percent", instruction, re.IGNORECASE)  # 4 percent more is 1.04
        if len(asked) < 2 or not shared:
            strange = len(used & words) <= len(used) / 3
            return len(asked) > 1 and not shares and (strange or bool(shared))
        likeness = len(shared) / len(asked) + 3 * len(used & words) / max(len(used), 1)
        return not shares and len(used) >= 3 and likeness < _LIKE
    strange = len(words) >= 5 and not words & used and not shared
    return strange and not _REASONS.search(steps)


def _stems(text: str) -> set[str]:
    """The beginnings of a text's longer words: buys and buying are one."""
    return {word.lower()[:5] for word in _WORDS.findall(text)}

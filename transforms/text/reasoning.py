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
from transforms.text.stated import asked_unit, same_kind, stated_numbers, unit_of
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
    r"(?P<stated>[-−]?(?:\\[dt]?frac\{\d+\}\{\d+\}|\d+/\d+|[\d.,]*(?:\{,\}\d{3})*\d))"
    r"(?![\w/^{,:]|\.\d|[ \u00a0\u202f]\d{3}\b)",
    re.IGNORECASE | re.MULTILINE,
)
"""A final answer: a box, or a number that is stated as the answer."""
_RETRACTS = re.compile(
    r"\b(?:wait|actually|hmm+|oops|on second thought|correction|i made (?:a|an) (?:mistake|error)"
    r"|that(?:'s| is) (?:wrong|not right|incorrect)"
    r"|let me (?:re-?check|re-?do|re-?compute|correct))\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?<=[.!?。！？])\s+|\n+|(?<=[。！？])")
_CONCLUDES = re.compile(
    r"^\W*(?:so|thus|therefore|hence|in total|in all|altogether|finally|this means)\b",
    re.IGNORECASE,
)
_WORDS = re.compile(r"[^\W\d_]{4,}")
_CALCULATES = re.compile(r"\d\s*(?:[-+*/×÷·−=%^]|\\(?:times|cdot|div|frac))")
_REASONS = re.compile(
    r"\b(?:steps?|text|given|results?|comput|calculat|count|solv|problem|number|values?|list|add"
    r"|subtract|multipl|divid|formula|equation|total|sum)",
    re.IGNORECASE,
)
"""Words that any solution may use, whatever its problem."""
_ROUNDS = re.compile(r"round|nearest|approx|about|almost|nearly|≈|\\approx", re.IGNORECASE)
_REPEATS = 8
"""How often one sentence may stand in a solution."""
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
    words = re.findall(
        r"[^\W\d_]+", re.sub(r"\b(?:the|final|answer|is|so)\b", "", steps, flags=re.I)
    )
    letters = sum(len(word) if not word.isascii() else 0 for word in words)
    if not _CALCULATES.search(steps) and max(len(words), letters // 2) < _LEAST_WORDS:
        return reject(ReasoningReason.NO_REASONING, solution[:200])
    if finals and (differs := _other_conclusion(solution, finals)):
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
    loops = len(text) > 1500 and len(zlib.compress(text.encode())) < 0.06 * len(text)
    return f"in a loop: {text[-150:]}" if loops else None


def _number(final: re.Match[str]) -> Fraction | None:
    """The value of a final answer that is a plain number; None for any other."""
    text = (final["box"] if final["box"] is not None else final["stated"]).strip().strip("$")
    text = text.replace("−", "-").replace("{,}", ",").replace("\\!", "")
    text = re.sub(r"\\[dt]?frac\{(\d+)\}\{(\d+)\}", r"\1/\2", text)
    plain = re.fullmatch(r"-?(?:(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\d+/[1-9]\d*)", text)
    return Fraction(text.replace(",", "")) if plain else None


def _other_conclusion(solution: str, finals: list[re.Match[str]]) -> str | None:
    """What a solution concludes besides its last final answer; None where it is one."""
    last = finals[-1]
    answer = _number(last)
    if answer is None:
        return None
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
    if counted and not any(_is_shown(answer, value, rounded) for value in stated_numbers(tail)):
        return f"{sentences[-1].strip()[:150]} but {last.group().strip()}"
    return None


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
        if len(asked) < 2 or (shares and shared):
            return False
        other_words = len(used) >= 3 and 7 * len(used & words) < len(used)
        return not (shared or shares) or (other_words and 2 * len(shared) < len(asked))
    strange = len(words) >= 5 and not words & used and not shared
    return strange and not _REASONS.search(steps)


def _stems(text: str) -> set[str]:
    """The beginnings of a text's longer words: buys and buying are one."""
    return {word.lower()[:5] for word in _WORDS.findall(text)}

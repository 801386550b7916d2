"""Answerability: instructions that cannot be solved as they stand are dropped before it is tried.

Each check is cheap and looks at words alone. What an instruction states is read generously (units
converted, numbers in words, halves and dozens), since a sound one that is dropped was paid for;
what slips through costs attempts, and is then dropped for want of agreement.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, ClassVar

import apache_beam as beam
from apache_beam.pvalue import PCollection

from transforms.accounting import ApplyChecks, Outcome, Reason, Verdict, keep, reject
from transforms.records import Problem
from transforms.verification.answers import spelled

_CODE = re.compile(
    r"```|\bdef \w+\(|\bsolution\(|\breturn \w+$|^\s*(?:input|output)\s*=|\bpython\b"
    r"|\b(?:the|this|following|given|above|below) (?:program|code snippet)\b"
    r"|\b(?:the|this) (?:code|function) (?:computes|calculates|returns|takes|prints|above|below)\b",
    re.MULTILINE | re.IGNORECASE,
)
_ASKS = re.compile(
    r"\b(?:what|how|which|who|whom|whose|when|where|why|find|calculate|compute|determine|evaluate"
    r"|simplify|solve|give|list|name|state|write|count|work out|return|decode|encode|sort|convert"
    r"|estimate|express|prove|show|decide|tell|report|identify|is|are|does|do|can|will)\b",
    re.IGNORECASE,
)
_PART = re.compile(r"(?:^|\s)\(?(?:b|ii|2)\)\s", re.IGNORECASE)
_FIRST_PART = re.compile(r"(?:^|\s)\(?(?:a|i|1)\)\s", re.IGNORECASE)
_SECOND_QUESTION = re.compile(
    r"(?:,? and|;|\balso\b,?) (?:also )?(?:how (?:many|much|long|far|old|often)"
    r"|what (?:is|are|was|were)|find|calculate|compute|determine)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?|\.\d+")
_WORD = re.compile(r"[a-z]+")
_SPOKEN = {
    **{"once": 1, "single": 1, "first": 1, "twice": 2, "double": 2, "doubles": 2, "pair": 2},
    **{"couple": 2, "both": 2, "second": 2, "thrice": 3, "triple": 3, "triples": 3, "third": 3},
    **{"quadruple": 4, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9},
    **{"tenth": 10, "eleventh": 11, "twelfth": 12, "dozen": 12, "dozens": 12, "fortnight": 14},
}
_PARTS = {"half": 2, "halves": 2, "quarter": 4, "quarters": 4, "third": 3, "thirds": 3, "fifth": 5,
          "fifths": 5, "tenth": 10, "tenths": 10, "eighth": 8, "sixth": 6}  # fmt: skip
_KNOWN = frozenset({0, 1, 2, 7, 10, 12, 24, 26, 60, 100, 180, 360})
"""Numbers a reader supplies: the week, the year, the clock, percent, the circle, the alphabet."""
_FACTORS = tuple(Fraction(n) for n in (1, 10, 12, 24, 60, 100, 1000, 3600, 10**6))
_SHORT_ANSWER = 2
"""Answers of fewer characters stand in a text by chance."""


@dataclass(frozen=True)
class Reading:
    """An instruction with what it states, read once for all checks."""

    problem: Problem

    @property
    def text(self) -> str:
        return self.problem.instruction

    @cached_property
    def numbers(self) -> frozenset[Fraction]:
        """The numbers that the instruction states, in digits or in words."""
        return frozenset(stated_numbers(self.text))

    @cached_property
    def letters(self) -> str:
        """The text in lower case, without what only shapes it."""
        return _bare(self.text)

    @cached_property
    def inputs(self) -> Any:
        return json.loads(self.problem.input or "{}")

    def states(self, value: Any) -> bool:
        """Whether a number or text of the input can be read off the instruction."""
        if isinstance(value, bool) or value is None:
            return True
        if isinstance(value, (int, float)):
            return abs(value) in _KNOWN or self._states_number(Fraction(str(value)))
        bare = _bare(value)
        return not bare or bare in self.letters or all(self._states_word(w) for w in value.split())

    def _states_word(self, word: str) -> bool:
        bare = _bare(word)
        numbers = [Fraction(found.replace(",", "")) for found in _NUMBER.findall(word)]
        if numbers and all(n in self.numbers or n in _KNOWN for n in numbers):
            return True
        return bare in self.letters

    def _states_number(self, value: Fraction) -> bool:
        value = abs(value)
        if any(value * n in self.numbers or value / n in self.numbers for n in _FACTORS):
            return True
        # a growth factor of 1.08 for 8 percent, or the share that is left: 70 percent for 30
        return bool({100 * abs(1 - value), 1 - value, 100 - value} & self.numbers)


def _bare(text: str) -> str:
    return re.sub(r"[^\w#.*+-]+", "", text.lower())


def stated_numbers(text: str) -> Iterator[Fraction]:
    """Yields the numbers in a text: digits, fractions, words, ordinals, halves and dozens."""
    lowered = text.lower().replace("-", " ")
    for over, under in re.findall(r"(\d+)\s*/\s*(\d+)", lowered):
        if int(under):
            yield Fraction(int(over), int(under))
    for found in _NUMBER.findall(lowered):
        yield Fraction(found.replace(",", "").rstrip("."))
        for piece in found.split(","):  # a list without spaces: 3,14,159
            yield Fraction(piece or 0)
    for power, base in re.findall(r"(\d+)\s*(thousand|million|billion)", lowered):
        yield int(power) * Fraction({"thousand": 10**3, "million": 10**6, "billion": 10**9}[base])
    words = _WORD.findall(lowered)
    for start, word in enumerate(words):
        if word in _SPOKEN:
            yield Fraction(_SPOKEN[word])
        if word in _PARTS:
            yield Fraction(1, _PARTS[word])
        for end in range(start + 1, min(start + 6, len(words)) + 1):
            value = spelled(words[start:end])
            if value is not None:
                yield value


def leaves(value: Any) -> Iterator[Any]:
    """Yields the numbers, texts and truth values in an input, however nested; keys left out."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner)
    else:
        yield value


@dataclass(frozen=True)
class HidesTheProgram:
    """Rejects instructions that show or speak of the program: a reader must not need it."""

    def __call__(self, reading: Reading) -> Verdict:
        code = _CODE.search(reading.text)
        if code:
            return reject(Reason.LEAKS_CODE, code.group().strip())
        named = [key for key in _keys(reading.inputs) if "_" in key and key in reading.text]
        return reject(Reason.LEAKS_CODE, f"variable {named[0]}") if named else keep()


def _keys(inputs: Any) -> list[str]:
    return sorted(inputs) if isinstance(inputs, dict) else []


@dataclass(frozen=True)
class Asks:
    """Rejects texts that ask and demand nothing."""

    def __call__(self, reading: Reading) -> Verdict:
        if "?" in reading.text or _ASKS.search(reading.text):
            return keep()
        return reject(Reason.NOT_A_QUESTION, reading.text[-80:])


@dataclass(frozen=True)
class AsksOnce:
    """Rejects instructions with several questions: only one of them has an answer to hold to."""

    def __call__(self, reading: Reading) -> Verdict:
        text = re.sub(r"[\"“][^\"”]*[\"”]", "", reading.text)  # what somebody says is not asked
        marks = len(re.findall(r"\w[)\]]?\?(?=\s|$)", text))  # not the ? of 4?82
        if marks > 1:
            return reject(Reason.SEVERAL_QUESTIONS, f"{marks} question marks")
        if _FIRST_PART.search(text) and _PART.search(text):
            return reject(Reason.SEVERAL_QUESTIONS, "parts (a) and (b)")
        last = re.split(r"(?<=[.!])\s+(?=[A-Z])", text.strip())[-1]
        second = _SECOND_QUESTION.search(last)
        if second and _ASKS.search(last[: second.start()]):
            return reject(Reason.SEVERAL_QUESTIONS, second.group().strip())
        return keep()


@dataclass(frozen=True)
class StatesItsInput:
    """Rejects instructions that leave out a value which the program was given."""

    def __call__(self, reading: Reading) -> Verdict:
        inputs = reading.inputs
        for key in _keys(inputs):
            missing = [value for value in leaves(inputs[key]) if not reading.states(value)]
            if missing:
                return reject(Reason.MISSING_INPUT_VALUE, f"{key}: {missing[0]}"[:200])
        return keep()


@dataclass(frozen=True)
class KeepsItsAnswer:
    """Rejects instructions that state their own answer."""

    def __call__(self, reading: Reading) -> Verdict:
        output = json.loads(reading.problem.output or "null")
        given = set(map(str, leaves(reading.inputs)))
        if isinstance(output, (bool, list, dict)) or output is None or str(output) in given:
            return keep()
        if len(str(output)) <= _SHORT_ANSWER or abs(_value(output)) in _KNOWN:
            return keep()
        if isinstance(output, str):
            found = re.search(rf"(?<!\w){re.escape(output)}(?!\w)", reading.text, re.IGNORECASE)
            return reject(Reason.LEAKS_ANSWER, output[:100]) if found else keep()
        digits = {Fraction(n.replace(",", "")) for n in _NUMBER.findall(reading.text)}
        if abs(Fraction(str(output))) in digits:
            return reject(Reason.LEAKS_ANSWER, str(output)[:100])
        return keep()


def _value(output: Any) -> Any:
    return output if isinstance(output, (int, float)) else -1


CHECKS = (HidesTheProgram(), Asks(), AsksOnce(), KeepsItsAnswer(), StatesItsInput())


def judge_instruction(problem: Problem) -> Verdict:
    """Applies every check to a problem's instruction; the first rejection counts."""
    reading = Reading(problem)
    return next((v for check in CHECKS if not (v := check(reading)).kept), keep())


@dataclass
class FilterInstructions(beam.PTransform):
    """PCollection[Problem] -> Outcome of Problem: those whose instruction can be answered."""

    stage: ClassVar[str] = "answerable"
    reads: ClassVar[type] = Problem
    writes: ClassVar[type] = Problem
    draws: ClassVar[bool] = False

    def expand(self, problems: PCollection) -> Outcome:
        checked = problems | ApplyChecks(self.stage, (judge_instruction,))
        return Outcome(checked.kept, checked.rejected)

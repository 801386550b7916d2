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

from transforms.accounting import Reason, Verdict, keep, reject
from transforms.records import Problem
from transforms.stage import Filter, Named
from transforms.verification.answers import may_spell, spelled

_CODE = re.compile(
    r"```|\bdef \w+\(|\bsolution\(|\breturn \w+$|^\s*(?:input|output)\s*=|\bpython\b"
    r"|\b(?:the|this|following|given|above|below) (?:program|code snippet)\b"
    r"|\b(?:the|this) (?:code|function) (?:computes|calculates|returns|takes|prints|above|below)\b"
    r"|\b(?:write|implement|define|complete|create|design) (?:a|an|the|this) (?:\w+ ){0,2}?"
    r"(?:function|program|script|algorithm|method|class)\b|^\W*implement\b"
    r"|\b(?:according to|based on|as in|following|in) the (?:code|program|script|function)\b"
    r"|\b(?:ignore|disregard|forget) (?:all |any |the |your )*"
    r"(?:previous|prior|above|earlier)\b",
    re.MULTILINE | re.IGNORECASE,
)
_DEMANDS = (
    r"find|calculate|compute|determine|evaluate|simplify|solve|give|list|name|state|write|count"
    r"|work out|return|decode|encode|decrypt|encrypt|sort|convert|translate|estimate|express|prove"
    r"|show|decide|tell|report|identify|factor|expand|add|subtract|multiply|divide|arrange|reverse"
    r"|replace|choose|select|complete|provide|what"
)
_ASKS = re.compile(
    # where a sentence or a clause begins: within one, these words tell rather than ask
    rf"(?:^|[.!?:;,)\n]|\b(?:and|then|please|must|should))\s*[\"“*]*(?:{_DEMANDS})\b"
    r"|\bhow (?:many|much|long|far|old|often|tall|wide|fast)\b"
    r"|[？؟]|多少|几|幾|求|什么|计算|計算|いくつ|いくら|何|求め|كم|ما هو|احسب|أوجد"
    r"|\b(?:wie ?viele?|berechne|bestimme|welche[rsn]?|combien|quel(?:le)?s?|calcule[rz]?"
    r"|trouve[rz]?|cuánt[oa]s?|cuál|calcul[ae]|encuentra|halla|сколько|найдите|вычислите|какой|чему)\b",
    re.IGNORECASE,
)
_PART = re.compile(r"(?:^|\s)\(?(?:b|ii|2)\)\s", re.IGNORECASE)
_FIRST_PART = re.compile(r"(?:^|\s)\(?(?:a|i|1)\)\s", re.IGNORECASE)
_SECOND_QUESTION = re.compile(
    r"(?:,? and|;|\balso\b,?) (?:also )?(?:how (?:many|much|long|far|old|often)"
    r"|what (?:is|are|was|were)|find|calculate|compute|determine)\b",
    re.IGNORECASE,
)
_GIVES_AWAY = (
    # not: if there is none, answer 0
    r"(?:(?<!, )(?<!, the )\b(?:answer|result|output|solution|hint|expected)s?\b"
    r"[^.?!]{0,40}?(?::|=|\b(?:is|are|be|equals?)\b)"
    r"|\b(?:show|prove|verify|confirm|check) that\b[^.?!]{0,200}?)"
)
"""What announces the answer itself, even one that is short enough to stand in a text by chance."""
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
_EVERYDAY = r"clock|time|day|night|hour|minute|second"
_RELATIONS = {
    7: r"week|day", 10: r"digit|decimal|numeral|mm\b|millimet|cm\b|centimet|tens?\b|unit",
    12: rf"month|year|dozen|feet|foot|inch|a\.?m\b|p\.?m\b|{_EVERYDAY}", 24: _EVERYDAY,
    26: r"letter|alphabet", 60: rf"{_EVERYDAY}|degree|speed|km/h|per hour",
    100: r"%|percent|cent|\bcm\b|hundred|probab|chance|share|rate|fraction|ratio|\b0?\.\d",
    180: r"angle|degree|triangle|polygon|turn", 360: r"angle|degree|circle|turn|polygon|day|year",
    1000: r"thousand|kilo|\bk[gm]\b|\bm[lm]\b|\blit(?:re|er)|\bton|\bgrams?\b|\bg\b",
    3600: r"hour|second", 10**6: r"million",
}  # fmt: skip
"""What a reader supplies where the text speaks of it: the week, the clock, percent, the circle."""
_ALWAYS_KNOWN = frozenset({0, 1, 2})
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
    def known(self) -> frozenset[int]:
        """The numbers that a reader of this text knows without being told."""
        found = (n for n, said in _RELATIONS.items() if re.search(said, self.text, re.IGNORECASE))
        return _ALWAYS_KNOWN | set(found)

    @cached_property
    def inputs(self) -> Any:
        return json.loads(self.problem.input or "{}")

    def states(self, value: Any) -> bool:
        """Whether a number or text of the input can be read off the instruction."""
        if isinstance(value, bool) or value is None:
            return True
        if isinstance(value, (int, float)):
            return abs(value) in self.known or self._states_number(Fraction(str(value)))
        bare = _bare(value)
        return not bare or bare in self.letters or all(self._states_word(w) for w in value.split())

    def _states_word(self, word: str) -> bool:
        bare = _bare(word)
        numbers = [Fraction(found.replace(",", "")) for found in _NUMBER.findall(word)]
        if numbers and all(n in self.numbers or n in self.known for n in numbers):
            return True
        return bare in self.letters

    def _states_number(self, value: Fraction) -> bool:
        value = abs(value)
        if any(value * n in self.numbers or value / n in self.numbers for n in self.known - {0, 2}):
            return True
        # a growth factor of 1.08 for 8 percent, or the share that is left: 70 percent for 30
        shares = {100 * abs(1 - value), 1 - value, 100 - value}
        return 100 in self.known and bool(shares & self.numbers)


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
            if not may_spell(words[end - 1]):
                break
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
        if isinstance(output, bool) or output is None:
            return keep()
        written = output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)
        announced = rf"{_GIVES_AWAY}[^\w.?!\[{{-]{{0,4}}{re.escape(written)}(?!\w|[.,]\d)"
        if re.search(announced, reading.text, re.IGNORECASE):
            return reject(Reason.LEAKS_ANSWER, written[:100])
        if isinstance(output, (list, dict)) or len(written) <= _SHORT_ANSWER:
            return keep()
        if written not in set(map(str, leaves(reading.inputs))) and self._states(reading, output):
            return reject(Reason.LEAKS_ANSWER, written[:100])
        return keep()

    def _states(self, reading: Reading, output: Any) -> bool:
        """Whether the answer stands in the text, other than by chance or as a choice to be made."""
        if isinstance(output, str):
            telling = len(output.split()) > 1 or re.search(r"\d", output)
            found = re.search(rf"(?<!\w){re.escape(output)}(?!\w)", reading.text, re.IGNORECASE)
            return bool(telling and found)
        digits = {Fraction(n.replace(",", "")) for n in _NUMBER.findall(reading.text)}
        return abs(output) not in reading.known and abs(Fraction(str(output))) in digits


CHECKS = (HidesTheProgram(), Asks(), AsksOnce(), KeepsItsAnswer(), StatesItsInput())


def judge_instruction(problem: Problem) -> Verdict:
    """Applies every check to a problem's instruction; the first rejection counts."""
    reading = Reading(problem)
    return next((v for check in CHECKS if not (v := check(reading)).kept), keep())


@dataclass(kw_only=True)
class FilterInstructions(Filter):
    """PCollection[Problem] -> Outcome of Problem: those whose instruction can be answered."""

    name: str = "answerable"
    checks: tuple[Named, ...] = (judge_instruction,)

    reads: ClassVar[type] = Problem

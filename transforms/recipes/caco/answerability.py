"""Answerability: instructions that cannot be solved as they stand are dropped before it is tried.

Each check is cheap and looks at words alone. What an instruction states is read generously (units
converted, numbers in words, dates, what everybody knows), since a sound one that is dropped was
paid for; what slips through costs attempts, and is then dropped for want of agreement.
"""

from __future__ import annotations

import ast
import json
import math
import re
from calendar import monthrange
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from functools import cached_property
from typing import Any, ClassVar

from transforms.engine.accounting import Verdict, keep, reject
from transforms.engine.records import Problem
from transforms.engine.stage import Filter, Named
from transforms.programs import form
from transforms.programs.source import source_of
from transforms.text.answers.calendar import read_date
from transforms.text.answers.lexicon import MONTHS, WORDINGS, either
from transforms.text.stated import (
    Mention,
    Stated,
    asked_unit,
    same_kind,
    stated,
    unit_in_name,
    units_in_name,
    weekday_ranges,
)


class InstructionReason(StrEnum):
    """Why an instruction cannot be solved as it stands."""

    LEAKS_CODE = "leaks_code"
    LEAKS_ANSWER = "leaks_answer"
    MISSING_INPUT_VALUE = "missing_input_value"
    SEVERAL_QUESTIONS = "several_questions"
    NOT_A_QUESTION = "not_a_question"
    OTHER_UNIT = "other_unit"


_CODE = re.compile(
    r"```|\{['\"]\w+['\"]: |\bdef \w+\(|\bsolution\(|\breturn \w+$|^\s*(?:input|output)\s*="
    r"|\bpython\b|\b(?:the|this|following|given|above|below) (?:program|code snippet)\b"
    r"|\b(?:the|this) (?:code|function) (?:computes|calculates|returns|takes|prints|above|below)\b"
    r"|\b(?:write|implement|define|complete|create|design) (?:a|an|the|this) (?:\w+ ){0,2}?"
    r"(?:function|program|script|algorithm|method|class)\b|^\W*implement\b"
    r"|\b(?:according to|based on|as in|following|in) the (?:code|program|script|function)\b"
    r"|\b(?:ignore|disregard|forget) (?:all |any |the |your )*"
    r"(?:previous|prior|above|earlier|instructions?)\b"
    r"|\b(?:does|did|will|would) (?:the|this) (?:code|function|program|script)"
    r" (?:return|print|output)\b|\bdid it print\b|\bthe (?:code|program) that (?:was|is)\b",
    re.MULTILINE | re.IGNORECASE,
)
_DEMANDS = either("demands")
_ASKS = re.compile(
    # where a sentence or a clause begins: within one, these words tell rather than ask
    rf"(?:^|[.!?:;,)\n]|\b(?:and|then|please|must|should))\s*[\"“*]*(?:{_DEMANDS})\b"
    r"|\bhow (?:many|much|long|far|old|often|tall|wide|fast)\b"
    r"|[？؟]|구하|계산하|多少|几|幾|求|什么|计算|計算|いくつ|いくら|何|求め|كم|ما هو|احسب|أوجد"
    r"|\b(?:wie ?viele?|berechne|bestimme|welche[rsn]?|combien|quel(?:le)?s?|calcule[rz]?"
    r"|trouve[rz]?|cuánt[oa]s?|cuál|calcul[ae]|encuentra|halla|сколько|найдите|вычислите|какой|чему)\b",
    re.IGNORECASE,
)
_REFUSES = re.compile(r"\W*(?:I'm sorry|I am sorry|sorry|as an AI|I can(?:not|'t))\b", re.I)
_PART = re.compile(r"(?:^|\s)\(?(?:b|ii|2)\)\s", re.IGNORECASE)
_FIRST_PART = re.compile(r"(?:^|\s)\(?(?:a|i|1)\)\s", re.IGNORECASE)
_SECOND_QUESTION = re.compile(
    r"(?:,? and|;|\balso\b,?) (?:also )?(?:how (?:many|much|long|far|old|often)"
    r"|what (?:is|are|was|were|share|part|fraction|percentage)|find|calculate|compute|determine)\b"
    r"|\bund (?:wie ?viel|was|welche)|\bet (?:combien|quel)|\by (?:cuánt|cuál)|\bи (?:сколько|как)",
    re.IGNORECASE,
)
_COMMANDS = re.compile(
    r".*(?:求|计算|計算)|\W*(?:(?:please|then|also|finally|next|now|and|moreover)[,\s]+)*(?:find|calculate|compute"
    r"|determine|work out|evaluate|count|berechne|bestimme|calcule[rz]?|trouve[rz]?|calcula|halla"
    r"|encuentra|найдите|вычислите|определите|احسب|أوجد)\b"
    r"(?!\s+(?:it|this|them|these|that|your|the (?:answer|result))\b)"
    r"|\W*(?:also|then|next|additionally|furthermore|moreover)[,\s]+(?:please\s)?"
    r"(?:state|give|write|name|list|say|tell)\b(?!.*\b(?:it|your|answer|result)\b)",
    re.IGNORECASE,
)
_ONCE_MORE = re.compile(r"How (?:many|much|long)(?: \w+)? (?:is|are) (?:there|it|that)\?")
"""A question that repeats a demand before it: Count the pieces. How many are there?"""
_WRITES = re.compile(
    r"\W*(?:state|give|write|name|list)\b(?!.*\b(?:it|this|your|answer|result|these|them|that)\b)",
    re.I,
)
"""A demand where a question follows; after one it says how to answer."""
_TWO_VALUES = re.compile(
    r"\b(?:find|calculate|compute|determine|what (?:is|are)) (?:both )?the (?:total |\w+est )?"
    r"(?!sum|product|difference|ratio|average|number|first|last)\w+ and (?:also )?the \w+",
    re.IGNORECASE,
)
_QUESTION_MARK = re.compile(
    r"[\w=%°][)\]]?\s?\?(?=\W|$|[^\x00-\xff])|か。|か$"
)  # not the ? of 4?82
_MARKS = str.maketrans("？؟！", "??!")
_QUOTED = re.compile(r"[\"“«「][^\"”»」]*[\"”»」]")
_GIVES_AWAY = (
    # not: if there is none, answer 0
    r"(?:(?<!, )(?<!, the )\b(?:answer|result|output|solution|hint|expected|antwort|lösung|ergebnis"
    r"|réponse|résultat|respuesta|resultado|ответ)s?\b"
    r"[^.?!]{0,40}?(?::|=|—|\b(?:is|are|be|equals?|ist|lautet|est|es|равен)\b)"
    r"|(?:答案|结果)[是为：:]+|答えは|(?:الجواب|الإجابة|الناتج)(?: هو| هي|:)"
    r"|\b(?:show|prove|verify|confirm|check) that\b[^.?!]{0,200}?)"
)
"""What announces the answer itself, even one that is short enough to stand in a text by chance."""
_TOLD = re.compile(
    r"[?？]\W*(?:yes|no|true|false|是的?|不是|ja|nein|oui|non|sí|да|нет|نعم|لا)\b", re.I
)
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?|\.\d+")
_EVERYDAY = [(re.compile(text), values, key) for text, values, key in WORDINGS["everyday"]]
"""What a reader knows of what a text speaks of: words of the text, values, words of the key."""
_SHARE = re.compile(
    r"percent|pct|share|rate|frac|ratio|prob|chance|factor|part|growth|discount|multipl|tax|off"
    r"|interest|(?:^|_)p(?:_|$)"
)
_UNSAID = WORDINGS["unsaid"]
"""Words by which a text may speak of 0, 1 and 2 without a number."""
_VAGUE = re.compile(
    r"\b(?:some|several|(?<!as )(?<!how )(?<!so )(?<!too )many|a few|various"
    r"|a (?:certain |large )?number of)\b(?! of (?:the|them|these))"
)
"""An amount that is left open."""


@dataclass(frozen=True)
class Reading:
    """An instruction with what it states, read once for all checks."""

    problem: Problem

    @property
    def text(self) -> str:
        return self.problem.instruction

    @cached_property
    def stated(self) -> Stated:
        return stated(self.text)

    @cached_property
    def letters(self) -> str:
        """The text in lower case, without what only shapes it."""
        return _bare(self.text)

    @cached_property
    def everyday(self) -> tuple[tuple[Sequence[int], str], ...]:
        """Numbers that a reader of this text knows without being told, with words of their keys."""
        plain = self.stated.plain
        known = [(values, key) for words, values, key in _EVERYDAY if words.search(plain)]
        return (*known, (tuple(weekday_ranges(self.text)), "day"))

    @cached_property
    def inputs(self) -> Any:
        return json.loads(self.problem.input or "{}")

    def states(self, value: Any, key: str = "") -> bool:
        """Whether a number or text of the input can be read off the instruction.

        Args:
            key: the input's key; it says what the value counts.
        """
        if isinstance(value, bool) or value is None:
            return True
        if isinstance(value, (int, float)):
            if not math.isfinite(value):
                return True  # nobody writes infinity down
            exact, near = Fraction(str(value)), Fraction(value).limit_denominator(100)
            number = near if abs(near - exact) < 1e-9 else exact  # 0.3333333333 is a third
            return self._states_number(abs(number), key.lower())
        return self._states_text(value, key.lower())

    def _states_text(self, value: str, key: str) -> bool:
        bare = _bare(value)
        if not bare or bare in self.letters:
            return True
        clock = re.fullmatch(r"(\d{1,2}):(\d{2})(?::00)?", value)
        if clock and (int(clock[1]) % 12, int(clock[2])) in self.stated.clocks:
            return True
        if value.isdecimal() and self.states_sequence([int(digit) for digit in value]):
            return True
        return all(self._states_word(word, key) for word in value.split())

    def _states_word(self, word: str, key: str) -> bool:
        numbers = [Fraction(found.replace(",", "")) for found in _NUMBER.findall(word)]
        if numbers and all(
            number in self.stated.numbers or self._states_number(number, key) for number in numbers
        ):
            return True
        return _bare(word) in self.letters

    def states_sequence(self, items: list[Any]) -> bool:
        """Whether a list is stated as a range, "from 1 to 4", or as the digits of a number."""
        if len(items) < 2 or not all(type(item) is int for item in items):
            return False
        if items == list(range(items[0], items[-1] + 1)):
            return (items[0], items[-1]) in self.stated.ranges
        return all(0 <= item < 10 for item in items) and (
            "".join(map(str, items)) in self.stated.digits
        )

    def _states_number(self, value: Fraction, key: str) -> bool:
        mentions, unit = self.stated.mentions, unit_in_name(key)
        if any(m.states(value, unit) and _counts(m, key) for m in mentions):
            return True
        if value.denominator == 1 and value > 9 and str(value) in self.stated.sequences:
            return True
        if any(value in values and re.search(words, key) for values, words in self.everyday):
            return True
        if value in _UNSAID and not _VAGUE.search(self.stated.plain):
            return re.search(_UNSAID[int(value)], self.stated.plain) is not None
        share = _SHARE.search(key) and value in self._shares
        return bool(share) or self._is_constant(value, key)

    @cached_property
    def _shares(self) -> frozenset[Fraction]:
        """What is left of a share, and the factor by which it changes: 1.08 for 8 percent more."""
        shares = {v for m in self.stated.mentions for v in m.values if 0 < v < 1}
        shares |= {v / 100 for m in self.stated.mentions if m.unit == "percent" for v in m.values}
        both = {share for v in shares for share in (v, 1 - v, 1 + v)}
        return frozenset(both | {100 * share for share in both})

    def _is_constant(self, value: Fraction, key: str) -> bool:
        """Whether a value is how many of one unit make another, or belongs to the calendar."""
        if value == units_in_name(key):
            return True
        named = {MONTHS[word] for word in self.stated.plain.split() if word in MONTHS}
        days = {Fraction(monthrange(year, m)[1]) for m in named for year in (2023, 2024)}
        return "day" in key and value in days


def _counts(mention: Mention, key: str) -> bool:
    """Whether a mention counts something, or is a name (room 12) that its key names, too."""
    parts = re.split(r"[^a-z]+", key)
    return not mention.label or any(
        len(part) > 2 and part.rstrip("s") in mention.label for part in parts
    )


def _bare(text: str) -> str:
    return re.sub(r"[^\w#.*+-]+", "", text.lower())


def leaves(value: Any) -> Iterator[Any]:
    """Yields the numbers, texts and truth values in an input, however nested; keys left out."""
    if isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from leaves(inner)
    else:
        yield value


def hides_program(reading: Reading) -> Verdict:
    """Rejects instructions that show or speak of the program: a reader must not need it."""
    if code := _CODE.search(reading.text):
        return reject(InstructionReason.LEAKS_CODE, code.group().strip())
    named = [key for key in _keys(reading.inputs) if "_" in key and key in reading.text]
    return reject(InstructionReason.LEAKS_CODE, f"variable {named[0]}") if named else keep()


def _keys(inputs: Any) -> list[str]:
    return sorted(inputs) if isinstance(inputs, dict) else []


def asks(reading: Reading) -> Verdict:
    """Rejects texts that ask and demand nothing."""
    if not _REFUSES.match(reading.text) and ("?" in reading.text or _ASKS.search(reading.text)):
        return keep()
    return reject(InstructionReason.NOT_A_QUESTION, reading.text[-80:])


def asks_once(reading: Reading) -> Verdict:
    """Rejects instructions with several questions: only one of them has an answer to hold to."""
    second = _second_demand(reading)
    return reject(InstructionReason.SEVERAL_QUESTIONS, second[:100]) if second else keep()


def _second_demand(reading: Reading) -> str:
    text = _QUOTED.sub("", reading.text).translate(_MARKS)  # what somebody says is not asked
    if (marks := len(_QUESTION_MARK.findall(text))) > 1:
        return f"{marks} question marks"
    if _FIRST_PART.search(text) and _PART.search(text):
        return "parts (a) and (b)"
    sentences = re.split(r"(?<=[.!?])\)?\s+(?=[¿\"“(]?[^\W\d_a-z])|(?<=[。])", text.strip())
    asking = [
        sentence
        for sentence in sentences
        if (_QUESTION_MARK.search(sentence) and not _ONCE_MORE.fullmatch(sentence))
        or _COMMANDS.match(sentence)
    ]
    written = any(map(_WRITES.match, sentences[:-1])) and sentences[-1:] == asking[-1:]
    if len(asking) > 1 or written:
        return asking[-1]
    further = _SECOND_QUESTION.search(sentences[-1])
    if further and _ASKS.search(sentences[-1][: further.start()]):
        return further.group().strip()
    both = _TWO_VALUES.search(text)
    return both.group() if both and (reading.problem.output or "")[:1] not in '[{"' else ""


def states_input(reading: Reading) -> Verdict:
    """Rejects instructions that leave out a value which the program was given."""
    for key in _keys(reading.inputs):
        if missing := list(_missing(reading, key, reading.inputs[key])):
            return reject(InstructionReason.MISSING_INPUT_VALUE, f"{key}: {missing[0]}"[:200])
    return keep()


def _missing(reading: Reading, key: str, value: Any) -> Iterator[Any]:
    """Yields the values below a key that an instruction does not state."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _missing(reading, f"{key}_{name}", inner)
    elif isinstance(value, list):
        if not reading.states_sequence(value):
            for inner in value:
                yield from _missing(reading, key, inner)
    elif not reading.states(value, key):
        yield value


def keeps_answer(reading: Reading) -> Verdict:
    """Rejects instructions that state their own answer."""
    output = json.loads(reading.problem.output or "null")
    if isinstance(output, bool) or output is None:
        told = isinstance(output, bool) and _TOLD.search(reading.text)
        return reject(InstructionReason.LEAKS_ANSWER, told[0]) if told else keep()
    written = output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)
    if _announces(reading, output, written) or _states(reading, output, written):
        return reject(InstructionReason.LEAKS_ANSWER, written[:100])
    return keep()


def _announces(reading: Reading, output: Any, written: str) -> bool:
    """Whether a text says that this is the answer, in digits or in words."""
    # a pattern of its own takes long to compile, and few texts hold their answer
    if written.casefold() in reading.text.casefold() and re.search(
        rf"{_GIVES_AWAY}[^\w.?!\[{{-]{{0,4}}{re.escape(written)}(?!\w|[.,]\d)",
        reading.text,
        re.IGNORECASE,
    ):
        return True
    items = output if isinstance(output, list) else [output]
    if not items or not all(type(item) in (int, float) for item in items):
        return False
    for match in re.finditer(_GIVES_AWAY, reading.text, re.IGNORECASE):
        rest = re.split(r"[.?!](?:\s|$)|[。？！]", reading.text[match.end() :])[0]
        told = [m for m in stated(rest).mentions if m.values]
        near = told and not re.match(r"\W*(?:\w+\W+){4}", rest[: told[0].start])
        pairs = zip(items, told, strict=False)
        if (
            near
            and len(told) >= len(items)
            and all(abs(Fraction(str(item))) in mention.values for item, mention in pairs)
        ):
            return True
    return False


def _states(reading: Reading, output: Any, written: str) -> bool:
    """Whether the answer stands in the text, other than by chance or as a choice to be made."""
    if isinstance(output, (list, dict)) or written in set(map(str, leaves(reading.inputs))):
        return False
    if isinstance(output, str):
        telling = len(output) > 2 and (len(output.split()) > 1 or re.search(r"\d", output))
        found = re.search(rf"(?<!\w){re.escape(output)}(?!\w)", reading.text, re.IGNORECASE)
        return bool(telling and found) or _states_date(reading, output)
    value = abs(Fraction(str(output)))
    return value > 2 and any(
        value in mention.values
        and not (mention.label or mention.sums or _is_used(reading, mention))
        for mention in reading.stated.mentions
    )


def _states_date(reading: Reading, output: str) -> bool:
    """Whether the answer is a date that the text states in other words, other than as input."""
    date = read_date(output)
    given = {read_date(leaf) for leaf in leaves(reading.inputs) if isinstance(leaf, str)}
    words = reading.text.split() if date and date not in given else []
    return any(
        read_date(" ".join(words[at : at + size]).strip(".,;?!")) == date
        for at in range(len(words))
        for size in (1, 3, 4)
    )


def _is_used(reading: Reading, mention: Mention) -> bool:
    """Whether a mention, or the sum that it is part of (2 m 30 cm), states a value of the input, in
    this unit or in another."""
    around = [
        m for m in reading.stated.mentions if m.start <= mention.start and mention.end <= m.end
    ]
    return any(
        type(leaf) in (int, float) and any(m.states(abs(Fraction(str(leaf)))) for m in around)
        for leaf in leaves(reading.inputs)
    )


def asks_for_what_is_computed(reading: Reading) -> Verdict:
    """Rejects instructions that ask for hours where the program returns minutes."""
    asked = asked_unit(reading.text)
    computed = _computed_unit(reading.problem.code) if asked else ""
    if asked != computed and same_kind(asked, computed):
        return reject(InstructionReason.OTHER_UNIT, f"asks for {asked}s, computes {computed}s")
    return keep()


def _computed_unit(code: str) -> str:
    """The unit in the name of what `solution` returns (`total_minutes`: minute); "" for none."""
    try:
        function = form.solution_of(source_of(code).tree)
    except form.Unparsable:
        return ""
    returns = [n.value for n in ast.walk(function) if isinstance(n, ast.Return)] if function else []
    value = returns[-1] if returns else None
    if isinstance(value, ast.Call) and value.args:  # round(minutes, 2)
        value = value.args[0]
    name = value.id if isinstance(value, ast.Name) else ""
    return unit_in_name(name)


CHECKS = (hides_program, asks, asks_once, keeps_answer, states_input, asks_for_what_is_computed)


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
    reasons: ClassVar[Iterable[str]] = InstructionReason

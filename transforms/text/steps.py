"""Steps of a worked solution: whether the equations that it writes are true.

A right answer at the end does not make a step right: 2 × 19 = 37 may be followed by the sum of a
correct calculation. Solutions are free text in many notations, and many equations can be read in
more than one way: 1,5 as 1.5, 20% as 0.2 or as 20, 1/2 ÷ 1/3 with or without parentheses. An
equation is false only where no reading makes it true and nothing around it leaves doubt.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache

from transforms.text.answers.lexicon import either, wordings
from transforms.text.equations import EXACT, JOINS, begin_of, end_of
from transforms.text.expressions import Mode, Side, agree, conversions, evaluated, side_of
from transforms.text.measures import is_measure, joined
from transforms.text.notation import MARKS, Token, tokens_of
from transforms.text.stated import stated

_TEXT_CAP = 50_000  # characters
_CLAUSE_CAP = 300
"""Characters; nobody writes a longer calculation in words."""
_ANNOTATION = re.compile(r"<<([^<>\n]*)>>")
_BELONGS_BEFORE = re.compile(
    r"(?:%|\b(?:half|halves|thirds?|quarters?|(?:fou|fif|six|seven|eigh|nin|ten|hundred)r?ths?|percent|times|multiples?|square|cube|root|sum"
    r"|product|difference|quotient|average|mean|power|factor|rest|remainder|fraction|part|share"
    r"|each|double|triple|twice|out|number|ratio|log\w*|most|some|all|one|\d+)) of\W*\Z"
    r"|\b(?:multipl|divi[ds])\w+ by\W*\Z"
    r"|\b(?:many|much|long|old|far|tall|big|large|heavy|high) as\W*\Z"
    r"|\b(?:sum|product|between|difference|average|add|both)\b[^.!?\n]*\band\W*\Z"
    r"|\bto the\W*\Z"
    r"|\b(?:from|between|half|twice|double|triple|thrice|squared?|cube|root|factorial|product"
    r"|log|ln|than|versus|vs|not|sin|cos|tan|base)\W*\Z",
    re.IGNORECASE,
)
"""Words that take what follows into a calculation that began earlier: half of 20 + 4 = 14."""
_DENIED = re.compile(
    r"\b(?:not (?:true|correct|right|the case)|untrue|false|(?:wrong|incorrect|mistaken)(?:ly)?"
    r"|instead of|rather than)\b[^.!?;\n]*\Z|\b(?:suppose|assume|imagine|if)(?: that)?\W*\Z",
    re.I,
)
"""Words before an equation that is not claimed."""
_BELONGS_AFTER = re.compile(
    r"[\s,($]*(?:with\s+)?(?:a\s+)?(?:times\s+(?:as|more|the)|divided|multiplied|over|remainder|rem"
    r"|rest|r|R|Rest|余|am|pm|a\.m|p\.m|o'clock|in\s+(?:base|binary|hex|octal)|or\s+\d|to\s+\d"
    r"|\.\.\.)(?![^\W\d_])"
)
"""What makes the last number another one: 3 remainder 2, 3 o'clock."""
_OTHER_BASES = re.compile(
    r"\bbase[-\s]?(?:\d+|\$?_|two|three|five|six|seven|eight|nine|twelve|sixteen)\b|\bbinary\b"
    r"|\boctal\b|\bhexadecimal\b|\bxor\b|\bbitwise\b|⊕|\\oplus",
    re.IGNORECASE,
)
_WRAPS = re.compile(r"\bmod|clock|midnight|noon|weekday|day of the week|wrap|cycl|≡|\\equiv", re.I)
_ROUNDS = re.compile(
    r"\bround(?:ed|ing|s)?\s(?:to|off)|nearest|approx|\babout\b|rough|almost|nearly"
    r"|estimat|≈",
    re.I,
)
_SENTENCE = re.compile(r"[.?!](?=\s)|\n")
_N = r"[$€£]?(\d[\d,]*(?:\.\d+)?)(?:\s(?!and|to|from|by|is|we|you|and)[^\W\d_]+)?"
_CLAIM = r"(?=,?\s(?:is|are|gives|equals|makes|(?:to|we|you)\sget|=)\s[^-−])"
_SPOKEN = [
    (re.compile(pattern.format(N=_N, C=_CLAIM), re.I), signs)
    for pattern, signs in wordings()["spoken"]
]
"""Calculations in words -> with signs: the sum of 3 and 4, 7 ÷ 2 = 3 remainder 1."""
_OPERATIONS = re.compile(
    rf"\b(?:{either('times', 'over', 'plus', 'minus')}|per"
    r"|(?:half|third|quarter|sum|product|difference|quotient) (?:of|between))\b"
    r"|[加减減乘除]|足す|引く|かける|掛ける|割る",
    re.I,
)
_GROUP = re.compile(r"\d, \d{3}(?!\d)")
_ASKED = re.compile(r"[^.!;=\n]*\?")
_CLAUSE = re.compile(r"[^.!?;=\n。！？；]+")
_WORKING = (1.4, 2.0)
"""How many times longer weeks and days are than weeks of five days and days of twelve hours."""
_CLOCKS = (7, 12, 24, 60, 360)
_LOOSE = frozenset(["gives", "is", "arrow", "colon", "cell"])
_LABELS = re.compile(
    r"so|that|thus|hence|then|therefore|have|get|because|since|as|and|or|check|but|indeed",
    re.IGNORECASE,
)
"""What a lone number may stand after, on the left: elsewhere it is a label, as in Day 2 = 3 × 4."""
_LENGTHS = re.compile(
    r"\s*(?:\w+\s+)?(?:long|wide|high|tall|deep|old|away|apart|each|of|out|times|to)\b"
)
_MODULUS = re.compile(r"[\s,$})\\]*\(?\s*\\?[bp]?mod(?:ulo)?\s*[{(]?\s*(\d+)")
_RESULTS = re.compile(
    r"^\s*\|.*\b(?:result|value|total|answer|sum|product|amount|gives)\b", re.I | re.M
)
"""A table's head that says what its numbers are."""


@lru_cache(maxsize=4096)  # each attempt is judged round by round, thousands beside each other
def false_step(solution: str) -> str | None:
    """Returns the first equation of a solution that no reading makes true; None for none.

    Reads the first 50,000 characters, in linear time.
    """
    text = solution[:_TEXT_CAP].translate(MARKS)
    if not text.isascii():
        text = "".join(
            str(unicodedata.decimal(c)) if ord(c) > 127 and c.isdecimal() else c for c in text
        )
    text = _ANNOTATION.sub(lambda match: " " * len(match.group()), text) + "".join(
        f"\n{match[1]}" for match in _ANNOTATION.finditer(text)
    )
    text = _with_signs(text)
    if _OTHER_BASES.search(text):
        return None
    return next(_false_equations(text), None)


def _with_signs(text: str) -> str:
    """Writes calculations in words with digits and signs: twelve times five, the sum of 3 and 4."""
    text = _CLAUSE.sub(
        lambda clause: (
            stated(clause[0]).plain
            if len(clause[0]) < _CLAUSE_CAP
            and len(re.findall(r"\d+", clause[0])) < 2
            and _OPERATIONS.search(clause[0])
            else clause[0]
        ),
        text,
    )
    for pattern, written in _SPOKEN:
        text = pattern.sub(written, text)
    return text


def _is_false_conversion(
    left: Side, right: Side, tokens: Sequence[Token], at: int, finish: int, text: str
) -> bool:
    """Whether two plain quantities are not the same, as in 5 km = 500 m, by what may be a slip.

    Hours of a working day and the scale of a map are further off.
    """
    numbers = [side.plain for side in (left, right) if side.plain]
    compound = any(re.search(r"[^\W\d_]", text[n.start : n.end]) for n in numbers)
    if len(numbers) < 2 or not (compound or left.units ^ right.units or left.signs ^ right.signs):
        return False
    after = tokens[finish + (tokens[finish : finish + 1] != [] and tokens[finish].kind == "word") :]
    if after and after[0].kind not in (*EXACT, "end", "comma", "arrow", "close"):
        return False  # more than a quantity
    sized = conversions(left, right, {}, 0.05 if tokens[at].kind == "approx" else 0.0)
    off = [max(ratio, 1 / ratio) for ratio, _ in sized if ratio > 0]
    slip = all(r < 2.6 and r not in _WORKING or round(math.log10(r), 6) in (1, 2, 3) for r in off)
    return slip and bool(off) and all(abs(ratio - 1) > slack for ratio, slack in sized)


def _false_equations(text: str) -> Iterator[str]:
    tokens = joined(tokens_of(text))
    known: dict[str, float] = {}
    rows: list[tuple[bool, str]] = []
    chain: list[Side] = []
    chain_start = reached = start_of_right = -1
    for at, token in enumerate(tokens):
        if token.kind not in EXACT and token.kind not in _LOOSE:
            continue
        begin, finish = begin_of(tokens, at), end_of(tokens, at + 1)
        linked = token.kind in EXACT and reached == at and begin == start_of_right
        left = side_of(tokens[begin:at])
        unit = tokens[finish : finish + 1] if finish < len(tokens) else []
        right = side_of([*tokens[at + 1 : finish], *(t for t in unit if t.kind == "word")])
        if not linked:
            chain, chain_start = [left] if left else [], begin
        if token.kind in _LOOSE:
            claims = left and right and _claims(token, left, right, tokens, begin, finish, text)
            if left and right and claims:
                shown = text[tokens[begin].start : tokens[finish - 1].end]
                agree = _agrees([left], right, known, token, text)
                if token.kind == "cell":
                    rows.append((agree, shown))
                elif not agree and not _in_doubt(tokens, begin, finish, text):
                    yield " ".join(shown.split())
            continue
        reached, start_of_right = finish, at + 1
        if left and right and _is_false_conversion(left, right, tokens, at, finish, text):
            end = min(finish + 1, len(tokens))
            if not _in_doubt(tokens, begin, end, text, linked):
                yield " ".join(text[tokens[begin].start : tokens[end - 1].end].split())
        elif left and right and (left.calculates or right.calculates):
            doubt = not chain or (not linked and _is_label(left, right, tokens, begin, text))
            modulus = _MODULUS.match(text, tokens[finish - 1].end)
            if not (
                doubt
                or _agrees(chain, right, known, token, text, int(modulus[1]) if modulus else 0)
                or _in_doubt(tokens, begin, finish, text, linked)
            ):
                yield " ".join(text[tokens[chain_start].start : tokens[finish - 1].end].split())
        chain_start = chain_start if chain else at + 1
        chain = [*chain, right] if right else []
    if any(agree for agree, _ in rows) or _RESULTS.search(text):
        yield from (" ".join(shown.split()) for agree, shown in rows if not agree)


def _claims(
    token: Token,
    left: Side,
    right: Side,
    tokens: Sequence[Token],
    begin: int,
    finish: int,
    text: str,
) -> bool:
    """Whether a word, an arrow, a colon or a cell says what a calculation comes to."""
    if not left.calculates or right.plain is None:
        return False
    signs = {text[t.start : t.end] for t in left.tokens if t.kind in ("op", "frac", "raised")}
    ranges = signs <= {"-", "–", "/"}
    if signs == {"/"} and 0 < evaluated(left, Mode(), {}) < 1:
        return False  # 4/7 is equal to $24
    after = tokens[finish] if finish < len(tokens) else None
    if token.kind == "cell":
        before = tokens[begin - 1] if begin else None
        ends = (
            before is None or before.kind in ("end", "cell"),
            after is None or after.kind in ("end", "cell"),
        )
        return all(ends) and not ranges
    if after is not None and after.kind in ("op", "open", "call", "colon", *EXACT):
        return False
    if [t.kind for t in tokens[finish : finish + 2]] == ["comma", "number"]:
        return False  # the first of a list
    if token.kind == "gives" and "leav" in token.text:
        return bool(signs & {"-", "–", "−", "minus"})
    if token.kind == "gives" or (token.kind == "arrow" and signs != {"/"}):
        return True
    if ranges or _LENGTHS.match(text, tokens[finish - 1].end):
        return False
    return token.kind == "is" or not (left.units or right.units)


def _is_label(left: Side, right: Side, tokens: Sequence[Token], begin: int, text: str) -> bool:
    """Whether a left side names what is calculated: Day 2 = 3 × 4, 8 batches = 5.5 × 8, 1/4 = 24,
    weeks 1-2 = 40 + 30."""
    before = tokens[begin - 1] if begin else None
    named = before is not None and before.kind == "word" and not _LABELS.fullmatch(before.text)
    if left.calculates:
        shown = text[left.tokens[0].start : left.tokens[-1].end]
        if re.match(r"\d+/\d+(?! ?[-+*×·÷])", shown) and 0 < evaluated(left, Mode(), {}) < 1:
            return evaluated(right, Mode(), {}) >= 1
        weeks = re.fullmatch(r"(\d{1,9})-(\d{1,9})", shown)
        return named and weeks is not None and int(weeks[1]) < int(weeks[2])
    counted = left.plain if left.units else None
    return named or (counted is not None and counted.values in {n.values for n in right.numbers})


def _in_doubt(
    tokens: Sequence[Token], begin: int, finish: int, text: str, linked: bool = False
) -> bool:
    """Whether what stands around an equation may belong to it."""
    first, before = tokens[begin], tokens[begin - 1] if begin else None
    if not linked and before is not None:
        if first.kind == "op" and before.kind not in ("end", "open", *EXACT):
            return True
        if before.kind == "comma" and _GROUP.match(text, before.start - 1):  # 14, 400
            return True
        if before.kind in ("number", "var", "close", "op", "percent", "bang", "pi", "raised"):
            return True
        if before.kind == "word":
            further = tokens[begin - 2].kind if begin > 1 else "end"
            each = before.text in ("each", "left", "total", "apiece")
            if further == "op":
                return True
            mixed = before.text == "and" and first.end < len(text) and text[first.end] == "/"
            if further == "number" and not each and (mixed or not JOINS.fullmatch(before.text)):
                return True
            lead = text[max(0, first.start - 80) : first.start]
            if _BELONGS_BEFORE.search(lead) or _DENIED.search(lead):
                return True
    if _BELONGS_AFTER.match(text, tokens[finish - 1].end):
        return True
    after = tokens[finish : finish + 4]
    if _ASKED.match(text, tokens[finish - 1].end):
        return True
    if after and after[0].kind in ("number", "var", "call", "frac", "root", "op"):
        return True
    kinds = [token.kind for token in after if token.text != "and"]
    compound = kinds[:2] == ["word", "number"] and is_measure(after[0].text)
    return compound and not (kinds[2:] and kinds[2] in ("op", "percent", *EXACT))


def _agrees(
    chain: Sequence[Side],
    right: Side,
    known: dict[str, float],
    relation: Token,
    text: str,
    modulus: int = 0,
) -> bool:
    """Whether a side equals one before it, or only its first number does: 6 + 4 = 10 × 2 = 20."""
    sides = [right]
    first = right.tokens[0]
    if right.calculates and first.kind == "number" and (lead := side_of([first])):
        sides.append(lead)
    lenient = 0.05 if relation.kind == "approx" else 0.0
    if any(agree(left, side, known, lenient) for left in chain for side in sides):
        return True
    if relation.text in ("≡", "\\equiv") and not modulus:
        return True
    before = text[max(0, chain[-1].tokens[0].start - 100) : chain[-1].tokens[0].start]
    after = text[right.tokens[-1].end : right.tokens[-1].end + 100]
    around = _SENTENCE.split(before)[-1] + _SENTENCE.split(after)[0]
    plain, mode = Mode(), Mode()
    a, b = evaluated(chain[-1], mode, known), evaluated(right, plain, known)
    if modulus and a == round(a) and b == round(b):
        return (a - b) % modulus == 0
    if right.plain is not None and _ROUNDS.search(around):
        zeros = len(right.plain.text) - len(right.plain.text.rstrip("0"))
        whole = right.plain.decimals[0] == 0 and zeros
        slack = 10.0**zeros if whole else (10.0 ** -right.plain.decimals[0] if a != round(a) else 0)
        return abs(a - b) <= slack
    return _WRAPS.search(around) is not None and any((a - b) % n == 0 for n in _CLOCKS)

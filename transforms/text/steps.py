"""Steps of a worked solution: whether the equations that it writes are true.

A right answer at the end does not make a step right: 2 × 19 = 37 may be followed by the sum of a
correct calculation. Solutions are free text in many notations, and many equations can be read in
more than one way: 1,5 as 1.5, 20% as 0.2 or as 20, 1/2 ÷ 1/3 with or without parentheses. An
equation is false only where no reading makes it true and nothing around it leaves doubt.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from transforms.text.answers.latex import with_ascii_digits
from transforms.text.answers.lexicon import WORDINGS, either
from transforms.text.equations import EXACT, JOINS, begin_of, end_of
from transforms.text.expressions import Mode, Side, agree, conversions, evaluated, may_hold, side_of
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
    for pattern, signs in WORDINGS["spoken"]
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
_COMPARES: dict[str, Callable[[float, float], bool]] = {
    **dict.fromkeys((">", "\\gt"), operator.gt),
    **dict.fromkeys(("<", "\\lt"), operator.lt),
    **dict.fromkeys((">=", "≥", "\\ge", "\\geq"), operator.ge),
    **dict.fromkeys(("<=", "≤", "\\le", "\\leq"), operator.le),
    **dict.fromkeys(("!=", "≠", "\\ne", "\\neq"), operator.ne),
}
_TRIED = re.compile(rf"(?<![a-zа-я])(?:{either('conditions')})(?![a-zа-я])[^.!?;\n]*\Z", re.I)
"""Words before a comparison that is not claimed."""
_FAILS = re.compile(
    r"[^\w.;\n]*(?:(?:and|but|which|that|it|this|hold|held|is|was|does|did|would|a)\s)*"
    r"(?:no\b|not\b|\w+n't|false|untrue|fails?|wrong|impossible|never|cannot|contradict\w*|[✗✘❌])",
    re.I,
)
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
    text = with_ascii_digits(solution[:_TEXT_CAP].translate(MARKS))
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
            re.sub(r"(?<=\d) -(?=\d)", " minus ", stated(clause[0]).plain)
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


@dataclass(frozen=True)
class _Claim:
    """Two sides that a text says are equal, or compares, and where they stand in it."""

    text: str
    tokens: Sequence[Token]
    begin: int
    """The place of the left side's first token."""
    at: int
    """The place of what stands between the sides."""
    finish: int
    """The place behind the right side."""
    left: Side
    right: Side

    @property
    def sign(self) -> Token:
        return self.tokens[self.at]

    @property
    def before(self) -> Token:
        return self.tokens[self.begin - 1] if self.begin else Token("end", 0, 0)

    @property
    def after(self) -> Sequence[Token]:
        """The next tokens; none at the end of the text."""
        return self.tokens[self.finish : self.finish + 4]

    @property
    def start(self) -> int:
        return self.tokens[self.begin].start

    @property
    def end(self) -> int:
        return self.tokens[self.finish - 1].end

    def shown(self, start: int | None = None) -> str:
        return " ".join(self.text[self.start if start is None else start : self.end].split())


def _false_equations(text: str) -> Iterator[str]:
    tokens = joined(tokens_of(text))
    known: dict[str, float] = {}
    rows: list[tuple[bool, str]] = []
    chain: list[Side] = []
    chain_start = reached = start_of_right = -1
    for at, token in enumerate(tokens):
        compares = _COMPARES.get(token.text) if token.kind == "end" else None
        if token.kind not in EXACT and token.kind not in _LOOSE and not compares:
            continue
        begin, finish = begin_of(tokens, at), end_of(tokens, at + 1)
        linked = token.kind in EXACT and reached == at and begin == start_of_right
        unit = [t for t in tokens[finish : finish + 1] if t.kind == "word"]
        left, right = side_of(tokens[begin:at]), side_of([*tokens[at + 1 : finish], *unit])
        claim = _Claim(text, tokens, begin, at, finish, left, right) if left and right else None
        if compares:
            if claim and _is_false_comparison(claim, compares, known) and not _in_doubt(claim):
                yield claim.shown()
            continue
        if not linked:
            chain, chain_start = [left] if left else [], begin
        if token.kind in _LOOSE:
            if claim and _claims(claim):
                agrees = _agrees(claim, [claim.left], known)
                if token.kind == "cell":
                    rows.append((agrees, claim.shown()))
                elif not agrees and not _in_doubt(claim):
                    yield claim.shown()
            continue
        reached, start_of_right = finish, at + 1
        if claim and _is_false_conversion(claim):
            measured = replace(claim, finish=finish + len(unit))
            if not _in_doubt(measured, linked):
                yield measured.shown()
        elif claim and (claim.left.calculates or claim.right.calculates):
            doubt = not chain or (not linked and _is_label(claim))
            if not (doubt or _agrees(claim, chain, known) or _in_doubt(claim, linked)):
                yield claim.shown(tokens[chain_start].start)
        chain_start = chain_start if chain else at + 1
        chain = [*chain, right] if right else []
    if any(agrees for agrees, _ in rows) or _RESULTS.search(text):
        yield from (shown for agrees, shown in rows if not agrees)


def _is_false_conversion(claim: _Claim) -> bool:
    """Whether two plain quantities are not the same, as in 5 km = 500 m, by what may be a slip.

    Hours of a working day and the scale of a map are further off.
    """
    left, right, after = claim.left, claim.right, claim.after
    numbers = [side.plain for side in (left, right) if side.plain]
    compound = any(re.search(r"[^\W\d_]", claim.text[n.start : n.end]) for n in numbers)
    if len(numbers) < 2 or not (compound or left.units ^ right.units or left.signs ^ right.signs):
        return False
    after = after[1:] if after and after[0].kind == "word" else after
    if after and after[0].kind not in (*EXACT, "end", "comma", "arrow", "close"):
        return False  # more than a quantity
    sized = conversions(left, right, {}, 0.05 if claim.sign.kind == "approx" else 0.0)
    off = [max(ratio, 1 / ratio) for ratio, _ in sized if ratio > 0]
    slip = all(r < 2.6 and r not in _WORKING or round(math.log10(r), 6) in (1, 2, 3) for r in off)
    return slip and bool(off) and all(abs(ratio - 1) > slack for ratio, slack in sized)


def _is_false_comparison(
    claim: _Claim, compares: Callable[[float, float], bool], known: dict[str, float]
) -> bool:
    """Whether sides that calculate, in the same units, do not compare as a text claims that they do
    (<, ≥, ≠); what is a condition, or denied, is not claimed."""
    left, right, text = claim.left, claim.right, claim.text
    alike = left.measures == right.measures and left.signs == right.signs
    calculates = left.calculates or right.calculates
    if not (alike and calculates) or may_hold(left, right, compares, known):
        return False
    tried = _TRIED.search(text, max(0, claim.start - 200), claim.start)
    return not (tried or _FAILS.match(text, claim.end))


def _claims(claim: _Claim) -> bool:
    """Whether a word, an arrow, a colon or a cell says what a calculation comes to."""
    left, right, sign = claim.left, claim.right, claim.sign
    if not left.calculates or right.plain is None:
        return False
    signs = {
        "÷" if claim.text[t.start - 1 : t.end + 1] == " / " else claim.text[t.start : t.end]
        for t in left.tokens
        if t.kind in ("op", "frac", "raised")
    }
    ranges = signs <= {"-", "–", "/"}
    if signs == {"/"} and 0 < evaluated(left, Mode(), {}) < 1:
        return False  # 4/7 is equal to $24
    after = [token.kind for token in claim.after]
    if sign.kind == "cell":
        ends = claim.before.kind in ("end", "cell") and after[:1] in ([], ["end"], ["cell"])
        return ends and not ranges
    if after and after[0] in ("op", "open", "call", "colon", *EXACT):
        return False
    if after[:2] == ["comma", "number"]:
        return False  # the first of a list
    if sign.kind == "gives" and "leav" in sign.text:
        return bool(signs & {"-", "–", "−", "minus"})
    if sign.kind == "gives" or (sign.kind == "arrow" and signs != {"/"}):
        return True
    if ranges or _LENGTHS.match(claim.text, claim.end):
        return False
    return sign.kind == "is" or not (left.units or right.units)


def _is_label(claim: _Claim) -> bool:
    """Whether a left side names what is calculated: Day 2 = 3 × 4, 8 batches = 5.5 × 8, 1/4 = 24,
    weeks 1-2 = 40 + 30."""
    left, right = claim.left, claim.right
    named = claim.before.kind == "word" and not _LABELS.fullmatch(claim.before.text)
    if left.calculates:
        shown = claim.text[left.tokens[0].start : left.tokens[-1].end]
        if re.match(r"\d+/\d+(?! ?[-+*×·÷])", shown) and 0 < evaluated(left, Mode(), {}) < 1:
            return evaluated(right, Mode(), {}) >= 1
        weeks = re.fullmatch(r"(\d{1,9})-(\d{1,9})", shown)
        return named and weeks is not None and int(weeks[1]) < int(weeks[2])
    counted = left.plain if left.units else None
    return named or (counted is not None and counted.values in {n.values for n in right.numbers})


def _in_doubt(claim: _Claim, linked: bool = False) -> bool:
    """Whether what stands around an equation may belong to it."""
    text, tokens, begin, before = claim.text, claim.tokens, claim.begin, claim.before
    first = tokens[begin]
    if not linked:
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
            mixed = before.text == "and" and text[first.end : first.end + 1] == "/"
            if further == "number" and not each and (mixed or not JOINS.fullmatch(before.text)):
                return True
            lead = text[max(0, first.start - 80) : first.start]
            if _BELONGS_BEFORE.search(lead) or _DENIED.search(lead):
                return True
    if _BELONGS_AFTER.match(text, claim.end) or _ASKED.match(text, claim.end):
        return True
    after = claim.after
    if after and after[0].kind in ("number", "var", "call", "frac", "root", "op"):
        return True
    kinds = [token.kind for token in after if token.text != "and"]
    compound = kinds[:2] == ["word", "number"] and is_measure(after[0].text)
    return compound and not (kinds[2:] and kinds[2] in ("op", "percent", *EXACT))


def _agrees(claim: _Claim, chain: Sequence[Side], known: dict[str, float]) -> bool:
    """Whether a side equals one before it, or only its first number does: 6 + 4 = 10 × 2 = 20."""
    text, right = claim.text, claim.right
    sides = [right]
    first = right.tokens[0]
    if right.calculates and first.kind == "number" and (lead := side_of([first])):
        sides.append(lead)
    lenient = 0.05 if claim.sign.kind == "approx" else 0.0
    if any(agree(left, side, known, lenient) for left in chain for side in sides):
        return True
    named = _MODULUS.match(text, claim.end) if claim.sign.kind in EXACT else None
    modulus = int(named[1]) if named else 0
    if claim.sign.text in ("≡", "\\equiv") and not modulus:
        return True
    start, end = chain[-1].tokens[0].start, right.tokens[-1].end
    around = _SENTENCE.split(text[max(0, start - 100) : start])[-1]
    around += _SENTENCE.split(text[end : end + 100])[0]
    a, b = evaluated(chain[-1], Mode(), known), evaluated(right, Mode(), known)
    if modulus and a == round(a) and b == round(b):
        return (a - b) % modulus == 0
    if right.plain is not None and _ROUNDS.search(around):
        zeros = len(right.plain.text) - len(right.plain.text.rstrip("0"))
        whole = right.plain.decimals[0] == 0 and zeros
        slack = 10.0**zeros if whole else (10.0 ** -right.plain.decimals[0] if a != round(a) else 0)
        return abs(a - b) <= slack
    return _WRAPS.search(around) is not None and any((a - b) % n == 0 for n in _CLOCKS)

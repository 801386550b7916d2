"""Finds a language solution's final answer."""

from __future__ import annotations

import re
from fractions import Fraction

from transforms.text.answers.brackets import RATIO
from transforms.text.answers.calendar import read_clock, read_date, read_measured
from transforms.text.answers.latex import fold, plain_characters, tidy
from transforms.text.answers.lexicon import DAYS, HAN, MONTHS, SCALES, UNITS, either, language_of
from transforms.text.answers.quantity import CHANGING, read_quantity
from transforms.text.answers.symbolic import SYMBOLIC_CAP, is_formula, letters_of
from transforms.text.thoughts import visible

TEXT_CAP = 50_000
"""Characters that are read, from the end of a solution; final answers come last."""

_ANSWER_TAG = re.compile(r"<(answer|final_answer|solution)>([^<]{0,12000})</\1>", re.I)
_NEXT_PROBLEM = re.compile(
    r"^[ \t#*]*(?:problem|question|q|instruction|human|user|example)\b[ \t*]*[0-9]{0,3}[ \t*]*:",
    re.I | re.M,
)
_BOX_TOKEN = re.compile(r"(?:\\(?:boxed|fbox)\s*|\bboxed(?=\{))?(?P<brace>\{)|\}|\\.", re.S)
_BARE_BOX = re.compile(r"\\boxed\s*([0-9]+)")
_SENTENCE_END = re.compile(
    r"[.?](?=\s|$)|!(?=\s*$|\s+[^\w\\(]+$)|,?\s(?:because|since)\s"
    r"|\s\(not\s|,\s(?:as|which|so|where|making|giving|leaving|not|i\.e\.)\s",
    re.I,
)
_NOUN = either("answer")
_MARKER = re.compile(
    rf"""
    \b(?:final\s)?(?:{_NOUN})\b (?:[^\n.:=]|\.(?=[0-9])){{0,80}}?
      (?: \b(?:is|are|ist|lautet|sind|est|es|è|é|são|son|это|är|er|jest|je)\b|'s\b)
    | (?:^[ \t\#>*_]* A | \b(?:{_NOUN})) [ \t*_]* [:=]                       # Answer: X
    | \bfinal\sanswers?\b [ \t*_]* [:=]?                                     # final answer X
    | (?:答案|答え|解答|答|답|정답|الجواب|الإجابة|الناتج|उत्तर)(?:\sالنهائية?)?
      \s*(?:[:]|是|为|為|は|은|هو|هي|है)
    | ^[ \t]*\#{{4}}(?!\#)                                                   # #### X
    """,
    re.I | re.M | re.X,
)
_CONCLUSION = re.compile(r"[ \t*]*(?:so|thus|therefore|hence|altogether|in total)\b", re.I)
_RETRACTION = re.compile(
    r"\b(?:wait|actually|hmm+|no,|oops|on second thought|sorry|mistake|wrong|incorrect|not right"
    r"|correction|re-?check|check(?: again)?|re-?consider|re-?count|instead|rather|let me"
    r"|let's|scratch that)\b",
    re.I,
)
TAKEN_BACK = re.compile(
    r"\b(?:(?:that|this|which|it)(?:'s| is| was) (?:wrong|not right|incorrect)"
    r"|(?:made|is|was) an? (?:mistake|error))\b",
    re.I,
)
_CODE = re.compile(r"`([^`\n]{1,300})`[.!]?\s*\Z")
_CLOSER = re.compile(
    r"(?:please )?(?:let me know|(?:i )?hope (?:this|that|it)|feel free|if you have)\b\D*\Z", re.I
)
"""A line of politeness behind the answer."""
_DISPLAY = {r"\[": r"\]", "$$": "$$", r"\begin{": r"\end{"}
_WRAPPERS = (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"), ("_", "_"))
_EMPHASIS = re.compile(r"(?<![\w)])\*\*([^\s*][^*\n]*)\*\*(?![\w(])")
_CUT_OFF = re.compile(
    r"(?:[-=+*/^(,:;{\[<>\\]|\b(?:to|and|the|of|is|are|by|with|then|we|for|a|an|so|plus|minus|times"
    r"|from|in|that|or|if))$",
    re.I,
)
_TRUTH = re.compile(
    r"(?:^|(?:\bis|\bare|[,:]|^(?:so|thus|hence|therefore)) )(true|false|yes|no)[.!]*$", re.I
)
_TWO_UNKNOWNS = re.compile(
    r"(?<![A-Za-z])[A-Za-z]\s?=[^=,;]{1,60}(?:,|;|\band\b|\bor\b)[\s$]*[A-Za-z]\s?=[^=]*$"
)
# A value on the last line: a formula between dollar signs, a list in brackets, or what stands
# around digits without a space.
_GLUE = r"[^\s()\[\]\"'!?;*`|<>=\u2e80-\u9fff\uac00-\ud7a3]"
_VALUE = re.compile(
    rf"""
    \$(?=\S)(?P<dollars>[^$\n]+)(?<=\S)\$(?![0-9])
    | \\\((?P<inline>.{{1,400}}?)\\\) | \\\[(?P<shown>.{{1,400}}?)\\\]
    | (?P<listed> (?<!\w)[\[(] [-+0-9.,\s/]+ [\])] )
    | (?P<plain> (?:(?:minus|negative)\s|-\s?)? (?:(?<!\S)[A-Z]{{0,3}}[$€£¥]\s?)?
        {_GLUE}{{0,40}}?[0-9](?:{_GLUE}|'(?=[0-9])|\((?=[0-9]))*(?:\([0-9.\\/a-z]*\))? )
    """,
    re.X | re.I,
)
# A number behind one of these words is part of something else, or a bound.
_PART_OF = re.compile(
    r"(?:\b(?:than|not|least|most|over|under|below|above|log|ln|root|base|mod|modulo|remainder|power"
    r"|plus|times|minus|over|exceeds?|until|twice|double|triple|thrice|cannot|step|case"
    r"|problem|question|exercise|part|equation"
    r"|these|those|other|first|last|next)(?: on| in| at)?"
    r"|\b(?:half|twice|third|quarter|square|cube|root|sum|product|multiple|percent|power) of"
    r"|[+*/^÷√]|\w\(|\\(?:times|cdot|sqrt|log|ln|le|ge|pm|div)|[<>]"
    r"|(?:大于|小于|超过|至少|至多|不到)有?|[于第万千百亿萬億点點])$",
    re.I,
)
_JOINED = re.compile(
    r"(?:\b(?:and|or|to|of|by|then|through|till|between|per|und|oder|et|ou|y|и|или|bis)"
    r"|[-+*/^:&,;~]|\\times|\\cdot|\\pm)$",
    re.I,
)
# Behind a number, what makes another number of it.
_NOT_ALONE = re.compile(
    r"\s*(?:[-+*/^×÷]\s|\\(?:times|cdot|pm)|(?:or|to|plus|minus|mod|remainder|choose|squared|cubed"
    r"|factorial|and a half|in base|base)\b)",
    re.I,
)
_PERCENT_OR_HALF = re.compile(r"\\?%|per\s?cent|[ap]\.?m\.?", re.I)
_SCALE_BEHIND = re.compile(r"\s?(%|\\%|per\s?cent\b|[ap]\.?m\b\.?|[^\W\d_]+)", re.I)


_GOES_ON = re.compile(
    r"[.!?]\s+(?-i:[A-Z])|\b(?:not|but|then|next|so|thus|hence|therefore|finally|giv(?:es?|ing)|dann"
    r"|puis|donc|luego|entonces)\b|所以|因此|然后|[=-]>|→|⇒|\\(?:to|implies|Rightarrow|rightarrow)\b",
    re.I,
)
"""Between two boxes of a line: the first is a step, or taken back."""


def extract_answer(text: str) -> str | None:
    r"""Finds the final answer in a language solution.

    Thoughts in tags are left out. The statement that comes last counts: a box (`\boxed{X}`, with
    those that it is listed with, as in `\boxed{X} and \boxed{Y}`), `<answer>X</answer>`, or `the
    answer is X`, `Answer: X`, `final answer X` or `#### X`, up to the end of its sentence or line.
    Without one it is the value on the last line, if that is one plain value: never a part of a
    number, range, sum or ratio.

    Returns:
      The answer without emphasis, math delimiters and final period; digits and signs in ASCII, a
      decimal comma (in a text of a language that writes one) as a point. None where the text
      states none: where it breaks off in a statement or half-way through its last line, or where
      it announces another answer than the one it boxed and takes neither back. Linear in the text,
      of which the last 50,000 characters are read.
    """
    text = _EMPHASIS.sub(r"\1", plain_characters(visible(text)[-TEXT_CAP:]))
    text = _BARE_BOX.sub(r"\\boxed{\1}", text)
    comma = _COMMA_NUMBER.search(text) and not _DECIMAL_POINT.search(text)
    if comma and language_of(text[-4000:].casefold()) not in ("en", "ko"):
        text = _COMMA_NUMBER.sub(_with_point, text)
    return _stated(without_next_problem(text))


def final_answer(text: str, finish_reason: str) -> str | None:
    """The final answer of a solution; None where it was cut off before one."""
    return None if finish_reason == "length" else extract_answer(text)


def without_next_problem(text: str) -> str:
    """Cuts off another problem that the text goes on to after its answer."""
    for heading in _NEXT_PROBLEM.finditer(text):
        if _MARKER.search(text, 0, heading.start()) or "boxed{" in text[: heading.start()]:
            return text[: heading.start()]
    return text


def _stated(text: str) -> str | None:
    tags = list(_ANSWER_TAG.finditer(text))
    if tags:
        inner = tags[-1][2]
        return _stated(inner) if _MARKER.search(inner) or "boxed" in inner else _strip(inner)
    boxes = _boxes(text)
    if not boxes:
        return _marked(text)
    start, end, boxed = boxes[-1]
    if boxed is None:
        return None
    line = text.rfind("\n", 0, start)
    together = [boxed]
    for at, close, content in reversed(boxes[:-1]):
        between = text[close:start]
        if at <= line or not content or _RETRACTION.search(between) or _GOES_ON.search(between):
            break
        start, together = at, [content, *together]
    if len(set(together)) > 1:
        boxed = ", ".join(together)
    alone = not re.search(r"\w", re.sub(_MARKER, "", text[line + 1 : start]))
    if alone and _concludes_otherwise(text[: line + 1], boxed):
        return None
    return _after_box(boxed, text[end:])


def _concludes_otherwise(text: str, boxed: str) -> bool:
    """Whether the line before a box that stands alone concludes that it is another whole number."""
    line = text.rstrip("\n $[]\\").rpartition("\n")[2]
    if not _CONCLUSION.match(line) and not _MARKER.search(line):
        return False
    one, other = _values(_marked(line), boxed)
    whole = one is not None and other is not None and one.denominator == other.denominator == 1
    return whole and one != other


def _after_box(boxed: str, rest: str) -> str | None:
    """The box, unless the text behind it states another answer."""
    retracted = _RETRACTION.search(rest)
    marked = _MARKER.search(rest)
    if not retracted and not marked:
        return boxed
    later = _marked(rest)
    if later is None:
        numbered = retracted and re.search("[0-9]", rest[retracted.start() :])
        return None if numbered or TAKEN_BACK.search(rest) else boxed
    one, other = _values(later, boxed)
    if fold(tidy(later)) == fold(tidy(boxed)) or (one is not None and one == other):
        return boxed
    return later if retracted else None


def _values(*answers: str | None) -> list[Fraction | None]:
    """The values of answers that are plain quantities; None for any other."""
    stated = [read_quantity(tidy(answer or "")) for answer in answers]
    return [quantity.value if quantity else None for quantity in stated]


def _boxes(text: str) -> list[tuple[int, int, str | None]]:
    r"""Start, end and content of each innermost `\boxed{…}`; None where it breaks off."""
    boxes: list[tuple[int, int, str | None]] = []
    # Where each open brace's box starts (None for a plain brace), and where its content does.
    opened: list[tuple[int | None, int]] = []
    for token in _BOX_TOKEN.finditer(text):
        if token[0] == "}":
            start, content = opened.pop() if opened else (None, 0)
            if start is not None and not (boxes and boxes[-1][0] > start):
                boxes.append((start, token.end(), _strip(text[content : token.start()])))
        elif token["brace"]:
            opened.append((token.start() if len(token[0]) > 1 else None, token.end()))
    broken = [start for start, _ in opened if start is not None]
    return [*boxes, (broken[-1], len(text), None)] if broken else boxes


def _marked(text: str) -> str | None:
    markers = list(_MARKER.finditer(text))
    for index in range(len(markers) - 1, -1, -1):
        marker = markers[index]
        rest = text[marker.end() :].lstrip(" \t\r\n*_`:")
        if not rest:
            return None
        gap = text[marker.end() : len(text) - len(rest)]
        answer, after = _first_statement(rest)
        # Text that goes on below a heading "Answer" is a solution, not the answer.
        ends_text = not re.search(r"\w", after)
        if answer and (ends_text or not ("\n" in gap or marker[0].endswith("####"))):
            if TAKEN_BACK.search(after):
                return None
            before = markers[index - 1] if index else None
            if before and _contradicts(text[before.end() : marker.start()], answer):
                return None
            return answer
    return _from_last_line(text)


def _contradicts(between: str, answer: str) -> bool:
    """Whether an announced answer is another number than the one announced next to it."""
    earlier, after = _first_statement(between.lstrip(" \t\r\n*_`:"))
    if not earlier or _RETRACTION.search(after):
        return False
    values = _values(earlier, answer)
    return None not in values and values[0] != values[1]


def _first_statement(text: str) -> tuple[str | None, str]:
    """Splits a text after its first displayed formula, or else its first sentence or line."""
    for opening, closing in _DISPLAY.items():
        if text.startswith(opening):
            end = text.find(closing, len(opening))
            if end < 0:
                return None, ""
            if opening == r"\begin{":
                end = text.find("}", end) + 1
                return _strip(text[:end]), text[end:]
            return _strip(text[len(opening) : end]), text[end + len(closing) :]
    line = text.split("\n", 1)[0]
    stop = _SENTENCE_END.search(line)
    end = stop.start() if stop else len(line)
    return _strip(text[:end]), text[end:]


def _from_last_line(text: str) -> str | None:
    lines = [line.strip(" \t\r*_`") for line in text.split("\n")]
    lines = [line for line in lines if line.strip("$[]\\() ") and not _CLOSER.match(line)]
    if not lines or _CUT_OFF.search(lines[-1]) or len(lines[-1]) > 10 * SYMBOLIC_CAP:
        return None
    if (shown := _CODE.search(text)) and not _PART_OF.search(text[: shown.start()].rstrip()):
        return shown[1]
    line = re.sub(r"\*\*|__|`|^\s*(?:[=-]>|→|⇒|∴)", "", lines[-1])
    if _TWO_UNKNOWNS.search(line):
        return None
    if "=" in line:
        tail = _strip(line.rsplit("=", 1)[1])
        if tail and _is_plain_value(tail):
            return tail
    values = list(_VALUE.finditer(line))
    words = line.rstrip(" .!").split()
    tails = [(" ".join(words[:-n]), " ".join(words[-n:])) for n in range(min(len(words), 6), 0, -1)]
    if not values:
        tails += [
            (line[: han.start()], line[han.start() :].rstrip(" .")) for han in HAN.finditer(line)
        ]
    for before, tail in tails:
        if (
            _in_words(tail, bool(values))
            and not _PART_OF.search(before)
            and not _JOINED.search(before)
        ):
            return tail
    if not values:
        truth = _TRUTH.search(line)
        return truth[1] if truth else None
    return _last_value(line, values)


def _in_words(text: str, beside_digits: bool) -> bool:
    """Whether a text is a date, a day, a time in words, or alone a number in words above one."""
    if re.search("[0-9]", text):
        return read_date(text) is not None
    number = None if beside_digits else read_quantity(text)
    named = text.casefold() in DAYS and len(text) > 2
    return (
        named or read_clock(text) is not None or (number is not None and number.value not in (0, 1))
    )


def _last_value(line: str, values: list[re.Match[str]]) -> str | None:
    """The last value of a line where it stands alone; None where it is part of another."""
    last = values[-1]
    start, end = last.span()
    previous = values[-2].end() if values[1:] else None
    between = line[previous:start].strip() if previous is not None else "."
    if between in ("", "x", "*", "\\times", "\\cdot"):  # `3 1/2`, `2 500`, `1.5 x 10^5`
        merged = line[values[-2].start() : end].strip(" .,")
        before = values[-3].end() if values[2:] else 0
        if read_quantity(tidy(merged)) and not _JOINED.search(line[before : values[-2].start()]):
            return merged
        return None
    if between == "\\approx" and not _PART_OF.search(line[: values[-2].start()].rstrip()):
        return line[values[-2].start() : end].strip(" .,")
    gap = line[previous or 0 : start].rstrip(" \t$¤€£¥")
    if gap.split()[-1:] and gap.split()[-1].casefold().strip(".") in MONTHS:
        return None
    if previous is not None and gap.strip() in ("in", "for", "per", "%"):
        return None
    if previous is not None and _is_unit(gap.strip()):
        whole = line[values[-2].start() :].rstrip(" .!")
        return whole if read_measured(tidy(whole)) else None
    if _PART_OF.search(gap) or (previous is not None and _JOINED.search(gap)):
        return None
    if last["plain"] is None:
        inner = _strip(next(filter(None, last.groups())).rsplit("=", 1)[-1])
        return None if _NOT_ALONE.match(line[end:]) else inner
    answer = last[0].strip().rstrip(".,:")
    rest = line[start + len(last[0].rstrip(" .,:")) :]
    behind = _SCALE_BEHIND.match(rest)
    if behind and (_PERCENT_OR_HALF.fullmatch(behind[1]) or _scale(behind[1])):
        longer = answer + behind[0]
        if read_quantity(tidy(longer)) or read_clock(tidy(longer)):
            answer, rest = longer, rest[behind.end() :]
    if _NOT_ALONE.match(rest) or not _is_plain_value(answer):
        return None
    phrase = re.split(r"[.,;:!?(]", rest, maxsplit=1)[0].casefold().split()[:6]
    return None if not CHANGING.isdisjoint(phrase) else answer


def _is_unit(word: str) -> bool:
    """Whether a word between two numbers makes one of them: 2 hours 30, 3元5."""
    short = re.fullmatch("[\u2e80-\u9fff\uac00-\ud7a3]{1,3}", word)
    return bool(short) or word in UNITS or word.removesuffix("s") in ("dollar", "euro")


def _scale(word: str) -> bool:
    return word.casefold() in SCALES or word[:1] in SCALES or word[:2] in SCALES


def _is_plain_value(text: str) -> bool:
    """Whether a text is one number, time, date, ratio or formula, and nothing else."""
    text = tidy(text)
    if len(text) > SYMBOLIC_CAP:
        return text.isdigit()
    if read_quantity(text) or read_clock(text) or read_date(text) or RATIO.fullmatch(text):
        return True
    ranged = re.search(r"[0-9]\s?-\s?[0-9]", text)
    return not ranged and is_formula(text, letters_of(text))


_DECIMAL_POINT = re.compile(r"[0-9]\.(?:[0-9]{1,2}|[0-9]{4,})(?![0-9.,])")
# Not behind a bracket, where a comma is a list's.
_COMMA_NUMBER = re.compile(
    r"(?<![0-9.,(\[])(?<!\\\{)(?:([0-9]{1,3}(?:[. ][0-9]{3})+)|([0-9]+)(?=,[0-9]))"
    r"(?:,([0-9]+))?(?![0-9]|[.,][0-9])"
)


def _with_point(number: re.Match[str]) -> str:
    """A number with a decimal comma, written with a point."""
    whole = re.sub("[. ]", "", number[1] or number[2])
    return f"{whole}.{number[3]}" if number[3] else whole


_CHEER = re.compile(
    r"(?<=[\w)\]}$%.!*])\s*"
    r"(?:[\u2611\u2700-\u27bf\u2b50\u2b55\ufe0f\U0001f300-\U0001faff]+|[:;]-?[)D])[\s!.]*$"
)
"""A tick, an emoji or a smile behind an answer."""
_POLITE = re.compile(r"(?<=[^\W_])(?:です|である|입니다|이다)[。.]?$")


def _strip(text: str) -> str | None:
    """Takes off emphasis, math delimiters and final periods; None where nothing is left."""
    for _ in range(8):  # layers around the answer, of which real text has two or three
        text = _POLITE.sub("", _CHEER.sub("", text.strip())).strip("*")
        if text[:1] == "`" == text[-1:] or text.count("`") == 1:
            text = text.strip("`")
        if text.endswith(".") and not text.endswith(".."):
            text = text[:-1]
        for opening, closing in _WRAPPERS:
            inner = text[len(opening) : -len(closing)]
            if text.startswith(opening) and text.endswith(closing) and closing not in inner:
                text = inner
                break
        else:
            if text.count("$") == 1 and text.endswith("$"):
                text = text[:-1]
    return text or None

"""Signs, numbers and words of a worked solution, in the many notations that solutions use."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from transforms.text.answers.lexicon import SCALES, either, stating

_SPACE = " \u00a0\u2009\u202f"
_GROUP = rf"(?:,\\!|\{{,\}}|[,.'’{_SPACE}])"
_MULTIPLES = SCALES | stating("collectives") | {"k": 1000, "百": 100, "千": 1000, "萬": 10**4}
_UNITS = "kg|mg|km|cm|mm|dm|ml|mL|ft|in|lb|lbs|oz|hrs?|mins?|secs?|kWh|kW|MB|GB|TB|px|mph|kph|rpm"
_LINE = r"(?:[-*•+–][ \t]+|\(?(?:\d{1,2}|[A-Za-z]|[ivx]{2,4})[.)][ \t]+|\#+[ \t]+)"
_NO_LETTER = "(?![A-Za-z])"
"""Before alternatives that no letter of a word begins: half of all signs are words, which come
late."""
_TOKEN = re.compile(
    rf"""
      (?P<gap>(?<=[^\n])[ ]+(?=\S))                                 # first: half of all matches
    | (?P<list>^[ \t>]*{_LINE}+)
    | {_NO_LETTER}(?:
      (?P<join>(?:\\\\|\n)[\s&$]{{0,200}}(?==))                     # a line that goes on with =
    | (?P<row>^[ \t]*\|(?=[^\n]*\|[ \t]*$))
    | (?P<dots>\.\.\.+|…|\\[lc]?dots(?![a-zA-Z])|⋯)
    | (?P<end>\n|\\\\|[;。；！？?—]|\\(?:begin|end|tag)\{{[^{{}}]*\}}
        |[.](?!\d)|!=|[<>≤≥≠](?!=)|<=|>=|\\n?[lg](?:eq?|t)(?![a-zA-Z])|\\neq?(?![a-zA-Z])|:=)
    | (?P<arrow>→|⇒|⟹|-+>|=+>|\\(?:to|implies|(?:long)?(?:R|r)ightarrow)\b)
    | (?P<approx>≈|≅|≃|~=|\\approx(?![a-zA-Z])|\\simeq(?![a-zA-Z])|\\cong(?![a-zA-Z]))
    | (?P<equal>==?|\\equiv(?![a-zA-Z])|≡)
    | (?P<chosen>\b(?P<all>\d{{1,3}})C(?P<some>\d{{1,3}})\b))
    | (?P<based>\b(?P<digits>[0-9A-F]{{1,60}})
        (?:_\{{?(?P<base>\d\d?)\}}?|(?P<sub>[₀-₉]{{1,2}}))(?!\w))
    | {_NO_LETTER}(?:
      (?P<var>\d{{4}}-\d\d-\d\d|\d+(?::\d+)+|\d[\d.,]*(?:_\{{?\w+\}}?|[₀-₉]+)
        |(?<![\d.,])0\d\d+(?![.,]\d)|\d+(?:\.\d+){{3,}})
    | (?P<hex>\b0x[0-9a-fA-F]+\b)
    | (?P<mixed>\b(?P<whole>\d+)[{_SPACE}](?P<top>\d+)/(?P<under>\d+)(?![\d.,/]*\d)
        |(?:\b(?P<before>\d+))?(?P<vulgar>[½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞]))
    | (?P<number>(?:\d{{1,3}}(?:{_GROUP}\d{{3}})+(?!\d)(?:[.,]\d+)?|\d+(?:[.,]\d+)*|\.\d+)
        (?:[eE][-+]?\d+(?!\w))?)
        (?P<more>\.\.\.+|…|\\[lc]?dots|[\u0304\u0305]|\\overline\{{\d+\}}|\(\d+\)(?=\s*(?:$|[.,;])))?
        (?P<times>[{_SPACE}-]?(?:dozens?|score|gross|hundred|thousand|million|billion)\b|k\b
        |[百千万萬亿億])?
        (?P<tail>(?![xX]\s*[$€£\d(])[A-Za-zµ]+)?
    | (?P<text>\\(?:text|mathrm|textbf|mbox|textrm|operatorname)\s*\{{(?P<said>[^{{}}]*)\}}))
    | (?P<mod>\\bmod(?![a-zA-Z])|\bmod(?:ulo)?\b)
    | (?P<percent>\\?%|٪|％|\bper\s?cent\b|\bprocent\b|\bProzent\b)
    | (?P<frac>\\[dtc]?frac(?![a-zA-Z])|\\d?binom(?![a-zA-Z]))
    | (?P<root>\\sqrt\[(?P<degree>\d+)\]\s*\{{|\\sqrt(?![a-zA-Z])|√)
    | (?P<log>\\?\blog(?:_\{{?(?P<of>\d+)\}}?|(?P<low>[₀-₉]+)))
    | (?P<call>(?:\\|\b)(?:gcd|lcm|max|min|floor|ceil|abs|sqrt|GCD|LCM|HCF|[CP])(?=\s*\())
    | (?P<over_>\\div(?![a-zA-Z])|÷|//|/|\b(?:{either("over")})\b|除以|∕|⁄
        |(?<=\d\s):(?=\s\d[\d.,]*+\s=\s\d+\b(?!\s[:×*])))              # 100 : 4 = 25
    | (?P<times_>\\times(?![a-zA-Z])|\\cdot(?![a-zA-Z])|×|·|∙|∗|⋅|\b(?:{either("times")})\b|乘以?)
    | (?P<plus>\+|\b(?:{either("plus")})\b|加上?)
    | (?P<minus>-|−|–|‐|‑|\b(?:{either("minus")})\b|[减減]去?)
    | (?P<star>\*\*?)
    | (?P<cross>[xX](?=\s*[$€£]?\d|\s+\())
    | (?P<raise>\^)
    | (?P<raised>⁻?[⁰¹²³⁴⁵⁶⁷⁸⁹]+|\b(?:squared|cubed)\b)
    | (?P<unclear>\b(?:doubled|tripled|halved|factorial|hundreds|thousands|tens)\b
        |\b(?:pairs?|couples?)(?=\s[-+−–]))
    | (?P<pi>π|\\pi(?![a-zA-Z]))
    | {_NO_LETTER}(?:(?P<bang>!)
    | (?P<skip>\\(?:left|right|boxed|fbox|mathbf|bf|displaystyle|quad|qquad|big|Big)(?![a-zA-Z])
        |\\[,;!:\ ()\[\]]
        |[$€£¥₹₽°′″`&_~\u200b]|\\[$&]|\s+)
    | (?P<floor>⌊|\\lfloor(?![a-zA-Z])) | (?P<ceil>⌈|\\lceil(?![a-zA-Z]))
    | (?P<shut>⌋|⌉|\\r(?:floor|ceil)(?![a-zA-Z]))
    | (?P<cents>¢)
    | (?P<bar>\||\\[lr]?vert(?![a-zA-Z]))
    | (?P<open>[(\[{{]|\\\{{) | (?P<close>[)\]}}]|\\\}}))
    | (?P<gives>(?:,\s)?(?:\b(?:which|that|this|it|and|so)\s)?(?:\b(?:{either("gives")})
        (?:\s(?:us|you|to|exactly|a\stotal\sof))?\b|等于|等於|得到|得出))
    | (?P<is>(?:,\s)?(?:\b(?:which|that|this|it)\s)?\b(?:{either("equals")})\b|[是得为は])
    | (?P<comma>[,，、،]) | (?P<colon>[:：])
    | (?P<name>[A-Za-zΑ-ωА-я]++(?:\d|_\{{?\w)\w*\}}?|\\[a-zA-Z]+)
    | (?P<word>[^\W\d_]{{2,}}+(?:-[^\W\d_]{{2,}}+)+
        |[^\W\d_]+(?:[²³]|\^\{{?[23]\}}?)?(?:/[A-Za-z]+(?:[²³]|\^[23])?)?)
    | (?P<other>.)
    """,
    re.MULTILINE | re.VERBOSE | re.DOTALL,
)
_OF_UNIT = re.compile(r" ?(?!pi\b|sqrt)(?:[^\W\d_]{2,}|[hsmgl]\b)")
_PER = re.compile(r"/\d+ ?[^\W\d_]{2,}")
_UNKNOWN_FACTOR = re.compile(r"(?<=[\d)])\*\s?[A-Za-z][^*\n]*(?:=|$)", re.MULTILINE)
MARKS = str.maketrans("＋－＝（）＊／＾：﹦﹢", "+-=()*/^:=+")


class Token(NamedTuple):
    """A sign, a number or a word of a solution."""

    kind: str
    start: int
    end: int
    text: str = ""
    values: tuple[float, float] = (math.nan, math.nan)
    """Of a number: as English and as most of Europe writes it."""
    decimals: tuple[int, int] = (0, 0)
    multiple: float = 1
    cut: bool = False
    """Whether more digits follow than it shows: 6.66..."""
    sign: str = ""
    """The currency sign before it."""


_ALWAYS = {"unclear": ("var", ""), "name": ("var", ""), "shut": ("close", "")}
_ALWAYS |= {"cents": ("word", "cent"), "mod": ("op", "%")}
_OPERATIONS = {"times_": "*", "cross": "*", "plus": "+", "minus": "-", "raise": "**", "over_": "/"}
STARTS = ("number", "var", "open", "call", "frac", "root", "pi")
ENDS = ("number", "var", "close", "percent", "bang", "raised", "pi", "word")


def _number(match: re.Match[str]) -> Token:
    text, start, end = match["number"], match.start(), match.end()
    tail, times = match["tail"] or "", (match["times"] or "").strip(_SPACE + "-")
    if tail and not re.fullmatch(_UNITS, tail):
        return Token("var", start, end, match.group())
    digits = re.sub(rf"\\!|[{{}}'’{_SPACE}]", "", text)
    forms = [digits.replace(",", ""), digits.replace(".", "").replace(",", ".")]
    if digits == forms[0] and not re.fullmatch(r"\d{1,3}\.\d{3}", digits):
        forms[1] = forms[0]
    english, european = (float(d) if d.count(".") < 2 else math.nan for d in forms)
    decimals = [len(d.partition("e")[0].partition(".")[2]) for d in forms]
    before = match.string[start - 1 : start]
    sign = before if before in ("$", "€", "£") else ""
    values, shown = (english, european), (decimals[0], decimals[1])
    cut, multiple = bool(match["more"]), _MULTIPLES.get(times, 1)
    return Token("number", start, end, text, values, shown, multiple, cut, sign)


def tokens_of(text: str) -> list[Token]:
    """Returns the signs, numbers and words of a text, without what means nothing for equations."""
    found: list[Token] = []
    in_row = False
    calls: list[bool] = []  # of each open parenthesis: whether it holds arguments

    def add(kind: str, shown: str = "", value: float = math.nan, decimals: int = 0) -> None:
        found.append(Token(kind, start, end, shown, (value, value), (decimals, decimals)))

    for match in _TOKEN.finditer(text):
        if match.lastgroup == "gap":
            continue
        kind, start, end, sign = match.lastgroup or "", match.start(), match.end(), match.group()
        kind = "number" if kind in ("more", "times", "tail") else kind
        before = found[-1].kind if found else "end"
        at_end = before in ENDS
        if kind == "word" and len(sign) == 1 and sign.isascii() and sign not in "aImghslL":
            kind = "name"
        match kind:
            case "word":  # most of all
                shares = sign.lower() == "of" and (before == "percent" or _is_share(found))
                if shares and re.compile(r"\s*[$€£(]?\d").match(text, end):
                    add("op", "*")
                elif start and end < len(text) and text[end] == "(" and sign.isascii():
                    add("var", sign)
                else:
                    add("word", sign)
            case "skip" | "join" | "other":
                continue
            case "list" | "dots" | "end":
                in_row = in_row and kind != "end"
                add("var" if kind == "dots" else "end", sign)
            case "row":
                in_row = True
                add("end")
            case "bar" if in_row:
                add("cell")
            case "bar" if at_end and before != "word":
                add("close")
            case "bar":
                add("call", "abs")
                add("open")
            case "number" if "," in sign and calls and calls[-1]:
                place = start
                for piece in sign.split(","):
                    value = float(piece) if re.fullmatch(r"\d+", piece) else math.nan
                    found.append(Token("number", place, place + len(piece), piece, (value, value)))
                    place += len(piece) + 1
                    found.append(Token("comma", place - 1, place))
                found.pop()
            case "open":
                calls.append(before == "call")
                add(kind)
            case "close":
                del calls[-1:]
                add(kind)
            case "number":
                found.append(_number(match))
                if match["tail"] and found[-1].kind == "number":
                    add("word", match["tail"])
            case "mixed" if match["vulgar"]:
                part = unicodedata.numeric(match["vulgar"])
                add("number", sign, _float(match["before"]) + part, 12)
            case "mixed":
                part = _float(match["top"]) / (_float(match["under"]) or math.nan)
                add("number", sign, _float(match["whole"]) + part, 12)
            case "chosen":
                add("call", "comb")
                add("open")
                add("number", match["all"], _float(match["all"]))
                add("comma")
                add("number", match["some"], _float(match["some"]))
                add("close")
            case "based":
                base = int(unicodedata.normalize("NFKC", match["base"] or match["sub"]))
                try:
                    value = float(int(match["digits"], base))
                except ValueError:
                    add("var", sign)
                    continue
                add("call", "abs")
                add("open")
                add("number", sign, value)
                add("close")
            case "hex":
                add("number", sign, float(int(sign, 16)) if len(sign) < 200 else math.nan)

            case "frac":
                add("frac", "comb" if "binom" in sign else "frac")
            case "root":
                add("root", "root", _float(match["degree"]) or 2)
                if match["degree"]:
                    add("open")
            case "log":
                low = unicodedata.normalize("NFKC", match["of"] or match["low"])
                add("root", "log", float(low))
            case "call":
                name = sign.strip("\\")
                add("call", {"C": "comb", "P": "perm", "HCF": "gcd"}.get(name, name.lower()))
            case "floor" | "ceil":
                add("call", kind)
                add("open")
            case "raised" if sign.isalpha() and [t.kind for t in found[-2:]] == ["op", "number"]:
                add("var", sign)  # 3 plus 4 squared: 19 or 49
            case "raised":
                digits = {"squared": "2", "cubed": "3"}.get(sign, sign)
                power = float(unicodedata.normalize("NFKC", digits).replace("−", "-"))
                add("word" if before == "word" else "raised", sign, power)
            case "times_" | "cross" | "plus" | "minus" | "over_" | "raise" | "star":
                goes_on = re.compile(r"\s*(?:[-−\d(\[{$€£\\√π|]|\.\d)").match(text, end)
                per = before == "word" and found[-1].end == start and _PER.match(text, start)
                per_unit = kind == "over_" and at_end and _OF_UNIT.match(text, end)
                if kind == "star" and not (at_end and goes_on):
                    if _UNKNOWN_FACTOR.match(text, start) and at_end:  # 3*m, not *emphasis*
                        add("var", sign)
                elif per or (kind == "cross" and not at_end):  # minutes/100 metres
                    add("var", sign)
                elif per_unit or (sign.isalpha() and kind != "cross" and not goes_on):  # $6/day
                    add("word", sign)
                else:
                    add("op", sign if sign == "//" else _OPERATIONS.get(kind, sign))
            case "text":
                said = re.match(r"[^\W\d_]+", match["said"].strip())
                if said:
                    add("word", said.group())
            case "cents" | "shut" | "unclear" | "mod" | "name":
                plain, shown = _ALWAYS[kind]
                add(plain, shown or sign)
            case "bang":
                attached = at_end and before != "word" and start and not text[start - 1].isspace()
                add("bang" if attached else "end")
            case _:
                add(kind, sign)
    return found


def _float(digits: str | None) -> float:
    return float(digits or 0)


def _is_share(found: Sequence[Token]) -> bool:
    """Whether the tokens end in a fraction such as 1/2, which may be taken of something."""
    last = [token.kind for token in found[-3:]]
    return (
        last == ["number", "op", "number"]
        and found[-2].text == "/"
        and found[-2].end == found[-1].start
    )

"""Typography and LaTeX that only shape a text, written as plain text."""

from __future__ import annotations

import re
import unicodedata

_SUPER, _SUB = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "₀₁₂₃₄₅₆₇₈₉₊₋"
_LEVEL = "0123456789+-"
_RAISED = re.compile(f"[{_SUPER}]+|[{_SUB}]+")
_PLAIN_LEVEL = str.maketrans(_SUPER + _SUB, _LEVEL * 2)
_CHARACTERS = str.maketrans(
    {
        **dict.fromkeys("−–‐‑‒﹣", "-"),
        **dict.fromkeys("‘’ʼ", "'"),
        **dict.fromkeys("“”„«»", '"'),
        **dict.fromkeys("º˚", "°"),
        **dict.fromkeys("～〜", " - "),
        **{"×": "\\times ", "·": "\\cdot ", "÷": "/", "π": "\\pi ", "⁄": "/", "∶": ":"},
        **{"≈": "\\approx ", "≤": "\\le ", "≥": "\\ge ", "∪": "\\cup ", "±": "\\pm ", "∞": "oo"},
        **{"。": ". ", "、": ", ", "٫": ".", "٬": ",", "Ω": "Ω", "µ": "μ", "…": "..."},
    }
)


def _fraction(char: str) -> str:
    return " " + unicodedata.normalize("NFKC", char).replace("⁄", "/")


_VULGAR = {ord(char): _fraction(char) for char in "½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅐⅛⅜⅝⅞⅑⅒"}
_DIGIT = re.compile(r"[^\D0-9]")
"""A digit of another script."""
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff\u0640\u064b-\u0652\u0670]")
"""Signs of no width, and the vowels of Arabic."""
_MARK = "[\u0304\u0305\u0307]"
_OVERLINED = re.compile(f"[0-9]{_MARK}(?:(?:[0-9]{_MARK}?)*[0-9]{_MARK})?")
"""A period: digits that are marked, or the first and the last of them."""
_COMMAND = r"(?![A-Za-z])"
_REWRITES = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (
            r"\\(?:left|right|[bB]igg?[lr]?|(?:display|text|script)style|[hH]uge|[lL]arge|LARGE"
            rf"|normalsize|small|tiny|bf|it|rm|tt|sf|therefore){_COMMAND}\s?",
            "",
        ),
        (
            r"\\(?:text|math)(?:rm|bf|it|tt|sf|sc|md|up|normal|bb)? ?\{((?:[^{}]|\{[^{}]*\})*)\}"
            r"|\\(?:mbox|hbox|operatorname\*?|boldsymbol|bm|emph|underline|textnormal) ?"
            r"\{([^{}]*)\}",
            r" \1\2 ",
        ),
        (r"\\[hv]?phantom ?\{[^{}]*\}", ""),
        (r"\\(?:text)?color ?\{[a-zA-Z]+\}", ""),
        (rf"\\[dtc]frac{_COMMAND}", r"\\frac"),
        (r"\{([^{}]*)\\choose" + _COMMAND + r"([^{}]*)\}", r"\\binom{\1}{\2}"),
        (r"(?<=[0-9])(?:\{,\}|\\,|\\!|,\\!)(?=[0-9]{3}(?![0-9]))", ","),
        (r"(?<=[0-9])\{,\}(?=[0-9])", "."),
        (rf"\\(?:euro|EUR){_COMMAND} ?", "€"),
        (rf"\\(?:pounds|textsterling){_COMMAND} ?", "£"),
        (rf"\\(?:yen|textyen){_COMMAND} ?", "¥"),
        (rf"\\(?:cent|textcent){_COMMAND}", "¢"),
        (rf"\\(?:[lc]?dots|dots[bc]){_COMMAND}", "..."),
        (rf"\\(?:degree|textdegree){_COMMAND}|\^ ?\{{? ?\\circ ?\}}?", "°"),
        (rf"\\ell{_COMMAND}", "l"),
        (rf"\\Omega{_COMMAND}", "Ω"),
        (rf"\\(?:lvert|rvert|vert|mid){_COMMAND}", "|"),
        (r"\\dot ?\{?([0-9])\}?([0-9]*)\\dot ?\{?([0-9])\}?", r"(\1\2\3)"),
        (r"\\(?:dot|overline|bar) ?(?:\{([0-9]+)\}|([0-9]))", r"(\1\2)"),
        (r"\\[,;:! ]|\\q?quad(?![A-Za-z])|~", " "),
        (r"\\[()\[\]]", ""),
        (r"(?<![A-Za-z])[A-Z]{1,3}\\?\$(?=\s*[-+]?[0-9])", "¤"),
        (r"\\?\$", ""),
        (r"\\([%#&_])", r"\1"),
        (rf"\\\{{|\\lbrace{_COMMAND}", "{"),
        (rf"\\\}}|\\rbrace{_COMMAND}", "}"),
        (rf"\\langle{_COMMAND}", "("),
        (rf"\\rangle{_COMMAND}", ")"),
        (rf"\\infty{_COMMAND}|\b[Ii]nf(?:inity)?\b", "oo"),
        (r"√ ?([0-9]+|[a-z])", r"sqrt(\1)"),
        (r"√ ?(?=\()", "sqrt"),
        (r"(?<![0-9.,])([0-9]{1,3})\.([0-9]{3}),([0-9]{1,2})(?![0-9.,])", r"\1\2.\3"),
        (
            r"([€£]\s?[0-9]+),([0-9]{2})(?![0-9.,])|(?<![0-9])([0-9]+),([0-9]{2})"
            r"(?=\s?(?:€|[Ee]uros?\b|EUR\b|zł|руб|₽))",
            r"\1\3.\2\4",
        ),
        (r"(?<![0-9])([0-9]+) (dollar|euro|pound)s? and ([0-9]{2}) (?:cents|pence)", r"\1.\3 \2"),
        (r"(?<=[0-9])/-(?!\S)", ""),
        (r"``|''", '"'),
        (r"\s+", " "),
    )
]
_MATRIX = re.compile(
    r"\\begin\{([a-zA-Z]?matrix|array)\}(?:\{[lcr|]+\})?(.{0,2000}?)\\end\{\1\}"
    r"|[(\[]([-0-9.,/ ]+(?:;[-0-9.,/ ]+)+)[)\]]",
    re.S,
)


def plain_characters(text: str) -> str:
    """Writes other scripts' digits, full-width signs, raised digits and dashes in ASCII.

    >>> plain_characters("−１２ cm²")
    '-12 cm^2'
    """
    if text.isascii():
        return text
    text = _INVISIBLE.sub("", text).translate(_VULGAR)
    text = _RAISED.sub(_level, text).translate(_CHARACTERS)
    text = with_ascii_digits(unicodedata.normalize("NFKC", text)).translate(_CHARACTERS)
    return _OVERLINED.sub(lambda digits: f"({re.sub('[^0-9]', '', digits[0])})", text)


def with_ascii_digits(text: str) -> str:
    """Writes other scripts' digits in ASCII, and nothing else."""
    return _DIGIT.sub(lambda digit: str(unicodedata.decimal(digit[0])), text)


def _level(run: re.Match[str]) -> str:
    digits = run[0].translate(_PLAIN_LEVEL)
    return ("^" if run[0][0] in _SUPER else "_") + (digits if len(digits) < 2 else f"{{{digits}}}")


def tidy(text: str) -> str:
    """Writes LaTeX and typography that only shape a text as plain text; formulas stay LaTeX."""
    text = _MATRIX.sub(_matrix_rows, plain_characters(text))
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    text = text.strip(" *`_")
    text = text if text.endswith("...") else text.rstrip(" .,;:")
    quoted = text[:1] in ("'", '"') and text[-1:] == text[:1] and text[:1] not in text[1:-1]
    return text[1:-1].strip() if quoted else text


def _matrix_rows(matrix: re.Match[str]) -> str:
    """Writes a matrix (also `[1 2; 3 4]`) as a list of rows, and a column as a list."""
    if matrix[3]:
        rows = [re.split(r",?\s+", row.strip()) for row in matrix[3].split(";")]
    else:
        rows = [row.split("&") for row in matrix[2].split(r"\\") if row.strip()]
    if all(len(row) == 1 for row in rows):
        return f"[{', '.join(row[0] for row in rows)}]"
    return f"[{', '.join('[' + ', '.join(row) + ']' for row in rows)}]"


def fold(text: str) -> str:
    """The text in lower case, with single spaces and none around a colon."""
    return re.sub(r" ?: ?", ":", " ".join(text.casefold().split()))

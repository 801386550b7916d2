"""Arabic numbers in words, in both genders and all cases."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

_WORDS = {"صفر": 0, "احد": 1, "احدي": 1, "واحد": 1, "واحده": 1, "عشر": 10, "عشره": 10}
_WORDS |= dict.fromkeys(("عشرون", "عشرين"), 20) | dict.fromkeys(("مئه", "مائه"), 100)
_WORDS |= dict.fromkeys(("الف", "الاف"), 10**3) | dict.fromkeys(("مليون", "ملايين"), 10**6)
_WORDS |= dict.fromkeys(("مليار", "مليارات"), 10**9)
for _size, _stem in enumerate(["ثلاث", "اربع", "خمس", "ست", "سبع", "ثمان", "تسع"], 3):
    _WORDS |= dict.fromkeys((_stem, f"{_stem}ه"), _size)
    _WORDS |= dict.fromkeys((f"{_stem}ون", f"{_stem}ين"), 10 * _size)
    _WORDS |= dict.fromkeys((f"{_stem}مئه", f"{_stem}مائه"), 100 * _size)
_WORDS |= {"ثماني": 8, "ثمانيه": 8}
_ONES = {"اثن": 1, "اثنت": 1, "مئت": 100, "مائت": 100, "الف": 1000, "مليون": 10**6}
for _stem, _size in _ONES.items():
    _WORDS |= dict.fromkeys((_stem + dual for dual in ("ان", "ين", "ا", "ي")), 2 * _size)
_PREFIXED = re.compile(rf"و?(?:[فبلك]?(?:ال)?|لل)({'|'.join(_WORDS)})")
_MARKS = re.compile("[\u0640\u064b-\u0652\u0670]")
_LETTERS = str.maketrans("أإآةى", "ااا" + "هي")
_RUN = re.compile("[\u0621-\u0652\u0670]+(?: [\u0621-\u0652\u0670]+)*")


@lru_cache(10_000)
def _read(word: str) -> tuple[bool, int] | None:
    """Whether a word begins with "and", and its value; None where it is no number."""
    match = _PREFIXED.fullmatch(_MARKS.sub("", word).translate(_LETTERS))
    return (word[0] == "و", _WORDS[match[1]]) if match else None


def arabic(words: Sequence[str]) -> int | None:
    """The value of words that are one number, all of them; None where they are not.

    >>> arabic("مئتان وخمسة وثلاثون".split()), arabic("ثلاثة عشر ألفا".split())
    (235, 13000)
    """
    total = section = last = least = 0
    for place, word in enumerate(words):
        if (read := _read(word)) is None:
            return None
        joined, value = read
        size = 10 ** (len(str(value)) - 1)
        if place and not joined:  # ten in a teen, or a hundred or thousand that a number counts
            if value == 10 and 0 < last < 10:
                section += 10
            elif value == 100 and 2 < last < 10:
                section += 99 * last
            elif size >= 1000 and section:
                total, section = total + section * size, 0
            else:
                return None
        elif place and not (0 < value < least or 0 < last < 10 < value < 100):
            return None
        else:
            total, section = (total + value, section) if size >= 1000 else (total, section + value)
        last, least = value, size if size >= 100 else 0
    someone = len(words) == 1 and words[0].endswith(("أحد", "إحدى"))
    return None if someone else total + section


def with_digits(text: str) -> str:
    """The text with digits for its Arabic numbers in words.

    >>> with_digits("ثلاثة أقلام")
    '3 أقلام'
    """

    text = re.sub(r"\b(?:بال|في ال)م(?:ئ|ائ)ة\b", "%", text)
    return replaced(text, _RUN, lambda words: arabic(words) if _read(words[0]) else None)


def replaced(
    text: str, runs: re.Pattern[str], value_of: Callable[[Sequence[str]], int | None]
) -> str:
    """The text with digits for the longest numbers in the runs of its words."""

    def written(run: re.Match[str]) -> str:
        words, shown = run[0].split(" "), []
        while words:
            values = [value_of(words[:end]) for end in range(1, min(13, len(words) + 1))]
            end = max((end for end, value in enumerate(values, 1) if value is not None), default=1)
            shown.append(words[0] if values[end - 1] is None else str(values[end - 1]))
            words = words[end:]
        return " ".join(shown)

    return runs.sub(written, text)

"""Gathers the names that answers are read with; `python -m pipelines.cldr` writes cldr.json.

Units, currencies, large numbers, months and conjunctions are CLDR's, through Babel. Sizes of units
are pint's; numbers in the words of languages that text2num does not read are num2words'.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from typing import Any

from babel import Locale
from babel.numbers import list_currencies
from num2words import num2words
from pint import UnitRegistry
from pint.errors import PintError

from transforms.engine.paths import PROJECT

FILE = PROJECT / "transforms" / "text" / "answers" / "cldr.json"

_LANGUAGES = "en de fr es it pt nl ru uk pl cs sv da tr zh ja ko ar hi"
"""The languages that answers are read in; where two use one word, the earlier decides."""


def _locales() -> list[Locale]:
    return [Locale(language) for language in _LANGUAGES.split()]


def _leaves(data: Any) -> Iterator[str]:
    if isinstance(data, str):
        yield unicodedata.normalize("NFKC", data)
    elif data is not None and hasattr(data, "values"):
        for value in data.values():
            yield from _leaves(value)


def _units() -> dict[str, str]:
    """Each word and symbol for a unit of measurement -> CLDR's key (`hrs`: `duration-hour`)."""
    # In CLDR these are first the dots of a screen, a century and the force of gravity.
    found = {"d": "duration-day", "s": "duration-second", "g": "mass-gram"}
    locales = [*_locales(), Locale("en", "GB")]
    for width, locale in product(("long", "short", "narrow"), locales):
        for key, patterns in locale._data["unit_patterns"].items():
            for pattern in _leaves(patterns.get(width)):
                name = pattern.replace("{0}", "").strip(" .\u200f\u200e")
                if "{0}" in pattern and re.search(r"[^\W0-9_]|°", name):
                    found.setdefault(name, key)
    folded = {name.casefold(): key for name, key in reversed(found.items())}
    return folded | found


_MEASURED = {
    **{"length": {"[length]": 1}, "area": {"[length]": 2}, "volume": {"[length]": 3}},
    **{"mass": {"[mass]": 1}, "duration": {"[time]": 1}, "speed": {"[length]": 1, "[time]": -1}},
    "energy": {"[mass]": 1, "[length]": 2, "[time]": -2},
}
"""What is measured -> its dimension in pint, which takes some names of CLDR for other units."""


def _sizes(keys: set[str]) -> dict[str, tuple[str, str]]:
    """Each unit (`hour`) -> what it measures and its size in base units, as a fraction."""
    registry: UnitRegistry[Any] = UnitRegistry(non_int_type=Fraction)
    found = {"decade": ("duration", "315576000"), "quarter": ("duration", "7889400")}
    for key in sorted(keys):
        kind, _, name = key.partition("-")
        written = re.sub(r"(square|cubic)-(\w+)", r"\1 \2", name.removesuffix("-imperial"))
        written = written.replace("-per-", "/").replace("-", "_")
        try:
            size = registry.Quantity(Fraction(1), written).to_base_units()
        except (PintError, TypeError, ValueError):
            continue
        if kind in _MEASURED and dict(size.dimensionality) == _MEASURED[kind]:
            found.setdefault(name, (kind, str(size.magnitude)))
    return found


_NUMBERED = "it nl pl sv tr"
_NO_NUMBERS = frozenset(["due", "sei", "elf", "on", "en", "een", "sex", "sto"])
"""Numbers that are words of other languages, too."""


_ALONE = {"한": "하나", "두": "둘", "세": "셋", "네": "넷"}
"""Korean numbers before what they count -> alone."""


def _numbers() -> dict[str, int]:
    """Each number below 1,000 in words -> its value."""
    named = (
        (num2words(n, lang=language), n) for language in _NUMBERED.split() for n in range(1000)
    )
    found = {word: n for word, n in named if word not in _NO_NUMBERS}
    found |= {num2words(n, lang="ko"): n for n in range(10, 1000)}  # one syllable is a word, too
    for n in range(1, 100):
        word = "한" if n == 1 else num2words(n, lang="ko", to="ordinal").removesuffix(" 번째")
        found |= {word: n, word[:-1] + _ALONE.get(word[-1], word[-1]): n}
    return found | {"스무": 20}


def _forms(locale: Locale, width: str) -> list[Any]:
    return list(locale.compact_decimal_formats[width].values())


def _scales() -> dict[str, int]:
    """Each word for a large number -> its value (`million`, `Milliarden`, `万`)."""
    found = {"hundred": 100}
    for locale in [*_locales(), Locale("en", "IN")]:
        for forms in [*_forms(locale, "long"), *_forms(locale, "short")]:
            for size, form in forms.items():
                pattern = unicodedata.normalize("NFKC", form.pattern)
                word = pattern.replace("0", "").replace("'", "").strip(" .").casefold()
                if len(word) > 2 or word > "z":
                    found.setdefault(word, int(size) // 10 ** (pattern.count("0") - 1))
    return found


def _calendar_names(kind: str) -> dict[str, int]:
    """Each name, long or short, of a month ("months", 1 to 12) or a weekday ("days", 0 to 6)."""
    found: dict[str, int] = {}
    for locale in _locales():
        for width in ("wide", "abbreviated"):
            for number, name in getattr(locale, kind)["format"][width].items():
                if not name[:1].isdigit():
                    found.setdefault(name.strip(".").casefold(), number)
    return found


# Short words that mean something else in another language.
_NO_CONJUNCTIONS = frozenset(["", "a", "e", "i", "o", "of", "en"])


def _conjunctions(kind: str) -> str:
    """A pattern for what stands before a list's last item: kind "standard" (and) or "or"."""
    found = set()
    for locale in _locales():
        pattern = unicodedata.normalize("NFKC", locale.list_patterns[kind]["2"])
        word = pattern.replace("{0}", "").replace("{1}", "").strip(" ,、")
        if word not in _NO_CONJUNCTIONS:
            spaced = (
                r"\s*" if pattern.endswith("}") and pattern.startswith("{0}" + word) else r"\s+"
            )
            found.add(spaced + re.escape(word) + spaced)
    return "|".join(sorted(found, key=lambda word: (-len(word), word)))


def _currency_codes() -> frozenset[str]:
    """Codes and abbreviations of currencies that stand before an amount (`CHF`, `Rs`, `kr`)."""
    signs = {sign for locale in _locales() for sign in locale.currency_symbols.values()}
    words = {sign.strip(".") for sign in signs if re.fullmatch(r"[^\W0-9_]{2,4}\.?", sign)}
    return frozenset(list_currencies()) | words | {"Rs", "Re", "Fr", "SFr"}


def gathered() -> dict[str, Any]:
    """Returns what cldr.json holds, in which each function of lexicon.py has a part of its own."""
    units = _units()
    return {
        "source": "Unicode CLDR, as Babel has it; sizes: pint; numbers: num2words",
        "license": "Unicode-3.0",
        "units": units,
        "sizes": _sizes(set(units.values())),
        "numbers": _numbers(),
        "scales": _scales(),
        "months": _calendar_names("months"),
        "days": _calendar_names("days"),
        "conjunctions": {kind: _conjunctions(kind) for kind in ("standard", "or")},
        "currency_codes": sorted(_currency_codes()),
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(gathered(), ensure_ascii=False, indent=0) + "\n", "utf-8")

"""Arabic numbers in words are read, and what only looks like one is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.text.answers.arabic import arabic, with_digits

ONES = ["", "واحد", "اثنان", "ثلاثة", "أربعة", "خمسة", "ستة", "سبعة", "ثمانية", "تسعة"]
TENS = ["", "", "عشرون", "ثلاثون", "أربعون", "خمسون", "ستون", "سبعون", "ثمانون", "تسعون"]
HUNDREDS = [
    "",
    "مئة",
    "مئتان",
    "ثلاثمئة",
    "أربعمئة",
    "خمسمئة",
    "ستمئة",
    "سبعمئة",
    "ثمانمئة",
    "تسعمئة",
]


def written(number):
    """The words for 1 to 999,999, as a counting person says them."""
    thousands, rest = divmod(number, 1000)
    few = {0: [], 1: ["ألف"], 2: ["ألفان"]}
    large = f"{written(thousands)} {'آلاف' if thousands < 11 else 'ألفًا'}" if thousands > 2 else ""
    parts = few.get(thousands, [large])
    parts = [*parts, HUNDREDS[rest // 100]]
    tens, ones = divmod(rest % 100, 10)
    teens = {10: "عشرة", 11: "أحد عشر", 12: "اثنا عشر"}
    if tens == 1:
        parts.append(teens.get(10 + ones, f"{ONES[ones]} عشر"))
    else:
        parts += [ONES[ones], TENS[tens]]
    return " و".join(filter(None, parts))


@given(st.integers(1, 999_999))
def test_a_number_is_read_as_it_is_spoken(number):
    assert arabic(written(number).split()) == number


@pytest.mark.parametrize(
    "words",
    ["أحد", "ثلاثة أربعة", "ثلاثة وأربعة", "عشرون ثلاثة", "مئة كتاب", "أقلام", "خمسة وعشرة"],
)
def test_words_that_are_no_number_are_none(words):
    assert arabic(words.split()) is None


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("اشترى ثلاثة أقلام وسبعة دفاتر.", "اشترى 3 أقلام 7 دفاتر."),
        ("مئة وخمسون ريالًا، واثنتا عشرة ساعة", "150 ريالًا، 12 ساعة"),
        ("خصم عشرين بالمئة يوم الأحد", "خصم 20 % يوم الأحد"),
    ],
)
def test_numbers_within_a_text_become_digits(text, digits):
    assert with_digits(text) == digits

"""What a text states is read from digits and words, with units, as dates, times and ranges."""

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from text_to_num import alpha2digit

from transforms.text.answers.lexicon import WORDINGS, language_of
from transforms.text.stated import asked_unit, english_digits, stated, stated_numbers, unit_in_name
from transforms.text.words import word_set


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("thirty-five boxes", 35),
        ("one hundred and sixty boxes", 160),
        ("two dozen eggs", 24),
        ("three score years", 60),
        ("two thirds of it", Fraction(2, 3)),
        ("two fifths of it", Fraction(2, 5)),
        ("three and a half boxes", Fraction(7, 2)),
        ("2½ boxes", Fraction(5, 2)),
        ("2.5 million people", 2_500_000),
        ("fünfunddreißig Kühe und ein Hund", 35),
        ("quatre-vingt-quinze vaches et un chien", 95),
        ("veintiséis vacas y un perro", 26),
        ("в шести коробках и тридцать пять коров", 6),
        ("в шести коробках и тридцать пять коров", 35),
        ("三十五支铅笔", 35),
        ("一千三百五十升", 1350),
        ("三万五米", 35000),
        ("二〇二四年", 2024),
        ("3万人", 30_000),
        ("٣٥ قلما", 35),
        ("１２本", 12),
        ("1.350 Liter und 2,5 Meter", 1350),
        ("1.350 Liter und 2,5 Meter", Fraction(5, 2)),
        ("1 350 litres", 1350),
    ],
)
def test_a_number_is_read_in_digits_and_words_of_many_languages(text, value):
    assert value in stated_numbers(text)


@given(st.integers(0, 10**6))
def test_a_number_alone_is_read_as_itself_only(number):
    assert stated_numbers(f"there are {number} of them") == {number}


@pytest.mark.parametrize(
    ("text", "clock"),
    [
        ("at quarter past nine", (9, 15)),
        ("at half past nine", (9, 30)),
        ("at a quarter to nine", (8, 45)),
        ("at twenty minutes to one", (12 % 12, 40)),
        ("at 21:47", (9, 47)),
        ("at 3 p.m.", (3, 0)),
    ],
)
def test_clock_times_are_read_in_words(text, clock):
    assert clock in stated(text).clocks


def test_what_is_no_clock_time_is_read_as_none():
    assert stated("She buys 5 to 9 apples.").clocks == frozenset()


def test_lengths_of_two_units_are_added():
    added = [mention for mention in stated("2 hours and 15 minutes").mentions if mention.sums]
    assert [mention.states(Fraction(135), "minute") for mention in added] == [True]


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("How many hours does she work?", "hour"),
        ("Wie viele Minuten dauert die Fahrt?", "minute"),
        ("Combien d'heures dure le voyage ?", "hour"),
        ("¿Cuántos minutos dura?", "minute"),
        ("Сколько минут длится поездка?", "minute"),
        ("全程需要多少分钟？", "minute"),
        ("全部で何分かかりますか。", "minute"),
        ("How many boxes does she fill in 3 hours?", ""),
    ],
)
def test_the_unit_that_is_asked_for_is_read(text, unit):
    assert asked_unit(text) == unit


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("total_minutes", "minute"),
        ("track_m", "meter"),
        ("box_kg", "kilogram"),
        ("minutes_per_km", ""),
        ("second", ""),
        ("day_rate", ""),
    ],
)
def test_a_name_tells_the_unit_that_it_ends_in(name, unit):
    assert unit_in_name(name) == unit


@given(st.text(alphabet="〇零一二两兩三四五六七八九十百千万亿億个只分之点 ", max_size=8))
def test_any_run_of_chinese_signs_is_read_without_complaint(text):
    assert stated(f"小明有{text}个苹果。").plain


NUMBER_WORDS = word_set(
    "the of and one two twenty-one hundred thousand point zero o plus minus fifth first second"
    " thirds apples 3 half . , !"
)
ENGLISH = st.lists(st.sampled_from([*sorted(NUMBER_WORDS), "\n"]), max_size=12).map(" ".join)


@given(ENGLISH)
def test_english_numbers_are_what_text2num_makes_of_the_whole_text(text):
    assert english_digits(text) == alpha2digit(text, "en", ordinal_threshold=0)


@given(st.text("abdeilnouçé '-", max_size=40) | ENGLISH)
def test_the_language_is_the_one_with_most_function_words(text):
    counts = {
        language: len(re.findall(rf"\b(?:{words})\b", text))
        for language, words in WORDINGS["function_words"].items()
    }
    assert language_of(text) == max(counts, key=lambda language: counts[language])

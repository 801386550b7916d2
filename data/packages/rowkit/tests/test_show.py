import pytest
from rowkit import align, parse, to_number
from rowkit.show import shorten, width

TEXT = """
name | n | share
Ann  | 1,200 | 50%
Bo   | 7
"""


@pytest.mark.parametrize(
    "text, value",
    [
        ("12", 12),
        (" 1,234 ", 1234),
        ("12.5", 12.5),
        ("30%", 0.3),
        ("-4", -4),
        ("n/a ", "n/a"),
        ("", ""),
        ("5%%", "5%%"),
    ],
)
def test_to_number(text, value):
    assert to_number(text) == value


def test_parse():
    assert parse(TEXT) == [{"name": "Ann", "n": 1200, "share": 0.5}, {"name": "Bo", "n": 7}]


def test_parse_text_alone():
    assert parse("a;b\n1;x", ";", numbers=False) == [{"a": "1", "b": "x"}]


def test_parse_nothing():
    assert parse(" \n") == []


def test_parse_refuses_a_line_that_is_too_long():
    with pytest.raises(ValueError):
        parse("a|b\n1|2|3")


def test_width():
    assert width([{"ab": 1}, {"ab": 1234}, {}], "ab") == 4
    assert width([], "ab") == 2


def test_align():
    rows = [{"name": "Ann", "n": 1200}, {"name": "Bo", "n": 7}, {"name": "Cy"}]
    assert align(rows) == "name | n\nAnn  | 1200\nBo   |    7\nCy   |"


def test_align_keeps_booleans_to_the_left():
    assert align([{"flag": True, "x": 1}], "|") == "flag|x\nTrue|1"


def test_align_with_narrow_booleans():
    assert align([{"is_open": True, "x": 1}], "|") == "is_open|x\nTrue   |1"


@pytest.mark.parametrize(
    "text, most, short",
    [
        ("short", 5, "short"),
        ("one two three", 10, "one two..."),
        ("one two three", 12, "one two..."),
        ("abcdefghijk", 8, "abcde..."),
        ("abcdef", 3, "abc"),
        ("abcdef", 2, "ab"),
    ],
)
def test_shorten(text, most, short):
    assert shorten(text, most) == short


def test_shorten_with_a_mark():
    assert shorten("one two three", 8, mark=" >") == "one >"

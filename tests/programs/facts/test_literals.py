"""A value comes back from its literal as it was, types included."""

from __future__ import annotations

import ast
import datetime
import enum
import json
import math
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace

import numpy
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from transforms.programs.facts import Instance, Text, decode, is_plain
from transforms.programs.facts.literals import InvalidLiteral
from transforms.sandbox.literals import TooLarge, encode

ATOMS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=2**4000, max_value=2**5000)
    | st.floats()
    | st.complex_numbers()
    | st.text(st.characters(exclude_categories=()))
    | st.binary()
)
HASHABLE = st.recursive(
    ATOMS,
    lambda inner: st.lists(inner, max_size=4).map(tuple) | st.frozensets(inner, max_size=4),
    max_leaves=4,
)
VALUES = st.recursive(
    HASHABLE,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(HASHABLE, inner)
        | st.sets(HASHABLE)
        | st.binary().map(bytearray)
    ),
    max_leaves=8,
)


def came_back(value: object) -> object:
    return decode(json.loads(encode(value, 1 << 20)))


def same(one: object, other: object) -> bool:
    """Whether two values are equal in all types inside, and NaN equals NaN."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return math.isnan(one) and math.isnan(other) or repr(one) == repr(other)
    if isinstance(one, complex):
        return same(one.real, other.real) and same(one.imag, other.imag)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return same(list(one.items()), list(other.items()))
    if isinstance(one, (set, frozenset)):
        rest = list(other)
        for item in one:
            match = next((n for n, there in enumerate(rest) if same(item, there)), None)
            if match is None:
                return False
            del rest[match]
        return not rest
    return one == other


@given(VALUES)
def test_built_in_values_come_back_with_their_types_through_strict_ascii_json(value):
    text = encode(value, 1 << 20)
    assert text.isascii()
    assert same(decode(json.loads(text, parse_constant=pytest.fail)), value)


@given(VALUES, st.integers(0, 60))
def test_a_literal_is_never_longer_than_allowed(value, size):
    text = encode(value, 1 << 20)
    if len(text) <= size:
        assert encode(value, size) == text
    else:
        with pytest.raises(TooLarge, match="bytes"):
            encode(value, size)


@given(VALUES)
def test_a_plain_value_is_read_back_from_its_repr(value):
    if is_plain(value):
        assert same(ast.literal_eval(repr(value)), value)


def test_one_list_held_twice_comes_back_as_one():
    row = [0]
    first, second = came_back([row, row])
    assert first is second


def test_a_list_that_holds_itself_comes_back():
    loop = [1]
    loop.append(loop)
    back = came_back(loop)
    assert back[1] is back
    assert not is_plain(back)


@dataclass
class Point:
    x: int
    y: object = None


class Slots:
    __slots__ = ("a", "unset")

    def __init__(self):
        self.a = 1


class Colour(enum.IntEnum):
    RED = 1


class Liar:
    """Whose attributes run code and say what is not so."""

    def __init__(self):
        self.kept = [1]

    def __getattribute__(self, name):
        pytest.fail("the code of the class ran")

    __repr__ = __eq__ = __hash__ = __iter__ = __len__ = __getattribute__


Pair = namedtuple("Pair", "a b")

SHOWN = [
    (Point(1, (2,)), "Point(x=1, y=(2,))"),
    (Slots(), "Slots(a=1)"),
    (Pair(1, [2]), "Pair((1, [2]))"),
    (Counter("aab"), "Counter({'a': 2, 'b': 1})"),
    (OrderedDict(a=1), "OrderedDict({'a': 1})"),
    (deque([1, 2], maxlen=4), "deque([1, 2])"),
    (ValueError("x", 1), "ValueError(('x', 1))"),
    (SimpleNamespace(a=1), "SimpleNamespace(a=1)"),
    (Liar(), "Liar(kept=[1])"),
    (numpy.arange(3), "ndarray([0, 1, 2], dtype='int64', shape=(3,))"),
    (numpy.zeros((0, 2)), "ndarray([], dtype='float64', shape=(0, 2))"),
    (numpy.array([{}, None]), "ndarray([{}, None], dtype='object', shape=(2,))"),
    (numpy.longdouble(1.5), "longdouble('1.5')"),
    (numpy.float64(2.5), "float64(2.5)"),
    (Fraction(1, 3), "Fraction(1, 3)"),
    (Decimal("1.50"), "Decimal('1.50')"),
    (datetime.date(2024, 2, 29), "datetime.date(2024, 2, 29)"),
    (range(3), "range(0, 3)"),
    (sympy.Symbol("x") ** 2, "x**2"),
    (len, "<builtin_function_or_method len>"),
    (Point, "<type Point>"),
    (iter([1]), "<list_iterator>"),
]


@pytest.mark.parametrize(("value", "text"), SHOWN, ids=[text for _, text in SHOWN])
def test_another_value_is_shown_with_its_class_and_is_not_plain(value, text):
    back = came_back(value)
    assert repr(back) == text
    assert not is_plain(back)


def test_an_enumeration_keeps_its_value():
    assert came_back(Colour.RED).base == 1


def test_a_default_dict_keeps_its_contents():
    assert came_back(defaultdict(list, {1: [2]})).base == {1: [2]}


def test_instances_that_hold_each_other_come_back():
    parent, child = Point(1), Point(2)
    parent.y, child.y = child, parent
    back = came_back(parent)
    assert isinstance(back, Instance)
    assert back.fields["y"].fields["y"] is back


def test_members_of_a_set_are_in_one_order():
    words = [str(number) for number in range(50)]
    assert encode(set(words), 1 << 20) == encode(set(reversed(words)), 1 << 20)


@pytest.mark.parametrize(
    "literal",
    [
        {"unknown": 1},
        {"tuple": [1], "list": []},
        {},
        {"ref": 3},
        {"set": [[1]]},
        {"dict": [[1]]},
        {"int": "x"},
        {"bytes": "0"},
        {"object": [1, None, {}]},
        {"text": ["a"]},
        {"complex": ["1", 2]},
    ],
)
def test_what_is_no_literal_is_refused(literal):
    with pytest.raises(InvalidLiteral):
        decode(literal)


def test_a_value_nested_too_deeply_is_too_large():
    value: list = []
    for _ in range(100):
        value = [value]
    with pytest.raises(TooLarge, match="depth"):
        encode(value, 1 << 20)


def test_text_values_are_equal_by_text():
    assert came_back(Fraction(2, 6)) == Text("Fraction", "Fraction(1, 3)")

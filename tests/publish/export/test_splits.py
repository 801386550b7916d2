"""Splits keep what is near on one side, and stay as they are when rows are added."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from transforms.engine.errors import SettingsError
from transforms.engine.settings import parse_settings
from transforms.publish.export.splits import SplitSettings, elements, families, sides

ROWS = st.lists(
    st.tuples(st.integers(0, 40).map(str), st.lists(st.integers(0, 60).map(str), max_size=3)),
    max_size=60,
)
"""Rows: a task and what it shares with others."""
SHARES = st.sampled_from([0, 0.1, 0.3, 0.45])
NUMBERS = st.integers(1, 20)


def made(rows: list[tuple[str, list[str]]]) -> list[tuple[str, list[str]]]:
    """Rows whose elements are apart from the ids of tasks, which are elements too."""
    return [(task, [f"task {task}", *shared]) for task, shared in rows]


def divided(rows: list[tuple[str, list[str]]], **sizes: Any) -> dict[str, str]:
    named, counts = families(made(rows))
    chosen = sides(counts, SplitSettings(**sizes))
    return {task: chosen[family] for task, family in named.items()}


@given(ROWS, SHARES | NUMBERS, SHARES | NUMBERS)
def test_rows_that_share_anything_are_on_one_side(rows, validation, test):
    side = divided(rows, validation=validation, test=test)
    for task, shared in rows:
        for other, theirs in rows:
            if set(shared) & set(theirs):
                assert side[task] == side[other]


@given(ROWS, NUMBERS, NUMBERS)
def test_a_number_of_rows_is_never_exceeded(rows, validation, test):
    side = divided(rows, validation=validation, test=test)
    counts = Counter(side[task] for task, _ in rows)
    assert counts["validation"] <= validation and counts["test"] <= test


@given(ROWS, ROWS, SHARES, SHARES)
def test_rows_that_join_no_family_move_none(rows, added, validation, test):
    """Unless the family has more rows than are asked for: it is in train until the share grows."""
    sizes = {"validation": validation, "test": test}
    named, counts = families(made(rows))
    known = {item for task, shared in made(rows) for item in shared}
    new = [(task, shared) for task, shared in added if not known & {f"task {task}", *shared}]
    held = max(counts.values(), default=0)
    assume(all(share == 0 or held <= share * len(rows) for share in sizes.values()))
    before, after = divided(rows, **sizes), divided(rows + new, **sizes)
    assert {task: after[task] for task in before} == before


@given(ROWS, ROWS)
def test_families_that_become_one_go_where_one_of_them_was_or_to_train(rows, added):
    sizes = {"test": 0.45}
    named, counts = families(made(rows))
    assume(max(counts.values(), default=0) <= 0.45 * len(rows))
    known = {item for _, shared in made(rows) for item in shared}
    links = [row for row in added if known.issuperset(made([row])[0][1])]
    before, after = divided(rows, **sizes), divided(rows + links, **sizes)
    joined, _ = families(made(rows + links))
    for task in before:
        parts = {before[other] for other in named if joined[other] == joined[task]}
        assert after[task] in parts | {"train"}


@given(st.permutations(list(range(30))))
def test_the_order_of_rows_decides_nothing(order):
    rows = [(str(n), [f"seed {n // 2}"]) for n in range(30)]
    shuffled = [rows[n] for n in order]
    assert divided(shuffled, validation=0.2, test=4) == divided(rows, validation=0.2, test=4)


def test_shares_of_many_small_families_are_near_what_is_asked():
    side = divided([(str(n), [f"seed {n // 3}"]) for n in range(6000)], validation=0.1, test=0.2)
    counts = Counter(side.values())
    assert 450 < counts["validation"] < 750 and 1050 < counts["test"] < 1350


def test_numbers_of_small_families_are_met():
    side = divided([(str(n), [f"seed {n // 2}"]) for n in range(100)], validation=10, test=20)
    assert Counter(side.values()) == {"train": 70, "test": 20, "validation": 10}


def test_a_family_larger_than_a_split_is_in_train():
    rows = [(str(n), ["one seed"]) for n in range(90)] + [(f"t{n}", []) for n in range(10)]
    for number in range(20):
        named = [(task, [f"{item} {number}" for item in shared]) for task, shared in rows]
        assert divided(named, test=0.2, validation=0.2)["0"] == "train"


def test_programs_of_one_structure_are_of_one_family():
    one = {"code": "input = {'a': 1}\noutput = input['a'] + 2"}
    other = {"code": "input = {'b': 7}\noutput = input['b'] + 9"}
    assert set(elements(one, "1", ["structure"])) & set(elements(other, "2", ["structure"]))
    assert not set(elements(one, "1", ["seeds"])) & set(elements(other, "2", ["seeds"]))


def test_a_program_that_does_not_parse_has_no_structure():
    assert len(list(elements({"code": "x = ("}, "1", ["structure"]))) == 1


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"test": 1.5}, "test=1.5 is neither a share below 1 nor a whole number"),
        ({"test": 0.5, "validation": 0.5}, "take all rows"),
    ],
)
def test_sizes_that_make_no_sense_are_one_line(values, message):
    with pytest.raises(SettingsError, match=message):
        parse_settings(values, SplitSettings)

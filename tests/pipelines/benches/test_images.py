"""The bench of pictures: what it counts is what it drew, changed and found."""

from importlib.util import find_spec

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.benches.images import (
    FAULTS,
    OPERATIONS,
    BenchImagesSettings,
    changed,
    drawn,
    judged_scripts,
    read_back,
    whole_run,
)
from pipelines.benches.planted.pictures import CODED, RIGHT, looks
from tests.programs_for_tests import SANDBOX
from transforms.stages.graders import BY_TEXT

SETTINGS = BenchImagesSettings(
    scenes=["shapes"], count=5, rows=20, scripts=1, workers=1, sandbox=SANDBOX
)


def test_the_bench_draws_changes_proves_and_reads_back() -> None:
    assert drawn("board", 5)["bytes"] > 1000
    rows = changed(1)
    assert len(rows) == len(OPERATIONS) + len(FAULTS) and all(row["rate"] > 0 for row in rows)
    assert read_back(6)["exact"] == 6


ANSWERS = st.one_of(
    st.integers(-999, 9999),
    st.text("abcmnyz ", min_size=1, max_size=9).map(str.strip).filter(bool),
    st.tuples(*[st.integers(0, 600)] * 2, *[st.integers(1, 90)] * 2).map(
        lambda each: [each[0], each[1], each[0] + each[2], each[1] + each[3]]
    ),
    st.integers(1, 9999).map(lambda n: n / 10),
)


@given(ANSWERS, st.lists(ANSWERS, max_size=3))
def test_the_grader_keeps_the_ways_that_are_right_and_no_other(
    answer: object, others: list
) -> None:
    grader = "overlap" if isinstance(answer, list) else "tolerant"
    for way, text in looks(answer, others).items():
        mark = BY_TEXT[grader]([repr(answer)], text)
        assert (mark.fault is None) is (way in RIGHT), (way, text)


@pytest.mark.parametrize(("recipe", "scene"), [("picture_qa", "shapes"), ("game_qa", "board")])
def test_a_run_keeps_right_answers_about_the_right_picture_and_nothing_else(
    recipe: str, scene: str
) -> None:
    run = whole_run(SETTINGS, recipe, [scene], 20)
    assert run["right"] > 5 and run["wrong"] > 5
    assert run["right"] + run["wrong"] == run["attempts"] >= 20
    assert (run["wrong_kept"], run["misjudged"]) == (0, [])
    assert run["right_kept"] == run["right"] == run["rows"]
    assert run["peak_mib"] > 100 and run["mb_a_row"] > 0


def test_what_computes_is_kept_where_it_is_right_and_nowhere_else() -> None:
    expected = [name for name, each in CODED.items() if not each.needs or find_spec(each.needs)]
    rows = list(judged_scripts(SETTINGS))
    assert [row["recipe"] for row in rows] == expected
    for row in rows:
        assert row["misjudged"] == []
        assert row["right"] == row["right_kept"] > 0 and row["wrong"] > 4

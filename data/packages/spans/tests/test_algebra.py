import pytest
from spans import clip, gaps, intersect, merge, subtract
from spans.algebra import check, total


def test_check_returns_the_span():
    assert check((2, 5)) == (2, 5)
    assert check((3, 3)) == (3, 3)


def test_check_refuses_a_span_that_ends_first():
    with pytest.raises(ValueError):
        check((5, 2))


@pytest.mark.parametrize(
    "spans, merged",
    [
        ([], []),
        ([(4, 4)], []),
        ([(1, 3), (2, 5)], [(1, 5)]),
        ([(1, 3), (3, 5)], [(1, 5)]),
        ([(1, 3), (4, 5)], [(1, 3), (4, 5)]),
        ([(1, 9), (2, 5)], [(1, 9)]),
        ([(6, 8), (1, 2)], [(1, 2), (6, 8)]),
    ],
)
def test_merge(spans, merged):
    assert merge(spans) == merged


def test_merge_joins_what_is_near():
    assert merge([(1, 3), (5, 6), (9, 10)], distance=2) == [(1, 6), (9, 10)]


def test_intersect():
    assert intersect([(1, 5), (8, 12)], [(3, 9), (11, 20)]) == [(3, 5), (8, 9), (11, 12)]


def test_intersect_of_neighbours_is_empty():
    assert intersect([(1, 3)], [(3, 6)]) == []


def test_intersect_where_both_end_at_once():
    assert intersect([(1, 4), (6, 7)], [(2, 4), (6, 9)]) == [(2, 4), (6, 7)]


def test_subtract():
    assert subtract([(0, 10)], [(2, 4), (6, 7)]) == [(0, 2), (4, 6), (7, 10)]


def test_subtract_all():
    assert subtract([(2, 4)], [(0, 9)]) == []


def test_subtract_nothing():
    assert subtract([(2, 4)], [(4, 9)]) == [(2, 4)]


def test_gaps():
    assert gaps([(5, 6), (0, 2), (9, 10)]) == [(2, 5), (6, 9)]


def test_gaps_of_a_size():
    assert gaps([(0, 2), (4, 6), (9, 10)], smallest=3) == [(6, 9)]


def test_clip():
    assert clip([(0, 4), (6, 9), (12, 15)], 2, 8) == [(2, 4), (6, 8)]


def test_clip_to_nothing():
    assert clip([(0, 4)], 4, 8) == []
    assert clip([(0, 4)], 2, 2) == []


def test_clip_refuses_bounds_in_the_wrong_order():
    with pytest.raises(ValueError):
        clip([], 2, 1)


def test_total():
    assert total([(0, 4), (2, 6), (10, 11)]) == 7

import pytest
from spans import busiest, free, overlaps, pack
from spans.schedule import Room


def test_overlaps():
    assert overlaps([(0, 2), (1, 3), (2, 4), (0, 9)]) == [(0, 1), (0, 3), (1, 2), (1, 3), (2, 3)]


def test_neighbours_do_not_overlap():
    assert overlaps([(2, 4), (0, 2), (4, 5)]) == []


def test_busiest():
    assert busiest([(0, 4), (1, 3), (2, 6), (5, 7)]) == (3, 2)


def test_busiest_of_none():
    assert busiest([(3, 3)]) == (0, None)


def test_busiest_counts_an_end_before_a_start():
    assert busiest([(0, 2), (2, 4)]) == (1, 0)


def test_free():
    assert free([(9, 10), (12, 14)], 8, 16) == [(8, 9), (10, 12), (14, 16)]


def test_free_for_long_enough():
    assert free([(9, 10), (12, 14)], 8, 16, length=2) == [(10, 12), (14, 16)]


def test_pack():
    assert pack([(0, 5), (1, 3), (3, 4), (4, 8), (5, 6)]) == [0, 1, 1, 1, 0]


def test_pack_in_any_order():
    assert pack([(4, 6), (0, 4), (2, 5)]) == [0, 0, 1]


@pytest.fixture
def room():
    room = Room(8, 18)
    room.book(9, 11)
    return room


def test_room_takes_what_fits(room):
    assert room.book(11, 12) is True
    assert room.book(8, 9) is True
    assert room.bookings == [(8, 9), (9, 11), (11, 12)]


def test_room_refuses_an_overlap(room):
    assert room.book(10, 12) is False
    assert room.refused == 1


@pytest.mark.parametrize("start, end", [(7, 9), (17, 19), (12, 12), (13, 12)])
def test_room_refuses_what_is_no_time(room, start, end):
    assert room.book(start, end) is False


def test_room_takes_the_whole_day():
    assert Room(8, 18).book(8, 18) is True


def test_room_cancels(room):
    room.cancel(9, 11)
    assert room.bookings == []
    with pytest.raises(KeyError):
        room.cancel(9, 11)


def test_room_usage(room):
    room.book(13, 16)
    assert room.usage() == 0.5

import pytest
from rowkit import columns, group, join, pivot, rank, rename, running, select
from rowkit.core import Ledger

ROWS = [
    {"town": "Ulm", "year": 2020, "n": 3},
    {"town": "Ulm", "year": 2021, "n": 5},
    {"town": "Bonn", "year": 2020, "n": 4},
    {"town": "Bonn", "year": 2021, "n": None},
]


def test_columns():
    assert columns([{"a": 1}, {"b": 2, "a": 3}, {"c": 0}]) == ["a", "b", "c"]


def test_select_all_copies():
    found = select(ROWS)
    assert found == ROWS and found[0] is not ROWS[0]


def test_select_where():
    assert select(ROWS, {"town": "Ulm", "year": 2021}) == [ROWS[1]]


def test_select_columns():
    assert select(ROWS[:2], keep=["n", "absent"]) == [{"n": 3}, {"n": 5}]


def test_select_limit():
    assert select(ROWS, limit=3) == ROWS[:3]
    assert select(ROWS, limit=0) == []


def test_rename():
    assert rename([{"a": 1, "b": 2}], {"a": "c"}) == [{"c": 1, "b": 2}]


def test_rename_refuses_two_of_a_name():
    with pytest.raises(ValueError):
        rename([{"a": 1, "b": 2}], {"a": "b"})


@pytest.mark.parametrize(
    "how, result",
    [
        ("sum", {"Ulm": 8, "Bonn": 4}),
        ("count", {"Ulm": 2, "Bonn": 1}),
        ("mean", {"Ulm": 4.0, "Bonn": 4.0}),
        ("least", {"Ulm": 3, "Bonn": 4}),
        ("most", {"Ulm": 5, "Bonn": 4}),
    ],
)
def test_group(how, result):
    assert group(ROWS, "town", "n", how) == result


def test_group_sums_by_default():
    assert group(ROWS, "year", "n") == {2020: 7, 2021: 5}


def test_group_knows_five_ways():
    with pytest.raises(ValueError):
        group(ROWS, "town", "n", "mode")


RIGHT = [{"town": "Ulm", "land": "BW"}, {"town": "Ulm", "land": "BY"}]


def test_join():
    assert join([{"town": "Ulm", "n": 1}], RIGHT, "town") == [
        {"town": "Ulm", "land": "BW", "n": 1},
        {"town": "Ulm", "land": "BY", "n": 1},
    ]


def test_join_drops_rows_without_a_match():
    assert join([{"town": "Bonn"}], RIGHT, "town") == []


def test_outer_join_keeps_them():
    assert join([{"town": "Bonn"}], RIGHT, "town", outer=True) == [{"town": "Bonn"}]


def test_join_prefers_the_left():
    assert join([{"k": 1, "v": "l"}], [{"k": 1, "v": "r"}], "k") == [{"k": 1, "v": "l"}]


def test_pivot():
    assert pivot(ROWS, "town", "year", "n") == [
        {"town": "Ulm", 2020: 3, 2021: 5},
        {"town": "Bonn", 2020: 4, 2021: None},
    ]


def test_pivot_fills_holes():
    assert pivot([ROWS[0], ROWS[3]], "town", "year", "n", missing=0) == [
        {"town": "Ulm", 2020: 3, 2021: 0},
        {"town": "Bonn", 2020: 0, 2021: None},
    ]


def test_rank():
    assert rank([{"n": 3}, {"n": 9}, {"n": 3}, {"n": 1}], "n") == [2, 1, 2, 4]


def test_rank_ascending():
    assert rank([{"n": 3}, {"n": 9}, {"n": 1}], "n", descending=False) == [2, 3, 1]


def test_running():
    assert [row["total"] for row in running(ROWS, "n")] == [3, 8, 12, 12]


def test_running_from_a_start():
    assert running([{"n": 2}], "n", start=10) == [{"n": 2, "total": 12}]


@pytest.fixture
def ledger():
    ledger = Ledger(["cash", "bank"])
    ledger.post("cash", 50, 1)
    ledger.post("cash", -20, 3)
    return ledger


def test_balance(ledger):
    assert ledger.balance("cash") == 30
    assert ledger.balance("bank") == 0


def test_balance_of_a_day(ledger):
    assert [ledger.balance("cash", day) for day in (0, 1, 2, 3)] == [0, 50, 50, 30]


def test_post_refuses_days_that_go_back(ledger):
    ledger.post("cash", 1, 3)
    with pytest.raises(ValueError):
        ledger.post("cash", 1, 2)


def test_close(ledger):
    assert ledger.close("cash") is False
    assert ledger.close("bank") is True
    with pytest.raises(ValueError):
        ledger.post("bank", 1, 4)


def test_move(ledger):
    assert ledger.move("cash", "bank", 30, 5) is True
    assert (ledger.balance("cash"), ledger.balance("bank")) == (0, 30)


@pytest.mark.parametrize("amount", [31, 0, -5])
def test_move_refuses(ledger, amount):
    assert ledger.move("cash", "bank", amount, 5) is False
    assert ledger.balance("cash") == 30

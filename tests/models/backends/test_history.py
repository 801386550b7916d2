"""Tests of what follows from the failures and answers of a stage."""

from __future__ import annotations

from transforms.models.backends.history import History


def _history(*open_requests: str) -> History:
    history = History()
    for name in open_requests:
        history.begin(name)
    return history


def test_a_stage_whose_requests_are_all_refused_alike_is_given_up() -> None:
    history = _history(*"abc")
    assert [history.failed(name, f"bad {name!r} 1", enough=1) for name in "ab"] == [False, False]
    assert history.failed("c", "bad 'c' 2", enough=1)


def test_a_request_that_is_still_open_may_be_answered() -> None:
    history = _history(*"abcd")
    assert not any(history.failed(name, "HTTP 400: no", enough=3) for name in "abc")
    history.answered(1.0, 10)
    assert not history.failed("d", "HTTP 400: no", enough=3)


def test_what_is_sent_after_enough_refusals_is_not_awaited() -> None:
    history = _history(*"ab")
    history.failed("a", "no", enough=2)
    history.begin("c")
    history.failed("b", "no", enough=2)
    history.begin("d")
    assert history.failed("c", "no", enough=2)


def test_failures_that_differ_give_nothing_up() -> None:
    history = _history(*"abcdef")
    assert not any(history.failed(name, f"no {name}", enough=3) for name in "abcdef")


def test_numbers_make_no_difference() -> None:
    history = _history(*"abc")
    assert [history.failed(name, f"no {index}", 3) for index, name in enumerate("abc")][-1]


def test_a_failure_that_says_nothing_of_others_gives_nothing_up() -> None:
    history = _history(*"abc")
    assert not any(history.failed(name, None, enough=1) for name in "abc")


def test_a_try_may_take_four_times_as_long_as_the_slowest_answer() -> None:
    history = _history()
    for seconds in (10, 30, 20):
        history.answered(seconds, 100)
    assert history.longest(600, timeouts=0) == 120
    assert history.longest(600, timeouts=1) == 240
    assert history.longest(100, timeouts=1) == 100


def test_a_try_is_given_a_minute_at_least_and_all_the_time_before_there_are_answers() -> None:
    history = _history()
    assert history.longest(600, timeouts=0) == 600
    for _ in range(3):
        history.answered(0.1, 1)
    assert history.longest(600, timeouts=0) == 60

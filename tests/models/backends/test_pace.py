"""Tests of the pace against limiters on a simulated clock: none of them waits."""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from transforms.models.backends.pace import Pace

Limiter = Callable[[float, int], float | None]
"""(now, requests that it is working on) -> None where it takes the request; else Retry-After."""


class Counts(NamedTuple):
    taken: int
    refused: int

    @property
    def refused_share(self) -> float:
        return self.refused / (self.taken + self.refused)


def token_bucket(per_second: float, burst: float, retry_after: float = 0.0) -> Limiter:
    level, at = burst, 0.0

    def take(now: float, open_requests: int) -> float | None:
        nonlocal level, at
        level, at = min(burst, level + (now - at) * per_second), now
        if level < 1:
            return retry_after
        level -= 1
        return None

    return take


def fixed_window(requests: int, seconds: float) -> Limiter:
    windows: dict[int, int] = {}

    def take(now: float, open_requests: int) -> float | None:
        window = int(now / seconds)
        windows[window] = windows.get(window, 0) + 1
        return None if windows[window] <= requests else 0.0

    return take


def sliding_window(requests: int, seconds: float) -> Limiter:
    taken: deque[float] = deque()

    def take(now: float, open_requests: int) -> float | None:
        while taken and taken[0] <= now - seconds:
            taken.popleft()
        if len(taken) >= requests:
            return 0.0
        taken.append(now)
        return None

    return take


def open_requests(limit: int) -> Limiter:
    return lambda now, working: None if working < limit else 0.0


def simulate(
    limiter: Limiter, latency: float, paces: int = 1, until: float = 300.0, count_from: float = 60.0
) -> Counts:
    """Asks through so many paces with a window of 32, and counts from `count_from` seconds on."""
    number = itertools.count()
    lines = [Pace(32) for _ in range(paces)]
    events: list[Any] = [(0.001 * i, next(number), pace, None) for i, pace in enumerate(lines)]
    working = 0
    counts = {True: 0, False: 0}
    while events:
        now, _, pace, reply = heapq.heappop(events)
        if now > until:
            break
        if reply is not None:
            ticket, retry_after = reply
            if retry_after is None:
                working -= 1
                pace.admitted(ticket, 0)
            else:
                pace.refused(ticket, now, retry_after)
            pace.leave(ticket)
            counts[retry_after is None] += now >= count_from
            continue
        if (wait := pace.wait(now)) > 0:
            heapq.heappush(events, (now + min(max(wait, 0.001), 0.2), next(number), pace, None))
            continue
        ticket = pace.send(now)
        answer = limiter(now, working)
        working += answer is None
        took = latency if answer is None else 0.02
        heapq.heappush(events, (now + took, next(number), pace, (ticket, answer)))
        heapq.heappush(events, (now, next(number), pace, None))
    return Counts(counts[True], counts[False])


@pytest.mark.parametrize("latency", [0.02, 0.5, 5.0])
@pytest.mark.parametrize(
    "limiter",
    [
        lambda: token_bucket(5, 5),
        lambda: token_bucket(5, 1),
        lambda: token_bucket(5, 5, retry_after=1.0),
        lambda: sliding_window(5, 1.0),
        lambda: fixed_window(300, 60.0),
        lambda: fixed_window(5, 1.0),
    ],
    ids=["bucket", "no burst", "retry-after", "sliding", "minute", "second"],
)
def test_after_a_minute_a_limit_of_five_a_second_refuses_few(
    limiter: Callable[[], Limiter], latency: float
) -> None:
    counts = simulate(limiter(), latency)
    assert counts.refused_share <= 0.1
    assert counts.taken >= 0.65 * 5 * 240


@pytest.mark.parametrize("per_second", [0.5, 2.0, 50.0])
def test_other_limits_are_found_as_well(per_second: float) -> None:
    counts = simulate(token_bucket(per_second, max(1.0, per_second)), 0.3)
    assert counts.refused_share <= 0.1
    assert counts.taken >= 0.6 * min(per_second, 32 / 0.3) * 240


def test_a_limit_on_open_requests_is_found() -> None:
    counts = simulate(open_requests(4), 2.0)
    assert counts.refused_share <= 0.1
    assert counts.taken >= 0.6 * 2 * 240


def test_workers_that_share_a_limit_find_it_together() -> None:
    counts = simulate(token_bucket(5, 5), 0.3, paces=4)
    assert counts.refused_share <= 0.12
    assert counts.taken >= 0.65 * 5 * 240


def test_a_stated_limit_of_requests_is_kept_in_every_minute() -> None:
    pace, sent, now = Pace(32, requests_per_minute=120), [], 0.0
    while now < 180:
        now += max(pace.wait(now), 0.0)
        ticket = pace.send(now)
        pace.leave(ticket)
        pace.admitted(ticket, 0)
        sent.append(now)
    assert max(sum(start <= at < start + 60 for at in sent) for start in sent) <= 122


@pytest.mark.parametrize("expected", [1.0, 50.0, 500.0])
def test_a_stated_limit_of_tokens_is_kept_whatever_was_expected(expected: float) -> None:
    pace, spent, now = Pace(4, tokens_per_minute=6000), 0.0, 0.0
    while now < 600:
        now += max(pace.wait(now), 0.0)
        ticket = pace.send(now, expected)
        pace.leave(ticket)
        pace.admitted(ticket, 50)
        spent += 50
    assert 0.95 * 60_000 <= spent <= 1.05 * 60_000


def test_a_wait_that_the_endpoint_asks_for_is_kept() -> None:
    pace = Pace(32)
    ticket = pace.send(10.0)
    pace.leave(ticket)
    pace.refused(ticket, 10.0, asked_seconds=7.5)
    assert pace.wait(10.0) == 7.5


def test_what_is_not_refused_is_not_slowed_down() -> None:
    pace = Pace(3)
    tickets = [pace.send(0.0) for _ in range(3)]
    assert pace.wait(0.0) > 0
    pace.leave(tickets[0])
    assert pace.wait(0.0) <= 0

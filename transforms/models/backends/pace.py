"""Finds how fast an endpoint may be asked, from what it refuses, and keeps to stated limits."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from dataclasses import dataclass

_DECREASE, _FAST_DECREASE, _FAR_OFF_SECONDS = 0.85, 0.5, 5.0
"""What a refusal leaves of the rate; the second where the rate before held for less than this."""
_LOWEST_RATE = 0.2
_FIRST_GATE, _LONGEST_GATE = 0.5, 4.0
"""Seconds without a request after a refusal, where the endpoint asks for no wait of its own."""
_SHORT_GATES = 3
"""Gates in a row that were too short before the rate is cut: a quota was used up too early."""
_CATCH_UP_SECONDS = 0.01
"""A send that is late by less than this does not delay the sends after it."""


@dataclass(frozen=True)
class Ticket:
    """One request on its way."""

    epoch: int
    """How often the pace had been cut when it was sent."""
    index: int
    """Its number among the requests of its epoch, from 1."""
    tokens: float
    """Tokens that were set aside for it."""


class Pace:
    """The rate and the number of requests at which one endpoint is asked.

    Until the endpoint refuses a request (429), only `window` and the stated limits hold. A refusal
    closes the gate for as long as the endpoint asks, else for half a second, and cuts the rate and
    the window (multiplicative decrease). Both then grow again (additive increase): the rate by 1 %
    of itself a second, and after half a minute without a refusal ever faster, as TCP CUBIC does.
    The rate finds a limit on requests per second, also where answers are too fast for a window to
    find it; the window finds a limit on open requests.

    A refusal of a request that was sent before the last cut cuts nothing. A refusal of the first
    request after the gate means that the gate was too short, such as where a minute's quota is
    used up: the gate then doubles, up to 4 seconds, and only the third time cuts the rate.

    Methods take the time in seconds, so that tests need not wait; `enter` waits in real time.
    """

    def __init__(
        self,
        window: int,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
    ) -> None:
        self._largest = window
        self._window = float(window)
        self._out = 0
        self._most_per_second = requests_per_minute / 60 if requests_per_minute else None
        self._tokens_per_second = tokens_per_minute / 60 if tokens_per_minute else None
        self._next = self._next_tokens = self._gate = 0.0
        self._rate: float | None = None
        self._cut_at = 0.0
        self._far_off = False
        self._epoch = self._sent = self._admitted = self._in_vain = 0
        self._line = asyncio.Lock()
        self._left = asyncio.Event()

    @property
    def is_limited(self) -> bool:
        """Whether the endpoint has ever refused a request for its rate."""
        return self._rate is not None

    def rate(self, now: float) -> float | None:
        """Returns the requests per second that may be sent now; None where nothing limits them."""
        if self._rate is None:
            return self._most_per_second
        # Where requests are rare, so are refusals: a slow endpoint is not probed by the clock.
        seconds = max(now - self._cut_at, 0.0)
        if self._far_off:
            rate = self._rate * (1 + 0.05 * min(seconds, self._admitted))
        else:
            growth = min(seconds, self._admitted / 5)
            rate = self._rate * (1 + 0.01 * growth + (growth / 40) ** 3)
        return min(rate, self._most_per_second or rate)

    def wait(self, now: float) -> float:
        """Returns the seconds until a request may be sent, or until it is worth asking again."""
        if self._out >= int(self._window):
            return 1.0
        return max(self._gate, self._next, self._next_tokens) - now

    def send(self, now: float, tokens: float = 0.0) -> Ticket:
        """Counts a request that is sent now and is expected to take so many tokens."""
        if rate := self.rate(now):
            self._next = max(self._next, now - _CATCH_UP_SECONDS) + 1 / rate
        if self._tokens_per_second:
            due = max(self._next_tokens, now - _CATCH_UP_SECONDS)
            self._next_tokens = due + tokens / self._tokens_per_second
        self._out += 1
        self._sent += 1
        return Ticket(self._epoch, self._sent, tokens)

    def leave(self, ticket: Ticket) -> None:
        """Takes note that a request is no longer open, whatever has become of it."""
        self._out -= 1
        self._left.set()

    def admitted(self, ticket: Ticket, tokens: float) -> None:
        """Takes note that the endpoint took a request, which cost `tokens`."""
        if self._tokens_per_second:
            self._next_tokens += (tokens - ticket.tokens) / self._tokens_per_second
        self._window = min(self._largest, self._window + 2 / self._window)
        if ticket.epoch == self._epoch:
            self._in_vain = 0
            self._admitted += 1

    def refused(self, ticket: Ticket, now: float, asked_seconds: float) -> None:
        """Takes note of a 429 that asks to wait so many seconds (0: it does not say)."""
        self._gate = max(self._gate, now + asked_seconds)
        if self._tokens_per_second:
            self._next_tokens -= ticket.tokens / self._tokens_per_second
        if ticket.epoch != self._epoch:
            return
        rate = self.rate(now)
        if self._rate is None or rate is None:  # about as many are open as were sent in a second
            self._cut(max(1.0, float(self._out)), now, far_off=True)
        elif ticket.index > 1:
            self._cut(rate, now, far_off=now - self._cut_at < _FAR_OFF_SECONDS)
        else:
            self._in_vain += 1
            if self._in_vain == _SHORT_GATES:
                self._cut(rate, now, far_off=True)
        pause = min(_LONGEST_GATE, _FIRST_GATE * 2.0**self._in_vain) * random.uniform(1.0, 1.25)
        self._gate = max(self._gate, now + (asked_seconds or pause))
        self._next = 0.0
        self._epoch += 1
        self._sent = 0

    def _cut(self, rate: float, now: float, far_off: bool) -> None:
        self._rate = max(_LOWEST_RATE, rate * (_FAST_DECREASE if far_off else _DECREASE))
        self._window = max(1.0, _DECREASE * min(self._window, self._out))
        self._far_off = far_off
        self._cut_at = now
        self._admitted = 0

    async def enter(self, tokens: float = 0.0) -> Ticket:
        """Returns when a request may be sent; requests are sent in the order of their calls."""
        async with self._line:
            while (wait := self.wait(time.monotonic())) > 0:
                self._left.clear()
                with contextlib.suppress(TimeoutError):  # what leaves may make room earlier
                    await asyncio.wait_for(self._left.wait(), min(wait, 1.0))
            return self.send(time.monotonic(), tokens)

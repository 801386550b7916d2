"""A circuit that stops asking an endpoint that is down, and asks on once it answers again."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable

from transforms.engine.errors import BackendError

_FIRST_WAIT = 1.0
_LONGEST_WAIT = 5.0
"""Seconds between two tries of an endpoint that is down, at first and at most."""

_log = logging.getLogger(__name__)


def backoff(tries: int, first: float = 0.5, longest: float = 60.0) -> float:
    """Seconds to wait after `tries` failures (1 or more): doubling, and jittered by up to half."""
    return min(longest, first * 2.0 ** min(tries - 1, 30)) * random.uniform(0.5, 1.0)


class Circuit:
    """Lets requests pass while the endpoint answers; all on one event loop.

    The circuit opens for an outage: nobody listens, or `after` different requests have failed in a
    row, none answered in between. Then requests wait in `enter`, and one of them at a time is let
    through, after 1 to 5 seconds. The first answer closes the circuit. An endpoint that is still
    down after `pause_seconds` ends the engine: every `enter` raises from then on.

    A request that failed, and after whose failure another one was sent and answered, is no sign of
    an outage however often it fails: the fault is the request's.
    """

    def __init__(
        self,
        name: str,
        *,
        after: int,
        pause_seconds: float,
        revive: Callable[[], Awaitable[None]],
        waiting: Callable[[], int] = lambda: 1,
        setting: str = "backend",
    ) -> None:
        """`revive` is awaited before a request is let through an open circuit; `waiting` gives the
        number of requests that a pause holds back; `setting` names the endpoint."""
        self._name, self._after, self._pause_seconds = name, after, pause_seconds
        self._revive, self._waiting, self._setting = revive, waiting, setting
        self._failing: set[str] = set()
        self._last_answered_sent = -1.0
        self._open_since: float | None = None
        self._wait_until = 0.0
        self.openings = 0
        """How often the circuit has opened."""
        self._probes = 0
        self._probe: str | None = None
        self._ended: BackendError | None = None
        self._changed = asyncio.Condition()

    @property
    def is_open(self) -> bool:
        return self._open_since is not None

    async def enter(self, request_id: str) -> None:
        """Returns when `request_id` may be sent.

        Raises:
            BackendError: the endpoint did not come back.
        """
        if self._ended is None and not self.is_open:
            return
        async with self._changed:
            await self._changed.wait_for(
                lambda: self._ended or not self.is_open or self._probe is None
            )
            if self._ended:
                raise self._ended
            if not self.is_open:
                return
            self._probe = request_id
        try:
            pause = backoff(self._probes + 1, _FIRST_WAIT, _LONGEST_WAIT)
            await asyncio.sleep(max(pause, self._wait_until - time.monotonic()))
            await self._revive()
        except BackendError as error:
            await self.end(error)
            raise

    def answers_others(self, since: float) -> bool:
        """Whether a request that was sent after `since` (monotonic seconds) has been answered."""
        return self._last_answered_sent > since

    async def answered(self, sent: float) -> None:
        """Takes note that the endpoint answered a request sent at `sent` (monotonic seconds).

        A refusal of what the request asks is an answer, too.
        """
        self._failing.clear()
        self._last_answered_sent = max(self._last_answered_sent, sent)
        if self._open_since is not None:
            seconds = time.monotonic() - self._open_since
            _log.warning("%s answers again after %.0f seconds", self._name, seconds)
            self._open_since = self._probe = None
            self._probes = 0
            await self._tell()

    async def failed(
        self,
        request_id: str,
        what: str,
        *,
        first_failed: float,
        down: bool = False,
        retry_after: float = 0.0,
    ) -> bool:
        """Takes note that `request_id` failed as requests do when the endpoint is in trouble.

        Args:
            what: the failure, for people.
            first_failed: when the request first failed (monotonic seconds).
            down: nobody listened.
            retry_after: seconds that the endpoint asks to wait, or 0.

        Returns:
            Whether the circuit is open now, or has ended: then the failure is the endpoint's.
        """
        now = time.monotonic()
        if self._open_since is None:
            if not down and self.answers_others(first_failed):
                return False
            self._failing.add(request_id)
            if not down and len(self._failing) < self._after:
                return False
            self._open_since = now
            self.openings += 1
            _log.warning(
                "%s does not answer (%s): paused, %d requests wait; tried again every few seconds "
                "for up to %g seconds (%s.pause_seconds)",
                self._name,
                what,
                self._waiting(),
                self._pause_seconds,
                self._setting,
            )
        elif self._probe == request_id:
            self._probe = None
            self._probes += 1
            if now - self._open_since >= self._pause_seconds:
                await self.end(
                    BackendError(
                        f"{self._name} has not answered for {now - self._open_since:.0f} seconds "
                        f"({what}): mend it, then go on with resume=true, which asks only for what "
                        "is not in the ledger"
                    )
                )
        self._wait_until = max(self._wait_until, now + retry_after)
        await self._tell()
        return True

    async def end(self, error: BackendError) -> None:
        """Ends the engine with `error`."""
        self._ended = self._ended or error
        await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

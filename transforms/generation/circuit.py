"""A circuit that stops asking an endpoint that is down, and asks on once it answers again."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable

from transforms.errors import BackendError

_FIRST_WAIT = 1.0
_LONGEST_WAIT = 60.0

_log = logging.getLogger(__name__)


def backoff(tries: int, first: float = 0.5, longest: float = _LONGEST_WAIT) -> float:
    """Seconds to wait after `tries` failures (1 or more): doubling, and jittered by up to half."""
    return min(longest, first * 2.0 ** (tries - 1)) * random.uniform(0.5, 1.0)


class Circuit:
    """Lets requests pass while the endpoint answers; all on one event loop.

    Once `after` different requests have failed in a row, none answered in between, or a single
    one found nobody listening, the circuit opens: requests wait in `enter`, and one of them is
    let through now and then. The first answer closes the circuit. An endpoint that is still
    down after `pause_seconds` ends the engine: every `enter` raises from then on.
    """

    def __init__(
        self,
        name: str,
        *,
        after: int,
        pause_seconds: float,
        revive: Callable[[], Awaitable[None]],
    ) -> None:
        """`revive` is awaited before a request is let through an open circuit."""
        self._name, self._after, self._pause_seconds = name, after, pause_seconds
        self._revive = revive
        self._failing: set[str] = set()
        self._open_since: float | None = None
        self._wait_until = 0.0
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
            pause = max(backoff(self._probes + 1, _FIRST_WAIT), self._wait_until - time.monotonic())
            await asyncio.sleep(pause)
            await self._revive()
        except BackendError as error:
            await self.end(error)
            raise

    async def answered(self) -> None:
        """Says that the endpoint answered, be it that a request is wrong."""
        self._failing.clear()
        if self._open_since is not None:
            if self._probes:
                seconds = time.monotonic() - self._open_since
                _log.warning("%s answers again after %.0f seconds", self._name, seconds)
            self._open_since = self._probe = None
            self._probes = 0
            await self._tell()

    async def failed(self, request_id: str, what: str, *, down: bool, retry_after: float) -> bool:
        """Says that `request_id` failed as it does when the endpoint is in trouble.

        Args:
            what: the failure, for people.
            down: nobody listened.
            retry_after: seconds that the endpoint asks to wait, or 0.

        Returns:
            Whether the circuit is open now, or has ended: then the failure is the endpoint's.
        """
        now = time.monotonic()
        self._failing.add(request_id)
        self._wait_until = max(self._wait_until, now + retry_after)
        if retry_after > self._pause_seconds:
            await self.end(
                BackendError(
                    f"{self._name} asks to wait {retry_after:.0f} seconds ({what}), longer than "
                    f"backend.pause_seconds={self._pause_seconds:g}: go on later with resume=true"
                )
            )
            return True
        if self._open_since is None:
            if not down and len(self._failing) < self._after:
                return False
            self._open_since = now
        elif self._probe == request_id:
            self._probe = None
            self._probes += 1
            if now - self._open_since >= self._pause_seconds:
                await self.end(
                    BackendError(
                        f"{self._name} has not answered for {now - self._open_since:.0f} seconds "
                        f"({what}): mend it, then go on with resume=true"
                    )
                )
            elif self._probes == 1:
                _log.warning(
                    "%s does not answer (%s): paused, tried again now and then for up to %g "
                    "seconds (backend.pause_seconds)",
                    self._name,
                    what,
                    self._pause_seconds,
                )
        await self._tell()
        return True

    async def end(self, error: BackendError) -> None:
        """Ends the engine with `error`."""
        self._ended = self._ended or error
        await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

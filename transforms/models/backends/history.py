"""What the requests of one stage have met at an endpoint so far, and what follows from it."""

from __future__ import annotations

import re
from collections import Counter

_ENOUGH_ANSWERS = 3
_SHORTEST_LIMIT, _TIMES_SLOWEST = 60.0, 4.0


class History:
    """One stage's requests at one endpoint.

    A stage whose first requests all fail alike, and none is answered, will fail as a whole: that
    is told apart from single bad requests by waiting for every request that was open when enough
    of them had failed.
    """

    def __init__(self) -> None:
        self.answers = 0
        self._slowest = 0.0
        self._generated = 0
        self._open: set[str] = set()
        self._alike: Counter[str] = Counter()
        self._awaited: set[str] | None = None

    def begin(self, request_id: str) -> None:
        """Takes note that a request is about to be asked."""
        if not self.answers:
            self._open.add(request_id)

    def answered(self, seconds: float, generated_tokens: int) -> None:
        """Takes note of an answer, and of how long it took from its last send."""
        self.answers += 1
        self._slowest = max(self._slowest, seconds)
        self._generated += generated_tokens
        self._open.clear()

    def failed(self, request_id: str, what: str | None, enough: int) -> bool:
        """Takes note that a request failed for good.

        Args:
            what: the failure, where it may be every request's; None where it says nothing of
                others. Numbers in it are not compared.
            enough: failures alike from which the stage is given up.

        Returns:
            Whether the stage is to be given up: `enough` failed alike, and none was answered.
        """
        if self.answers:
            return False
        self._open.discard(request_id)
        if what is not None:
            key = re.sub(r"\d+", "0", what)
            self._alike[key] += 1
            if self._alike[key] >= enough and self._awaited is None:
                self._awaited = set(self._open)
        if self._awaited is not None:
            self._awaited.discard(request_id)
        return self._awaited is not None and not self._awaited

    def longest(self, timeout_seconds: float, timeouts: int) -> float:
        """Returns the seconds after which a try counts as lost.

        That is `timeout_seconds`, or sooner where answers so far were much faster: 4 times the
        slowest and at least a minute, doubled for a request that has been lost before.
        """
        if self.answers < _ENOUGH_ANSWERS:
            return timeout_seconds
        limit = max(_SHORTEST_LIMIT, _TIMES_SLOWEST * self._slowest) * 2**timeouts
        return min(timeout_seconds, limit)

    def expected_tokens(self, otherwise: int) -> float:
        """Returns the mean of tokens generated; `otherwise` before there is an answer."""
        return self._generated / self.answers if self.answers else float(otherwise)

"""What cells and tools showed, by the hash of all that decides it: each is run once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from transforms.models.backends.base import valid_text
from transforms.models.ledger.index import LedgerIndex
from transforms.models.ledger.ledger import LedgerWriter

_HELD_CHARS = 64 << 20
"""Characters of observations that a worker holds in memory; what is older is in the ledger."""


class Observations:
    """What was observed since `start`, as JSON by key, and who waits for what is under way.

    An observation is looked for in memory, then in the ledger. Without a ledger only what memory
    holds is known: older ones are made again.

    Args:
        writer: the ledger that takes what is new; None for no ledger.
    """

    def __init__(self, writer: LedgerWriter | None) -> None:
        self._writer = writer

    def start(self, index: LedgerIndex | None) -> None:
        """Begins anew, with a ledger's index; forgets what was observed and who waits."""
        self._index = index
        self._texts: dict[str, str] = {}  # the newest last
        self._chars = 0
        self._seen: set[str] = set()
        self._waiting: dict[str, list[Any]] = {}

    def find(self, key: str) -> str | None:
        """Returns an observation; None where it is not known.

        Raises:
            LedgerError: the ledger cannot be read now.
        """
        text = self._texts.get(key)
        if text is None and self._index is not None and self._writer is not None:
            if key in self._seen:  # memory holds it no longer: by now the ledger has it
                self._writer.flush()
                self._index.refresh()
            text = self._index.observation(key)
            if text is not None:
                self._hold(key, text)
        return text

    def is_first(self, key: str) -> bool:
        """Returns whether this is the first call with `key` since `start`."""
        if key in self._seen:
            return False
        self._seen.add(key)
        return True

    def wait(self, key: str, waiter: Any) -> bool:
        """Has `waiter` wait for an observation; returns whether it is the first, who makes it."""
        waiting = self._waiting.setdefault(key, [])
        waiting.append(waiter)
        return len(waiting) == 1

    def is_under_way(self, key: str) -> bool:
        return key in self._waiting

    def add(self, key: str, text: str) -> str:
        """Takes in an observation, for memory and the ledger; returns it as these hold it, in valid
        Unicode."""
        text = valid_text(text)
        self._hold(key, text)
        if self._writer is not None:
            self._writer.add_observation(key, text)
        return text

    def waited_for(self, key: str) -> Iterable[Any]:
        """Returns who waited for an observation that has been made; nobody does from now on."""
        return self._waiting.pop(key)

    def _hold(self, key: str, text: str) -> None:
        self._texts[key] = text
        self._chars += len(text)
        while self._chars > _HELD_CHARS and len(self._texts) > 1:
            self._chars -= len(self._texts.pop(next(iter(self._texts))))

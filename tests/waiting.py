"""Waits for what another thread or process does, however slow the machine is."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(condition: Callable[[], T], seconds: float = 300) -> T:
    """Returns the first true value that `condition` gives; asks for it 20 times a second.

    The deadline only ends a hang: it is no claim about speed.

    Raises:
        TimeoutError: none came within `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s; at last: {value!r}")
        time.sleep(0.05)
    return value

"""Ending a process without losing answers: those on their way from a paid endpoint are awaited.

A signal handler calls `begin`. From then on models send no further request, and each bundle that
asks takes in what is still on its way, records it, and ends with `Stopped`.
"""

from __future__ import annotations

import threading

_begun = threading.Event()


class Stopped(BaseException):
    """Ends the work of a process that a signal has told to end."""


def begin() -> None:
    """Has this process ask for nothing more."""
    _begun.set()


def has_begun() -> bool:
    """Whether this process has been told to end."""
    return _begun.is_set()


def over() -> None:
    """Forgets the signal: a later run in this process asks as usual."""
    _begun.clear()

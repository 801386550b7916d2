"""Live counts from workers to the driver, beside Beam: best effort, never part of the result.

A local runner's `run()` blocks and its workers may be other processes, so workers send what they
did as datagrams to a Unix socket that the driver named in the environment. Where none is named
(a remote runner), reporting does nothing. The manifest's counts never come from here.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator

ADDRESS = "COTMILL_PROGRESS"
"""Environment variable that names the driver's socket."""
LONGEST_PATH = 100
"""Bytes of a Unix socket's path, at most: the kernel takes 107, macOS 103."""

FLUSH_SECONDS = 0.5
"""How often what is pending is sent."""
_lock = threading.Lock()
_pending: dict[tuple[str, str], int] = {}
_sent_at = 0.0
_sender: socket.socket | None = None


@contextlib.contextmanager
def folder_for_socket(name: str) -> Iterator[str]:
    """A folder for the time of the block, and in it a path for a socket that is short enough.

    The folder for temporary files is taken where it is; a long TMPDIR leaves no room for a name.
    """
    with contextlib.ExitStack() as stack:
        for parent in (None, "/tmp"):
            folder = tempfile.TemporaryDirectory(prefix="cotmill-", dir=parent)
            path = os.path.join(stack.enter_context(folder), name)
            if len(os.fsencode(path)) <= LONGEST_PATH:
                break
        yield path


def report(stage: str, what: str, amount: int) -> None:
    """Adds `amount` to the display's count of `what` (in, kept, rejected, tokens) for `stage`."""
    if ADDRESS not in os.environ:
        return
    with _lock:
        key = (stage, what)
        _pending[key] = _pending.get(key, 0) + amount
        if time.monotonic() - _sent_at >= FLUSH_SECONDS:
            _send()


def flush() -> None:
    """Sends what is pending; called at the end of a bundle's work."""
    if ADDRESS in os.environ:
        with _lock:
            _send()


def _send() -> None:
    global _sender, _sent_at
    _sent_at = time.monotonic()
    if not _pending:
        return
    if _sender is None:
        _sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        _sender.setblocking(False)
    message = json.dumps([[stage, what, n] for (stage, what), n in _pending.items()])
    _pending.clear()
    with contextlib.suppress(OSError):  # the display is gone or slow: the work goes on
        _sender.sendto(message.encode(), os.environ[ADDRESS])

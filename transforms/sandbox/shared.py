"""One sandbox per process: whatever runs programs there at one time leases the same one."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Literal

import yaml

from transforms.engine.paths import CONF
from transforms.sandbox.sandbox import Sandbox
from transforms.sandbox.settings import SandboxSettings

_lock = threading.Lock()
_leases: dict[tuple[int, SandboxSettings], tuple[Sandbox, int]] = {}
"""(Process id, settings) -> the open sandbox and its holders. A forked process starts its own."""


@contextmanager
def shared_sandbox(settings: SandboxSettings) -> Iterator[Sandbox]:
    """Leases this process's sandbox with these settings; the last lease to end closes it.

    Raises:
        SandboxError: as `Sandbox` does on entering.
    """
    key = os.getpid(), settings
    with _lock:
        box, holders = _leases.get(key) or (Sandbox(settings).__enter__(), 0)
        _leases[key] = box, holders + 1
    try:
        yield box
    finally:
        if os.getpid() == key[0]:  # a forked process ends the leases of its parent, too
            with _lock:
                box, holders = _leases.pop(key)
                if holders > 1:
                    _leases[key] = box, holders - 1
                else:
                    box.close()


def process_sandbox(mode: Literal["auto", "strict"]) -> Sandbox:
    """Returns this process's sandbox with the limits of conf/sandbox, open until the process ends.

    For code that runs outside of pipelines, such as a trainer's reward function.

    Raises:
        SandboxError: as `Sandbox` does on entering.
    """
    return _lasting(os.getpid(), mode)


@cache
def _lasting(process: int, mode: str) -> Sandbox:
    lease = ExitStack()
    atexit.register(lease.close)
    limits = yaml.safe_load((CONF / "sandbox" / "auto.yaml").read_text())
    return lease.enter_context(shared_sandbox(SandboxSettings(**{**limits, "mode": mode})))

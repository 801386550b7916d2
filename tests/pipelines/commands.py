"""Runs the real command, as a user does."""

from __future__ import annotations

import subprocess
import sys


def cotmill(*arguments: str, timeout: float = 800) -> subprocess.CompletedProcess[str]:
    """Runs `cotmill ARGUMENTS` in a process of its own, whatever its exit status."""
    return subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
    )

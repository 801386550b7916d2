"""Runs the hostile suite in one sandbox and prints JSON: what came of each program, and the layers.

`python run.py jobs|cells MODE SLOTS [LAYER,LAYER…]`: the layers named are left out. As cells, each
program runs from a state that must answer afterwards, without being rebuilt.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.hostile.programs import PROGRAMS, Hostile
from transforms.sandbox.sandbox import Cell, Job, Sandbox, tier_of
from transforms.sandbox.settings import SandboxSettings

HEALTHY = Job("input = {'a': 2}\noutput = input['a'] * 21\n")
KEPT = ("kept = [4]\nimport json",)


def as_jobs(settings: SandboxSettings, without: frozenset[str]) -> dict[str, Any]:
    with Sandbox(settings, without) as box:
        layers = {layer.name: layer.active for layer in box.layers}
        jobs = (job for hostile in PROGRAMS for job in (Job(hostile.code), HEALTHY))
        results = list(box.run(jobs))
    rows = [
        {
            "name": f"{hostile.family}: {hostile.name}",
            "status": ran.status,
            "output": ran.output,
            "why": f"{ran.error_type}: {ran.error}",
            "next": [after.status, after.input, after.output],
        }
        for hostile, ran, after in zip(PROGRAMS, results[::2], results[1::2], strict=True)
    ]
    return {"layers": layers, "rows": rows}


def as_cells(settings: SandboxSettings, without: frozenset[str]) -> dict[str, Any]:
    """Runs the programs one after the other in each of several sandboxes of one slot."""
    slots = settings.slots or 1

    def run(programs: Iterable[Hostile]) -> tuple[dict[str, bool], list[dict[str, Any]]]:
        with Sandbox(settings.model_copy(update={"slots": 1}), without) as box:
            layers = {layer.name: layer.active for layer in box.layers}
            return layers, [_run_cell(box, hostile) for hostile in programs]

    with ThreadPoolExecutor(slots) as threads:
        parts = list(threads.map(run, (PROGRAMS[slot::slots] for slot in range(slots))))
    rows = [parts[n % slots][1][n // slots] for n in range(len(PROGRAMS))]
    return {"layers": parts[0][0], "rows": rows}


def _run_cell(box: Sandbox, hostile: Hostile) -> dict[str, Any]:
    tier = tier_of(hostile.code).named[0]
    shown = "\noutput" if hostile.output else ""
    box.run_cell(Cell(f"kept  # {tier}", KEPT))
    ran = box.run_cell(Cell(hostile.code + shown, KEPT))
    after = box.run_cell(Cell(f"kept, json.dumps(2)  # {tier}", KEPT))
    return {
        "name": f"{hostile.family}: {hostile.name}",
        "status": ran.status,
        "output": ran.value,
        "why": f"{ran.error_type}: {ran.error}",
        "next": [after.status, after.value, after.replayed],
    }


def main() -> None:
    way, mode, slots, *without = sys.argv[1:]
    os.environ["SECRET"] = "HUNTER2"
    settings = SandboxSettings(
        mode=mode,
        wall_seconds=3,
        cpu_seconds=1,
        memory_mb=256,
        output_kb=64,
        file_mb=1,
        open_files=64,
        processes=16,
        slots=int(slots),
        determinism="off",
        snapshots=8,
    )
    left_out = frozenset(without[0].split(",")) if without else frozenset[str]()
    run = {"jobs": as_jobs, "cells": as_cells}[way]
    json.dump(run(settings, left_out), sys.stdout)


if __name__ == "__main__":
    main()

"""Runs the hostile suite and prints JSON: what came of each program, and the layers.

`python run.py jobs|cells MODE SLOTS [LAYER,LAYER…]`: the layers named are left out. As cells, each
program runs from a state that must answer afterwards, without being rebuilt.

Programs that end by a limit meet a short one, all others limits that they do not come near on any
machine: a sandbox for each kind.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.hostile.programs import PROGRAMS, TIMEOUT, Hostile
from transforms.sandbox.sandbox import Cell, Job, Sandbox, tier_of
from transforms.sandbox.settings import SandboxSettings

HEALTHY = Job("input = {'a': 2}\noutput = input['a'] * 21\n")
_SHORT_WALL = 4.0
KEPT = ("kept = [4]\nimport json",)


def run_jobs(box: Sandbox, programs: Sequence[Hostile], cpu: float) -> list[dict[str, Any]]:
    jobs = (job for each in programs for job in (Job(each.code, cpu_seconds=cpu), HEALTHY))
    results = list(box.run(jobs))
    return [
        {
            "name": f"{hostile.family}: {hostile.name}",
            "status": ran.status,
            "output": ran.output,
            "why": f"{ran.error_type}: {ran.error}",
            "next": [after.status, after.input, after.output],
        }
        for hostile, ran, after in zip(programs, results[::2], results[1::2], strict=True)
    ]


def run_cells(box: Sandbox, programs: Sequence[Hostile], cpu: float) -> list[dict[str, Any]]:
    return [_run_cell(box, hostile) for hostile in programs]


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
    left_out = frozenset(without[0].split(",")) if without else frozenset[str]()

    def limits(hostile: Hostile) -> tuple[float, float]:
        """The limits on a program's wall and CPU time, seconds."""
        if hostile.waits:
            return _SHORT_WALL, 10
        ends = TIMEOUT in hostile.statuses(way, "mount_namespace" not in left_out)
        return 120, 0.3 if ends else 10

    def run(wall_and_cpu: tuple[float, float]) -> tuple[dict[str, bool], list[dict[str, Any]]]:
        wall, cpu = wall_and_cpu
        at_once = 1 if way == "cells" else int(slots)
        if at_once > 1 and wall == _SHORT_WALL:  # those that wait use little of the cores
            at_once *= 2
        settings = SandboxSettings(
            mode=mode,
            wall_seconds=wall,
            cpu_seconds=math.ceil(cpu),
            memory_mb=256,
            output_kb=64,
            file_mb=1,
            open_files=64,
            processes=16,
            slots=at_once,
            determinism="off",
            snapshots=8,
        )
        alike = [hostile for hostile in PROGRAMS if limits(hostile) == wall_and_cpu]
        with Sandbox(settings, left_out) as box:
            layers = {layer.name: layer.active for layer in box.layers}
            return layers, {"jobs": run_jobs, "cells": run_cells}[way](box, alike, cpu)

    with ThreadPoolExecutor(int(slots)) as threads:
        parts = list(threads.map(run, sorted(set(map(limits, PROGRAMS)))))
    rows = {row["name"]: row for _, part in parts for row in part}
    ordered = [rows[f"{hostile.family}: {hostile.name}"] for hostile in PROGRAMS]
    json.dump({"layers": parts[0][0], "rows": ordered}, sys.stdout)


if __name__ == "__main__":
    main()

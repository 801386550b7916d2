"""Runs the hostile suite in one sandbox and prints JSON: what came of each program, and the layers.

`python run.py MODE SLOTS [LAYER,LAYER…]`: the layers named are left out.
"""

from __future__ import annotations

import json
import os
import sys

from tests.hostile.programs import PROGRAMS
from transforms.execution.sandbox import Job, Sandbox
from transforms.settings import SandboxSettings

HEALTHY = Job("input = {'a': 2}\noutput = input['a'] * 21\n")


def main() -> None:
    mode, slots, *without = sys.argv[1:]
    os.environ["SECRET"] = "HUNTER2"
    settings = SandboxSettings(
        mode=mode,
        wall_seconds=4,
        cpu_seconds=1,
        memory_mb=256,
        output_kb=64,
        file_mb=1,
        open_files=64,
        processes=16,
        slots=int(slots),
        determinism="off",
    )
    left_out = frozenset(without[0].split(",")) if without else frozenset[str]()
    with Sandbox(settings, left_out) as box:
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
    json.dump({"layers": layers, "rows": rows}, sys.stdout)


if __name__ == "__main__":
    main()

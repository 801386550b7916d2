"""`cotmill bench scale`: synthetic rows through the checks and the deduplication, measured."""

from __future__ import annotations

import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field

from pipelines.benches.synthetic.problems import problem
from transforms.engine.memory import resident_bytes
from transforms.engine.paths import PROJECT
from transforms.engine.recipe import Segment
from transforms.engine.records import Example, Message, Problem
from transforms.engine.run_folder import RunFolder
from transforms.engine.runner_settings import DirectSettings
from transforms.engine.segments import run_segment
from transforms.engine.settings import Group, SinkSettings
from transforms.engine.stage import Filter, Map
from transforms.engine.tables import shard_path, write_table
from transforms.programs.checks import FilterSettings, meaning_checks
from transforms.recipes.caco.answerability import FilterInstructions
from transforms.stages.diversity.instructions import Deduplicate
from transforms.stages.diversity.programs import DeduplicatePrograms
from transforms.stages.diversity.settings import DedupSettings
from transforms.stages.filtering import CapTrivial, FilterForm


class BenchScaleSettings(Group):
    """Everything `cotmill bench scale` can be told."""

    rows: list[Annotated[int, Field(ge=1)]] = Field(
        min_length=1, description="synthetic rows, one measurement each"
    )
    filter: FilterSettings
    dedup: DedupSettings
    runner: DirectSettings
    sink: SinkSettings


@dataclass(kw_only=True)
class AsExamples(Map):
    """PCollection[Problem] -> Outcome of Example: each as if its solutions had agreed."""

    name: str = "solved"

    reads: ClassVar[type] = Problem
    writes: ClassVar[type] = Example

    def of(self, problem: Problem) -> Example:
        return as_example(problem)


def as_example(problem: Problem) -> Example:
    return Example(
        id=problem.id,
        recipe="synthetic",
        kind=problem.kind,
        instruction=problem.instruction,
        solution=problem.instruction,
        code=problem.code,
        input=problem.input or "{}",
        answer=problem.output or "null",
        answer_type="float",
        messages=(
            Message("user", problem.instruction),
            Message("assistant", problem.instruction),
        ),
        agreement=1.0,
        attempts=1,
        difficulty=0.0,
        seed_ids=(),
        source=problem.source,
        license=problem.license,
        calls=problem.calls,
        tokens=problem.tokens,
        run_id="bench",
    )


def segments(settings: BenchScaleSettings) -> tuple[Segment, Segment]:
    """The stages that judge and deduplicate, in the order of the recipe `caco`."""
    programs = Segment(
        name="programs",
        label="01-programs",
        folder="stages/01-programs",
        stages=(
            FilterForm(filter=settings.filter),
            # the rows say already which keys of their input moved their output
            Filter(name="meaning", checks=meaning_checks()),
            DeduplicatePrograms(dedup=settings.dedup),
            CapTrivial(filter=settings.filter),
            FilterInstructions(),
        ),
        reads=Problem,
        writes=Problem,
        fingerprint="",
    )
    instructions = Segment(
        name="instructions",
        label="02-instructions",
        folder="data",
        stages=(AsExamples(), Deduplicate(dedup=settings.dedup)),
        reads=Problem,
        writes=Example,
        fingerprint="",
    )
    return programs, instructions


_INPUT = Segment("synthetic", "00-synthetic", "stages/00-synthetic", (), None, Problem, "")


def write_problems(root: str, rows: int, shards: int) -> None:
    """Writes the synthetic rows as the stage files that the first segment reads."""
    folder = RunFolder(root).path(_INPUT.folder)
    for shard in range(shards):
        path = shard_path(folder, "part", shard, shards)
        write_table(path, map(problem, range(shard, rows, shards)), Problem, "zstd")


def run_segments(root: str, rows: int, settings: BenchScaleSettings) -> dict[str, Any]:
    """Runs both segments in this process and returns what each took, and this process's peak."""
    run, previous, before = RunFolder(root), _INPUT, rows
    entries, figures = [], []
    for segment in segments(settings):
        started = time.perf_counter()
        entries.append(run_segment(segment, previous, before, run, settings))
        figures.append(
            {
                "segment": segment.name,
                "seconds": round(time.perf_counter() - started, 2),
                "cpu_seconds": round(_cpu_seconds(), 1),
                "driver_peak_mib": _peak_mib(),
            }
        )
        previous, before = segment, entries[-1]["rows"]
    return {
        "segments": figures,
        "driver_peak_mib": _peak_mib(),
        "cpu_seconds": round(_cpu_seconds(), 1),
        "stages": [
            {key: stage[key] for key in ("name", "in", "kept", "rejected")}
            for entry in entries
            for stage in entry["stages"]
        ],
    }


def _peak_mib() -> int:
    """The largest resident set of this process so far, MiB (Linux).

    Not `ru_maxrss`, which a process takes over from the one that started it.
    """
    status = Path("/proc/self/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) // 1024


def _cpu_seconds() -> float:
    """CPU time of this process and of its children that ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def measure() -> None:
    """The child process: settings from stdin, figures to stdout."""
    request = json.load(sys.stdin)
    settings = BenchScaleSettings(**request["settings"])
    print(json.dumps(run_segments(request["root"], request["rows"], settings)))


def bench_scale(settings: BenchScaleSettings) -> Iterator[dict[str, Any]]:
    """Yields a row for each number of rows, each measured in a process of its own.

    Yields:
        rows, seconds, rows_per_second, cpu_seconds, peak_mib (driver and workers together, looked
        at ten times a second; pages that they share count for each), driver_peak_mib (of the
        driver, which holds every shuffle), segments, stages.
    """
    for rows in settings.rows:
        with tempfile.TemporaryDirectory(prefix="cotmill-scale-") as root:
            write_problems(root, rows, settings.runner.stage_shards)
            request = {"root": root, "rows": rows, "settings": settings.model_dump(mode="json")}
            text, peak = _run_watched(json.dumps(request))
        figures = json.loads(text.splitlines()[-1])
        seconds = sum(segment["seconds"] for segment in figures["segments"])
        yield {
            "rows": rows,
            "seconds": round(seconds, 1),
            "rows_per_second": round(rows / seconds),
            "peak_mib": max(peak, figures["driver_peak_mib"]),
            **figures,
        }


_CHILD = f"""import logging
logging.disable(logging.WARNING)  # Beam warns at import of what only Google Cloud's sources need
from {__name__} import measure
measure()"""


def _run_watched(request: str) -> tuple[str, int]:
    """Runs `measure` in a process and returns what it printed, and its family's peak, MiB."""
    with tempfile.TemporaryFile("w+") as given, tempfile.TemporaryFile("w+") as printed:
        given.write(request)
        given.seek(0)
        child = subprocess.Popen(
            [sys.executable, "-c", _CHILD],
            env={**os.environ, "PYTHONPATH": str(PROJECT)},
            stdin=given,
            stdout=printed,
        )
        peak = 0
        try:
            while child.poll() is None:
                peak = max(peak, resident_bytes(child.pid))
                time.sleep(0.1)
        finally:
            child.kill()
        if child.returncode:
            raise subprocess.CalledProcessError(child.returncode, child.args)
        printed.seek(0)
        return printed.read(), peak >> 20


def slopes(rows: Iterable[dict[str, Any]]) -> list[dict[str, float]]:
    """How it grows from each size to the next.

    seconds, cpu_seconds: the exponent, 1 where in proportion to the rows. mib_per_1000_rows: what
    a thousand rows more add to peak_mib, most of which is there without a row.
    """
    return [
        {
            "from": small["rows"],
            "to": large["rows"],
            **{
                name: round(math.log(large[name] / small[name], large["rows"] / small["rows"]), 2)
                for name in ("seconds", "cpu_seconds")
            },
            "mib_per_1000_rows": round(
                1000 * (large["peak_mib"] - small["peak_mib"]) / (large["rows"] - small["rows"]), 2
            ),
        }
        for small, large in pairwise(rows)
    ]

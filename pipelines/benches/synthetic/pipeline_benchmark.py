"""`cotmill bench pipeline`: whole runs against a scripted endpoint, measured."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any

import psutil
from pydantic import Field

from transforms.engine.errors import CotmillError
from transforms.engine.paths import child_environment
from transforms.engine.settings import Group

_LOOK_SECONDS = 0.2
_ENDPOINT = "pipelines.benches.synthetic.endpoint"
PARTS = ("pipeline", "sandbox", "server")
"""What CPU time is spent in: driver and workers, the sandbox's processes, the endpoint."""


class BenchPipelineSettings(Group):
    """Everything `cotmill bench pipeline` can be told."""

    programs: list[Annotated[int, Field(ge=1)]] = Field(
        min_length=1, description="programs asked for, one run for each"
    )
    workers: list[Annotated[int, Field(ge=1)]] = Field(
        min_length=1, description="worker processes, one run for each"
    )
    rate: float | None = Field(
        gt=0, description="answers per second of the endpoint (null: it answers at once)"
    )
    settings: list[str] = Field(
        [], description="settings of `cotmill synthesize`, such as [sandbox.slots=1]"
    )


@contextmanager
def scripted_endpoint(module: str = _ENDPOINT, *arguments: str) -> Iterator[tuple[str, int]]:
    """Runs an endpoint in a process of its own; yields (base URL, process id)."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        env=child_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None
    with process, process.stdin:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1", process.pid


def bench_pipeline(settings: BenchPipelineSettings) -> Iterator[dict[str, Any]]:
    """Runs `cotmill synthesize` once for each number of workers and programs.

    Yields:
        workers, programs, accepted, requests, seconds (start and report included), rows_per_second
        (programs asked for), requests_per_second, busy (the share of the time between its first
        and its last request in which the endpoint was busy; 0 at no fixed rate), cpu_seconds
        {part: s} (see `PARTS`), segments [{name, seconds, cpu_seconds}] (looked at five times a
        second; the last is the start of the command, whose CPU time is in the first segment's, and
        the report).

    Raises:
        CotmillError: a run failed; the message is the last line of what it said.
    """
    for programs in settings.programs:
        for workers in settings.workers:
            with tempfile.TemporaryDirectory(prefix="cotmill-pipeline-") as folder:
                yield {
                    "workers": workers,
                    "programs": programs,
                    **_run(folder, programs, workers, settings),
                }


def _run(
    folder: str, programs: int, workers: int, settings: BenchPipelineSettings
) -> dict[str, Any]:
    errors = Path(folder, "errors")
    endpoint = scripted_endpoint(_ENDPOINT, str(settings.rate or math.inf))
    with endpoint as (url, server), errors.open("w") as log:
        started = time.monotonic()
        run = subprocess.Popen(
            [
                *(sys.executable, "-m", "pipelines.cli", "synthesize", "backend=openai"),
                *(f"backend.base_url={url}", "backend.model=scripted", f"runner.workers={workers}"),
                *(f"sampling.num_programs={programs}", f"output_dir={folder}/run"),
                *settings.settings,
            ],
            env=child_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
        meter = CpuMeter(run.pid, server)
        manifest = Path(folder, "run", "manifest.json")
        by_segment: list[dict[str, float]] = []
        try:
            while run.poll() is None:
                meter.look()
                # what was spent while n segments were finished was spent in segment n
                del by_segment[_finished(manifest) :]
                by_segment.append(meter.spent())
                while len(by_segment) < _finished(manifest) + 1:
                    by_segment.append(by_segment[-1])
                time.sleep(_LOOK_SECONDS)
        finally:
            run.kill()
        seconds = time.monotonic() - started
        with urllib.request.urlopen(f"{url}/models", timeout=10) as reply:
            busy = json.load(reply)["busy"]
    if run.returncode:
        said = errors.read_text().strip().splitlines() or ["it said nothing"]
        raise CotmillError(f"the measured run ended with status {run.returncode}: {said[-1]}")
    return {
        **_figures(json.loads(manifest.read_text()), programs, seconds, by_segment),
        "busy": round(busy, 3),
    }


def _finished(manifest: Path) -> int:
    with suppress(OSError, ValueError):  # not there yet
        return len(json.loads(manifest.read_text())["segments"])
    return 0


def _figures(
    manifest: dict[str, Any], programs: int, seconds: float, by_segment: list[dict[str, float]]
) -> dict[str, Any]:
    took = {segment["name"]: segment["seconds"] for segment in manifest["segments"]}
    took["start and report"] = seconds - sum(took.values())
    segments, before = [], dict.fromkeys(PARTS, 0.0)
    for (name, its_seconds), after in zip(took.items(), by_segment, strict=False):
        spent = {part: round(after[part] - before[part], 1) for part in PARTS}
        segments.append({"name": name, "seconds": round(its_seconds, 1), "cpu_seconds": spent})
        before = after
    requests = sum(
        counts.get("requests", 0)
        for segment in manifest["segments"]
        for stage in segment["stages"]
        for counts in stage.get("models", {}).values()
    )
    return {
        "accepted": manifest["accepted"],
        "requests": requests,
        "seconds": round(seconds, 1),
        "rows_per_second": round(programs / seconds, 1),
        "requests_per_second": round(requests / seconds, 1),
        "cpu_seconds": {part: round(by_segment[-1][part], 1) for part in PARTS},
        "segments": segments,
    }


class CpuMeter:
    """CPU seconds of a run's processes by part, those that ended included, as of the last look."""

    def __init__(self, run: int, server: int) -> None:
        self._run, self._server = run, server
        self._seen: dict[tuple[str, int, float], float] = {}

    def look(self) -> None:
        with suppress(psutil.NoSuchProcess):
            self._note("server", psutil.Process(self._server))
        with suppress(psutil.NoSuchProcess):
            self._walk(psutil.Process(self._run))

    def _walk(self, process: psutil.Process, in_sandbox: int = 0) -> None:
        """Notes a process and those below it: `in_sandbox` is how deep below its template."""
        with suppress(psutil.NoSuchProcess):
            if in_sandbox or any(part.endswith("zygote.py") for part in process.cmdline()):
                in_sandbox += 1
            # a zygote's children are programs: they live too short to be seen, and it reaps them
            self._note("sandbox" if in_sandbox else "pipeline", process, reaped=in_sandbox == 2)
            if in_sandbox < 2:
                for child in process.children():
                    self._walk(child, in_sandbox)

    def _note(self, part: str, process: psutil.Process, reaped: bool = False) -> None:
        times = process.cpu_times()
        spent = times.user + times.system
        if reaped:
            spent += times.children_user + times.children_system
        self._seen[part, process.pid, process.create_time()] = spent

    def spent(self) -> dict[str, float]:
        totals = dict.fromkeys(PARTS, 0.0)
        for (part, _, _), seconds in self._seen.items():
            totals[part] += seconds
        return totals

"""`cotmill bench scale`: synthetic rows through checks, deduplication and report, measured."""

from __future__ import annotations

import io
import json
import math
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, ClassVar

from PIL import Image
from pydantic import Field
from rich.console import Console

from pipelines.benches.synthetic.problems import problem
from pipelines.display import Display
from pipelines.report import write_report
from transforms.engine.manifest import kinds, now
from transforms.engine.memory import Family, watched
from transforms.engine.paths import child_environment
from transforms.engine.processes import map_on_cores
from transforms.engine.recipe import Segment
from transforms.engine.records import Example, Message, PictureMessage, Problem, Shown, grow
from transforms.engine.run_folder import RunFolder
from transforms.engine.runner_settings import DirectSettings
from transforms.engine.segments import run_segment
from transforms.engine.settings import Group, SinkSettings
from transforms.engine.stage import Filter, Map
from transforms.engine.tables import shard_path, write_table
from transforms.engine.versions import versions
from transforms.engine.worker_server import prepare_workers
from transforms.images.blobs import Blobs
from transforms.programs.checks import FilterSettings, meaning_checks
from transforms.sandbox.settings import SandboxSettings
from transforms.stages.diversity.decontaminate import Decontaminate
from transforms.stages.diversity.instructions import Deduplicate
from transforms.stages.diversity.programs import DeduplicatePrograms
from transforms.stages.diversity.settings import DecontaminateSettings, DedupSettings
from transforms.stages.filtering import CapTrivial, FilterForm


class BenchScaleSettings(Group):
    """Everything `cotmill bench scale` can be told."""

    rows: list[Annotated[int, Field(ge=1)]] = Field(
        min_length=1, description="synthetic rows, one measurement each"
    )
    pictures: int = Field(
        0, ge=0, description="pictures of each accepted row, of about 9 kB: drawn, kept and written"
    )
    filter: FilterSettings
    dedup: DedupSettings
    decontaminate: DecontaminateSettings
    sandbox: SandboxSettings
    runner: DirectSettings
    sink: SinkSettings


@dataclass(frozen=True)
class Pictured(Example):
    """A row whose question shows pictures."""

    messages: tuple[PictureMessage, ...]


@dataclass(kw_only=True)
class DrawPictures(Map):
    """PCollection[Example] -> Outcome of Pictured: noise, which does not compress."""

    name: str = "draw"
    pictures: int
    blobs: str

    reads: ClassVar[type] = Example
    writes: ClassVar[type] = Pictured

    def of(self, row: Example) -> Pictured:
        blobs, noise = Blobs(self.blobs), random.Random(row.id)
        seen = [blobs.put(_noise(noise)) for _ in range(self.pictures)]
        shown = tuple(Shown(**asdict(picture)) for picture in seen)
        question, answer = row.messages
        talk = (
            PictureMessage("user", question.content, pictures=shown),
            PictureMessage("assistant", answer.content),
        )
        return grow(Pictured, row, messages=talk)


def _noise(random: random.Random) -> bytes:
    file, size = io.BytesIO(), (64, 48)
    Image.frombytes("RGB", size, random.randbytes(3 * size[0] * size[1])).save(file, "PNG")
    return file.getvalue()


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
        messages=(Message("user", problem.instruction), Message("assistant", problem.instruction)),
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


ITEMS = 2_000
"""Of the evaluation set, beside every thousandth row's instruction; the usual sets have 12,000."""


def write_items(path: Path, rows: int) -> None:
    """Writes an evaluation set of texts that no row has, and of some that are rows' own."""
    texts = [
        " ".join(reversed(problem(index, seed=1).instruction.split())) for index in range(ITEMS)
    ]
    texts += [problem(index).instruction for index in range(0, rows, 1000)]
    lines = [json.dumps({"id": number, "problem": text}) for number, text in enumerate(texts)]
    path.write_text("\n".join(lines) + "\n")


def segments(settings: BenchScaleSettings, items: str, blobs: str) -> tuple[Segment, Segment]:
    """The stages that judge and deduplicate, in the order of the recipe `caco`.

    Args:
        items: file of the evaluation set.
        blobs: folder of the rows' pictures.
    """
    exam = {"exam": {"type": "jsonl", "path": items}}
    decontaminate = DecontaminateSettings(
        **{**settings.decontaminate.model_dump(), "benchmarks": exam}
    )
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
        ),
        reads=Problem,
        writes=Problem,
        fingerprint="",
    )
    instructions = Segment(
        name="instructions",
        label="02-instructions",
        folder="data",
        stages=(
            AsExamples(),
            Deduplicate(dedup=settings.dedup),
            Decontaminate(decontaminate=decontaminate, sandbox=settings.sandbox),
            *([DrawPictures(pictures=settings.pictures, blobs=blobs)] * bool(settings.pictures)),
        ),
        reads=Problem,
        writes=Pictured if settings.pictures else Example,
        fingerprint="",
        blobs=blobs,
    )
    return programs, instructions


_INPUT = Segment("synthetic", "00-synthetic", "stages/00-synthetic", (), None, Problem, "")


_FILE_ROWS = 25_000


def write_problems(root: str, rows: int) -> None:
    """Writes the synthetic rows as the stage files that the first segment reads, on all cores."""
    write_items(Path(root, "items.jsonl"), rows)
    shards = max(4, -(-rows // _FILE_ROWS))
    list(map_on_cores(partial(_write_problems, root, rows, shards), range(shards)))


def _write_problems(root: str, rows: int, shards: int, shard: int) -> None:
    path = shard_path(RunFolder(root).path(_INPUT.folder), "part", shard, shards)
    write_table(path, map(problem, range(shard, rows, shards)), Problem, "zstd")


def run_segments(root: str, rows: int, settings: BenchScaleSettings) -> dict[str, Any]:
    """Runs both segments and the report, and returns how long each took and what became of rows."""
    started = time.perf_counter()
    if settings.runner.workers > 1:
        prepare_workers()  # as a run does
    run, previous, before = RunFolder(root), _INPUT, rows
    entry = {"name": _INPUT.name, "folder": _INPUT.folder, "rows": rows, "stages": []}
    entries: list[dict[str, Any]] = [entry]
    seconds: dict[str, float] = {}
    with Display(Console(stderr=True)) as display:
        for segment in segments(settings, f"{root}/items.jsonl", run.path("blobs")):
            display.start(f"{rows:,} rows, {segment.name}", [s.name for s in segment.stages])
            entries.append(run_segment(segment, previous, run, settings))
            display.finish(entries[-1])
            seconds[segment.name] = time.perf_counter() - started
            started += seconds[segment.name]
            previous, before = segment, entries[-1]["rows"]
    for each in entries:
        each.setdefault("seconds", seconds.get(each["name"], 0.0))
    manifest = {
        "recipe": "synthetic",
        "status": "complete",
        "started": now(),
        "finished": now(),
        "accepted": before,
        "segments": entries,
        "config": settings.model_dump(mode="json"),
        "versions": versions(),
        "kinds": kinds(run, "data"),
    }
    write_report(run, manifest)
    seconds["report"] = time.perf_counter() - started
    return {
        "segments": {name: round(took, 2) for name, took in seconds.items()},
        "driver_peak_mib": _peak_mib(),
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


def measure() -> None:
    """The child process: settings from stdin, figures to stdout."""
    request = json.load(sys.stdin)
    settings = BenchScaleSettings(**request["settings"])
    print(json.dumps(run_segments(request["root"], request["rows"], settings)))


def bench_scale(settings: BenchScaleSettings) -> Iterator[dict[str, Any]]:
    """Yields a row for each number of rows, each measured in a process of its own.

    Yields:
        rows, seconds, rows_per_second, cpu_seconds and peak_mib (of all processes together,
        looked at ten times a second; pages that they share count for each), driver_peak_mib,
        segments (seconds of each, and of the report), stages.
    """
    for rows in settings.rows:
        with tempfile.TemporaryDirectory(prefix="cotmill-scale-") as root:
            write_problems(root, rows)
            print(f"{rows:,} synthetic rows are written", file=sys.stderr)
            request = {"root": root, "rows": rows, "settings": settings.model_dump(mode="json")}
            text, used = _run_watched(json.dumps(request))
        figures = json.loads(text.splitlines()[-1])
        seconds = sum(figures["segments"].values())
        yield {
            "rows": rows,
            "seconds": round(seconds, 1),
            "rows_per_second": round(rows / seconds),
            "cpu_seconds": round(used.cpu_seconds, 1),
            "peak_mib": max(used.peak >> 20, figures["driver_peak_mib"]),
            **figures,
        }


_CHILD = f"""from transforms.engine.lean_imports import lean_imports
with lean_imports():  # as a command does
    from {__name__} import measure
measure()"""


def _run_watched(request: str) -> tuple[str, Family]:
    """Runs `measure` in a process; returns what it printed, and what it and its workers used."""
    with tempfile.TemporaryFile("w+") as given, tempfile.TemporaryFile("w+") as printed:
        given.write(request)
        given.seek(0)
        child = subprocess.Popen(
            [sys.executable, "-c", _CHILD],
            env=child_environment(),
            stdin=given,
            stdout=printed,
        )
        used = watched(child)
        if child.returncode:
            raise subprocess.CalledProcessError(child.returncode, child.args)
        printed.seek(0)
        return printed.read(), used


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

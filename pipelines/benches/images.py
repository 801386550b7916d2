"""cotmill bench images: pictures drawn and changed per second, and rows of a run a second."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import Field

from pipelines.benches.execution import stages_of
from pipelines.benches.planted.pictures import CODED, RIGHT, as_seed, judge_scripts, judged_counts
from pipelines.benches.shown import plain
from pipelines.benches.synthetic import looking
from pipelines.benches.synthetic.pipeline_benchmark import scripted_endpoint
from transforms.engine.errors import CotmillError
from transforms.engine.machine import machine_line
from transforms.engine.memory import watched
from transforms.engine.paths import child_environment
from transforms.engine.settings import Group
from transforms.sandbox.settings import SandboxSettings
from transforms.sandbox.shared import shared_sandbox
from transforms.scenes import CORE, LEVELS, scene_type
from transforms.scenes.operations import (
    Blur,
    Crop,
    Denoise,
    Fit,
    Levels,
    Mirror,
    Noise,
    Operation,
    Rotate,
    Stretch,
    Transpose,
    Zoom,
    undone,
)
from transforms.scenes.pixels import shapes_in
from transforms.scenes.proofs import restores
from transforms.scenes.shapes import Shapes

FAULTS: tuple[Operation, ...] = (
    Transpose(quarters=1), Mirror(), Rotate(degrees=17), Levels(low=115, high=140),
    Noise(share=0.1, seed=0),
)  # fmt: skip
"""What is applied, undone and proved."""
OPERATIONS: tuple[Operation, ...] = (
    *FAULTS, Crop(box=(40, 40, 200, 120)), Zoom(box=(40, 40, 200, 120), factor=3), Stretch(),
    Denoise(), Blur(radius=2), Fit(pixels=100_000),
)  # fmt: skip


class BenchImagesSettings(Group):
    """Everything `cotmill bench images` can be told."""

    scenes: list[str] | None = Field(
        description="scenes by name or import path (null: all that the core install draws)"
    )
    count: int = Field(ge=5, description="pictures of each, shared by the levels")
    rows: int = Field(
        ge=0,
        description="rows of one run with all of these scenes, about: a scripted endpoint answers "
        "as many attempts rightly and as many wrongly (0: no run)",
    )
    scripts: int = Field(
        ge=0,
        description="seeds of each recipe whose model writes code about pictures, answered by "
        "scripts that are right and wrong (0: none)",
    )
    workers: int = Field(ge=1, description="worker processes of the run")
    sandbox: SandboxSettings


SETTINGS = BenchImagesSettings


def bench(settings: BenchImagesSettings) -> None:
    """Draws, changes, proves and reads back; a fault that is not undone ends it with an error. Then
    it runs the recipes that ask about pictures whole, and plays scripts in others."""
    console, found = plain(), []
    console.print(f"{settings.count:,} pictures of each, {machine_line()}")

    def note(row: dict[str, Any]) -> None:
        found.append(row)
        size = f", {row['bytes']:,} bytes a picture" if "bytes" in row else ""
        console.print(f"{row['what']}: {row['rate']:,.1f}/s{size}")

    for name in settings.scenes or CORE:
        note(drawn(name, settings.count))
    for row in changed(settings.count):
        note(row)
    note(read_back(settings.count))
    scenes, runs = settings.scenes or CORE, []
    sizes: dict[str, tuple[Sequence[str], int]] = {"picture_qa": (scenes, settings.rows)}
    if "board" in scenes:
        sizes["game_qa"] = (("board",), settings.rows // len(CORE))
    for recipe, (kinds, rows) in sizes.items():
        if not rows:
            continue
        console.print(f"{recipe}: about {rows:,} rows are asked for")
        runs.append(run := whole_run(settings, recipe, kinds, rows))
        console.print(
            f"{recipe}: {run['rows']:,} rows of {run['attempts']:,} attempts in "
            f"{run['seconds']:,} s, {run['per_second']:,} rows/s, {run['mb_a_row']} MB a row, at "
            f"most {run['peak_mib']:,} MiB; {_judged(run)}"
        )
    scripts = []
    for row in judged_scripts(settings) if settings.scripts else ():
        console.print(f"{row['recipe']}: {row['tasks']:,} tasks; {_judged(row)}")
        scripts.append(row)
    for line in (line for row in (*runs, *scripts) for line in row["misjudged"]):
        console.print(line, markup=False)
    print(json.dumps({"bench": "images", "rates": found, "runs": runs, "scripts": scripts}))


def _judged(row: dict[str, Any]) -> str:
    return (
        f"of {row['right']:,} right answers {100 * row['right_kept'] / row['right']:.2f} % kept, "
        f"of {row['wrong']:,} wrong ones {row['wrong_kept']:,}"
    )


def drawn(name: str, count: int) -> dict[str, Any]:
    """Generates and draws scenes.

    Returns:
        what, rate (a second of CPU), bytes (mean of a picture).
    """
    made, sizes = scene_type(name), []

    def draw(number: int) -> None:
        scene = made.generate(number, LEVELS[number % len(LEVELS)])
        scene.questions()
        sizes.append(len(scene.draw()))

    rate = _rate(draw, count)
    return {"what": f"draw {name}", "rate": rate, "bytes": sum(sizes) // len(sizes)}


def changed(count: int) -> list[dict[str, Any]]:
    """Applies every operation to tables, and proves that what undoes a fault did.

    Raises:
        AssertionError: a fault that was undone is not proved.
    """
    pictures = [scene_type("table").generate(number, 3).draw() for number in range(5)]
    rows = []
    for change in OPERATIONS:

        def apply(number: int, change: Operation = change) -> None:
            change.apply(pictures[number % 5])

        rows.append({"what": f"apply {change.name}", "rate": _rate(apply, count)})
    for fault in FAULTS:
        faulty = [fault.apply(png) for png in pictures]
        cure = undone(fault)
        assert cure is not None
        cured = [cure.apply(png) for png in faulty]

        def prove(
            number: int, fault: Operation = fault, faulty: Any = faulty, cured: Any = cured
        ) -> None:
            at = number % 5
            proof = restores(fault, pictures[at], faulty[at], cured[at])
            if not proof.holds:
                raise AssertionError(f"{fault}: {proof.detail}")

        rows.append({"what": f"prove {fault.name}", "rate": _rate(prove, count)})
    return rows


def read_back(count: int) -> dict[str, Any]:
    """Finds the shapes of plain scenes by their pixels, and counts the scenes found exactly.

    Returns:
        what, rate, exact (scenes of `count`).
    """
    scenes = [Shapes.generate(number, 1 + number % 3) for number in range(count)]
    pictures = [scene.draw() for scene in scenes]
    found = []
    rate = _rate(lambda number: found.append(shapes_in(pictures[number])), count)
    exact = sum({*one} == {*scene.shapes} for one, scene in zip(found, scenes, strict=True))
    return {"what": f"find shapes ({exact} of {count} exactly)", "rate": rate, "exact": exact}


def _rate(work: Callable[[int], object], count: int) -> float:
    """Does work `count` times; returns how often a second of CPU."""
    started = time.process_time()
    for number in range(count):
        work(number)
    return round(count / max(time.process_time() - started, 1e-9), 1)


def whole_run(
    settings: BenchImagesSettings, recipe: str, scenes: Sequence[str], rows: int
) -> dict[str, Any]:
    """Runs a recipe on questions about scenes, two attempts each, against an endpoint that answers
    at once, half of the time wrongly.

    Args:
        recipe: picture_qa or game_qa.
        rows: wanted, about.

    Returns:
        rows, attempts, seconds (start and report included), per_second (rows), mb_a_row (of the
        published files), peak_mib (of driver and workers together, sandbox included, looked at ten
        times a second), right, right_kept, wrong, wrong_kept, misjudged (in words).

    Raises:
        CotmillError: the run failed; the message is the last line of what it said.
    """
    arguments = {"scenes": [*scenes], "count": -(-rows // (2 * len(scenes) * len(LEVELS)))}
    known = looking.known(arguments)
    with tempfile.TemporaryDirectory(prefix="cotmill-images-") as folder, ExitStack() as stack:
        root = Path(folder)
        (root / "known.json").write_text(json.dumps(known))
        endpoint = scripted_endpoint(looking.__name__, str(root / "known.json"))
        url, _ = stack.enter_context(endpoint)
        command = [
            *(sys.executable, "-m", "pipelines.cli", "synthesize", f"recipe={recipe}"),
            *("source=function", "source.function=transforms.scenes.seeds.asked"),
            f"source.arguments={{scenes: [{','.join(scenes)}], count: {arguments['count']}}}",
            *("recipe.stages.look.sampler.samples=2", "backend=openai", "backend.model=scripted"),
            *(f"backend.base_url={url}", f"runner.workers={settings.workers}"),
            f"output_dir={root}/run",
        ]
        started = time.monotonic()
        with (root / "errors").open("w") as errors:
            run = subprocess.Popen(
                command,
                env=child_environment(),
                stdin=subprocess.DEVNULL, stdout=sys.stderr, stderr=errors,
            )  # fmt: skip
            used = watched(run)
        seconds = time.monotonic() - started
        if run.returncode:
            said = (root / "errors").read_text().strip().splitlines() or ["it said nothing"]
            raise CotmillError(f"the measured run ended with status {run.returncode}: {said[-1]}")
        files = sorted((root / "run" / "data").glob("*.parquet"))
        judged = _judged_rows(root / "run", known)
        kept = judged["right_kept"] + judged["wrong_kept"]
        return {
            "rows": kept,
            "attempts": judged["right"] + judged["wrong"],
            "seconds": round(seconds, 1),
            "per_second": round(kept / seconds, 1),
            "mb_a_row": round(sum(file.stat().st_size for file in files) / max(kept, 1) / 1e6, 3),
            "peak_mib": used.peak >> 20,
            **judged,
        }


def _judged_rows(run: Path, known: looking.Known) -> dict[str, Any]:
    """Holds what became of each attempt of a run against how it was answered."""
    columns = ["picture", "shown", "messages"]
    kept = pl.read_parquet(run / "data" / "*.parquet", columns=columns).to_dicts()
    rejects = pl.read_parquet(run / "rejects" / "*.parquet", columns=["record"])["record"]
    ends = [(row, True) for row in kept] + [(json.loads(each), False) for each in rejects]
    counts: Counter[tuple[bool, bool]] = Counter()
    misjudged = []
    for row, is_kept in ends:
        question, said = json.loads(row["shown"])["question"], row["messages"][-1]["content"]
        texts = known[row["picture"]["sha256"]][question]
        way = next(way for way in texts if texts[way] == said)
        counts[way in RIGHT, is_kept] += 1
        if (way in RIGHT) != is_kept:
            end = "kept" if is_kept else "rejected"
            misjudged.append(f"{way}, {end}: {question} {said!r}"[:300])
    return {**judged_counts(counts), "misjudged": misjudged}


def judged_scripts(settings: BenchImagesSettings) -> Iterator[dict[str, Any]]:
    """Plays right and wrong scripts in the recipes of `CODED` whose extras are installed.

    Yields:
        recipe, and what `judge_scripts` returns.
    """
    with (
        shared_sandbox(settings.sandbox) as box,
        tempfile.TemporaryDirectory(prefix="cotmill-images-") as folder,
    ):
        for recipe, coded in CODED.items():
            if coded.needs and find_spec(coded.needs) is None:
                continue
            samples = f"recipe.stages.{coded.stage}.sampler.samples=1"
            stages = stages_of(recipe, samples, *coded.overrides, root=f"{folder}/{recipe}")
            seeds = [
                as_seed(row) for row in islice(coded.seeds(settings.scripts), settings.scripts)
            ]
            yield {"recipe": recipe, **judge_scripts(coded, stages, seeds, box)}

"""cotmill bench images: pictures drawn and changed per second, a line each; the last is JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from pydantic import Field
from rich.console import Console

from transforms.engine.machine import machine_line
from transforms.engine.settings import Group
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


SETTINGS = BenchImagesSettings


def bench(settings: BenchImagesSettings) -> None:
    """Draws, changes, proves and reads back; a fault that is not undone ends it with an error."""
    console, found = Console(), []
    console.print(f"{settings.count:,} pictures of each, {machine_line()}", highlight=False)

    def note(row: dict[str, Any]) -> None:
        found.append(row)
        size = f", {row['bytes']:,} bytes a picture" if "bytes" in row else ""
        console.print(f"{row['what']}: {row['rate']:,.1f}/s{size}", highlight=False)

    for name in settings.scenes or CORE:
        note(drawn(name, settings.count))
    for row in changed(settings.count):
        note(row)
    note(read_back(settings.count))
    print(json.dumps({"bench": "images", "rates": found}))


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

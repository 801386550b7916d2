"""Parts: their pictures and volumes, and solids that differ by little are told apart by name."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.programs_for_tests import SANDBOX
from transforms.models.episode import play
from transforms.sandbox.jobs import Status
from transforms.sandbox.shared import shared_sandbox
from transforms.scenes.part import Part
from transforms.scenes.pen import text_size
from transforms.scenes.solids import Failed, Solid, differences, made

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("cadquery") is None, reason="needs cotmill[cad]"
)

PLATE = """import cadquery as cq

part = cq.Workplane("XY").box(80, 50, 8, centered=(True, True, False))
part = part.edges("|Z").fillet(4)
part = part.union(cq.Workplane("XY").center(20, -5).circle(7).extrude(14))
part = part.cut(cq.Workplane("XY").pushPoints([(-30, 15), (30, 15)]).circle(3).extrude(20))
"""
ELSEWISE = """import cadquery as cq

sketch = cq.Sketch().rect(80, 50).vertices().fillet(4).reset()
sketch = sketch.push([(-30, 15), (30, 15)]).circle(3, mode="s")
boss = cq.Workplane("XY").workplane(offset=8).center(20, -5).circle(7).extrude(6)
part = cq.Workplane("XY").placeSketch(sketch).extrude(8).union(boss)
"""
MUTANTS = {
    "a hole of 6.2 in place of 6": (
        PLATE.replace("circle(3)", "circle(3.1)"), "volume", "area", "centre", "inertia",
    ),
    "a hole moved by 1": (PLATE.replace("(30, 15)", "(31, 15)"), "centre", "inertia"),
    "a hole missing": (
        PLATE.replace(", (30, 15)", ""), "volume", "area", "faces", "centre", "inertia",
    ),
    "a boss higher by 0.5": (
        PLATE.replace("extrude(14)", "extrude(14.5)"), "volume", "area", "box", "centre", "inertia",
    ),
    "no fillet": (
        PLATE.replace('part = part.edges("|Z").fillet(4)', ""),
        "volume", "area", "faces", "centre", "inertia",
    ),
    "a boss mirrored": (PLATE.replace("center(20", "center(-20"), "centre", "inertia"),
    "the part shifted": (PLATE + "part = part.translate((0.5, 0, 0))\n", "box", "centre"),
}  # fmt: skip
"""Name -> the script, and the predicates that it breaks."""


@pytest.fixture(scope="module")
def run() -> Iterator[Any]:
    with shared_sandbox(SANDBOX) as box:
        yield (
            lambda script, gold=None: (
                play(made(script, gold), lambda check: box.submit_check(check).result()).result
            )
        )


@pytest.fixture(scope="module")
def plate(run: Any) -> Solid:
    return run(PLATE)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_of_a_plate_is_caught_by_the_predicates_that_it_breaks(
    run: Any, plate: Solid, name: str
) -> None:
    script, *broken = MUTANTS[name]
    mutant = run(script, plate.step)
    assert differences(plate.signature, mutant.signature) == broken
    assert mutant.overlap < 1


def test_another_construction_of_an_equal_solid_breaks_nothing(run: Any, plate: Solid) -> None:
    other = run(ELSEWISE, plate.step)
    assert differences(plate.signature, other.signature) == []
    assert 1 - 1e-9 < other.overlap <= 1


@pytest.mark.parametrize(
    ("script", "status", "why"),
    [
        ("import cadquery as cq\npart = cq.Workplane().box(1, 1, 1).edges().fillet(9)",
         Status.RUNTIME_ERROR, "BRep_API"),
        ("part = 3", Status.RUNTIME_ERROR, "no solid"),
        ("import cadquery as cq\npart = (", Status.SYNTAX_ERROR, ""),
        ("import cadquery as cq\npart = cq.Workplane().rect(2, 2)",
         Status.RUNTIME_ERROR, "no solid"),
    ],
)  # fmt: skip
def test_a_script_that_makes_no_solid_fails_and_says_why(
    run: Any, script: str, status: Status, why: str
) -> None:
    failed = run(script)
    assert isinstance(failed, Failed) and failed.status is status and why in failed.detail


@pytest.mark.parametrize(("seed", "level"), [(0, 1), (1, 2), (2, 3), (4, 5)])
def test_the_volume_by_formula_is_that_of_the_kernel(run: Any, seed: int, level: int) -> None:
    part = Part.generate(seed, level)
    [volume] = run(part.script()).signature["volume"]
    assert volume == pytest.approx(part.volume(), rel=1e-12)  # through a STEP file


def test_all_families_are_drawn_the_same_in_another_process() -> None:
    code = (
        "import hashlib; from transforms.scenes.part import Part\n"
        "for seed in (1, 2, 3):\n"
        "    part = Part.generate(seed, 4)\n"
        "    assert Part.model_validate_json(part.model_dump_json()) == part\n"
        "    print(part.family, hashlib.sha256(part.draw()).hexdigest())"
    )
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    parts = [Part.generate(seed, 4) for seed in (1, 2, 3)]
    drawn = [f"{part.family} {hashlib.sha256(part.draw()).hexdigest()}" for part in parts]
    assert ran.stdout.splitlines() == drawn
    assert {part.family for part in parts} == {"plate", "flange", "bracket"}


def test_what_is_written_of_a_part_keeps_within_its_sheet() -> None:
    for seed in range(40):
        lines = Part.generate(seed, 1 + seed % 5)._captions()
        assert len(lines) <= 2 and max(text_size(line, 16)[0] for line in lines) <= 632


def test_parts_with_other_answers_look_different() -> None:
    part = Part.generate(0, 3)
    more = part.model_copy(update={"holes": part.holes[:-1]})
    wider = part.model_copy(update={"hole": part.hole + 1})
    assert len({part.draw(), more.draw(), wider.draw()}) == 3

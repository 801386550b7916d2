"""cad_rl: only a script whose solid is the described one is a row, however it is built."""

from __future__ import annotations

import importlib.util
import json
from typing import Any

import pytest

from tests.recipes.playing import stage
from tests.stages.trajectories.talking import asked, once, prompt_of
from transforms.engine.records import Seed
from transforms.recipes.cad_rl import description, part_of, parts
from transforms.scenes.part import Part

WITH_CAD = pytest.mark.skipif(
    importlib.util.find_spec("cadquery") is None, reason="needs cotmill[cad]"
)


def seeds(**more: Any) -> list[Seed]:
    found = []
    for row in parts(**more):
        metadata = json.dumps({name: row[name] for name in ("level", "seed", "form")})
        words = {name: row[name] for name in ("problem", "kind", "license")}
        found.append(Seed.make(**words, source="tests", metadata=metadata))
    return found


def attempt(code: str, *overrides: str) -> tuple[Any, Any, Any]:
    [seed] = seeds(levels=[2], count=1, seed=2, forms=["plain"])
    made = stage("cad_rl", "write", "recipe.stages.write.sampler.samples=1", *overrides)
    return once(made.episode(seed), f"I build it.\n```python\n{code}\n```")


PART = Part.generate(2, 2)
ELSEWISE = "\n".join(
    [
        "import cadquery as cq",
        f"w, d, h = {PART.sizes['width']}, {PART.sizes['depth']}, {PART.sizes['height']}",
        "sketch = cq.Sketch().rect(w, d).vertices().fillet("
        f"{PART.sizes['fillet']}).reset().push({[*PART.holes]}).circle({PART.hole / 2}, mode='s')",
        "part = cq.Workplane('XY').placeSketch(sketch).extrude(h)",
    ]
)


@WITH_CAD
def test_the_right_solid_is_a_row_whatever_its_construction() -> None:
    row, verdict, play = attempt(ELSEWISE)
    assert verdict.kept and row.score == 1 and row.answer == ELSEWISE
    assert json.loads(row.data)["overlap"] > 1 - 1e-9
    [request] = asked(play)
    assert description(PART, "plain") in prompt_of(request)


@WITH_CAD
@pytest.mark.parametrize(
    ("code", "reason", "detail", "least"),
    [
        (PART.script() + "part = part.translate((1, 0, 0))", "differs", "box, centre", 0.7),
        (PART.script() + "part = part.faces('>Z').workplane().hole(2)", "differs", "volume", 0.4),
        ("import cadquery as cq\npart = cq.Workplane().box(1, 1, 1).edges().fillet(9)", "fails",
         "runtime_error", 0.0),
        ("raise SystemExit", "fails", "", 0.0),
    ],
)  # fmt: skip
def test_another_solid_or_none_is_rejected_with_what_differs(
    code: str, reason: str, detail: str, least: float
) -> None:
    row, verdict, _ = attempt(code)
    assert verdict.reason == reason and detail in verdict.detail
    assert least <= row.score < 1 and (row.score > 0) is (reason == "differs")


@pytest.mark.parametrize("level", [1, 3, 5])
def test_both_descriptions_state_every_size_and_place(level: int) -> None:
    for number in range(6):
        part = Part.generate(number, level)
        for form in ("plain", "structured"):
            text = description(part, form)  # type: ignore[arg-type]
            numbers = [*part.sizes.values(), part.hole, len(part.holes)]
            if part.family != "flange":
                numbers += [each for place in part.holes for each in place]
            assert all(not each or str(abs(each)) in text for each in numbers)


def test_parts_with_different_scripts_have_different_descriptions() -> None:
    drawn = [Part.generate(number, 3) for number in range(50)]
    pairs = {(part.script(), description(part, "plain")) for part in drawn}
    assert len(pairs) == len({one for one, _ in pairs}) == len({other for _, other in pairs})


def test_a_seed_is_read_back_to_its_part_and_another_is_not() -> None:
    for seed in seeds(levels=[1, 4], count=2):
        assert part_of(seed) is not None
    assert part_of(Seed.make(problem="a box", source="tests", license="MIT", kind="part")) is None

"""cad_rl: CadQuery scripts for described parts, held against the solid that is meant.

After CAD-RL (arXiv 2508.10118): a script that does not run earns nothing. In place of the paper's
judge of renders, predicates on the solid decide (as in CADTests, arXiv 2605.07807).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import product
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from transforms.engine.accounting import Verdict, keep, reject
from transforms.engine.errors import SettingsError
from transforms.engine.records import Seed
from transforms.models.episode import Steps
from transforms.scenes import LEVELS
from transforms.scenes.part import Part
from transforms.scenes.solids import PREDICATES, Failed, Solid, differences, made
from transforms.stages.trajectories.conversation import Conversation
from transforms.stages.trajectories.written import WriteProgram

Form = Literal["plain", "structured"]


@dataclass(kw_only=True)
class WritePart(WriteProgram):
    """PCollection[Seed] (the description of a part) -> Outcome of Trajectory: scripts whose solid
    is the one that is described, whatever its construction.

    An attempt that runs scores `overlap_weight` of the overlap with the gold solid (intersection
    over union) and the rest of the share of `PREDICATES` that hold; one that does not run, 0.
    """

    overlap_weight: Annotated[float, Field(ge=0, le=1)] = 0.5
    """A placeholder: the paper's weights are not confirmed."""
    within: Annotated[float, Field(gt=0)] = 1e-6
    """Difference of sizes that does not count, as a share of the largest of their kind."""

    reasons: ClassVar[Iterable[str]] = (*WriteProgram.reasons, "no_part", "fails", "differs")

    def __post_init__(self) -> None:
        super().__post_init__()
        if find_spec("cadquery") is None:
            raise SettingsError("recipe=cad_rl needs CadQuery: pip install 'cotmill[cad]'")

    def unfit(self, seed: Seed) -> Verdict | None:
        if part_of(seed) is None:
            return reject("no_part", "seeds come from transforms.recipes.cad_rl.parts")
        return None

    def judged(self, seed: Seed, talk: Conversation, code: str) -> Steps[tuple[float, Verdict]]:
        part = part_of(seed)
        assert part is not None
        talk.data = {"part": part.model_dump(mode="json"), "script": part.script()}
        gold = yield from made(part.script())
        assert isinstance(gold, Solid), f"our own script fails: {gold}"
        solid = yield from made(code, gold.step)
        talk.cells += 1
        if isinstance(solid, Failed):
            return 0.0, reject("fails", f"{solid.status}: {solid.detail}")
        differ = differences(gold.signature, solid.signature, self.within)
        talk.data |= {"overlap": solid.overlap, "differs": differ}
        if not differ:
            return 1.0, keep()
        holds = 1 - len(differ) / len(PREDICATES)
        weight = self.overlap_weight
        score = weight * (solid.overlap or 0.0) + (1 - weight) * holds
        return min(score, 0.999), reject("differs", ", ".join(differ))


def parts(
    levels: Sequence[int] = LEVELS, count: int = 10, seed: int = 0,
    forms: Sequence[Form] = ("plain", "structured"),
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """Yields descriptions of parts as seeds' columns, for `source=function`.

    Args:
        count: parts of each level, from `seed` on.
        forms: of the description, a seed each: plain sentences, or a line for each feature.
    """
    for number, level, form in product(range(seed, seed + count), levels, forms):
        yield {
            "problem": description(Part.generate(number, level), form), "kind": "part",
            "license": "Apache-2.0", "level": level, "seed": number, "form": form,
        }  # fmt: skip


def part_of(seed: Seed) -> Part | None:
    """Returns the part that a seed of `parts` describes; None where it is another."""
    said = json.loads(seed.metadata)
    try:
        part = Part.generate(said["seed"], said["level"])
        return part if description(part, said["form"]) == seed.problem else None
    except (KeyError, TypeError, ValueError):
        return None


_FRAME = {
    "frame": "All sizes are in millimetres, and the part stands on the plane z = 0 and rises "
    "along z"
}
_ON_TOP = {
    "boss": "On top of the body stands a cylinder around the z axis, {boss} in diameter and {rise} "
    "high",
    "bore": "A bore of {bore} in diameter goes along the z axis through everything",
}
_FEATURES = {
    "flange": {
        **_FRAME,
        "body": "The body is a disc around the z axis, {diameter} in diameter and {height} high",
        **_ON_TOP,
        "holes": "{count} holes of {hole} in diameter go through the disc along z; their middles "
        "are spread evenly on a circle around the z axis, {bolt_circle} in diameter, and the first "
        "is on the positive x axis",
    },
    "plate": {
        **_FRAME,
        "body": "The body is a plate, {width} along x, {depth} along y and {height} high, centred "
        "on the z axis",
        "fillet": "Its four upright edges are rounded with radius {fillet}",
        **_ON_TOP,
        "holes": "{count} holes of {hole} in diameter go through the plate along z; their middles "
        "(x, y) are {places}",
    },
    "bracket": {
        **_FRAME,
        "base": "The base is a plate, {width} along x, {depth} along y and {thick} high, centred "
        "on the z axis",
        "wall": "At the side of the base where y is largest stands a wall, as wide as the base "
        "along x and {thick} thick along y, within the base's outline; its top is at z = {height}",
        "holes": "{count} holes of {hole} in diameter go through the base along z; their middles "
        "(x, y) are {places}",
    },
}
"""Family -> its features by name, each a sentence with places for sizes."""


def description(part: Part, form: Form) -> str:
    """Returns all that has to be known to build a part, in words.

    Raises:
        ValueError: there is no such form.
    """
    if form not in ("plain", "structured"):
        raise ValueError(f"forms=[{form}]: use plain or structured")
    places = ", ".join(f"({x}, {y})" for x, y in part.holes)
    sizes = {"boss": 0, "bore": 0, **part.sizes, "hole": part.hole, "count": len(part.holes)}
    features = {
        name: sentence.format(**sizes, places=places)
        for name, sentence in _FEATURES[part.family].items()
        if sizes.get(name, 1)  # a part without a boss or a bore has a size of 0 there
    }
    if form == "plain":
        return " ".join(f"{sentence}." for sentence in features.values())
    return "\n".join(f"{name}: {sentence}" for name, sentence in features.items())

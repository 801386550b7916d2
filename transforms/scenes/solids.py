"""Solids compared: the signature of what a CAD script makes, and the predicates that differ.

Volume, area, bounding box, kinds of faces, centre and moments of inertia tell solids apart that
overlap to 99 % (IoU); the overlap is measured beside them. Everything runs in the sandbox, and the
comparison in another process than the script (`Check`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from transforms.models.episode import Steps
from transforms.sandbox.jobs import Check, Checked, Job, Status

PREDICATES = ("volume", "area", "box", "faces", "centre", "inertia")
"""In the order in which they are named."""

_EXPORT = """
import cadquery
if isinstance(part, cadquery.Shape):
    part = cadquery.Workplane(obj=part)
if not isinstance(part, cadquery.Workplane) or not part.solids().size():
    raise TypeError("part is no solid")
cadquery.exporters.export(part, "part.step")
output = None
"""

_MEASURE = """
import cadquery, os
from OCP.BRepGProp import BRepGProp
from OCP.GProp import GProp_GProps

def signature(solid):
    box, centre, props = solid.BoundingBox(), solid.Center(), GProp_GProps()
    BRepGProp.VolumeProperties_s(solid.wrapped, props)
    matrix = props.MatrixOfInertia()
    kinds = [face.geomType() for face in solid.Faces()]
    return {
        "volume": [solid.Volume()],
        "area": [solid.Area()],
        "box": [box.xmin, box.xmax, box.ymin, box.ymax, box.zmin, box.zmax],
        "faces": {kind: kinds.count(kind) for kind in sorted(set(kinds))},
        "centre": [centre.x, centre.y, centre.z],
        "inertia": [matrix.Value(r, c) for r in (1, 2, 3) for c in range(r, 4)],
    }

part = cadquery.importers.importStep("candidate/part.step").val()
output = {"valid": part.isValid() and len(part.Solids()) > 0, "signature": signature(part)}
if os.path.exists("gold.step"):
    gold = cadquery.importers.importStep("gold.step").val()
    both = part.intersect(gold).Volume()
    output["overlap"] = both / (part.Volume() + gold.Volume() - both)
"""


class Solid(NamedTuple):
    """What a script makes, measured."""

    signature: Mapping[str, Any]
    """Predicate -> numbers, in mm; of `faces` how many there are of each kind."""
    step: bytes
    """The solid as a STEP file."""
    overlap: float | None
    """Intersection over union with another solid, 0 to 1; None where it was held against none."""


class Failed(NamedTuple):
    """Why a script makes no solid."""

    status: Status
    detail: str


def made(script: str, gold: bytes | None = None) -> Steps[Solid | Failed]:
    """Runs a script whose `part` is a solid, and measures that in another process.

    Args:
        gold: another solid as a STEP file, whose overlap is wanted; None leaves it out.
    """
    files = {} if gold is None else {"gold.step": gold}
    checked: Checked = yield Check(
        Job(script + _EXPORT, wanted=("part.step",)), Job(_MEASURE, files=files)
    )
    ran, measured = checked.candidate, checked.checker
    if ran.status is not Status.OK or measured is None:
        return Failed(ran.status, (ran.error or "").strip()[-300:])
    if measured.status is not Status.OK or measured.output is None:
        return Failed(measured.status, (measured.error or "").strip()[-300:])
    found = json.loads(measured.output)
    if not found["valid"]:
        return Failed(Status.RUNTIME_ERROR, "the part is no valid solid")
    overlap = found.get("overlap")
    clamped = None if overlap is None else min(1.0, max(0.0, overlap))
    return Solid(found["signature"], ran.files["part.step"], clamped)


def differences(
    one: Mapping[str, Any], other: Mapping[str, Any], within: float = 1e-6
) -> list[str]:
    """Returns the predicates by which two signatures differ, in the order of `PREDICATES`.

    Args:
        within: difference of numbers that does not count, as a share of the largest of their kind.

    >>> differences({"volume": [1.0], "faces": {"PLANE": 6}}, {"volume": [1.0], "faces": {}})
    ['faces']
    """
    return [name for name in PREDICATES if name in one and not _alike(one, other, name, within)]


def _alike(one: Mapping[str, Any], other: Mapping[str, Any], name: str, within: float) -> bool:
    if name == "faces":
        return bool(one[name] == other[name])
    scale = max(map(abs, [*one[name], *other[name]]))
    if name == "centre":  # near the origin its own size says nothing
        scale = max(scale, *map(abs, one.get("box", [])), 0.0)
    pairs = zip(one[name], other[name], strict=True)
    return all(abs(first - second) <= within * scale for first, second in pairs)

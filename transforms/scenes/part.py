"""Parts: plates, flanges and brackets as CadQuery scripts, drawn with hidden lines (`pip install
'cotmill[cad]'`)."""

from __future__ import annotations

import math
import random
from textwrap import wrap
from typing import ClassVar, Literal, Self

from PIL import ImageOps

from transforms.scenes.base import Scene, SceneQuestion, decoded, encoded
from transforms.scenes.hidden_lines import hidden_lines
from transforms.scenes.pen import Pen

Family = Literal["plate", "flange", "bracket"]
_SHEET = (640, 520)
_NAMES = {
    "fillet": "corner radius", "bore": "bore diameter", "bolt_circle": "bolt circle diameter",
    "boss": "boss diameter", "rise": "boss height", "thick": "thickness",
}  # fmt: skip
"""Size -> how the picture names it."""


class Part(Scene):
    """One solid, in millimetres, on the plane z = 0; upright holes go through all of it."""

    name: ClassVar[str] = "part"

    family: Family
    sizes: dict[str, int]
    """Of a plate: width (x), depth (y), height (z), and the radius of its upright edges (fillet).
    Of a flange: its diameter and height, the diameters of its bore and of the circle on which its
    bolts stand. Of a bracket: width, depth and height of its outside, and how thick it is. Of a
    plate and a flange, diameter and height of a boss or hub, 0 where there is none."""
    hole: int
    """Diameter of the holes."""
    holes: tuple[tuple[int, int], ...]
    """Where they are; of a flange they are spread evenly, from the x axis on."""

    @classmethod
    def start(cls, rng: random.Random, level: int) -> Self:
        families: tuple[Family, ...] = ("plate", "bracket", "flange")
        family, hole = rng.choice(families[: 1 + level]), rng.choice((4, 5, 6, 8))
        raised = level > 2
        if family == "flange":
            bore, count = rng.randrange(10, 21, 2), rng.choice((3, 4, 6, 8)[: 1 + level])
            hub = bore + 2 * rng.randint(4, 6) if raised else 0
            circle = max(bore, hub) + 2 * hole + rng.randrange(8, 17, 2)
            sizes = {
                "diameter": circle + 2 * hole + 8, "height": rng.randint(5, 10), "bore": bore,
                "bolt_circle": circle, "boss": hub, "rise": rng.randint(4, 12) if raised else 0,
            }  # fmt: skip
            holes = tuple((n, count) for n in range(count))
            return cls(family=family, sizes=sizes, hole=hole, holes=holes)
        width, depth = 2 * rng.randint(30, 50), 2 * rng.randint(18, 28)
        x, y = width // 2 - hole - rng.randint(3, 6), depth // 2 - hole - rng.randint(2, 4)
        if family == "bracket":
            sizes = {"width": width, "depth": depth, "height": rng.randint(25, 45),
                     "thick": rng.randint(4, 8)}  # fmt: skip
            holes = ((-x, -4), (x, -4)) if level < 3 else ((-x, -4), (0, -4), (x, -4))
            return cls(family=family, sizes=sizes, hole=hole, holes=holes)
        sizes = {
            "width": width, "depth": depth, "height": rng.randint(5, 12),
            "fillet": rng.randint(2, 6), "boss": 2 * rng.randint(5, 8) if raised else 0,
            "rise": rng.randint(4, 12) if raised else 0,
        }  # fmt: skip
        corners = ((-x, -y), (x, -y), (-x, y), (x, y))
        return cls(family=family, sizes=sizes, hole=hole, holes=corners[: rng.choice((2, 4))])

    @property
    def centres(self) -> list[tuple[float, float]]:
        """The middles of the holes, x and y."""
        if self.family != "flange":
            return [(float(x), float(y)) for x, y in self.holes]
        reach = self.sizes["bolt_circle"] / 2
        turns = [2 * math.pi * n / count for n, count in self.holes]
        return [(round(reach * math.cos(t), 6), round(reach * math.sin(t), 6)) for t in turns]

    def script(self) -> str:
        """Returns a CadQuery script that makes the solid and calls it `part`."""
        s = self.sizes
        lines = ["import cadquery as cq", ""]
        if self.family == "flange":
            lines.append(
                f"part = cq.Workplane('XY').circle({s['diameter'] / 2}).extrude({s['height']})"
            )
        elif self.family == "plate":
            lines += [
                f"part = cq.Workplane('XY').box({s['width']}, {s['depth']}, {s['height']}, "
                "centered=(True, True, False))",
                f"part = part.edges('|Z').fillet({s['fillet']})",
            ]
        else:
            lines += [
                f"part = cq.Workplane('XY').box({s['width']}, {s['depth']}, {s['thick']}, "
                "centered=(True, True, False))",
                f"wall = cq.Workplane('XY').box({s['width']}, {s['thick']}, {s['height']}, "
                "centered=(True, True, False))",
                f"part = part.union(wall.translate((0, {s['depth'] / 2 - s['thick'] / 2}, 0)))",
            ]
        if s.get("boss"):
            lines.append(
                f"part = part.union(cq.Workplane('XY').circle({s['boss'] / 2})"
                f".extrude({s['height'] + s['rise']}))"
            )
        if s.get("bore"):
            lines.append(f"bore = cq.Workplane('XY').circle({s['bore'] / 2}).extrude(200)")
            lines.append("part = part.cut(bore)")
        lines += [
            f"holes = cq.Workplane('XY').pushPoints({self.centres})",
            f"part = part.cut(holes.circle({self.hole / 2}).extrude(200))",
        ]
        return "\n".join(lines) + "\n"

    def draw(self) -> bytes:
        pen = Pen(*_SHEET)
        for number, line in enumerate(self._captions()):
            pen.text((_SHEET[0] / 2, _SHEET[1] - 56 + 26 * number), line, 16)
        sheet, solid = decoded(pen.png()), decoded(hidden_lines(self.script()))
        box = ImageOps.invert(solid.convert("L")).getbbox()
        cut = ImageOps.contain(solid.crop(box), (_SHEET[0] - 60, _SHEET[1] - 110))
        sheet.paste(cut, ((_SHEET[0] - cut.width) // 2, 24 + (410 - cut.height) // 2))
        return encoded(sheet)

    def _captions(self) -> list[str]:
        named = [f"{_NAMES.get(name, name)} {size}" for name, size in self.sizes.items() if size]
        named.append(f"diameter of each small hole {self.hole}")
        return wrap(f"in mm: {', '.join(named)}", 80)

    def volume(self) -> float:
        """Returns the volume in cubic millimetres, by the formulas of its pieces."""
        s, round_hole = self.sizes, math.pi * self.hole**2 / 4
        if self.family == "bracket":
            base, wall = s["depth"] * s["thick"], (s["height"] - s["thick"]) * s["thick"]
            return s["width"] * (base + wall) - len(self.holes) * round_hole * s["thick"]
        boss = math.pi * (s["boss"] ** 2 - s.get("bore", 0) ** 2) / 4 * s["rise"]
        if self.family == "flange":
            area = math.pi * (s["diameter"] ** 2 - s["bore"] ** 2) / 4
        else:
            area = s["width"] * s["depth"] - (4 - math.pi) * s["fillet"] ** 2
        return (area - len(self.holes) * round_hole) * s["height"] + max(0, boss)

    def questions(self) -> list[SceneQuestion]:
        text = f"How many small holes has this {self.family}, not counting a bore?"
        volume = f"What is the volume of this {self.family} in cubic millimetres, rounded?"
        return [
            SceneQuestion("holes", text, len(self.holes)),
            SceneQuestion("volume", volume, round(self.volume())),
        ]

"""A verified seed that tests give other numbers, and the settings to do it with."""

from __future__ import annotations

from tests.programs_for_tests import SANDBOX
from transforms.engine.records import Seed, Variant
from transforms.recipes.augment.rewrite import (
    AugmentationSettings,
    Judged,
    jobs,
    plan_redraws,
    rewrite,
)
from transforms.sandbox.sandbox import Sandbox

AUGMENTATION = AugmentationSettings(draws=120, rows_per_seed=12, spread=1.67, seed=0)

PENCILS = Seed.make(
    problem="Mr. Okafor opens 6 boxes of coloured pencils. There are 24 pencils in each box. He "
    "hands 5 pencils to each of the 26 pupils in his class. How many pencils are left over?",
    answer="14",
    code="""input = {"boxes": 6, "pencils_per_box": 24, "pupils": 26, "pencils_each": 5}

def solution(boxes, pencils_per_box, pupils, pencils_each):
    # all the pencils that come out of the boxes
    total = boxes * pencils_per_box
    # pencils that the class receives
    given = pupils * pencils_each
    # what remains on the teacher's desk
    return total - given

output = solution(**input)
""",
    solution="The boxes hold 6 × 24 = 144 pencils in total. Giving 5 pencils to each of 26 pupils "
    "uses 26 × 5 = 130 pencils. So Mr. Okafor has 144 − 130 = 14 pencils left over.\n"
    "The answer is 14.",
    kind="arithmetic",
    source="test",
    license="CC0-1.0",
)


def judged(seed: Seed, settings: AugmentationSettings = AUGMENTATION) -> list[Judged]:
    """What becomes of a seed's redraws."""
    plan = plan_redraws(seed, settings)
    with Sandbox(SANDBOX) as box:
        return rewrite(plan, list(box.run(jobs(plan))), settings)


def variants(seed: Seed, settings: AugmentationSettings = AUGMENTATION) -> list[Variant]:
    """A seed's rows."""
    return [record for record, verdict in judged(seed, settings) if verdict.kept]

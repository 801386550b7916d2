"""prompt_grid: questions about pictures, asked in several ways and of several models, with examples
of other pictures (`stages.methods`)."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, product
from typing import Annotated, Any, ClassVar

from pydantic import Field

from transforms.engine.ids import derived_seed
from transforms.images.blobs import Blobs
from transforms.programs.questions import Task
from transforms.recipes.picture_qa import PictureAttempt, PictureTask
from transforms.scenes import LEVELS, Scene, SceneQuestion, scene_type
from transforms.stages.methods import MethodAttempt, TryMethods

_TRIED = 100
"""Seeds of which scenes are drawn for examples, at each level, at most."""


@dataclass(frozen=True, kw_only=True)
class PictureMethodAttempt(MethodAttempt, PictureAttempt):
    """An attempt by one method at a question about a picture."""


@dataclass(kw_only=True)
class LookByMethods(TryMethods):
    """PCollection[PictureTask] -> Outcome of PictureMethodAttempt: as `TryMethods`, by looking.

    Prompts are rendered with `picture` and, of up to `shots` other pictures with a question of the
    same kind, `picture_1`, `question_1`, `answer_1` (JSON) and so on.
    """

    shots: Annotated[int, Field(ge=0)] = 0
    """Examples that prompts may show: of other scenes, whose answers are known."""

    reads: ClassVar[type] = PictureTask
    writes: ClassVar[type] = PictureMethodAttempt
    shows_pictures: ClassVar[bool] = True

    def variables(self, task: Task) -> dict[str, Any]:
        assert isinstance(task, PictureTask)
        words = {**super().variables(task), "picture": task.picture}
        for number, (scene, question) in enumerate(examples(task, self.shots), start=1):
            words |= {
                f"picture_{number}": Blobs(self.blobs).put(scene.draw()),
                f"question_{number}": question.text,
                f"answer_{number}": json.dumps(question.answer),
            }
        return words


def examples(task: PictureTask, count: int) -> Iterator[tuple[Scene, SceneQuestion]]:
    """Returns questions of a task's kind about other pictures, at most `count`."""
    made, rng = scene_type(task.drawer.partition(",")[0]), random.Random(task.id)
    first = derived_seed(0, "shots", task.id)
    found = (
        (scene, rng.choice(alike))
        for number, level in product(range(first, first + _TRIED), LEVELS)
        for scene in [made.generate(number, level)]
        if (alike := [each for each in scene.questions() if each.kind == task.task])
    )
    return islice(found, count)

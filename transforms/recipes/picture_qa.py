"""picture_qa, game_qa: questions about drawn pictures, answered by looking, decided by the scene.

game_qa is after GameQA (arXiv 2505.13886), whose pictures of games are drawn from states that are
known. No picture shows more than its scene, and the scene is in no message.
"""

from __future__ import annotations

import io
import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Annotated, Any, ClassVar

from PIL import Image
from pydantic import Field

from transforms.engine.accounting import Verdict, reject
from transforms.engine.ids import derived_seed
from transforms.engine.records import Picture, PictureMessage, Seed, grow
from transforms.images.blobs import Blobs
from transforms.models.episode import Episode, Steps
from transforms.programs.questions import Attempted, Task, task_about
from transforms.scenes import LEVELS, NAMES, SceneQuestion, scene_type
from transforms.stages.attempt import AttemptTasks, judged


@dataclass(frozen=True, kw_only=True)
class PictureTask(Task):
    """A question about a picture; the right answer is known from the scene that it was drawn of."""

    picture: Picture
    """What is looked at."""
    scene: str
    """What the picture shows, as JSON. It is in no message."""
    drawer: str
    """Kind of the scene and versions of what draws it: equal ones give equal bytes."""
    box: tuple[int, ...] = ()
    """Where in the picture the answer is read: left, top, right, bottom in pixels, y downwards;
    empty where all of it is."""


@dataclass(frozen=True, kw_only=True)
class PictureAttempt(PictureTask, Attempted):
    """An attempt at a question about a picture."""

    messages: tuple[PictureMessage, ...]
    """Question with the picture, and response."""
    blind: int | None = None
    """Attempts with a grey picture of the same size that were right; None where none was made. A
    row with some can be answered without looking."""


def pictures(
    scenes: Sequence[str] = NAMES, levels: Sequence[int] = LEVELS, count: int = 10, seed: int = 0
) -> Iterator[dict[str, Any]]:
    """Yields scenes as seeds' columns, for `source=function`, of all kinds in turn.

    Args:
        scenes: names, or import paths of one's own.
        count: seeds of each kind and level, from `seed` on.

    Raises:
        ValueError: there is no such scene or level.
    """
    kinds = {name: scene_type(name) for name in scenes}
    for number, level, name in product(range(seed, seed + count), levels, kinds):
        kinds[name].generate(number, level)
        yield {
            "problem": f"{name}, level {level}, picture {number}",
            "kind": name,
            "license": "Apache-2.0",
            "level": level,
            "seed": number,
        }


@dataclass(kw_only=True)
class AskAboutPicture(Episode):
    """PCollection[Seed] (a scene) -> Outcome of PictureTask: the picture is drawn and kept, and
    asked about, each question of another kind where the scene has as many."""

    name: str = "ask"
    questions: Annotated[int, Field(ge=1)] = 3
    """Questions about a picture, at most."""
    scenes: tuple[str, ...] = ()
    """Kinds of scenes that are asked about; empty for all."""
    blobs: str = ""
    """Folder of the run's pictures (`images.Blobs`)."""

    reads: ClassVar[type] = Seed
    writes: ClassVar[type] = PictureTask
    creates_records: ClassVar[bool] = True
    reasons: ClassVar[Iterable[str]] = ("no_scene", "no_question")

    def episode(self, seed: Seed) -> Steps[Verdict | list[PictureTask]]:
        yield from ()
        said, name = json.loads(seed.metadata), seed.kind or ""
        if self.scenes and name not in self.scenes:
            return reject("no_scene", f"{name} is none of {', '.join(self.scenes)}")
        try:
            kind = scene_type(name)
            scene = kind.generate(said["seed"], said["level"])
        except (KeyError, TypeError, ValueError):
            return reject("no_scene", "seeds come from transforms.recipes.picture_qa.pictures")
        rng = random.Random(derived_seed(0, "picture_qa", seed.id))
        asked = drawn(scene.questions(), self.questions, rng)
        if not asked:
            return reject("no_question")
        picture = Blobs(self.blobs).put(scene.draw())
        tasks = []
        for each in asked:
            stated = {"question": each.text}
            task = task_about(seed, each.kind, "", "tolerant", [repr(each.answer)], stated)
            about = {"scene": scene.model_dump_json(), "drawer": kind.drawer()}
            tasks.append(grow(PictureTask, task, picture=picture, box=each.box or (), **about))
        return tasks


def drawn(questions: Sequence[SceneQuestion], most: int, rng: random.Random) -> list[SceneQuestion]:
    """Returns `most` questions at most, of all kinds in turn."""
    kinds: dict[str, list[SceneQuestion]] = {}
    for question in rng.sample(questions, len(questions)):
        kinds.setdefault(question.kind, []).append(question)
    turns = [(number, each) for of in kinds.values() for number, each in enumerate(of)]
    return [each for _, each in sorted(turns, key=lambda turn: turn[0])][:most]


@dataclass(kw_only=True)
class LookAndAnswer(AttemptTasks):
    """PCollection[PictureTask] -> Outcome of PictureAttempt: `sampler.samples` attempts by looking.

    The prompt is rendered as by `AttemptTasks`, with `picture`. The blind control asks the same of
    a grey picture of the same size: what is answered from that is no data about pictures.
    """

    name: str = "look"
    blind: Annotated[int, Field(ge=0)] = 0
    """Attempts at a task with a grey picture."""

    reads: ClassVar[type] = PictureTask
    writes: ClassVar[type] = PictureAttempt
    shows_pictures: ClassVar[bool] = True

    def variables(self, task: Task) -> dict[str, Any]:
        assert isinstance(task, PictureTask)
        return {**super().variables(task), "picture": task.picture}

    def episode(self, task: Task) -> Steps[list[tuple[Any, Verdict]]]:
        rows = yield from super().episode(task)
        if not self.blind:
            return rows
        assert isinstance(task, PictureTask)
        picture = Blobs(self.blobs).put(grey(task.picture.width, task.picture.height))
        sampler = self.sampler.model_copy(update={"samples": self.blind})
        asked = self.requests(sampler, **{**self.variables(task), "picture": picture})
        right = 0
        for response in (yield list(asked)):
            mark, _ = yield from judged(task, response)
            right += mark.fault is None
        return [(grow(PictureAttempt, row, blind=right), verdict) for row, verdict in rows]


def grey(width: int, height: int) -> bytes:
    """A grey picture, as PNG."""
    file = io.BytesIO()
    Image.new("L", (width, height), 128).save(file, "PNG")
    return file.getvalue()

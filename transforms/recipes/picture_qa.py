"""picture_qa, game_qa: questions about drawn pictures, answered by looking, decided by the scene.

game_qa is after GameQA (arXiv 2505.13886), whose pictures of games are drawn from states that are
known. No picture shows more than its scene, and the scene is in no message.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from PIL import Image
from pydantic import Field

from transforms.engine.accounting import Verdict, reject
from transforms.engine.records import Picture, PictureMessage, Seed, grow
from transforms.engine.stage import Map
from transforms.images.blobs import Blobs
from transforms.models.episode import Steps
from transforms.programs.questions import Attempted, Task, task_about
from transforms.scenes.seeds import Asked, OfScene
from transforms.stages.attempt import AttemptTasks, judged


@dataclass(frozen=True, kw_only=True)
class PictureTask(OfScene, Task):
    """A question about a picture; the right answer is known from the scene that it was drawn of."""

    picture: Picture
    """What is looked at."""
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


@dataclass(kw_only=True)
class AskAboutPicture(Map):
    """PCollection[Seed] (of `scenes.seeds.asked`) -> Outcome of PictureTask: the picture is drawn,
    and kept."""

    name: str = "ask"
    scenes: tuple[str, ...] = ()
    """Kinds of scenes that are asked about; empty for all."""
    blobs: str = ""
    """Folder of the run's pictures (`images.Blobs`)."""

    reads: ClassVar[type] = Seed
    writes: ClassVar[type] = PictureTask
    reasons: ClassVar[Iterable[str]] = ("no_scene",)

    def of(self, seed: Seed) -> PictureTask | Verdict:
        if self.scenes and seed.kind not in self.scenes:
            return reject("no_scene", f"{seed.kind} is none of {', '.join(self.scenes)}")
        asked = Asked.of(seed)
        if asked is None:
            return reject("no_scene", "seeds come from transforms.scenes.seeds.asked")
        scene, question = asked.scene, asked.question
        golds, stated = [repr(question.answer)], {"question": question.text}
        grader = "overlap" if isinstance(question.answer, list) else "tolerant"
        return grow(
            PictureTask,
            task_about(seed, question.kind, "", grader, golds, stated),
            picture=Blobs(self.blobs).put(scene.draw()),
            **asked.drawn,
            box=question.box or (),
        )


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

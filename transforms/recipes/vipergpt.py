"""vipergpt: a text model writes a function that answers a question about pictures that it never
sees; it looks through functions that a scene, or its pixels, stand behind.

After ViperGPT (arXiv 2303.08128). Seeds: `transforms.scenes.seeds.asked`, with scenes=[shapes].
"""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import count, islice
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from transforms.engine.accounting import Verdict, keep, reject
from transforms.engine.ids import derived_seed
from transforms.engine.records import Seed
from transforms.models.episode import Steps
from transforms.sandbox.jobs import Job, Status
from transforms.scenes import patch
from transforms.scenes.answers import agrees
from transforms.scenes.pixels import shapes_in
from transforms.scenes.seeds import Asked
from transforms.scenes.shape_questions import asked
from transforms.scenes.shapes import Shapes
from transforms.stages.trajectories.conversation import Conversation
from transforms.stages.trajectories.written import WriteProgram

Backing = Literal["scene", "pixels"]
_TRIED = 20_000
"""Scenes that are generated for the redraws of a question, at most."""


@dataclass(kw_only=True)
class WriteFunction(WriteProgram):
    """PCollection[Seed] (a question about shapes) -> Outcome of Trajectory: functions that answer
    it, right on its own scene and on redraws for which it has a clear answer.

    The prompt is rendered with `problem` and `functions`.
    """

    backings: Annotated[tuple[Backing, ...], Field(min_length=1)] = ("scene", "pixels")
    """What stands behind the functions: the scene, or what is found in its pixels. Of both, answers
    have to be the same on plain scenes, which pixels alone are asked about."""
    redraws: Annotated[int, Field(ge=0)] = 20
    """Other scenes that the function has to answer too."""
    overlap: Annotated[float, Field(gt=0, le=1)] = 0.7
    """Intersection over union from which a box is right, as in the paper."""

    reasons: ClassVar[Iterable[str]] = (
        *WriteProgram.reasons, "no_question", "few_redraws", "fails", "wrong_redraw",
        "backings_differ",
    )  # fmt: skip

    def unfit(self, seed: Seed) -> Verdict | None:
        about = Asked.of(seed)
        if about is None or not isinstance(about.scene, Shapes):
            return reject("no_question", "seeds are of scenes.seeds.asked with scenes=[shapes]")
        if len(scenes_for(about, self.redraws)) <= self.redraws:
            return reject("few_redraws", f"fewer than {self.redraws} scenes have a clear answer")
        return None

    def words(self, seed: Seed, sample: int) -> dict[str, Any]:
        about = Asked.of(seed)
        assert about is not None
        return {"problem": about.question.text, "functions": api()}

    def judged(self, seed: Seed, talk: Conversation, code: str) -> Steps[tuple[float, Verdict]]:
        about = Asked.of(seed)
        assert about is not None
        scenes = scenes_for(about, self.redraws)
        talk.data = {
            "scene": about.scene.model_dump(mode="json"), "drawer": about.scene.drawer(),
            "asked": about.question.kind, "redraws": len(scenes) - 1,
        }  # fmt: skip
        jobs, shown = [], []
        for backing in self.backings:
            places = [n for n, each in enumerate(scenes) if backing == "scene" or each[0].is_plain]
            jobs.append(Job(program(code, [things(scenes[n][0], backing) for n in places])))
            shown.append(places)
        results = yield jobs
        talk.cells += len(jobs)
        answers: dict[int, Any] = {}
        for places, result in zip(shown, results, strict=True):
            if result.status is not Status.OK or result.output is None:
                return 0.0, reject("fails", result.ending)
            for place, answer in zip(places, json.loads(result.output), strict=True):
                if answers.setdefault(place, answer) != answer:
                    what = f"{answers[place]!r} and {answer!r}"[:200]
                    return 0.0, reject("backings_differ", what)
        talk.data["answer"] = answers.get(0)
        for place, answer in sorted(answers.items()):
            gold = scenes[place][1]
            if not agrees(answer, gold, self.overlap):
                reason = "wrong_redraw" if place else "wrong_answer"
                return 0.0, reject(reason, f"{answer!r}, not {gold!r}"[:200])
        return 1.0, keep()


def scenes_for(about: Asked, redraws: int) -> list[tuple[Shapes, Any]]:
    """Returns a question's own scene and other scenes of its level for which it has a clear answer,
    as many as there are, each with that answer."""
    question, found = about.question, [(about.scene, about.question.answer)]
    first = derived_seed(0, "redraws", question.text, about.level)
    for number in islice(count(first), _TRIED):
        if len(found) > redraws:
            break
        scene = Shapes.generate(number, about.level)
        other = asked(scene.shapes, question.kind, question.names)
        if other is not None:
            found.append((scene, other.answer))
    return found  # type: ignore[return-value]


@lru_cache(maxsize=1000)
def things(scene: Shapes, backing: Backing) -> list[dict[str, Any]]:
    """Returns what is found in a picture: of a scene what it holds, or what its pixels show."""
    shapes = scene.shapes if backing == "scene" else shapes_in(scene.draw())
    return [shape.model_dump(mode="json") for shape in shapes]


def program(function: str, pictures: Sequence[list[dict[str, Any]]]) -> str:
    """Returns a program whose output is what a function `answer` gives for each picture."""
    frame = (0, 0, 640, 480)
    return (
        f"{inspect.getsource(patch)}\n\n{function.strip()}\n\n"
        f"output = [_plain(answer(Patch(things, {frame}))) for things in {[*pictures]!r}]\n"
    )


def api() -> str:
    """Returns the functions that a program may call, as Python without bodies."""
    tree = ast.parse(inspect.getsource(patch))
    tree.body = _public(tree.body)
    for each in ast.walk(tree):
        if isinstance(each, ast.ClassDef):
            each.body = [each.body[0], *_public(each.body)]
        elif isinstance(each, ast.FunctionDef):
            each.body = each.body[:1]  # the docstring
    return ast.unparse(tree)


def _public(body: list[ast.stmt]) -> list[ast.stmt]:
    kinds = (ast.ClassDef, ast.FunctionDef)
    return [each for each in body if isinstance(each, kinds) and not each.name.startswith("_")]

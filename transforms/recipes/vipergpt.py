"""vipergpt: a text model writes a function that answers a question about pictures that it never
sees; it looks through functions that a scene, or its pixels, stand behind.

After ViperGPT (arXiv 2303.08128). Seeds: `transforms.scenes.seeds.asked`, with scenes=[shapes].
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import count, islice
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from transforms.engine.accounting import Verdict, keep, reject
from transforms.engine.ids import derived_seed
from transforms.engine.records import Seed
from transforms.models.episode import Steps
from transforms.sandbox.jobs import Job, Result, Status
from transforms.scenes import patch
from transforms.scenes.pixels import shapes_in
from transforms.scenes.seeds import Asked
from transforms.scenes.shape_questions import asked
from transforms.scenes.shapes import Shapes
from transforms.stages.trajectories.converse import Conversation, Converse, Tried, ask
from transforms.stages.trajectories.records import Ended

Backing = Literal["scene", "pixels"]
_TRIED = 20_000
"""Scenes that are generated for the redraws of a question, at most."""


@dataclass(kw_only=True)
class WriteFunction(Converse):
    """PCollection[Seed] (a question about shapes) -> Outcome of Trajectory: functions that answer
    it, right on its own scene and on redraws for which it has a clear answer.

    What ran is what is recorded: a function that fails is a reject, never replaced by another. The
    prompt is rendered with `problem` and `functions`.
    """

    backings: Annotated[tuple[Backing, ...], Field(min_length=1)] = ("scene", "pixels")
    """What stands behind the functions: the scene, or what is found in its pixels. Of both, answers
    have to be the same on plain scenes, which pixels alone are asked about."""
    redraws: Annotated[int, Field(ge=0)] = 20
    """Other scenes that the function has to answer too."""
    overlap: Annotated[float, Field(gt=0, le=1)] = 0.7
    """Intersection over union from which a box is right, as in the paper."""
    cells: None = None
    turns: Literal[1] = 1

    reasons: ClassVar[Iterable[str]] = (
        *Converse.reasons, "no_question", "few_redraws", "fails", "wrong_redraw", "backings_differ",
    )  # fmt: skip

    def unfit(self, seed: Seed) -> Verdict | None:
        about = Asked.of(seed)
        if about is None or not isinstance(about.scene, Shapes):
            return reject("no_question", "seeds are of scenes.seeds.asked with scenes=[shapes]")
        if len(scenes_for(about, self.redraws)) <= self.redraws:
            return reject("few_redraws", f"fewer than {self.redraws} scenes have a clear answer")
        return None

    def words(self, seed: Seed, sample: int) -> dict[str, Any]:
        return {**super().words(seed, sample), "functions": api()}

    def attempt(self, seed: Seed, sample: int, start: tuple[str, ...]) -> Steps[Tried]:
        talk = self.begun(seed, sample)
        written = yield from ask(talk)
        programs = self.dialogue.read(written.text) if written else []
        if written and programs:
            talk.final = programs[-1].code
            talk.end(Ended.ANSWERED)
            verdict = yield from self._judged(seed, talk)
        else:
            verdict = reject("no_answer") if written else talk.verdict
        kept = self.keeps_wrong and talk.ended is not Ended.REFUSED
        return Tried(talk, float(verdict.kept), keep() if kept else verdict)

    def _judged(self, seed: Seed, talk: Conversation) -> Steps[Verdict]:
        about = Asked.of(seed)
        assert about is not None and talk.final is not None
        scenes = scenes_for(about, self.redraws)
        talk.data = {
            "scene": about.scene.model_dump(mode="json"), "drawer": about.scene.drawer(),
            "asked": about.question.kind, "redraws": len(scenes) - 1,
        }  # fmt: skip
        jobs, shown = [], []
        for backing in self.backings:
            places = [n for n, each in enumerate(scenes) if backing == "scene" or each[0].is_plain]
            jobs.append(Job(program(talk.final, [things(scenes[n][0], backing) for n in places])))
            shown.append(places)
        results = yield jobs
        talk.cells += len(jobs)
        answers: dict[int, Any] = {}
        for places, result in zip(shown, results, strict=True):
            if fault := _failed(result):
                return reject("fails", fault)
            for place, answer in zip(places, json.loads(result.output or "[]"), strict=True):
                if answers.setdefault(place, answer) != answer:
                    return reject("backings_differ", f"{answers[place]!r} and {answer!r}"[:200])
        talk.data["answer"] = answers.get(0)
        for place, answer in sorted(answers.items()):
            gold = scenes[place][1]
            if not is_right(answer, gold, self.overlap):
                reason = "wrong_redraw" if place else "wrong_answer"
                return reject(reason, f"{answer!r}, not {gold!r}"[:200])
        return keep()


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


def is_right(answer: Any, gold: Any, overlap: float) -> bool:
    """Whether an answer is the gold one: a box by overlap, a number by value, a text but for case.

    >>> is_right("Yes", "yes", 0.7), is_right(True, 1, 0.7), is_right([0, 0, 9, 9], [0, 0, 9, 8], 1)
    (True, False, False)
    """
    if isinstance(gold, list):
        return _overlap(answer, gold) >= overlap
    if isinstance(gold, str):
        return isinstance(answer, str) and answer.strip().lower() == gold
    return type(answer) in (int, float) and answer == gold


def _overlap(answer: Any, gold: list[int]) -> float:
    """Intersection over union of two boxes; 0 where the answer is none."""
    numbers = isinstance(answer, list) and len(answer) == 4
    if not numbers or any(type(each) not in (int, float) for each in answer):
        return 0.0
    wide = min(answer[2], gold[2]) - max(answer[0], gold[0])
    high = min(answer[3], gold[3]) - max(answer[1], gold[1])
    both = max(0, wide) * max(0, high)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (answer, gold)]
    return float(both / (sum(areas) - both)) if areas[0] > 0 else 0.0


def api() -> str:
    """Returns the functions that a program may call, as Python without bodies."""
    doc = inspect.getdoc(patch.Patch) or ""
    lines = ["class Patch:", *_indented(f'"""{doc}"""'), ""]
    for name, each in vars(patch.Patch).items():
        if not name.startswith("_"):
            lines += _indented("\n".join(_head(each)))
    for function in (patch.distance, patch.yes_no):
        lines += _head(function)
    return "\n".join(lines).rstrip()


def _head(function: Any) -> Iterator[str]:
    signature = str(inspect.signature(function)).replace("'", "")
    yield f"def {function.__name__}{signature}:"
    yield from _indented(f'"""{inspect.getdoc(function)}"""')
    yield ""


def _indented(text: str) -> list[str]:
    return [f"    {line}" if line else "" for line in text.split("\n")]


def _failed(result: Result) -> str | None:
    """How a run ended that gave no answers; None where it gave them."""
    if result.status is Status.OK and result.output is not None:
        return None
    return f"{result.status}: {(result.error or '').strip()[-200:]}"

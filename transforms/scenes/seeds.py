"""Questions about scenes as seeds: `asked` draws them, `Asked.of` reads one back."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

from transforms.engine.records import Seed
from transforms.scenes import CORE, LEVELS, Scene, SceneQuestion, scene_type


def asked(
    scenes: Sequence[str] = CORE, levels: Sequence[int] = LEVELS, count: int = 10, seed: int = 0,
    questions: int = 2, kinds: Sequence[str] = (),
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """Yields questions as seeds' columns, for `source=function`, of all scenes in turn.

    Of one picture each is of another kind; within a kind every answer is as likely as another, so
    that a yes is no better a guess than a no.

    Args:
        scenes: names, or import paths of one's own.
        count: seeds of each scene and level, from `seed` on.
        questions: about a picture, at most.
        kinds: of questions; empty for all.

    Raises:
        ValueError: there is no such scene or level.
    """
    types = {name: scene_type(name) for name in scenes}
    for number, level, (name, made) in product(range(seed, seed + count), levels, types.items()):
        rng = random.Random(f"asked {name} {level} {number}")
        for question in drawn(made.generate(number, level).questions(), questions, kinds, rng):
            yield {
                "problem": _stated(name, level, number, question),
                "answer": as_text(question.answer), "kind": name, "license": "Apache-2.0",
                "level": level, "seed": number, "asked": question.kind,
                "names": list(question.names),
            }  # fmt: skip


def drawn(
    found: Sequence[SceneQuestion], most: int, kinds: Sequence[str], rng: random.Random
) -> Iterator[SceneQuestion]:
    """Yields questions of different kinds; of each kind first an answer is drawn, then a question
    that has it."""
    there = sorted({each.kind for each in found if not kinds or each.kind in kinds})
    for kind in rng.sample(there, min(most, len(there))):
        alike = [each for each in found if each.kind == kind]
        answer = rng.choice(sorted({as_text(each.answer) for each in alike}))
        yield rng.choice([each for each in alike if as_text(each.answer) == answer])


def as_text(answer: Any) -> str:
    """Returns an answer as a seed has it: a text as it is, other values as JSON."""
    return answer if isinstance(answer, str) else json.dumps(answer)


@dataclass(frozen=True, kw_only=True)
class OfScene:
    """What a record says of the scene that its picture was drawn of."""

    scene: str
    """What the picture shows, as JSON. It is in no message."""
    drawer: str
    """Kind of the scene and versions of what draws it: equal ones give equal bytes."""


class Asked(NamedTuple):
    """A scene and a question about it."""

    scene: Scene
    question: SceneQuestion
    level: int
    number: int
    """The seed of the scene."""

    @property
    def drawn(self) -> dict[str, Any]:
        """The fields of `OfScene`."""
        return {"scene": self.scene.model_dump_json(), "drawer": self.scene.drawer()}

    @classmethod
    def of(cls, seed: Seed) -> Asked | None:
        """Returns what a seed of `asked` is about; None where it is another."""
        said = json.loads(seed.metadata)
        try:
            scene = scene_type(seed.kind or "").generate(said["seed"], said["level"])
        except (KeyError, TypeError, ValueError):
            return None
        at = said["level"], said["seed"]
        for question in scene.questions():
            if _stated(seed.kind or "", *at, question) == seed.problem:
                return cls(scene, question, *at)
        return None


def _stated(name: str, level: int, number: int, question: SceneQuestion) -> str:
    """The problem of a seed: which picture, as the same may be asked of many, and the question."""
    return f"{name}, level {level}, picture {number}. {question.text}"

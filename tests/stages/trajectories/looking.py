"""Conversations about drawn pictures, played by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from tests.recipes.playing import stage
from tests.stages.trajectories.talking import played, script
from transforms.engine.records import Seed
from transforms.scenes.seeds import asked
from transforms.stages.trajectories.look import PictureSeed


@cache
def blobs() -> str:
    return mkdtemp(prefix="pictures-")


@cache
def seeds(scene: str, level: int, kind: str, count: int = 1) -> tuple[Seed, ...]:
    """Questions of one kind, each about another picture of a scene."""
    made = []
    for row in asked([scene], [level], count, questions=1, kinds=[kind]):
        more = json.dumps({name: row[name] for name in ("level", "seed")})
        words = {name: row[name] for name in ("problem", "answer", "kind", "license")}
        made.append(Seed.make(**words, source="tests", metadata=more))
    return tuple(made)


@cache
def drawn(
    recipe: str, faults: tuple[str, ...] = (), scene: str = "table", kind: str = "cell"
) -> PictureSeed:
    """A question about a picture with some of the recipe's faults."""
    made = replace(stage(recipe, "draw"), sets=(faults,), blobs=blobs())
    [seed] = seeds(scene, 1, kind)
    found = made.of(seed)
    assert isinstance(found, PictureSeed)
    return found


def look(recipe: str, name: str, *overrides: str, **fields: Any) -> Any:
    """A stage that looks, with one attempt at a question."""
    one = f"recipe.stages.{name}.sampler.samples=1"
    made = copy(stage(recipe, name, one, *overrides))
    for field, value in {"blobs": blobs(), **fields}.items():
        setattr(made, field, value)
    return made


def attempted(made: Any, seed: PictureSeed, *texts: str) -> Any:
    """The rows and verdicts of a stage on a question, and the play."""
    play = played(made.episode(seed), script(*texts))
    return play.result, play


def code(*lines: str) -> str:
    body = "\n".join(("from PIL import Image", "im = Image.open('image_1')", *lines))
    return f"<think>I look closer.</think>\n<code>\n```python\n{body}\n```\n</code>"


def said(answer: Any) -> str:
    return f"<think>It is clear.</think>\n<answer>{answer}</answer>"


def png(name: str) -> Path:
    """A file of the run's pictures."""
    return Path(blobs(), name[:2], name)


def shown(row: Any) -> list[Sequence[Any]]:
    """The pictures of each turn of a row."""
    return [turn.shown for turn in row.messages if turn.shown]
